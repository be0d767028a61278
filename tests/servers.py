"""Programs and servers that the suite needs: found, started privately, and stopped by their own pid.

Nothing here touches what already runs on the machine: PostgreSQL and Redis listen on sockets in the
run's own folder, and ports come from a block that no other run on this machine uses.
"""

import atexit
import fcntl
import functools
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import pytest

from hostmail import private_redis
from mailcore.outside.processes import die_with_parent

START_SECONDS = 30
PACKAGES = {
    "chromium": "chromium",
    "clamd": "clamav-daemon",
    "curl": "curl",
    "dovecot": "dovecot-imapd",
    "fail2ban-regex": "fail2ban",
    "fetchmail": "fetchmail",
    "getmail": "getmail6",
    "imapfilter": "imapfilter",
    "initdb": "postgresql",
    "interimap": "interimap",
    "mbsync": "isync",
    "mpop": "mpop",
    "offlineimap": "offlineimap3",
    "redis-server": "redis-server",
    "strace": "strace",
    "swaks": "swaks",
}


def find(program: str) -> str | None:
    """Return the path of a program; Debian keeps PostgreSQL's off the PATH."""
    if found := shutil.which(program):
        return found
    for folder in sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True):
        if (folder / program).is_file():
            return str(folder / program)
    return None


def need(program: str) -> str:
    """Return the path of a program, or skip the test and say how to get it (under CI a skip fails)."""
    found = find(program)
    if found is None:
        pytest.skip(f"needs the program {program}: apt-get install {PACKAGES.get(program, program)}")
    return found


class Ports:
    """Free ports for this process: a block of 100 below the ephemeral range, locked for its lifetime."""

    def __init__(self) -> None:
        for first in range(12_000, 32_000, 100):
            handle = open(Path(tempfile.gettempdir()) / f"hostmail-ports-{first}.lock", "w")  # noqa: SIM115
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                handle.close()
                continue
            self._block, self._next = range(first, first + 100), 0
            atexit.register(handle.close)
            return
        raise RuntimeError("no free block of ports")

    def take(self) -> int:
        """Return a port at which nothing listens now; the block is used round and round."""
        for _ in self._block:
            port = self._block[self._next]
            self._next = (self._next + 1) % len(self._block)
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    probe.bind(("127.0.0.1", port))
                except OSError:
                    continue
                return port
        raise RuntimeError("no free port in the block")


@functools.cache
def _ports() -> Ports:
    return Ports()


def free_port() -> int:
    return _ports().take()


def wait_for(condition, seconds: float = START_SECONDS, what: str = "it"):
    """Return the first true answer of condition, asked every 20 ms; AssertionError after `seconds`."""
    deadline = time.monotonic() + seconds
    while not (answer := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not happen within {seconds} seconds")
        time.sleep(0.02)
    return answer


class Program:
    """A server process of ours: ends with us, whatever happens to us."""

    def __init__(self, command: list[str], log: Path, user: str | None = None) -> None:
        self.log = log
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                user=user,
                group=None if user is None else pwd.getpwnam(user).pw_gid,
                extra_groups=None if user is None else [],
                cwd="/",
                preexec_fn=functools.partial(die_with_parent, os.getpid()),
            )

    def wait_ready(self, condition, what: str) -> None:
        def ready():
            if self.process.poll() is not None:
                raise RuntimeError(f"{what} ended at once: {self.log.read_text(errors='replace')[-2000:]}")
            return condition()

        wait_for(ready, what=what)

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


def start_postgres(folder: Path) -> Program:
    """Start a private PostgreSQL with its socket in folder; fsync is on, as in life."""
    initdb = find("initdb")
    if not initdb or not find("postgres"):
        raise RuntimeError("the tests on PostgreSQL need its programs: apt-get install postgresql")
    folder.mkdir(parents=True)
    user = None
    if os.geteuid() == 0:  # initdb refuses root
        names = {entry.pw_name for entry in pwd.getpwall()}
        user = next(name for name in ("postgres", "nobody") if name in names)
        folder.parent.chmod(0o755)
        shutil.chown(folder, user)
    data = folder / "data"
    subprocess.run(
        [initdb, "-D", data, "-U", "hostmail", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"],
        check=True,
        capture_output=True,
        user=user,
        cwd="/",
    )
    program = run_postgres(folder)
    _psql(folder, "postgres", "CREATE DATABASE hostmail")
    return program


def run_postgres(folder: Path) -> Program:
    """Run PostgreSQL on what start_postgres made before, and wait until it answers."""
    program = Program(
        [
            find("postgres"), "-D", str(folder / "data"), "-k", str(folder),
            "-c", "listen_addresses=", "-c", "max_connections=300",
        ],
        folder.parent / "postgres.log",
        folder.owner() if os.geteuid() == 0 else None,
    )  # fmt: skip
    program.wait_ready((folder / ".s.PGSQL.5432").is_socket, "PostgreSQL")
    wait_for(functools.partial(_postgres_answers, folder), what="PostgreSQL")
    return program


def _postgres_answers(folder: Path) -> bool:
    import psycopg

    try:
        _psql(folder, "postgres", "SELECT 1")
    except psycopg.OperationalError:
        return False
    return True


def _psql(folder: Path, database: str, statement: str) -> None:
    import psycopg

    with psycopg.connect(host=str(folder), user="hostmail", dbname=database, autocommit=True) as connection:
        connection.execute(statement)


def start_redis(folder: Path) -> tuple[Program, str]:
    """Start a private Redis on a socket in folder; return it and its URL."""
    program = private_redis.program()
    if program is None:
        pytest.skip("needs a Redis program: apt-get install redis-server")
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "redis.sock"
    command = [program, "--port", "0", "--unixsocket", str(path), "--save", "", "--appendonly", "no"]
    server = Program([*command, "--dir", str(folder)], folder / "redis.log")
    server.wait_ready(path.is_socket, "Redis")
    return server, f"unix://{path}"
