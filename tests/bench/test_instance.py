import socket
import subprocess
import sys

from bench.instance import Login, free_ports, is_running, stop_process, write_server
from bench.report import load_target


def test_passes_over_ports_in_use():
    first = free_ports(1)[0]
    with socket.create_server(("127.0.0.1", first)):
        assert first not in free_ports(3)


def test_describes_a_server_so_that_load_programs_can_read_it(tmp_path):
    logins = [Login("a@b.example", 'odd,"word')]
    path = write_server(
        tmp_path, name="n", ports={"imap": 7}, logins=logins, roots=[1], sink_port=9, about={"version": "1"}
    )
    target = load_target(path)
    assert (target.logins, target.ports, target.roots, target.sink_port) == (logins, {"imap": 7}, (1,), 9)
    assert (tmp_path / "logins.csv").stat().st_mode & 0o077 == 0


def test_ends_a_process_by_force_only_when_it_must():
    polite = subprocess.Popen([sys.executable, "-c", "print(1, flush=True); input()"], stdin=-1, stdout=-1)
    deaf = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import signal; signal.signal(15, signal.SIG_IGN); print(1, flush=True); input()",
        ],
        stdin=-1,
        stdout=-1,
    )
    for process in (polite, deaf):
        process.stdout.readline()
    assert stop_process(polite.pid, 5)
    assert not stop_process(deaf.pid, 0.3)
    for process in (polite, deaf):
        assert not is_running(process.pid)
        process.communicate()
