"""The clock, and the one that is moved."""

import datetime as dt
import time

from mailcore.outside import clock
from tests.fakes.clock import FakeClock


def test_tells_the_time_of_the_machine():
    assert abs(clock.now() - dt.datetime.now(dt.UTC)) < dt.timedelta(seconds=2)
    assert clock.now().tzinfo is dt.UTC
    assert abs(clock.epoch() - time.time()) < 2
    assert isinstance(clock.epoch(), int)
    assert clock.monotonic() <= clock.monotonic()


def test_stands_still_until_moved_when_fake():
    with FakeClock() as fake:
        start, began = clock.now(), clock.monotonic()
        assert clock.now() == start == fake.now()
        fake.advance(90)
        fake.advance(hours=1)
        assert clock.now() - start == dt.timedelta(seconds=3690)
        assert clock.monotonic() - began == 3690
        assert clock.epoch() == int(start.timestamp()) + 3690
        fake.jump(-7200)
        assert clock.now() < start
        assert clock.monotonic() - began == 3690
    assert clock.now() != start
