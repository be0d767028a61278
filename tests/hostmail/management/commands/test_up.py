"""`manage.py up` as a person or systemd runs it: a program, on ports and a folder of its own."""

import os
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from hostmail import private_redis
from hostmail.management.commands import up
from tests.servers import free_port, wait_for
from tests.service import ROOT, Service

MEMORY_OCTETS = 500 << 20


def is_open(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def family(pid: int) -> list[int]:
    """Return a process and all that descend from it."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(below for child in children for below in family(int(child)))]


def test_starts_from_nothing_and_lets_go_cleanly(service: Service) -> None:
    listening = ["http", "smtp", "submission", "submissions", "imap", "imaps", "pop3", "pop3s"]
    assert all(is_open(service.ports[name]) for name in listening)
    assert service.output[-1] == "ready"
    assert f"127.0.0.1:{service.ports['imaps']}" in "\n".join(service.output)
    with urllib.request.urlopen(f"{service.url}/readyz") as answer:
        assert b'"database": "ok", "redis": "ok"' in answer.read()
    processes = family(service.process.pid)
    service.stop()
    assert not any(is_open(service.ports[name]) for name in listening)
    assert not any(Path(f"/proc/{pid}").exists() for pid in processes)


@pytest.mark.once
def test_fits_a_small_machine(service: Service) -> None:
    """At rest: what has just started may need more for a moment."""
    wait_for(lambda: memory(service.process.pid) < MEMORY_OCTETS, 10, "500 MiB are enough")


def memory(pid: int) -> int:
    """What a process and all below it have for themselves, in octets."""
    rollups = [Path(f"/proc/{each}/smaps_rollup").read_text() for each in family(pid)]
    return sum(
        int(line.split()[1]) << 10 for text in rollups for line in text.splitlines() if line[:4] == "Pss:"
    )


def test_starts_again_at_once_after_kill_9(service: Service) -> None:
    processes = family(service.process.pid)
    service.kill()
    began = time.monotonic()
    service.start()
    assert time.monotonic() - began < 15  # about 2 on a quiet machine; the suite keeps both cores busy
    assert not any(Path(f"/proc/{pid}").exists() for pid in processes)


@pytest.mark.once
def test_a_killed_part_comes_back(service: Service) -> None:
    service.expect("process_ended")
    service.expect("process_killed")
    pid = service.process.pid
    web = next(
        child for child in family(pid) if b"web" in Path(f"/proc/{child}/cmdline").read_bytes().split(b"\0")
    )
    os.kill(web, 9)
    wait_for(lambda: not is_open(service.ports["http"]), 5, "the end of web")
    wait_for(lambda: is_open(service.ports["http"]), 30, "web")


@pytest.mark.once
def test_a_second_one_in_the_same_folder_is_refused(service: Service, start_service) -> None:
    second = start_service("up", env={"HOSTMAIL_DATA_DIR": str(service.data_dir)}, started=False)
    with pytest.raises(AssertionError, match="is in use by another `up`"):
        second.start()


@pytest.mark.once
def test_names_the_variable_of_a_port_that_is_taken(start_service) -> None:
    with socket.socket() as taken:
        port = free_port()
        taken.bind(("127.0.0.1", port))
        taken.listen()
        service = start_service("up", env={"HOSTMAIL_IMAP_PORT": str(port)}, started=False)
        with pytest.raises(AssertionError, match=f"HOSTMAIL_IMAP_PORT is {port}"):
            service.start()


@pytest.mark.once
def test_names_both_variables_of_a_port_given_twice(start_service) -> None:
    port = str(free_port())
    service = start_service("up", env={"HOSTMAIL_IMAP_PORT": port, "HOSTMAIL_POP3_PORT": port}, started=False)
    with pytest.raises(AssertionError, match="HOSTMAIL_POP3_PORT and HOSTMAIL_IMAP_PORT are both"):
        service.start()


@pytest.mark.once
def test_the_demo_stays_on_loopback(start_service) -> None:
    service = start_service("up", "--demo", env={"HOSTMAIL_BIND": "0.0.0.0"}, started=False)
    with pytest.raises(AssertionError, match="--demo .* loopback"):
        service.start()


def test_without_any_redis_the_parts_run_without(settings, data_dir, monkeypatch, caplog) -> None:
    monkeypatch.setattr(private_redis, "program", lambda: None)
    settings.REDIS_URL = ""
    stages = up.parts(trace=False)
    assert [[part.name for part in stage] for stage in stages] == [["maild", "web", "worker"]]
    assert all(part.env["REDIS_URL"] == "" for part in stages[0])
    assert "no_redis" in caplog.text


def test_a_given_redis_is_used(settings, data_dir) -> None:
    settings.REDIS_URL = "redis://db.example/0"
    stages = up.parts(trace=True)
    assert [part.name for stage in stages for part in stage] == ["maild", "web", "worker"]
    assert stages[0][0].command[-1] == "--trace"
    assert stages[0][0].env["REDIS_URL"] == "redis://db.example/0"


def test_the_worker_works_without_redis(start_service) -> None:
    prepared = start_service("up")
    prepared.stop()
    worker = start_service(
        "worker",
        env={
            name: prepared.env[name] for name in ("HOSTMAIL_DATA_DIR", "DATABASE_URL") if name in prepared.env
        },
    )
    assert "worker_without_redis" in worker.log_path.read_text()


def test_doctor_finds_all_well_beside_a_running_service(service: Service) -> None:
    import json

    found = json.loads(service.manage("doctor", "--json"))
    assert found["ok"] is True
    states = {check["name"]: check["state"] for check in found["checks"]}
    assert states["ports"] == states["redis"] == states["migrations"] == states["certificate"] == "ok"


def test_doctor_says_what_to_do_and_ends_with_1(start_service) -> None:
    service = start_service("up", started=False)
    said = service.manage("doctor", status=1)
    assert "manage.py migrate" in " ".join(said.split())


@pytest.mark.once
def test_settings_that_make_no_sense_stop_every_part(start_service) -> None:
    service = start_service("up", env={"HOSTMAIL_MAX_MESSAGE": "big"}, started=False)
    for command in ("up", "web", "worker", "maild", "doctor"):
        words = [sys.executable, str(ROOT / "manage.py"), command]
        done = subprocess.run(words, env=service.env, capture_output=True, text=True, timeout=60)
        assert done.returncode == 1
        assert done.stderr.count("\n") == 1
        assert done.stderr.startswith("HOSTMAIL_MAX_MESSAGE has the value 'big'")


@pytest.mark.once
def test_a_lost_redis_costs_speed_and_nothing_else(service: Service) -> None:
    service.expect("process_ended")  # says the supervisor
    service.expect("Cannot connect to redis")  # says Celery, and tries again
    pid = int((service.data_dir / "run" / "redis.pid").read_text())
    os.kill(pid, 9)
    with urllib.request.urlopen(f"{service.url}/accounts/login/") as answer:
        assert answer.status == 200
    wait_for(
        lambda: (service.data_dir / "run" / "redis.pid").read_text().strip() not in ("", str(pid)),
        30,
        "Redis",
    )
    wait_for(
        lambda: b'"redis": "ok"' in urllib.request.urlopen(f"{service.url}/readyz").read(), 30, "readiness"
    )
    workers = [
        child
        for child in family(service.process.pid)
        if b"worker" in Path(f"/proc/{child}/cmdline").read_bytes()
    ]
    assert workers
