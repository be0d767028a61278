"""The client of Redis: one short wait when it is dead, then nobody asks for a while."""

import socket
import time

import pytest
from redis import Redis

from mailcore import limits
from mailcore.outside import redis as redis_door
from tests.fakes.clock import FakeClock


def test_raises_without_a_url(settings):
    settings.REDIS_URL = ""
    with pytest.raises(redis_door.NoRedis):
        redis_door.run(Redis.ping)
    assert not redis_door.door().is_open


def test_runs_work_on_a_socket(redis_url):
    assert redis_url.startswith("unix://")
    assert redis_door.run(Redis.ping) is True
    assert redis_door.door().is_open


def test_makes_one_client_a_url(redis_url, settings):
    client = redis_door.door().client()
    assert redis_door.door().client() is client
    settings.REDIS_URL = redis_url + "?db=1"
    assert redis_door.door().client() is not client
    redis_door.run(lambda other: other.set("here", 1))
    settings.REDIS_URL = redis_url
    assert redis_door.run(lambda first: first.get("here")) is None


def test_does_not_ask_a_dead_one_again_for_a_while(settings, caplog):
    calls = []

    def work(client):
        calls.append(1)
        return client.ping()

    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    with FakeClock() as clock:
        for _ in range(5):
            with pytest.raises(redis_door.NoRedis):
                redis_door.run(work)
        assert len(calls) == 1
        assert len([line for line in caplog.records if "redis does not answer" in line.getMessage()]) == 1
        clock.advance(limits.REDIS_PAUSE_SECONDS)
        with pytest.raises(redis_door.NoRedis):
            redis_door.run(work)
        assert len(calls) == 2
    settings.REDIS_URL = ""
    redis_door.door()


def test_waits_only_shortly_for_one_that_hangs(settings):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        settings.REDIS_URL = f"redis://127.0.0.1:{silent.getsockname()[1]}/0"
        started = time.monotonic()
        with pytest.raises(redis_door.NoRedis):
            redis_door.run(Redis.ping)
        assert time.monotonic() - started < 3
        started = time.monotonic()
        with pytest.raises(redis_door.NoRedis):
            redis_door.run(Redis.ping)
        assert time.monotonic() - started < 1


def test_lets_other_errors_through(redis_url):
    with pytest.raises(ZeroDivisionError):
        redis_door.run(lambda client: 1 / 0)
    assert redis_door.door().is_open


def test_reports_wrong_use_as_no_redis_too(redis_url):
    redis_door.run(lambda client: client.set("text", "x"))
    with pytest.raises(redis_door.NoRedis):
        redis_door.run(lambda client: client.lpush("text", "y"))
    settings_url = redis_door.door().url
    assert settings_url == redis_url
    redis_door._door = redis_door.Door("")
