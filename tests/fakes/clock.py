"""A clock that stands still until it is moved."""

import datetime as dt
from typing import Self

from mailcore.outside import clock


class FakeClock:
    """`with FakeClock() as clock: ...; clock.advance(60)`. Stands at 2026-11-24 10:00:00 UTC unless told."""

    def __init__(self, start: dt.datetime | None = None) -> None:
        self._time = (start or dt.datetime(2026, 11, 24, 10, 0, tzinfo=dt.UTC)).timestamp()
        self._monotonic = 1000.0

    def time(self) -> float:
        return self._time

    def monotonic(self) -> float:
        return self._monotonic

    def now(self) -> dt.datetime:
        return dt.datetime.fromtimestamp(self._time, dt.UTC)

    def advance(self, seconds: float = 0, **more: float) -> None:
        """Move on: `advance(90)`, `advance(hours=3)`."""
        step = seconds + dt.timedelta(**more).total_seconds()
        self._time += step
        self._monotonic += step

    def jump(self, seconds: float) -> None:
        """Set the wall clock forward or back, as NTP does; monotonic time does not move."""
        self._time += seconds

    def __enter__(self) -> Self:
        clock.use(self)
        return self

    def __exit__(self, *exc: object) -> None:
        clock.use(None)
