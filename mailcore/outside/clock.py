"""What time it is. Everything that asks goes through here, so that tests can move it (tests/fakes/clock.py).

now() for rows and messages, epoch() for whole seconds in protocols and tables, monotonic() for measuring
and for timers inside one process: it never jumps.
"""

import datetime as dt
import time
from typing import Protocol


class Source(Protocol):
    def time(self) -> float: ...

    def monotonic(self) -> float: ...


_source: Source = time


def now() -> dt.datetime:
    """Return the present moment, aware, in UTC."""
    return dt.datetime.fromtimestamp(_source.time(), dt.UTC)


def epoch() -> int:
    """Return the whole seconds since 1970-01-01T00:00:00Z."""
    return int(_source.time())


def seconds() -> float:
    """Return the seconds since 1970-01-01T00:00:00Z with their fraction."""
    return _source.time()


def monotonic() -> float:
    """Return seconds from some start that only grow; differences are durations."""
    return _source.monotonic()


def use(source: Source | None) -> None:
    """Take the time from source from now on; None goes back to the machine's clock. For tests."""
    global _source
    _source = source or time
