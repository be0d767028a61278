"""One set of mail hosts: what waits for it, whose turn it is, and how many connections it gets.

Used under the postman's lock. Between priorities the higher goes first, but every fourth turn is that of
whoever has waited longest: no lane ever stands still. Within a priority the pairs, which are tenants, go in
turn. A host gets one more connection for each mail it takes, and half as many when it asks for patience.
"""

from __future__ import annotations

import threading
from collections import deque
from itertools import count
from typing import NamedTuple

from mailcore import limits
from mailcore.services.outbound import Way
from mailcore.services.queue import Pair


class Work(NamedTuple):
    """A pair whose entries are to be claimed, and the way they go."""

    pair: Pair
    way: Way
    serial: int = 0


class Destination:
    """See the module."""

    def __init__(self, lock: threading.RLock) -> None:
        self.connections = 0
        self.allowed = 1
        # Connections about to look for work, or lingering.
        self.free = 0
        # More is waiting: for a connection that lingers.
        self.filled = threading.Condition(lock)
        self._lanes: dict[int, deque[Work]] = {}
        self._serials = count()
        self._turns = 0

    def __len__(self) -> int:
        return sum(len(lane) for lane in self._lanes.values())

    def put(self, pair: Pair, way: Way) -> None:
        """Put work behind that of the other tenants of its priority."""
        self._lanes.setdefault(pair.priority, deque()).append(Work(pair, way, next(self._serials)))
        self.filled.notify()

    def take(self) -> Work | None:
        """The next work, or None."""
        if not self._lanes:
            return None
        self._turns += 1
        if self._turns % limits.QUEUE_FAIR_TURN:
            priority = max(self._lanes)
        else:
            priority = min(self._lanes, key=lambda each: self._lanes[each][0].serial)
        lane = self._lanes[priority]
        work = lane.popleft()
        if not lane:
            del self._lanes[priority]
        return work

    def took_mail(self, sent: int) -> bool:
        """A connection has sent so many mails now; whether there may be one connection more."""
        if self.allowed >= min(sent + 1, limits.QUEUE_CONNECTIONS):
            return False
        self.allowed += 1
        return True

    def asked_for_patience(self) -> None:
        """A host answered 4yz to all of a mail, or 421: half the connections will do."""
        self.allowed = max(1, self.allowed // 2)
