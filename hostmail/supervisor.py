"""The whole service as one process tree: `manage.py up`.

Prepares (data folder, private Redis, migrations, certificate, demo tenant), starts web, maild and
worker, restarts what ends by itself, and stops all in order on SIGTERM. A child says `ready` on its
standard output when its listeners are open. Killed with SIGKILL, the kernel takes the children along,
so the next start finds its ports free.
"""

import asyncio
import contextlib
import fcntl
import functools
import json
import logging.config
import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, NoReturn, TextIO

import structlog

from hostmail import private_redis
from hostmail.log import configure
from mailcore.outside.processes import die_with_parent

log = structlog.get_logger(__name__)

ROOT = Path(__file__).resolve().parent.parent
SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
START_SECONDS = 60
STOP_SECONDS = 10
STEADY_SECONDS = 60
BACK_OFF_SECONDS = (0.2, 1, 2, 5, 10, 30)


class StartFailed(Exception):
    """The service cannot start; the text is one line for the person who started it."""


@dataclass(frozen=True)
class Part:
    """A process to run: what to start, and how it shows that it is ready."""

    name: str
    command: list[str]
    env: dict[str, str] = field(default_factory=dict)  # beside what the supervisor has itself
    socket: str = ""  # a Redis that is ready when it answers here; otherwise it says `ready`
    output: str = ""  # a file for what it prints


@dataclass(frozen=True)
class Plan:
    """All that the supervisor has to know, made by `manage.py up` while Django is at hand."""

    stages: list[list[Part]]
    said: str  # printed when all are ready
    probes: list[tuple[str, int]]  # where something must listen by then
    log_level: str
    log_form: str
    lock: int  # descriptor of the lock on the data folder, kept open to the end


@dataclass
class Child:
    """A part that is kept running, and how it is doing."""

    part: Part
    process: asyncio.subprocess.Process | None = None
    ready: asyncio.Event = field(default_factory=asyncio.Event)
    failed: asyncio.Event = field(default_factory=asyncio.Event)
    stopping: bool = False
    _keeper: asyncio.Task[None] | None = None

    @property
    def name(self) -> str:
        return self.part.name

    def start(self) -> None:
        self._keeper = asyncio.create_task(self._keep(), name=self.name)

    async def _keep(self) -> None:
        """Run it, and run it again whenever it ends, more slowly each time it does so early."""
        failures = 0
        while not self.stopping:
            began = time.monotonic()
            code = await self._run_once()
            if self.stopping:
                return
            if not self.ready.is_set():
                self.failed.set()
            failures = 0 if time.monotonic() - began > STEADY_SECONDS else failures + 1
            pause = BACK_OFF_SECONDS[min(failures, len(BACK_OFF_SECONDS) - 1)]
            log.error("process_ended", process=self.name, status=code, restart_in_seconds=pause)
            await asyncio.sleep(pause)

    async def _run_once(self) -> int:
        output = self._open_output()
        try:
            self.process = await asyncio.create_subprocess_exec(
                *self.part.command,
                env={**os.environ, **self.part.env},
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output or asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT if output else None,
                # A session of its own: Ctrl-C reaches the supervisor alone, which stops all in order.
                start_new_session=True,
                preexec_fn=functools.partial(die_with_parent, os.getpid()),
            )
        finally:
            if output:
                output.close()
        watcher = asyncio.create_task(self._watch(self.process))
        try:
            return await self.process.wait()
        finally:
            watcher.cancel()

    def _open_output(self) -> IO[bytes] | None:
        return Path(self.part.output).open("wb") if self.part.output else None

    async def _watch(self, process: asyncio.subprocess.Process) -> None:
        if self.part.socket:
            while not await redis_answers(self.part.socket):
                await asyncio.sleep(0.02)
            self.ready.set()
            return
        assert process.stdout is not None
        async for line in process.stdout:
            text = line.decode(errors="replace").rstrip()
            if text == "ready":
                self.ready.set()
            elif text:
                print(f"{self.name}: {text}", flush=True)  # noqa: T201

    async def stop(self) -> bool:
        """End it with SIGTERM, after STOP_SECONDS with SIGKILL; say whether it went by itself."""
        self.stopping = True
        clean = True
        process = self.process
        if process is not None and process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
            try:
                await asyncio.wait_for(process.wait(), STOP_SECONDS)
            except TimeoutError:
                clean = False
                log.error("process_killed", process=self.name, after_seconds=STOP_SECONDS)
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
        if self._keeper is not None:
            self._keeper.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._keeper
        return clean


