"""Drives evaluators from a dict of records, as a resolver would from the world."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

from mailcore.errors import LookupFailed, NoRecords, NoSuchName
from mailcore.senderauth.questions import Outcome, Question, Steps

T = TypeVar("T")
Zone = Mapping[str, Mapping[str, Sequence[str] | None]]


def answer(zone: Zone, question: Question, hops: int = 8) -> Outcome:
    """What zone has: records by name and type; None for "does not answer"."""
    types = zone.get(question.name.lower())
    if types is None:
        return NoSuchName()
    if types.get("CNAME"):
        target = Question((types["CNAME"] or [""])[0], question.type)
        return answer(zone, target, hops - 1) if hops else LookupFailed()
    records = types.get(question.type, ())
    if records is None:
        return LookupFailed()
    return list(records) or NoRecords()


def run(steps: Steps[T], zone: Zone, asked: list[Question] | None = None) -> T:
    try:
        questions = next(steps)
        while True:
            if asked is not None:
                asked.extend(questions)
            questions = steps.send([answer(zone, question) for question in questions])
    except StopIteration as done:
        result: T = done.value
        return result
