"""Evaluators side by side, and what they may ask together."""

from __future__ import annotations

from mailcore.errors import LookupFailed
from mailcore.senderauth.questions import Outcome, Question, Steps, both, sparingly
from tests.mailcore.senderauth.asking import run


def ask(*rounds: list[str]) -> Steps[list[Outcome]]:
    heard: list[Outcome] = []
    for names in rounds:
        heard += yield [Question(name, "TXT") for name in names]
    return heard


ZONE = {name: {"TXT": [name.upper()]} for name in "abcd"}


def test_asks_at_once_what_two_ask_at_the_same_time() -> None:
    steps = both(ask(["a"], ["b"], ["c"]), ask(["d", "a"]))
    assert [question.name for question in next(steps)] == ["a", "d", "a"]
    assert [question.name for question in steps.send([["A"], ["D"], ["A"]])] == ["b"]
    assert run(both(ask(["a"], ["b"]), ask(["c", "d"])), ZONE) == ([["A"], ["B"]], [["C"], ["D"]])


def test_lets_one_that_asks_nothing_wait_for_the_other() -> None:
    assert run(both(ask(), ask(["a"])), ZONE) == ([], [["A"]])
    assert run(both(ask(), ask()), ZONE) == ([], [])


def test_asks_nothing_twice() -> None:
    asked: list[Question] = []
    steps = sparingly(both(ask(["a", "a"], ["b"]), ask(["b"], ["a"])), 10)
    assert run(steps, ZONE, asked) == ([["A"], ["A"], ["B"]], [["B"], ["A"]])
    assert [question.name for question in asked] == ["a", "b"]


def test_cannot_tell_what_is_beyond_the_limit() -> None:
    asked: list[Question] = []
    heard = run(sparingly(ask(["a", "b", "c"], ["a", "d"]), 2), ZONE, asked)
    assert [question.name for question in asked] == ["a", "b"]
    assert (heard[0], heard[1], heard[3]) == (["A"], ["B"], ["A"])
    assert isinstance(heard[2], LookupFailed)
    assert isinstance(heard[4], LookupFailed)
