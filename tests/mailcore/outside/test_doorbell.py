"""Rings inside a process, across processes, after commit, and through Redis coming and going."""

import asyncio
import subprocess
import sys
import threading
import time
from functools import partial

import pytest
from django.db import transaction

from mailcore import limits
from mailcore.outside import doorbell
from mailcore.outside import redis as redis_door
from mailcore.outside.doorbell import Doorbell
from tests import servers
from tests.fakes.bell import MemoryBell


class Ear:
    """A wake that counts, and can be waited for."""

    def __init__(self):
        self.heard = 0
        self._changed = threading.Condition()

    def __call__(self):
        with self._changed:
            self.heard += 1
            self._changed.notify_all()

    def wait(self, times, seconds=5.0):
        with self._changed:
            return self._changed.wait_for(lambda: self.heard >= times, seconds)

    def settle(self):
        """Forget what is heard until it is quiet (subscriptions ring once by themselves)."""
        with self._changed:
            while self._changed.wait(0.2):
                pass
            self.heard = 0
        return self


@pytest.fixture
def alone(settings):
    settings.REDIS_URL = ""
    doorbell.use(None)
    yield
    doorbell.use(None)


@pytest.fixture
def bells(redis_url, monkeypatch):
    """Two bells on one Redis: to each other they are two processes."""
    monkeypatch.setattr(limits, "DOORBELL_RECONNECT_SECONDS", 0.05)
    monkeypatch.setattr(limits, "REDIS_PAUSE_SECONDS", 0)
    made = [Doorbell(partial(lambda door: door, redis_door.Door(redis_url))) for _ in range(2)]
    yield made
    for bell in made:
        bell.close()


# --- in one process --------------------------------------------------------------------------------------


def test_wakes_every_listener_of_a_topic_at_once(alone):
    first, second, other = Ear(), Ear(), Ear()
    doorbell.listen("mailbox:7", first)
    doorbell.listen("mailbox:7", second)
    doorbell.listen("mailbox:8", other)
    doorbell.ring("mailbox:7", "mailbox:9")
    assert (first.heard, second.heard, other.heard) == (1, 1, 0)


def test_stops_waking_who_closed(alone):
    ear = Ear()
    handle = doorbell.listen("mailbox:7", ear)
    handle.close()
    handle.close()
    doorbell.ring("mailbox:7")
    assert ear.heard == 0
    assert doorbell._bell._listeners == {}
    assert doorbell._bell._unused == {}


def test_wakes_the_others_when_one_fails(alone, caplog):
    ear = Ear()

    def broken():
        raise RuntimeError("Event loop is closed")

    doorbell.listen("a", broken)
    doorbell.listen("a", ear)
    doorbell.listen("a", broken)
    doorbell.ring("a")
    assert ear.heard == 1
    assert caplog.text.count("a listener failed") == 2


def test_lets_a_listener_close_or_listen_while_woken(alone):
    ear = Ear()

    def wake():
        handle.close()
        doorbell.listen("a", ear)

    handle = doorbell.listen("a", wake)
    doorbell.ring("a")
    doorbell.ring("a")
    assert ear.heard == 1


def test_wakes_a_loop_from_another_thread(alone):
    async def main():
        rung = asyncio.Event()
        loop = asyncio.get_running_loop()
        handle = doorbell.listen("a", partial(loop.call_soon_threadsafe, rung.set))
        await asyncio.to_thread(doorbell.ring, "a")
        await asyncio.wait_for(rung.wait(), 5)
        handle.close()

    asyncio.run(main())


def test_holds_thousands_of_listeners_without_threads(alone):
    before = threading.active_count()
    ears = [Ear() for _ in range(5000)]
    handles = [doorbell.listen(f"mailbox:{number}", ear) for number, ear in enumerate(ears)]
    started = time.monotonic()
    for number in range(5000):
        doorbell.ring(f"mailbox:{number}")
    assert time.monotonic() - started < 2
    assert all(ear.heard == 1 for ear in ears)
    for handle in handles:
        handle.close()
    assert threading.active_count() == before


def test_says_that_it_is_alone_and_looks_more_often(alone):
    doorbell.listen("a", Ear())
    assert not doorbell.is_shared()
    assert doorbell.poll_seconds() == limits.POLL_ALONE_SECONDS < limits.POLL_SECONDS


def test_refuses_endless_topics(alone):
    with pytest.raises(ValueError):
        doorbell.listen("x" * 300, Ear())


@pytest.mark.django_db(transaction=True)
def test_rings_only_when_the_transaction_has_committed(alone):
    ear = Ear()
    doorbell.listen("a", ear)
    with transaction.atomic():
        doorbell.ring("a")
        assert ear.heard == 0
    assert ear.heard == 1
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        doorbell.ring("a")
        raise ZeroDivisionError
    assert ear.heard == 1
    with transaction.atomic():
        with pytest.raises(ZeroDivisionError), transaction.atomic():
            doorbell.ring("a")
            raise ZeroDivisionError
    assert ear.heard == 1


# --- across processes ------------------------------------------------------------------------------------


