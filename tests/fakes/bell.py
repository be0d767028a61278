"""A bell and a worker that remember: what was rung, which tasks were woken."""

from collections.abc import Callable, Sequence
from typing import Self

from mailcore.outside import doorbell, worker


class MemoryBell:
    """`with MemoryBell() as bell:` rings listeners of this process at once and keeps bell.rung.

    is_shared() answers what bell.shared says.
    """

    def __init__(self, *, shared: bool = True) -> None:
        self.rung: list[str] = []
        self.shared = shared
        self._listeners: dict[str, list[_Listener]] = {}

    def ring(self, topics: Sequence[str]) -> None:
        self.rung += topics
        for topic in topics:
            for listener in list(self._listeners.get(topic, ())):
                listener.wake()

    def listen(self, topic: str, wake: Callable[[], None]) -> "_Listener":
        return _Listener(self._listeners.setdefault(topic, []), wake)

    def is_shared(self) -> bool:
        return self.shared

    @property
    def listened_to(self) -> set[str]:
        """The topics that somebody listens to."""
        return {topic for topic, listeners in self._listeners.items() if listeners}

    def __enter__(self) -> Self:
        doorbell.use(self)
        return self

    def __exit__(self, *exc: object) -> None:
        doorbell.use(None)


class _Listener:
    def __init__(self, listeners: list["_Listener"], wake: Callable[[], None]) -> None:
        self._listeners = listeners
        self.wake = wake
        listeners.append(self)

    def close(self) -> None:
        if self in self._listeners:
            self._listeners.remove(self)


class MemoryWorker:
    """`with MemoryWorker() as worker:` keeps worker.woken, a list of (task name, arguments); runs nothing."""

    def __init__(self) -> None:
        self.woken: list[tuple[str, tuple[object, ...]]] = []

    def __enter__(self) -> Self:
        worker.use(lambda name, args: self.woken.append((name, args)))
        return self

    def __exit__(self, *exc: object) -> None:
        worker.use(None)
