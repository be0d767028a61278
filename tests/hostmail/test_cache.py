"""A lost Redis is an empty cache, not an error page."""

from pathlib import Path

from hostmail.cache import ForgivingRedisCache


def test_keeps_and_finds(redis_url: str) -> None:
    cache = ForgivingRedisCache(redis_url, {})
    cache.set("a", 1)
    assert cache.get("a") == 1
    assert cache.incr("a") == 2
    assert cache.get_many(["a", "b"]) == {"a": 2}
    cache.delete("a")
    assert cache.get("a", "none") == "none"


def test_is_empty_without_redis(tmp_path: Path) -> None:
    cache = ForgivingRedisCache(f"unix://{tmp_path}/nobody.sock", {})
    cache.set("a", 1)
    cache.set_many({"a": 1})
    assert cache.get("a", "none") == "none"
    assert cache.add("a", 1) is True
    assert cache.get_many(["a"]) == {}
    assert cache.incr("a") == 1
    assert "a" not in cache
    cache.delete("a")
    cache.clear()
