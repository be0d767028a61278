"""The postman: the threads of a worker process that take the queue's mail to remote hosts.

look() finds what is due and returns at once; threads of its own do the rest, because a conversation with one
host may take ten minutes and a task that waits for it would hold up all others. What is due is taken up by
route (a domain) and tenant. A thread first finds the route's hosts; routes with the same hosts then share a
*destination*, which has a limited number of connections. Each connection carries one batch after the other,
the tenants of a destination in turn. A destination starts with one connection and gets another for each
success. Hosts nobody here has heard from yet never get all threads: those that are down or stall delay no
others. What is down is remembered (outbound.dead): one entry asks again for all that wait for it.

Nothing is known here that is not in the database: a killed postman's leases lapse, and another takes over.
Used by mailcore/tasks.py; one per process.
"""

from __future__ import annotations

import atexit
import datetime as dt
import logging
import os
import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Collection
from typing import ParamSpec, TypeVar

from django.conf import settings

from mailcore import limits
from mailcore.database import give_back
from mailcore.errors import MailError, Unexpected
from mailcore.outside import clock
from mailcore.outside.remote_smtp import Timeouts
from mailcore.postman.destination import Destination, Work
from mailcore.secrets import random_id
from mailcore.services import ledger, outbound, queue
from mailcore.services.outbound import Courier, LeaseLost, Outcome, Way
from mailcore.services.queue import Claimed, Pair

log = logging.getLogger(__name__)
P = ParamSpec("P")
T = TypeVar("T")
Job = Callable[[], None]
# What a look is to find.
_NOTHING, _NEW, _ALL = range(3)
# A transaction may become visible so much later than the moment it put in its rows.
_MARGIN = dt.timedelta(seconds=10)


