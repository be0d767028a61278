"""The fuzzers work: each target takes its seeds and some bent ones, and a planted bug is found."""

import random

import pytest

from tests.fuzz import Target, TooSlow, attempt, hunt, shrink
from tests.fuzz.targets import TARGETS


@pytest.mark.parametrize("name", TARGETS)
def test_target_takes_its_seeds_and_a_few_bent_ones(name: str) -> None:
    target = TARGETS[name]
    raw = hunt(target, random.Random(name), seconds=8, inputs=len(target.seeds) + 200)
    if raw is not None:
        target.run(raw)
        pytest.fail(f"slow: {attempt(target, raw)}")


def test_finds_a_planted_bug_and_makes_it_small() -> None:
    def run(raw: bytes) -> None:
        assert b"\0" not in raw

    target = Target("planted", run, [b"some harmless text"])
    raw = hunt(target, random.Random(1), inputs=10_000)
    assert raw is not None
    error = attempt(target, raw)
    assert error is not None
    assert shrink(target, raw, error) == b"\0"


def test_finds_what_is_too_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([0.0, 9.0])
    monkeypatch.setattr("tests.fuzz.time.process_time", lambda: next(clock))
    assert isinstance(attempt(Target("slow", lambda raw: None, []), b"x"), TooSlow)
