"""Hits per key and window, for rate limits: failed logins, mails a mailbox sends, requests of a peer.

The window slides: what is counted is the running window of the clock plus the part of the one before that
is still inside, assumed evenly spread and rounded up. So a burst on the boundary is not forgotten, and a
key costs three numbers however often it is hit. In Redis when there is one, so that all processes count
together; else in this process, for at most COUNTER_KEYS keys. Counts are no truth: they may be lost with
Redis, and then begin again.
"""

import hashlib
import math
import threading
from collections import OrderedDict

from redis import Redis

from mailcore import limits
from mailcore.outside import clock
from mailcore.outside import redis as redis_door

# One hash a key, one field a window: "bucket:hits now:hits before". The same arithmetic as _shift() below.
_SCRIPT = """
local field, bucket, amount = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local at, here, before = bucket, 0, 0
local kept = redis.call('HGET', KEYS[1], field)
if kept then
  local a, b, c = string.match(kept, '^(%d+):(%d+):(%d+)$')
  at, here, before = tonumber(a), tonumber(b), tonumber(c)
end
if bucket == at + 1 then at, here, before = bucket, 0, here
elseif bucket ~= at and bucket ~= at - 1 then at, here, before = bucket, 0, 0 end
if amount > 0 then
  here = here + amount
  redis.call('HSET', KEYS[1], field, string.format('%d:%d:%d', at, here, before))
  local life = 2 * tonumber(field)
  if redis.call('TTL', KEYS[1]) < life then redis.call('EXPIRE', KEYS[1], life) end
end
return {here, before}
"""


def hit(key: str, window_seconds: int, amount: int = 1) -> int:
    """Count amount hits on key and return the hits of the last window_seconds, these included."""
    return _ask(key, window_seconds, amount)


def count(key: str, window_seconds: int) -> int:
    """Return the hits on key in the last window_seconds."""
    return _ask(key, window_seconds, 0)


def clear(key: str) -> None:
    """Forget key, in all its windows."""
    name = _name(key)
    _memory.clear(name)
    try:
        redis_door.run(lambda client: client.delete(name))
    except redis_door.NoRedis:
        pass


def _ask(key: str, window: int, amount: int) -> int:
    name, moment = _name(key), clock.seconds()
    bucket, rest = divmod(moment, window)

    def work(client: Redis) -> tuple[int, int]:
        here, before = client.eval(_SCRIPT, 1, name, window, int(bucket), amount)
        return int(here), int(before)

    try:
        here, before = redis_door.run(work)
    except redis_door.NoRedis:
        here, before = _memory.ask(name, window, int(bucket), amount)
    return here + math.ceil(before * (window - rest) / window)


def _name(key: str) -> str:
    # Keys may hold what a stranger typed as a login name.
    if len(key) > 100 or not key.isascii():
        key = hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()
    return f"count:{key}"


class Memory:
    """The same counts in this process; the keys hit longest ago go first."""

    def __init__(self, keys: int = limits.COUNTER_KEYS) -> None:
        self._keys = keys
        self._counts: OrderedDict[str, dict[int, tuple[int, int, int]]] = OrderedDict()
        self._lock = threading.Lock()

    def ask(self, name: str, window: int, bucket: int, amount: int) -> tuple[int, int]:
        """Return the hits of this bucket and of the one before, after adding amount."""
        with self._lock:
            windows = self._counts.get(name)
            at, here, before = _shift((windows or {}).get(window, (bucket, 0, 0)), bucket)
            if amount > 0:
                if windows is None:
                    windows = self._counts[name] = {}
                windows[window] = at, here + amount, before
                self._counts.move_to_end(name)
                while len(self._counts) > self._keys:
                    self._counts.popitem(last=False)
            return here + amount, before

    def clear(self, name: str) -> None:
        with self._lock:
            self._counts.pop(name, None)

    def __len__(self) -> int:
        return len(self._counts)


def _shift(kept: tuple[int, int, int], bucket: int) -> tuple[int, int, int]:
    """Bring (bucket, hits now, hits before) to bucket. One behind is a slow clock elsewhere."""
    at, here, before = kept
    if bucket in (at, at - 1):
        return at, here, before
    return (bucket, 0, here) if bucket == at + 1 else (bucket, 0, 0)


_memory = Memory()


def forget_all() -> None:
    """Forget what this process counted by itself. For tests."""
    global _memory
    _memory = Memory()