def _database(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """One piece of database work; the connection goes back before anybody waits for a remote host."""
    try:
        return function(*args, **kwargs)
    finally:
        give_back()


class Postman:
    """See the module. timeouts None means those of limits."""

    def __init__(self, *, threads: int = limits.QUEUE_THREADS, timeouts: Timeouts | None = None) -> None:
        self.name = f"{os.getpid()}-{random_id()}"
        self.timeouts = timeouts
        self._most = threads
        # Of these, so many may be with hosts that nobody here has heard from yet.
        self._most_knocking = max(1, threads * 2 // 3)
        self._lock = threading.RLock()
        self._job_waits = threading.Condition(self._lock)
        self._changed = threading.Condition(self._lock)
        self._jobs: deque[Job] = deque()
        self._knocks: deque[Job] = deque()
        self._threads = self._knocking = 0
        self._idle = 0
        self._here = threading.local()  # knocks: whether this thread counts as knocking
        self._destinations: dict[str, Destination] = {}
        # Routes, and keys of destinations, that took mail lately.
        self._heard_from: OrderedDict[str, None] = OrderedDict()
        # Pairs that are taken up and not begun: what comes for them meanwhile will be found then.
        self._unbegun: set[Pair] = set()
        self._units = 0
        self._held: set[int] = set()
        self._under_way: set[int] = set()
        self._is_looking = False
        self._wanted = _NOTHING
        self._looked_at: dt.datetime | None = None
        self._stopping = threading.Event()
        self._heart: threading.Thread | None = None

    # --- for tasks --------------------------------------------------------------------------------------

    def look(self, *, only_new: bool = False) -> None:
        """Take up whatever is due. Returns when it is handed out; looks at the same moment become one.

        only_new: what came due since the last look, which is all there is unless leases lapsed or somebody
        was suspended meanwhile.
        """
        with self._lock:
            self._wanted = max(self._wanted, _NEW if only_new and self._looked_at else _ALL)
            if self._is_looking or self._stopping.is_set():
                return
            self._is_looking = True
        try:
            while (wanted := self._next_look()) != _NOTHING:
                now = clock.now()
                since = self._looked_at - _MARGIN if wanted == _NEW and self._looked_at else None
                pairs = _database(queue.due, since)
                self._looked_at = now
                for pair in pairs:
                    with self._lock:
                        if pair not in self._unbegun:
                            self._unbegun.add(pair)
                            self._units += 1
                            self._do(pair.route, lambda pair=pair: self._find_way(pair))  # type: ignore[misc]
        except BaseException:
            with self._lock:
                self._is_looking = False
            raise

    def _next_look(self) -> int:
        with self._lock:
            wanted, self._wanted = self._wanted, _NOTHING
            if self._stopping.is_set():
                wanted = _NOTHING
            self._is_looking = wanted != _NOTHING
            return wanted

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

    def _do(self, name: str, job: Job) -> None:
        """Have a thread do job, which is about a route or destination of that name. The lock is held."""
        (self._jobs if name in self._heard_from else self._knocks).append(job)
        self._summon()

    def _summon(self) -> None:
        """Have a thread come for what may be begun. The lock is held."""
        self._job_waits.notify()
        begun = len(self._jobs) + min(len(self._knocks), self._most_knocking - self._knocking)
        if self._idle < begun and self._threads < self._most:
            self._threads += 1
            threading.Thread(target=self._work, name="postman", daemon=True).start()

    def _work(self) -> None:
        while True:
            with self._lock:
                self._idle += 1
                has_job = self._job_waits.wait_for(self._has_job, 10)
                self._idle -= 1
                if not has_job:
                    self._threads -= 1
                    return
                self._here.knocks = not self._jobs
                self._knocking += self._here.knocks
                job = (self._jobs or self._knocks).popleft()
            try:
                job()
            except Exception:
                log.exception("the postman stumbled")
            finally:
                give_back()
                self._stop_knocking()

    def _has_job(self) -> bool:
        return bool(self._jobs or (self._knocks and self._knocking < self._most_knocking))

    def _stop_knocking(self) -> None:
        """This thread's host has answered, or it is done: another may knock."""
        with self._lock:
            if self._here.knocks:
                self._here.knocks = False
                self._knocking -= 1
                self._summon()

    def _hear_from(self, *names: str) -> None:
        """Mail was taken: these are no strangers for a while. The lock is held."""
        for name in names:
            self._heard_from[name] = None
            self._heard_from.move_to_end(name)
        while len(self._heard_from) > limits.QUEUE_REMEMBERED:
            self._heard_from.popitem(last=False)
        self._stop_knocking()

    def _ended(self) -> None:
        with self._lock:
            self._units -= 1
            self._changed.notify_all()

    # --- from a pair to a destination -------------------------------------------------------------------

    def _find_way(self, pair: Pair) -> None:
        try:
            way = outbound.way(pair)
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
        """Put work where it waits, and see that somebody comes for it."""
        with self._lock:
            destination.put(pair, way)
            self._connect_more(way.key, destination)

    def _refuse(self, pair: Pair, error: MailError) -> None:
        """There is nobody to talk to for this route, or DNS does not say now."""
        try:
            self._settle_all(pair, lambda batch: outbound.refused(batch, error))
        finally:
            self._ended()

    def _settle_all(self, pair: Pair, outcomes_of: Callable[[list[Claimed]], list[Outcome]]) -> None:
        while batch := self._claim(pair):
            with _Holding(self, batch) as left:
                _database(outbound.settle, self.name, outcomes_of(batch))
                left.clear()

    def _claim(self, pair: Pair) -> list[Claimed]:
        with self._lock:
            self._unbegun.discard(pair)
        if self._stopping.is_set():
            return []
        return _database(queue.claim, self.name, pair, limits.QUEUE_BATCH)

    # --- one connection ---------------------------------------------------------------------------------

    def _connect_more(self, key: str, destination: Destination) -> None:
        """Give a destination as many connections as it may have and can use. The lock is held."""
        while destination.connections < destination.allowed and len(destination) > destination.free:
            destination.connections += 1
            destination.free += 1
            self._do(key, lambda: self._serve(key, destination))
        if not destination.connections:
            self._destinations.pop(key, None)

    def _serve(self, key: str, destination: Destination) -> None:
        courier: Courier | None = None
        try:
            while (work := self._next(destination, courier)) is not None:
                try:
                    if courier is None or not courier.is_open:
                        courier = self._courier(work)
                    if courier is not None:
                        self._serve_batch(courier, destination, work)
                finally:
                    with self._lock:
                        destination.free += 1
                    self._ended()
                if courier is not None and courier.is_dead:
                    if destination.connections > 1:
                        break  # the others still have one: this host wants no more of them
                    _database(outbound.dead.note, work.way, courier.dead_reply)
                    with self._lock:
                        destination.allowed = 1
                        self._heard_from.pop(key, None)
        finally:
            if courier is not None:
                courier.close()
            with self._lock:
                destination.connections -= 1
                destination.free -= 1
                if courier is not None and courier.is_dead:
                    destination.asked_for_patience()
                self._connect_more(key, destination)

    def _courier(self, work: Work) -> Courier | None:
        """Somebody to carry this work; None when its hosts are known to be down: then it waits with all."""
        dead = _database(outbound.dead.state, work.way)
        if dead is None or dead.may_probe:
            return Courier(self.name, work.way, self.timeouts or self._patience(dead is not None))
        _database(queue.postpone, work.pair, dead.probe_at, dead.status, dead.reply)
        # Left are those whose senders must hear of it.
        self._settle_all(work.pair, lambda batch: outbound.dead.outcomes(batch, dead))
        return None

    def _patience(self, is_probe: bool) -> Timeouts | None:
        """None, which is all that RFC 5321 asks for, unless others wait to knock or it was in vain before."""
        with self._lock:
            is_short = is_probe or bool(self._knocks)
        return Timeouts(greeting=limits.REMOTE_SHORT_GREETING_SECONDS) if is_short else None

    def _next(self, destination: Destination, courier: Courier | None) -> Work | None:
        """The next unit of work. An open connection waits a moment for it, unless its thread is wanted."""
        until = clock.monotonic() + limits.QUEUE_LINGER_SECONDS
        with self._lock:
            while not len(destination) and courier is not None and courier.is_open:
                left = until - clock.monotonic()
                if left <= 0 or self._has_job() or self._stopping.is_set():
                    break
                destination.filled.wait(min(left, 0.1))
            if destination.connections > destination.allowed:
                return None
            work = destination.take()
            destination.free -= work is not None
            return work

    def _serve_batch(self, courier: Courier, destination: Destination, work: Work) -> None:
        pair, way, _ = work
        batch = self._claim(pair)
        if len(batch) == limits.QUEUE_BATCH:
            with self._lock:  # there is more: for us later, or for another connection now
                self._units += 1
                self._append(destination, pair, way)
        with _Holding(self, batch) as left:
            for entries in outbound.by_submission(batch):
                if self._stopping.is_set():
                    return
                was_open = courier.is_open
                wants_patience = self._send(courier, entries)
                left -= {entry.pk for entry in entries}
                if courier.is_open and not was_open:
                    _database(outbound.dead.forget, way)
                with self._lock:
                    if wants_patience:
                        destination.asked_for_patience()
                    if courier.is_dead:
                        # One has asked for all: the rest of the batch waits with those behind it.
                        self._units += 1
                        self._append(destination, pair, way)
                        return
                    if courier.sent:
                        self._hear_from(way.key, pair.route)
                        if destination.took_mail(courier.sent):
                            self._connect_more(way.key, destination)

    def _send(self, courier: Courier, entries: list[Claimed]) -> bool:
        """Whether the host asks for patience: it has put off all of these, or 421."""
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
            return all(outcome.reply.is_temporary and outcome.reply.code for outcome in outcomes)
        finally:
            give_back()
            with self._lock:
                self._under_way -= pks
        return False

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
