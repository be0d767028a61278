"""A thread that carries small notices out of the process, so that nobody who leaves one ever waits.

What is left twice before it was carried goes once: a burst of a thousand rings of one topic is one ring.
When too much waits, the newest are dropped; they are only bells, the rows are the truth. The thread starts
with the first notice, is started anew after a fork, and gets a moment at exit. Used by doorbell and worker.
"""

import atexit
import os
import threading
import time
import weakref
from collections.abc import Callable, Hashable, Sequence
from typing import Generic, TypeVar

import structlog

from mailcore import limits

log = structlog.stdlib.get_logger(__name__)
Notice = TypeVar("Notice", bound=Hashable)
_all: "weakref.WeakSet[Courier[Hashable]]" = weakref.WeakSet()


class Courier(Generic[Notice]):
    """`Courier("doorbell", carry).leave(notice)`; carry(notices) runs in the courier's own thread."""

    def __init__(self, name: str, carry: Callable[[Sequence[Notice]], None]) -> None:
        self._name = name
        self._carry = carry
        self._reset()
        _all.add(self)  # type: ignore[arg-type]

    def _reset(self) -> None:
        self._waiting: dict[Notice, None] = {}
        self._changed = threading.Condition()
        self._busy = False
        self._thread: threading.Thread | None = None

    def leave(self, *notices: Notice) -> None:
        """Take notices to be carried soon. Never blocks, never raises."""
        with self._changed:
            for notice in notices:
                if len(self._waiting) < limits.DOORBELL_WAITING:
                    self._waiting[notice] = None
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name=f"courier-{self._name}", daemon=True)
                try:
                    self._thread.start()
                except RuntimeError:  # no more threads, or the interpreter is going
                    self._thread = None
                    return
            self._changed.notify()

    def flush(self, seconds: float) -> bool:
        """Wait until nothing is left to carry; false if that took longer than seconds."""
        with self._changed:
            return self._changed.wait_for(lambda: not (self._waiting or self._busy), seconds)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._busy = False
                self._changed.notify_all()
                self._changed.wait_for(lambda: self._waiting)
                notices, self._waiting = list(self._waiting), {}
                self._busy = True
            try:
                self._carry(notices)
            except Exception:
                log.exception("notices lost", courier=self._name, notices=len(notices))
            # What comes in a burst goes together: carrying costs far more than waiting.
            time.sleep(limits.COURIER_PAUSE_SECONDS)


def _after_fork() -> None:
    for courier in _all:
        courier._reset()


def _at_exit() -> None:
    for courier in _all:
        if courier._thread is not None:
            courier.flush(1.0)


os.register_at_fork(after_in_child=_after_fork)
atexit.register(_at_exit)
