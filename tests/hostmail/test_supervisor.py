"""The supervisor keeps its children running, stops them in order, and never leaves one behind."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hostmail import private_redis, supervisor
from hostmail.supervisor import Part, StartFailed, Supervisor
from tests.servers import need, wait_for

READY = "print('ready', flush=True)\n"
ROOT = Path(__file__).resolve().parents[2]


def child(name: str, code: str) -> Part:
    return Part(name, [sys.executable, "-u", "-c", code])


def sleeper(name: str, journal: Path) -> Part:
    return child(
        name,
        "import signal, sys, time\n"
        f"def stop(*_):\n    open({str(journal)!r}, 'a').write('{name}\\n')\n    sys.exit(0)\n"
        f"signal.signal(signal.SIGTERM, stop)\n{READY}time.sleep(60)\n",
    )


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


async def test_starts_in_stages_and_stops_the_last_stage_first(tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    running = Supervisor([[sleeper("first", journal)], [sleeper("second", journal)]])
    started = []

    def when_started() -> None:
        started.append([stage[0].ready.is_set() for stage in running.stages])
        running.ask_to_stop()

    assert await running.run(when_started) == 0
    assert started == [[True, True]]
    assert journal.read_text().split() == ["second", "first"]


async def test_restarts_a_child_that_ends(tmp_path: Path) -> None:
    tries = tmp_path / "tries"
    code = (
        f"import time\nf = open({str(tries)!r}, 'a+'); f.write('x'); f.flush(); f.seek(0)\n"
        f"n = len(f.read())\n{READY}time.sleep(60 if n > 1 else 0.1)\n"
    )
    running = Supervisor([[child("shaky", code)]])

    def when_started() -> None:
        asyncio.get_running_loop().create_task(stop_after_second_try())

    async def stop_after_second_try() -> None:
        while tries.read_text() != "xx":
            await asyncio.sleep(0.02)
        running.ask_to_stop()

    assert await asyncio.wait_for(running.run(when_started), 20) == 0


async def test_gives_up_when_a_child_ends_before_it_is_ready() -> None:
    running = Supervisor([[child("broken", "raise SystemExit('no')")]])
    with pytest.raises(StartFailed, match="broken"):
        await running.run(lambda: None)


async def test_kills_a_child_that_does_not_listen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "STOP_SECONDS", 0.3)
    deaf = child(
        "deaf", f"import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n{READY}time.sleep(60)"
    )
    running = Supervisor([[deaf]])
    assert await running.run(running.ask_to_stop) == 1
    process = running.stages[0][0].process
    assert process is not None
    assert process.returncode == -signal.SIGKILL


async def test_asked_twice_it_hurries() -> None:
    deaf = child(
        "deaf", f"import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n{READY}time.sleep(60)"
    )
    running = Supervisor([[deaf]])

    def twice() -> None:
        running.ask_to_stop()
        asyncio.get_running_loop().call_later(0.2, running.ask_to_stop)

    began = time.monotonic()
    await running.run(twice)
    assert time.monotonic() - began < 5


def test_children_die_with_a_killed_supervisor(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    code = f"import os, time\nopen({str(pids)!r}, 'w').write(str(os.getpid()))\n{READY}time.sleep(60)"
    program = (
        "import asyncio, sys\nfrom hostmail.supervisor import Part, Supervisor\n"
        f"child = Part('child', [sys.executable, '-c', {code!r}])\n"
        "asyncio.run(Supervisor([[child]]).run(lambda: print('up', flush=True)))\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, cwd=ROOT)
    assert parent.stdout is not None
    assert parent.stdout.readline() == "up\n"
    pid = int(pids.read_text())
    assert is_alive(pid)
    parent.kill()
    parent.communicate()
    wait_for(lambda: not is_alive(pid), 5, "the child's end")


def test_only_one_may_use_a_data_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "STOP_SECONDS", 0.2)
    held = supervisor.lock_data_folder(tmp_path / "data")
    with pytest.raises(StartFailed, match=str(os.getpid())):
        supervisor.lock_data_folder(tmp_path / "data")
    held.close()
    supervisor.lock_data_folder(tmp_path / "data").close()


def test_a_socket_with_a_long_path_goes_elsewhere(tmp_path: Path) -> None:
    deep = tmp_path / ("x" * 100)
    deep.mkdir()
    (deep / "run").mkdir()
    path = supervisor.private_socket(deep)
    try:
        assert len(os.fsencode(path)) <= private_redis.SOCKET_PATH_OCTETS
        assert path.parent.stat().st_mode & 0o777 == 0o700
        assert private_redis.socket_path(deep) == path
    finally:
        path.parent.rmdir()


def test_ends_the_redis_of_a_killed_predecessor(tmp_path: Path) -> None:
    need("redis-server")
    (tmp_path / "run").mkdir()
    path = supervisor.private_socket(tmp_path)
    described = supervisor.redis_part(private_redis.program() or "", path)
    stray = subprocess.Popen(described.command, stdout=subprocess.DEVNULL)
    try:
        wait_for((path.parent / "redis.pid").exists, 10, "a Redis")
        wait_for(path.is_socket, 10, "its socket")
        assert supervisor.private_socket(tmp_path) == path
        assert stray.wait(5) == 0
        assert not path.exists()
    finally:
        stray.kill()
        stray.wait()


def test_leaves_a_stranger_with_a_recycled_pid_alone(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    stranger = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(30)"])
    try:
        (tmp_path / "run" / "redis.pid").write_text(str(stranger.pid))
        supervisor.private_socket(tmp_path)
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()
