"""What sender authentication asks of DNS, and what it is told, as values. (pure)

An evaluator is a generator: it yields questions, several at once where it can, and is sent their outcomes in
the same order. Who drives it has the network; a test has a dict.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from mailcore.errors import LookupFailed, MailError

T = TypeVar("T")
A = TypeVar("A")
B = TypeVar("B")


@dataclass(frozen=True, slots=True)
class Question:
    """The records of one type: TXT, A, AAAA, MX or PTR."""

    name: str
    type: str


# Records as text (MX is "10 mx.example.org"; TXT strings are put together); or NoSuchName, NoRecords for
# none, and a MailError with retry, such as LookupFailed, for "cannot be told now".
Outcome = Sequence[str] | MailError
Steps = Generator[Sequence[Question], Sequence[Outcome], T]


def both(one: Steps[A], other: Steps[B]) -> Steps[tuple[A, B]]:
    """Run two evaluators side by side: what they ask at the same time is asked together."""
    left, right = _Track(one), _Track(other)
    while left.is_asking or right.is_asking:
        outcomes = yield [*left.asked, *right.asked]
        count = len(left.asked)
        left.answer(outcomes[:count])
        right.answer(outcomes[count:])
    return left.result, right.result


class _Track(Generic[T]):
    result: T

    def __init__(self, steps: Steps[T]) -> None:
        self._steps = steps
        self.asked: Sequence[Question] = ()
        self.is_asking = True
        self._go(None)

    def answer(self, outcomes: Sequence[Outcome]) -> None:
        if self.is_asking:
            self._go(outcomes)

    def _go(self, outcomes: Sequence[Outcome] | None) -> None:
        try:
            self.asked = next(self._steps) if outcomes is None else self._steps.send(outcomes)
        except StopIteration as done:
            self.result = done.value
            self.asked, self.is_asking = (), False


def sparingly(steps: Steps[T], most: int) -> Steps[T]:
    """Run steps, passing each question on once, and at most so many; the rest is not answered.

    "Cannot be told now" is what the evaluators hear then: a temperror, never a failure of the sender.
    """
    known: dict[Question, Outcome] = {}
    try:
        asked = next(steps)
        while True:
            new = [question for question in dict.fromkeys(asked) if question not in known]
            new = new[: max(0, most - len(known))]
            if new:
                known.update(zip(new, (yield new), strict=True))
            asked = steps.send([known[one] if one in known else LookupFailed() for one in asked])
    except StopIteration as done:
        result: T = done.value
        return result
