"""Small writes of many threads in shared transactions: a hundred notes cost one sync of the disk.

What the clerk is for mail that comes in, this is for the threads that carry mail out. While one transaction
commits, what is handed in makes the next one; nobody alone ever waits for company. If one write fails, all of
its transaction are tried again one by one, so that it harms nobody else. Writes must therefore be harmless to
run twice, and open no transaction that they need to themselves.
"""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any, TypeVar

from django.db import transaction

from mailcore import limits
from mailcore.database import give_back

T = TypeVar("T")
_Job = tuple[Callable[[], Any], "Future[Any]"]


class Ledger:
    """One thread with its own connection, started with the first write."""

    def __init__(self) -> None:
        self._jobs: queue.SimpleQueue[_Job] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def durably(self, write: Callable[[], T]) -> T:
        """Run write in a transaction, perhaps with others'; its result when that is committed."""
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="ledger", daemon=True)
                self._thread.start()
        future: Future[T] = Future()
        self._jobs.put((write, future))
        return future.result()

    def _run(self) -> None:
        while True:
            jobs = [self._jobs.get()]
            while len(jobs) < limits.LEDGER_WRITES:
                try:
                    jobs.append(self._jobs.get_nowait())
                except queue.Empty:
                    break
            self._write(jobs)

    def _write(self, jobs: Sequence[_Job]) -> None:
        try:
            with transaction.atomic():
                results = [write() for write, _ in jobs]
        except Exception as error:  # noqa: BLE001 - it belongs to who handed the write in
            if len(jobs) > 1:
                give_back()
                for job in jobs:
                    self._write([job])
                return
            jobs[0][1].set_exception(error)
        else:
            for (_, future), result in zip(jobs, results, strict=True):
                future.set_result(result)
        finally:
            give_back()


_ledger = Ledger()


def durably(write: Callable[[], T]) -> T:
    """Run write in a transaction, perhaps with others'; its result when that is committed."""
    return _ledger.durably(write)


def _after_fork() -> None:
    global _ledger
    _ledger = Ledger()


os.register_at_fork(after_in_child=_after_fork)
