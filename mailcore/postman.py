"""The postman: the threads of a worker process that take the queue's mail to remote hosts.

look() finds what is due and returns at once; threads of its own do the rest, because a conversation with one
host may take ten minutes and a task that waits for it would hold up all others. What is due is taken up by
route (a domain) and tenant. A thread first finds the route's hosts; routes with the same hosts then share a
*destination*, which has a limited number of connections. Each connection carries one batch after the other,
the tenants of a destination in turn. A destination starts with one connection and gets another for each
success, so hosts that are down or stall hold one thread each and never delay others.

Nothing is known here that is not in the database: a killed postman's leases lapse, and another takes over.
Used by mailcore/tasks.py; one per process.
"""

from __future__ import annotations

import atexit
import logging
import os
import threading
from collections import deque
from collections.abc import Callable, Collection
from typing import ParamSpec, TypeVar

from django.conf import settings

from mailcore import limits
from mailcore.database import give_back
from mailcore.errors import MailError, Unexpected
from mailcore.outside import clock
from mailcore.outside.remote_smtp import Timeouts
from mailcore.secrets import random_id
from mailcore.services import ledger, outbound, queue
from mailcore.services.outbound import Courier, LeaseLost, Outcome, Way
from mailcore.services.queue import Claimed, Pair

log = logging.getLogger(__name__)
P = ParamSpec("P")
T = TypeVar("T")
Job = Callable[[], None]