class Supervisor:
    """Keeps the children of one data folder; `stages` are started, and waited for, one after the other."""

    def __init__(self, stages: list[list[Part]]) -> None:
        self.stages = [[Child(part) for part in stage] for stage in stages]
        self._stop = asyncio.Event()
        self._hurry = asyncio.Event()

    def ask_to_stop(self) -> None:
        """Called on SIGTERM, SIGINT and SIGHUP; asked twice, it does not wait for anybody."""
        (self._hurry if self._stop.is_set() else self._stop).set()

    async def run(self, started: Callable[[], None]) -> int:
        """Start all, call `started` when all are ready, and return the exit status after the end."""
        loop = asyncio.get_running_loop()
        for number in SIGNALS:
            loop.add_signal_handler(number, self.ask_to_stop)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
        try:
            for stage in self.stages:
                for child in stage:
                    child.start()
                if not await self._all_ready(stage):
                    break
            else:
                started()
                await self._stop.wait()
        finally:
            ending = asyncio.create_task(self._end())
            hurry = asyncio.create_task(self._hurry.wait())
            await asyncio.wait({ending, hurry}, return_when=asyncio.FIRST_COMPLETED)
            if not ending.done():
                for child in self._children():
                    if child.process is not None and child.process.returncode is None:
                        child.process.kill()
            clean = await ending
            hurry.cancel()
        return 0 if clean else 1

    async def _all_ready(self, stage: list[Child]) -> bool:
        """Wait until each is ready; False when asked to stop first. Raises StartFailed."""
        stop = asyncio.create_task(self._stop.wait())
        deadline = time.monotonic() + START_SECONDS
        try:
            for child in stage:
                waits = [asyncio.create_task(event.wait()) for event in (child.ready, child.failed)]
                left = max(deadline - time.monotonic(), 0)
                await asyncio.wait({*waits, stop}, timeout=left, return_when=asyncio.FIRST_COMPLETED)
                for task in waits:
                    task.cancel()
                if stop.done():
                    return False
                if child.failed.is_set():
                    raise StartFailed(f"{child.name} ended before it was ready; its reason stands above")
                if not child.ready.is_set():
                    raise StartFailed(f"{child.name} was not ready within {START_SECONDS} seconds")
            return True
        finally:
            stop.cancel()

    async def _end(self) -> bool:
        """Stop the last stage first; its processes together."""
        clean = True
        for stage in reversed(self.stages):
            clean = all(await asyncio.gather(*(child.stop() for child in stage))) and clean
        return clean

    def _children(self) -> list[Child]:
        return [child for stage in self.stages for child in stage]


# --- The parts -----------------------------------------------------------------------------------


async def redis_answers(path: str) -> bool:
    try:
        reader, writer = await asyncio.open_unix_connection(path)
        writer.write(b"PING\r\n")
        answer = await asyncio.wait_for(reader.readline(), 2)
        writer.close()
    except (OSError, TimeoutError):
        return False
    return answer == b"+PONG\r\n"


def redis_part(program: str, path: Path) -> Part:
    """Describe the private Redis: a socket that only we can open, nothing saved."""
    folder = path.parent
    command = [
        program,
        *("--port", "0", "--unixsocket", str(path), "--unixsocketperm", "700"),
        *("--save", "", "--appendonly", "no", "--dir", str(folder), "--daemonize", "no"),
        *("--pidfile", str(folder / "redis.pid"), "--loglevel", "warning"),
        # Only what has an end of life may be thrown out early: cache and counters, not wake-ups.
        *("--maxmemory", "128mb", "--maxmemory-policy", "volatile-lru"),
    ]
    return Part("redis", command, socket=str(path), output=str(folder / "redis.log"))


