"""The bell that wakes who waits for a change: `ring("mailbox:7")` here, `listen("mailbox:7", wake)` there.

A ring carries nothing and may be lost or come twice; whoever is woken looks in the database, and every
waiter also looks by itself every poll_seconds(). Listen first, then look, so that nothing falls between.

Inside a process a ring calls its listeners at once, in the thread that rings. Other processes hear it
through Redis pub/sub: one subscriber thread a process, one channel a topic, subscribed while somebody
listens. A new subscription, also after Redis came back, rings its topic once by itself, because what was
rung before it stood is lost. Without Redis is_shared() is false and listeners look more often.

wake is called from any thread: from the one that rings or from the subscriber's. It must be quick and must
not block; on an event loop pass `partial(loop.call_soon_threadsafe, ...)`.
"""

import os
import secrets
import threading
from collections.abc import Callable, Sequence
from typing import Protocol

import structlog
from django.db import connection, transaction
from redis.client import PubSub
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError

from mailcore import limits
from mailcore.outside import clock
from mailcore.outside import redis as redis_door
from mailcore.outside.courier import Courier

log = structlog.stdlib.get_logger(__name__)
Wake = Callable[[], None]
_PREFIX = b"bell:"
_CONTROL = b"bell-control:"


class Handle(Protocol):
    def close(self) -> None: ...


class Bell(Protocol):
    """What ring(), listen() and is_shared() need; tests/fakes has another one."""

    def ring(self, topics: Sequence[str]) -> None: ...

    def listen(self, topic: str, wake: Wake) -> Handle: ...

    def is_shared(self) -> bool: ...


class Listener:
    """One who waits for one topic, until close()."""

    __slots__ = ("_bell", "topic", "wake")

    def __init__(self, bell: "Doorbell", topic: str, wake: Wake) -> None:
        self._bell = bell
        self.topic = topic
        self.wake = wake

    def close(self) -> None:
        """Stop listening. Calling it twice is harmless; a wake already under way may still arrive."""
        self._bell.leave(self)


