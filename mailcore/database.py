"""How long-running processes use the database from many threads.

Django gives each thread its own connection and returns it at the end of a web request. maild has no
requests: every piece of database work there runs through call(), in a small pool of threads, and
gives its connection back. On PostgreSQL that means the pool (a thread that kept one would starve
the others); on SQLite the thread keeps its connection, with its prepared statements and its cache.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from django.db import close_old_connections, connection, reset_queries

from mailcore import limits

P = ParamSpec("P")
T = TypeVar("T")

log = logging.getLogger(__name__)


def give_back() -> None:
    """End a piece of work in this thread: whatever state it left its connection in, the next starts clean."""
    reset_queries()
    if connection.connection is not None and connection.in_atomic_block:
        log.error("a transaction was left open; it is rolled back")
        connection.close()
    close_old_connections()


class DatabaseThreads:
    """A pool of threads for database work, handed work from an event loop."""

    def __init__(self, threads: int = limits.DATABASE_THREADS) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="database")

    def call(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> asyncio.Future[T]:
        """Run function in a thread; the future has its result or exception. Cancelling does not stop it."""
        loop = asyncio.get_running_loop()
        return loop.run_in_executor(self._pool, lambda: _run(function, *args, **kwargs))

    def close(self) -> None:
        """Let what runs end, and take nothing new."""
        self._pool.shutdown(wait=True, cancel_futures=True)


def _run(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    try:
        return function(*args, **kwargs)
    finally:
        give_back()