def our_part(name: str, *arguments: str, redis_url: str) -> Part:
    """Describe one of our own processes: `manage.py NAME`."""
    env = {"PYTHONUNBUFFERED": "1", "REDIS_URL": redis_url}
    if redis_url:
        env["REDIS_URL_FILE"] = ""  # it has been read already
    # Threads that mostly wait need no heap each.
    env["MALLOC_ARENA_MAX"] = os.environ.get("MALLOC_ARENA_MAX", "2")
    return Part(name, [sys.executable, str(ROOT / "manage.py"), name, *arguments], env)


def lock_data_folder(data_dir: Path) -> TextIO:
    """Take the data folder for this process; the lock goes with it, however it ends. Raises StartFailed."""
    data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    run = data_dir / "run"
    run.mkdir(exist_ok=True, mode=0o700)
    handle = (run / "up.lock").open("a+", encoding="ascii")
    deadline = time.monotonic() + STOP_SECONDS / 2  # a predecessor may still be on its way out
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except OSError as error:
            if time.monotonic() > deadline:
                handle.seek(0)
                owner = handle.read().strip() or "unknown"
                handle.close()
                raise StartFailed(f"{data_dir} is in use by another `up` (process {owner})") from error
            time.sleep(0.1)
    handle.seek(0)
    handle.truncate()
    handle.write(str(os.getpid()))
    handle.flush()
    return handle


def private_socket(data_dir: Path) -> Path:
    """Return the path for our Redis socket, after ending what a killed predecessor left there."""
    folder = private_redis.folder(data_dir)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    if folder.stat().st_uid != os.getuid():
        raise StartFailed(f"{folder} belongs to another user")
    folder.chmod(0o700)
    path = folder / "redis.sock"
    _end_predecessor(folder / "redis.pid", path)
    path.unlink(missing_ok=True)
    (data_dir / "run" / "redis.path").write_text(str(path), encoding="utf-8")
    return path


def _end_predecessor(pid_file: Path, path: Path) -> None:
    """End a Redis that still serves our socket: by its pid, and only while that process names the socket."""
    try:
        pid = int(pid_file.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return
    number = signal.SIGTERM
    deadline = time.monotonic() + STOP_SECONDS / 2
    while _names_socket(pid, path):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)
        time.sleep(0.05)
        if time.monotonic() > deadline:
            number = signal.SIGKILL


def _names_socket(pid: int, path: Path) -> bool:
    """Say whether that process is a Redis of this socket: it shows it in its process title."""
    try:
        return os.fsencode(path) in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


# --- The process itself --------------------------------------------------------------------------


def become(plan: Plan) -> NoReturn:
    """Turn this process into the supervisor of plan: the same process, without Django's 90 MB.

    Signals wait meanwhile, so that one that comes now stops the service in order.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    reader, writer = os.pipe()
    with os.fdopen(writer, "w") as pipe:
        json.dump(asdict(plan), pipe)
    os.set_inheritable(reader, True)
    os.set_inheritable(plan.lock, True)
    code = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r})\n"
        f"from hostmail import supervisor; supervisor.main({reader})"
    )
    os.execv(sys.executable, [sys.executable, "-c", code, "up"])  # noqa: S606 - no shell is wanted


def main(reader: int) -> None:
    """Run the plan that stands in a pipe, and exit."""
    with os.fdopen(reader) as pipe:
        given = json.load(pipe)
    stages = [[Part(**part) for part in stage] for stage in given.pop("stages")]
    plan = Plan(stages=stages, **given)
    os.set_inheritable(plan.lock, False)
    logging.config.dictConfig(configure(level=plan.log_level, form=plan.log_form))
    try:
        status = asyncio.run(Supervisor(plan.stages).run(functools.partial(announce, plan)))
    except StartFailed as error:
        sys.exit(str(error))
    sys.exit(status)


def announce(plan: Plan) -> None:
    """Say where everything listens; the last line is `ready`. Raises StartFailed if something does not."""
    for host, port in plan.probes:
        try:
            socket.create_connection((host, port), timeout=5).close()
        except OSError as error:
            raise StartFailed(f"no answer at {host}:{port}: {error.strerror or error}") from error
    print(f"{plan.said}\nready", flush=True)  # noqa: T201