class Doorbell:
    """The listeners of this process, and its thread and courier to Redis."""

    def __init__(self, door: Callable[[], redis_door.Door] = redis_door.door) -> None:
        self._door = door
        self._listeners: dict[str, set[Listener]] = {}
        self._unused: dict[str, float] = {}  # still subscribed, nobody listens, since when
        self._lock = threading.Lock()
        self._me = secrets.token_bytes(8)
        self._courier: Courier[bytes] = Courier("doorbell", self._publish)
        self._subscriber: threading.Thread | None = None
        self._to_subscribe: set[str] = set()
        self._connected = False
        self._closed = threading.Event()

    # --- the local part ---------------------------------------------------------------------------------

    def ring(self, topics: Sequence[str]) -> None:
        self._wake(topics)
        if self._door().is_open:
            self._courier.leave(*(_channel(topic) for topic in topics))

    def listen(self, topic: str, wake: Wake) -> Listener:
        channel = _channel(topic)
        if len(channel) > limits.DOORBELL_TOPIC_OCTETS:
            raise ValueError("topic too long")
        listener = Listener(self, topic, wake)
        with self._lock:
            known = self._unused.pop(topic, None) is not None or topic in self._listeners
            self._listeners.setdefault(topic, set()).add(listener)
            if self._subscriber and not known:
                self._to_subscribe.add(topic)
        if self._subscriber is None and self._door().url:
            self._start()
        elif self._subscriber and not known:
            self._courier.leave(_CONTROL + self._me)
        return listener

    def leave(self, listener: Listener) -> None:
        with self._lock:
            listeners = self._listeners.get(listener.topic)
            if listeners is None or listener not in listeners:
                return
            listeners.remove(listener)
            if not listeners:
                del self._listeners[listener.topic]
                if self._subscriber:
                    self._unused[listener.topic] = clock.monotonic()

    def is_shared(self) -> bool:
        """Whether rings of other processes reach us now. Before anybody listens: whether they would."""
        return self._connected if self._subscriber else self._door().is_open

    def close(self) -> None:
        """Stop the subscriber thread; for tests."""
        self._closed.set()
        self._courier.leave(_CONTROL + self._me)

    def _wake(self, topics: Sequence[str]) -> None:
        with self._lock:
            listeners = [one for topic in topics for one in self._listeners.get(topic, ())]
        for listener in listeners:
            try:
                listener.wake()
            except Exception:
                log.exception("a listener failed", topic=listener.topic)

    # --- the part that other processes hear -------------------------------------------------------------

    def _publish(self, channels: Sequence[bytes]) -> None:
        """Carry rings out (courier thread); each message names this process, which needs no echo."""
        try:
            with self._door().client().pipeline(transaction=False) as pipe:
                for channel in channels:
                    pipe.publish(channel, self._me)
                pipe.execute()
        except (RedisError, OSError) as error:
            self._door().failed(error)

    def _start(self) -> None:
        with self._lock:
            if self._subscriber is None:
                self._subscriber = threading.Thread(target=self._subscribe, name="doorbell", daemon=True)
                self._subscriber.start()

    def _subscribe(self) -> None:
        while not self._closed.is_set():
            try:
                # The answer time-out holds within one message; get_message() waits for the next by itself.
                with redis_door.connect(self._door().url, answer_seconds=5) as client:
                    with client.pubsub() as pubsub:
                        self._attend(pubsub)
            except (RedisError, OSError) as error:
                self._door().failed(error)
            except Exception:
                log.exception("doorbell failed")
            self._connected = False
            self._forget_subscriptions()
            self._closed.wait(limits.DOORBELL_RECONNECT_SECONDS)

    def _attend(self, pubsub: PubSub) -> None:
        """Subscribe to all that is listened to, then follow, until the connection breaks."""
        self._forget_subscriptions()
        pubsub.subscribe(_CONTROL + self._me)
        asked = False
        while not self._closed.is_set():
            self._adjust(pubsub)
            message = pubsub.get_message(timeout=limits.DOORBELL_CHECK_SECONDS)
            if message is None:
                if asked:
                    raise RedisConnectionError("no answer to PING")
                pubsub.ping()
            asked = message is None
            if message is not None:
                self._hear(message["type"], message["channel"] or b"", message["data"])

    def _hear(self, kind: str, channel: bytes, sender: object) -> None:
        if channel == _CONTROL + self._me:
            self._connected = True
        elif kind == "subscribe" or (kind == "message" and sender != self._me):
            # Also at "subscribe": what was rung before the subscription stood is lost.
            self._wake([channel[len(_PREFIX) :].decode()])

    def _forget_subscriptions(self) -> None:
        with self._lock:
            self._to_subscribe = set(self._listeners)
            self._unused.clear()

    def _adjust(self, pubsub: PubSub) -> None:
        """Subscribe to what is newly listened to; give up what nobody listened to for a while."""
        before = clock.monotonic() - limits.DOORBELL_CHECK_SECONDS
        with self._lock:
            wanted, self._to_subscribe = self._to_subscribe, set()
            stale = [topic for topic, since in self._unused.items() if since < before]
            for topic in stale:
                del self._unused[topic]
        if stale:
            pubsub.unsubscribe(*map(_channel, stale))  # type: ignore[no-untyped-call]
        for some in _slices([_channel(topic) for topic in wanted], 500):
            pubsub.subscribe(*some)


def _channel(topic: str) -> bytes:
    return _PREFIX + topic.encode()


def _slices(items: list[bytes], size: int) -> list[list[bytes]]:
    return [items[start : start + size] for start in range(0, len(items), size)]


_bell: Bell = Doorbell()


def ring(*topics: str) -> None:
    """Wake who listens to topics, in all processes: now, or when the open transaction has committed.

    Never blocks, never raises. A transaction that rolls back rings nothing.
    """
    if connection.in_atomic_block:
        transaction.on_commit(lambda: _bell.ring(topics))
    else:
        _bell.ring(topics)


def listen(topic: str, wake: Wake) -> Handle:
    """Have wake() called, from any thread, whenever topic rings, until the handle's close()."""
    return _bell.listen(topic, wake)


def listen_all(topics: Sequence[str], wake: Wake) -> Handle:
    """The same for several topics, with one handle."""
    if len(topics) == 1:
        return listen(topics[0], wake)
    return _Handles([listen(topic, wake) for topic in topics])


class _Handles:
    """Several that are closed together."""

    __slots__ = ("_handles",)

    def __init__(self, handles: Sequence[Handle]) -> None:
        self._handles = handles

    def close(self) -> None:
        for handle in self._handles:
            handle.close()


def is_shared() -> bool:
    """Whether rings of other processes reach this one now."""
    return _bell.is_shared()


def poll_seconds() -> float:
    """How long a listener may wait for a ring before it looks by itself."""
    return limits.POLL_SECONDS if is_shared() else limits.POLL_ALONE_SECONDS


def use(bell: Bell | None) -> None:
    """Ring another bell from now on; None goes back to the real one. For tests."""
    global _bell
    _bell = bell or Doorbell()


def _after_fork() -> None:
    # The threads stayed behind, and so did those who listened.
    if isinstance(_bell, Doorbell):
        use(None)


os.register_at_fork(after_in_child=_after_fork)