def test_reaches_listeners_of_other_processes(bells):
    here, there = bells
    ear = Ear()
    there.listen("mailbox:7", ear)
    ear.settle()
    assert there.is_shared()
    here.ring(["mailbox:8"])
    here.ring(["mailbox:7"])
    assert ear.wait(1)
    assert ear.settle().heard == 0


def test_hears_its_own_ring_once(bells):
    here, there = bells
    mine, theirs = Ear(), Ear()
    here.listen("a", mine)
    there.listen("a", theirs)
    mine.settle(), theirs.settle()
    here.ring(["a"])
    assert theirs.wait(1)
    time.sleep(0.1)
    assert mine.heard == 1


def test_rings_once_by_itself_when_a_subscription_stands(bells):
    ear = Ear()
    bells[0].listen("a", ear)
    assert ear.wait(1)  # what was rung elsewhere before that moment was lost


def test_subscribes_to_many_topics_quickly(bells):
    here, there = bells
    ears = [Ear() for _ in range(3000)]
    for number, ear in enumerate(ears):
        there.listen(f"mailbox:{number}", ear)
    ears[-1].settle()
    assert all(ear.heard for ear in ears[:-1])
    here.ring([f"mailbox:{number}" for number in range(3000)])
    assert ears[-1].wait(1)
    assert sum(thread.name == "doorbell" for thread in threading.enumerate()) <= 2


def test_keeps_a_subscription_for_a_while_and_then_gives_it_up(bells, redis_url, monkeypatch):
    monkeypatch.setattr(limits, "DOORBELL_CHECK_SECONDS", 0.2)
    bell = bells[0]
    ear = Ear()
    handle = bell.listen("a", ear)
    ear.settle()
    subscribed = partial(redis_door.Door(redis_url).client().pubsub_channels, "bell:*")
    handle.close()
    assert subscribed() == [b"bell:a"]
    servers.wait_for(lambda: subscribed() == [], what="the end of the subscription")
    again = Ear()
    bell.listen("a", again)
    assert again.wait(1)
    assert subscribed() == [b"bell:a"]


def test_survives_long_silence(bells, monkeypatch, caplog):
    monkeypatch.setattr(limits, "DOORBELL_CHECK_SECONDS", 0.05)
    here, there = bells
    ear = Ear()
    there.listen("a", ear)
    ear.settle()
    time.sleep(0.5)  # several checks
    here.ring(["a"])
    assert ear.wait(1)
    assert "failed" not in caplog.text


def test_comes_back_with_redis(tmp_path_factory, monkeypatch, settings):
    monkeypatch.setattr(limits, "DOORBELL_RECONNECT_SECONDS", 0.05)
    monkeypatch.setattr(limits, "REDIS_PAUSE_SECONDS", 0.1)
    import os
    from pathlib import Path

    folder = Path(os.environ["HOSTMAIL_TEST_DIR"]) / f"bell-{os.getpid()}"
    server, url = servers.start_redis(folder)
    doors = [redis_door.Door(url) for _ in range(2)]
    here, there = (Doorbell(partial(lambda door: door, door)) for door in doors)
    ear = Ear()
    try:
        there.listen("a", ear)
        ear.settle()
        server.stop()
        servers.wait_for(lambda: not there.is_shared(), what="the loss to be noticed")
        started = time.monotonic()
        for _ in range(100):
            here.ring(["a"])
            there.ring(["a"])
        assert time.monotonic() - started < 5
        assert ear.heard == 100  # inside the process it needs no Redis
        there.listen("b", Ear())
        ear.settle()
        server, url = servers.start_redis(folder)
        assert ear.wait(1, 10)  # what was rung meanwhile elsewhere is made good
        servers.wait_for(there.is_shared, what="the bell to be shared again")
        ear.settle()
        here.ring(["a"])
        assert ear.wait(1)
    finally:
        here.close(), there.close()
        server.stop()


def test_rings_from_a_short_lived_program(bells, redis_url):
    ear = Ear()
    bells[0].listen("mailbox:7", ear)
    ear.settle()
    program = (
        "import django; from django.conf import settings;"
        "sqlite = {'default': {'ENGINE': 'django.db.backends.sqlite3'}};"
        f"settings.configure(REDIS_URL={redis_url!r}, DATABASES=sqlite);"
        "from mailcore.outside import doorbell; doorbell.ring('mailbox:7')"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
    assert ear.wait(1)


# --- the fake --------------------------------------------------------------------------------------------


def test_can_be_replaced_by_a_bell_that_remembers():
    ear = Ear()
    with MemoryBell() as bell:
        handle = doorbell.listen("a", ear)
        assert bell.listened_to == {"a"}
        doorbell.ring("a", "b")
        handle.close()
        handle.close()
        doorbell.ring("a")
        assert bell.rung == ["a", "b", "a"]
        assert ear.heard == 1
        assert doorbell.is_shared()
        bell.shared = False
        assert doorbell.poll_seconds() == limits.POLL_ALONE_SECONDS
    assert doorbell._bell is not bell
