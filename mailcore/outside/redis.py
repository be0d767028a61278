"""The one Redis client of a process. Redis holds no truth: everybody who asks has something to fall back on.

A dead Redis costs one short wait and one log line, then REDIS_PAUSE_SECONDS in which nobody tries again:
run() raises NoRedis at once. Called by counters and doorbell; the URL is settings.REDIS_URL, which the
supervisor gives to its children (redis://, rediss:// or unix://).
"""

import os
import threading
from collections.abc import Callable
from typing import TypeVar

import structlog
from django.conf import settings
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from mailcore import limits
from mailcore.outside import clock

T = TypeVar("T")
log = structlog.stdlib.get_logger(__name__)


class NoRedis(Exception):
    """There is none, or it does not answer just now. Use the fallback."""


class Door:
    """A lazily made client for one URL, and the memory of its last failure."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._client: Redis | None = None
        self._closed_until = 0.0
        self._lock = threading.Lock()

    @property
    def is_open(self) -> bool:
        """Whether a URL is known and no failure is so recent that we would not even try."""
        return bool(self.url) and clock.monotonic() >= self._closed_until

    def run(self, work: Callable[[Redis], T]) -> T:
        """Return work(client). Raises NoRedis when there is none or it fails."""
        if not self.is_open:
            raise NoRedis
        try:
            return work(self.client())
        except (RedisError, OSError) as error:
            self.failed(error)
            raise NoRedis from error

    def client(self) -> Redis:
        """Return the client; connections are made when first used, and are safe to use from any thread."""
        with self._lock:
            if self._client is None:
                self._client = connect(self.url)
            return self._client

    def failed(self, error: Exception) -> None:
        """Remember a failure, and say so once a pause."""
        with self._lock:
            first = clock.monotonic() >= self._closed_until
            self._closed_until = clock.monotonic() + limits.REDIS_PAUSE_SECONDS
        if first:
            log.warning("redis does not answer", error=str(error), pause_seconds=limits.REDIS_PAUSE_SECONDS)


def connect(url: str, *, answer_seconds: float = limits.REDIS_SECONDS) -> Redis:
    """Make a client with short time-outs. One retry at once: a pooled connection may be a dead one."""
    return Redis.from_url(
        url,
        socket_connect_timeout=limits.REDIS_SECONDS,
        socket_timeout=answer_seconds,
        retry=Retry(NoBackoff(), 1),
    )


_door = Door("")


def door() -> Door:
    """Return the door to settings.REDIS_URL."""
    global _door
    if _door.url != settings.REDIS_URL:
        _door = Door(settings.REDIS_URL)
    return _door


def run(work: Callable[[Redis], T]) -> T:
    """Return work(client). Raises NoRedis when there is none or it fails."""
    return door().run(work)


def _after_fork() -> None:
    global _door
    _door = Door("")


os.register_at_fork(after_in_child=_after_fork)
