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
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

import structlog

from hostmail import private_redis
from mailcore.outside.processes import die_with_parent

log = structlog.get_logger(__name__)

START_SECONDS = 60
STOP_SECONDS = 10
STEADY_SECONDS = 60
BACK_OFF_SECONDS = (0.2, 1, 2, 5, 10, 30)


class StartFailed(Exception):
    """The service cannot start; the text is one line for the person who started it."""


@dataclass
class Child:
    """One process that is kept running: how to start it, and how it is doing."""

    name: str
    command: list[str]
    env: Mapping[str, str]
    is_ready: Callable[[], Awaitable[bool]] | None = None  # None: it says `ready`
    output: int | None = None
    process: asyncio.subprocess.Process | None = None
    ready: asyncio.Event = field(default_factory=asyncio.Event)
    failed: asyncio.Event = field(default_factory=asyncio.Event)
    stopping: bool = False
    _keeper: asyncio.Task[None] | None = None

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
        self.process = await asyncio.create_subprocess_exec(
            *self.command,
            env=self.env,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE if self.output is None else self.output,
            stderr=None if self.output is None else asyncio.subprocess.STDOUT,
            # A session of its own: Ctrl-C in the terminal reaches the supervisor alone, which stops in order.
            start_new_session=True,
            preexec_fn=functools.partial(die_with_parent, os.getpid()),
        )
        watcher = asyncio.create_task(self._watch(self.process))
        try:
            return await self.process.wait()
        finally:
            watcher.cancel()

    async def _watch(self, process: asyncio.subprocess.Process) -> None:
        if self.is_ready is not None:
            while not await self.is_ready():
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

    def __init__(self, stages: list[list[Child]]) -> None:
        self.stages = stages
        self._stop = asyncio.Event()
        self._hurry = asyncio.Event()

    def ask_to_stop(self) -> None:
        """Called on SIGTERM, SIGINT and SIGHUP; asked twice, it does not wait for anybody."""
        (self._hurry if self._stop.is_set() else self._stop).set()

    async def run(self, started: Callable[[], None]) -> int:
        """Start all, call `started` when all are ready, and return the exit status after the end."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            loop.add_signal_handler(number, self.ask_to_stop)
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


def redis_child(program: str, folder: Path, socket: Path) -> Child:
    """Describe the private Redis: a socket that only we can open, nothing saved."""
    command = [
        program,
        *("--port", "0", "--unixsocket", str(socket), "--unixsocketperm", "700"),
        *("--save", "", "--appendonly", "no", "--dir", str(folder), "--daemonize", "no"),
        *("--pidfile", str(folder / "redis.pid"), "--loglevel", "warning"),
        # Only what has an end of life may be thrown out early: cache and counters, not wake-ups.
        *("--maxmemory", "128mb", "--maxmemory-policy", "volatile-lru"),
    ]
    output = os.open(folder / "redis.log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)

    async def answers() -> bool:
        try:
            reader, writer = await asyncio.open_unix_connection(socket)
            writer.write(b"PING\r\n")
            answer = await asyncio.wait_for(reader.readline(), 2)
            writer.close()
        except (OSError, TimeoutError):
            return False
        return answer == b"+PONG\r\n"

    return Child("redis", command, dict(os.environ), is_ready=answers, output=output)


def our_child(name: str, *arguments: str, redis_url: str) -> Child:
    """Describe one of our own processes: `manage.py NAME`."""
    manage = Path(__file__).resolve().parent.parent / "manage.py"
    env = {
        "MALLOC_ARENA_MAX": "2",  # threads that mostly wait need no heap each
        **os.environ,
        "PYTHONUNBUFFERED": "1",
        "REDIS_URL": redis_url,
    }
    if redis_url:
        env.pop("REDIS_URL_FILE", None)
    return Child(name, [sys.executable, str(manage), name, *arguments], env)


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
    socket = folder / "redis.sock"
    _end_predecessor(folder / "redis.pid", socket)
    socket.unlink(missing_ok=True)
    (data_dir / "run" / "redis.path").write_text(str(socket), encoding="utf-8")
    return socket


def _end_predecessor(pid_file: Path, socket: Path) -> None:
    """End a Redis that still serves our socket: by its pid, and only if that process names the socket."""
    try:
        pid = int(pid_file.read_text(encoding="ascii"))
        words = Path(f"/proc/{pid}/cmdline").read_bytes()
    except (OSError, ValueError):
        return
    if os.fsencode(socket) not in words:  # Redis shows its socket in its process title
        return
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, signal.SIGTERM)
        for _ in range(50):
            time.sleep(0.1)
            os.kill(pid, 0)
        os.kill(pid, signal.SIGKILL)
