"""Django's Redis cache that treats a lost Redis as an empty one: slower, never an error page.

Named by settings.CACHES. Rate limits that must survive live in mailcore/outside/counters.py.
"""

import logging
from typing import Any

from django.core.cache.backends.redis import RedisCache, RedisCacheClient
from redis.exceptions import RedisError

logger = logging.getLogger(__name__)


class _ForgivingClient(RedisCacheClient):
    """Answers what an empty cache would answer when Redis does not."""

    def _or(self, answer: Any, method: str, *args: Any, **kwargs: Any) -> Any:
        try:
            return getattr(super(), method)(*args, **kwargs)
        except (RedisError, OSError) as error:
            logger.warning("cache_unreachable", extra={"reason": type(error).__name__})
            return answer

    def add(self, key: Any, value: Any, timeout: Any) -> Any:
        return self._or(True, "add", key, value, timeout)

    def get(self, key: Any, default: Any) -> Any:
        return self._or(default, "get", key, default)

    def set(self, key: Any, value: Any, timeout: Any) -> Any:
        return self._or(None, "set", key, value, timeout)

    def touch(self, key: Any, timeout: Any) -> Any:
        return self._or(False, "touch", key, timeout)

    def delete(self, key: Any) -> Any:
        return self._or(False, "delete", key)

    def get_many(self, keys: Any) -> Any:
        return self._or({}, "get_many", keys)

    def has_key(self, key: Any) -> Any:
        return self._or(False, "has_key", key)

    def incr(self, key: Any, delta: Any) -> Any:
        return self._or(delta, "incr", key, delta)

    def set_many(self, data: Any, timeout: Any) -> Any:
        return self._or(None, "set_many", data, timeout)

    def delete_many(self, keys: Any) -> Any:
        return self._or(None, "delete_many", keys)

    def clear(self) -> Any:
        return self._or(False, "clear")


class ForgivingRedisCache(RedisCache):
    def __init__(self, server: str, params: dict[str, Any]) -> None:
        super().__init__(server, params)
        self._class = _ForgivingClient
