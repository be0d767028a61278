"""Leases between sessions, processes and machines."""

import subprocess
import sys

import pytest
from redis import Redis

from mailcore import limits
from mailcore.outside import leases

HOLDER = """
import os, sys
sys.path.insert(0, {root!r})
os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
import django
django.setup()
from pathlib import Path
from django.conf import settings
settings.HOSTMAIL_DATA_DIR = Path({folder!r})
settings.REDIS_URL = {redis!r}
from mailcore.outside import leases
print("held" if leases.take("pop3", 7) else "in use", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def other_process(settings):
    """other_process() -> (process, what it said): one that tries to take pop3 7 and stays."""
    started = []

    def start():
        root = str(settings.BASE_DIR)
        code = HOLDER.format(root=root, folder=str(settings.HOSTMAIL_DATA_DIR), redis=settings.REDIS_URL)
        process = subprocess.Popen(
            [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=root
        )
        started.append(process)
        return process, process.stdout.readline().strip()

    yield start
    for process in started:
        process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()


def test_gives_one_lease_for_a_thing(data_dir):
    lease = leases.take("pop3", 7)
    assert lease is not None
    assert leases.take("pop3", 7) is None
    assert leases.take("pop3", 8) is not None
    assert leases.take("other", 7) is not None
    lease.release()
    again = leases.take("pop3", 7)
    assert again is not None
    lease.release()  # of one that is over: harmless
    assert leases.take("pop3", 7) is None


@pytest.mark.parametrize("with_redis", [False, True])
def test_frees_itself_when_its_process_is_killed(data_dir, other_process, request, with_redis):
    if with_redis:
        request.getfixturevalue("redis_url")
    process, said = other_process()
    assert said == "held"
    assert leases.take("pop3", 7) is None
    process.kill()
    process.wait()
    assert leases.take("pop3", 7) is not None
    assert other_process()[1] == "in use"


@pytest.fixture
def elsewhere(data_dir, redis_url, tmp_path):
    """Another machine at the same Redis: what it does not share is the folder."""
    return leases.Keeper(tmp_path / "another machine")


def test_holds_between_machines(elsewhere):
    lease = leases.take("pop3", 7)
    assert elsewhere.take("pop3", 7) is None
    lease.release()
    theirs = elsewhere.take("pop3", 7)
    assert theirs is not None
    assert leases.take("pop3", 7) is None
    # The machine that was refused keeps no lock on its own side.
    theirs.release()
    assert leases.take("pop3", 7) is not None


def test_forgets_a_vanished_machine_and_renews_what_is_held(elsewhere, redis_url, monkeypatch):
    monkeypatch.setattr(limits, "LEASE_SECONDS", 1)
    elsewhere.take("pop3", 7)
    elsewhere.take("pop3", 8)
    with Redis.from_url(redis_url) as client:
        client.delete("lease:pop3:7")  # as if its time were over
        client.pexpire("lease:pop3:8", 100)
        assert leases.take("pop3", 7) is not None
        elsewhere.renew()
        assert client.get("lease:pop3:7") != client.get("lease:pop3:8")  # the new holder's name stays
        assert client.pttl("lease:pop3:8") > 100
        client.flushall()
        assert leases.take("pop3", 9) is not None
        elsewhere.renew()
        assert client.exists("lease:pop3:8")


def test_goes_on_alone_without_redis(data_dir, settings):
    settings.REDIS_URL = "unix:///nowhere/redis.sock"
    lease = leases.take("pop3", 7)
    assert lease is not None
    assert leases.take("pop3", 7) is None
    leases.renew()
    lease.release()
    assert leases.take("pop3", 7) is not None


def test_holds_thousands(data_dir):
    held = [leases.take("pop3", number) for number in range(5000)]
    assert all(held)
    for lease in held[::2]:
        lease.release()
    assert leases.take("pop3", 1) is None
    assert leases.take("pop3", 0) is not None