def _database(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """One piece of database work; the connection goes back before anybody waits for a remote host."""
    try:
        return function(*args, **kwargs)
    finally:
        give_back()


class Destination:
    """One set of hosts: what waits for it, and how many connections it has and may have."""

    def __init__(self, lock: threading.RLock) -> None:
        self.waiting: deque[tuple[Pair, Way]] = deque()
        self.connections = 0
        self.allowed = 1
        # Connections about to look for work, or lingering.
        self.free = 0
        # More is waiting: for a connection that lingers.
        self.filled = threading.Condition(lock)


class Postman:
    """See the module. timeouts None means those of limits."""

    def __init__(self, *, threads: int = limits.QUEUE_THREADS, timeouts: Timeouts | None = None) -> None:
        self.name = f"{os.getpid()}-{random_id()}"
        self.timeouts = timeouts
        self._most = threads
        self._lock = threading.RLock()
        self._job_waits = threading.Condition(self._lock)
        self._changed = threading.Condition(self._lock)
        self._jobs: deque[Job] = deque()
        self._threads = 0
        self._idle = 0
        self._destinations: dict[str, Destination] = {}
        # Pairs that are taken up and not begun: what comes for them meanwhile will be found then.
        self._unbegun: set[Pair] = set()
        self._units = 0
        self._held: set[int] = set()
        self._under_way: set[int] = set()
        self._is_looking = self._look_again = False
        self._stopping = threading.Event()
        self._heart: threading.Thread | None = None

    # --- for tasks --------------------------------------------------------------------------------------

    def look(self) -> None:
        """Take up whatever is due. Returns when it is handed out; looks at the same moment become one."""
        with self._lock:
            self._look_again = True
            if self._is_looking or self._stopping.is_set():
                return
            self._is_looking = True
        try:
            while self._wants_look():
                for pair in _database(queue.due):
                    with self._lock:
                        if pair not in self._unbegun:
                            self._unbegun.add(pair)
                            self._units += 1
                            self._do(lambda pair=pair: self._find_way(pair))  # type: ignore[misc]
        except BaseException:
            with self._lock:
                self._is_looking = False
            raise

    def _wants_look(self) -> bool:
        with self._lock:
            again, self._look_again = self._look_again and not self._stopping.is_set(), False
            self._is_looking = again
            return again

    def wait(self, seconds: float) -> bool:
        """Wait until nothing is under way; whether that came within seconds."""
        with self._lock:
            return self._changed.wait_for(lambda: not self._units, seconds)

    def stop(self, seconds: float = limits.STOP_SECONDS) -> None:
        """Begin nothing more, give messages under way a moment, give back what was not begun."""
        self._stopping.set()
        with self._lock:
            for destination in self._destinations.values():
                destination.filled.notify_all()
            self._changed.wait_for(lambda: not self._held, seconds)
            left = self._held - self._under_way
        _database(queue.let_go, self.name, left)

    # --- threads ----------------------------------------------------------------------------------------

    def _do(self, job: Job) -> None:
        """Have a thread do job. The lock is held."""
        self._jobs.append(job)
        if self._idle >= len(self._jobs):
            self._job_waits.notify()
        elif self._threads < self._most:
            self._threads += 1
            threading.Thread(target=self._work, name="postman", daemon=True).start()

    def _work(self) -> None:
        while True:
            with self._lock:
                self._idle += 1
                has_job = self._job_waits.wait_for(lambda: self._jobs, 10)
                self._idle -= 1
                if not has_job:
                    self._threads -= 1
                    return
                job = self._jobs.popleft()
            try:
                job()
            except Exception:
                log.exception("the postman stumbled")
            finally:
                give_back()

    def _ended(self) -> None:
        with self._lock:
            self._units -= 1
            self._changed.notify_all()

    # --- from a pair to a destination -------------------------------------------------------------------

    def _find_way(self, pair: Pair) -> None:
        try:
            way = outbound.way(pair.route)
        except MailError as error:
            self._refuse(pair, error)
        except Exception:
            log.exception("no way found for %s", pair.route)
            self._refuse(pair, Unexpected())
        else:
            with self._lock:
                destination = self._destinations.setdefault(way.key, Destination(self._lock))
                self._append(destination, pair, way)

    def _append(self, destination: Destination, pair: Pair, way: Way) -> None:
        """Put a unit of work behind those of the other tenants, and see that somebody comes for it."""
        with self._lock:
            destination.waiting.append((pair, way))
            destination.filled.notify()
            self._connect_more(way.key, destination)

    def _refuse(self, pair: Pair, error: MailError) -> None:
        """There is nobody to talk to for this route, or DNS does not say now."""
        try:
            while batch := self._claim(pair):
                with _Holding(self, batch) as left:
                    _database(outbound.settle, self.name, outbound.refused(batch, error))
                    left.clear()
        finally:
            self._ended()

    def _claim(self, pair: Pair) -> list[Claimed]:
        with self._lock:
            self._unbegun.discard(pair)
        if self._stopping.is_set():
            return []
        return _database(queue.claim, self.name, pair, limits.QUEUE_BATCH)

    # --- one connection ---------------------------------------------------------------------------------

    def _connect_more(self, key: str, destination: Destination) -> None:
        """Give a destination as many connections as it may have and can use. The lock is held."""
        while destination.connections < destination.allowed and len(destination.waiting) > destination.free:
            destination.connections += 1
            destination.free += 1
            self._do(lambda: self._serve(key, destination))
        if not destination.connections:
            self._destinations.pop(key, None)

    def _serve(self, key: str, destination: Destination) -> None:
        courier: Courier | None = None
        try:
            while (work := self._next(destination, courier)) is not None:
                courier = courier or Courier(self.name, work[1], self.timeouts)
                try:
                    self._serve_batch(courier, destination, *work)
                finally:
                    with self._lock:
                        destination.free += 1
                    self._ended()
                if courier.is_dead and destination.connections > 1:
                    break  # the others still have one: this host wants no more of them
        finally:
            if courier is not None:
                courier.close()
            with self._lock:
                destination.connections -= 1
                destination.free -= 1
                if courier is not None and courier.is_dead:
                    destination.allowed = 1
                self._connect_more(key, destination)

    def _next(self, destination: Destination, courier: Courier | None) -> tuple[Pair, Way] | None:
        """The next unit of work. An open connection waits a moment for it, unless its thread is wanted."""
        until = clock.monotonic() + limits.QUEUE_LINGER_SECONDS
        with self._lock:
            while not destination.waiting and courier is not None and courier.is_open:
                left = until - clock.monotonic()
                if left <= 0 or self._jobs or self._stopping.is_set():
                    break
                destination.filled.wait(min(left, 0.1))
            if not destination.waiting:
                return None
            destination.free -= 1
            return destination.waiting.popleft()

    def _serve_batch(self, courier: Courier, destination: Destination, pair: Pair, way: Way) -> None:
        batch = self._claim(pair)
        if len(batch) == limits.QUEUE_BATCH:
            with self._lock:  # there is more: for us later, or for another connection now
                self._units += 1
                self._append(destination, pair, way)
        with _Holding(self, batch) as left:
            for entries in outbound.by_submission(batch):
                if self._stopping.is_set():
                    return
                self._send(courier, entries)
                left -= {entry.pk for entry in entries}
                with self._lock:
                    if courier.is_dead and destination.connections > 1:
                        self._units += 1
                        self._append(destination, pair, way)
                        return
                    if destination.allowed < min(courier.sent + 1, limits.QUEUE_CONNECTIONS):
                        destination.allowed += 1
                        self._connect_more(way.key, destination)

    def _send(self, courier: Courier, entries: list[Claimed]) -> None:
        pks = {entry.pk for entry in entries}
        with self._lock:
            self._under_way |= pks
        try:
            outcomes = courier.send(entries)
        except LeaseLost:
            log.warning("%s was taken over by another worker", entries[0].trace)
        except Exception:
            # Our bug or our database's trouble: better late than lost, and the others go on.
            log.exception("%s could not be tried", entries[0].trace)
            courier.close()
            self._settle(outbound.refused(entries, Unexpected()))
        else:
            self._settle(outcomes)
        finally:
            give_back()
            with self._lock:
                self._under_way -= pks

    def _settle(self, outcomes: list[Outcome]) -> None:
        try:
            _database(outbound.settle, self.name, outcomes)
        except Exception:
            # What was said is lost; the lease lapses, and what was under way is noted and tried again.
            log.exception("the end of %s could not be written", outcomes[0].entry.trace)

    # --- leases -----------------------------------------------------------------------------------------

    def _beat(self) -> None:
        """Renew the leases of what is under way, until the process ends."""
        while not self._stopping.wait(settings.HOSTMAIL_QUEUE_LEASE_SECONDS / 3):
            with self._lock:
                held = set(self._held)
            try:
                ledger.durably(lambda held=held: queue.renew(self.name, held))  # type: ignore[misc]
            except Exception:
                log.exception("leases could not be renewed")


class _Holding:
    """The leases of one batch: renewed inside the block, given back at its end as far as they are left."""

    def __init__(self, postman: Postman, batch: Collection[Claimed]) -> None:
        self.postman = postman
        self.pks = {entry.pk for entry in batch}
        self.left = set(self.pks)

    def __enter__(self) -> set[int]:
        postman = self.postman
        with postman._lock:
            postman._held |= self.pks
            if postman._heart is None:
                postman._heart = threading.Thread(target=postman._beat, name="postman-heart", daemon=True)
                postman._heart.start()
        return self.left

    def __exit__(self, *exc: object) -> None:
        postman = self.postman
        try:
            _database(queue.let_go, postman.name, self.left)
        finally:
            with postman._lock:
                postman._held -= self.pks
                postman._changed.notify_all()


# --- The one of this process -----------------------------------------------------------------------------

_postman: Postman | None = None
_making = threading.Lock()


def postman() -> Postman:
    """The postman of this process."""
    global _postman
    with _making:
        if _postman is None:
            _postman = Postman()
            atexit.register(_postman.stop)
        return _postman


def _after_fork() -> None:
    global _postman
    _postman = None


os.register_at_fork(after_in_child=_after_fork)
