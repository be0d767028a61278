"""Trigram bitmaps: never a miss, whatever the text."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailcore.message import trigrams

TEXTS = st.lists(st.text(alphabet="abcé字 \n", max_size=40), min_size=1, max_size=20)


def candidates(texts: list[str], needle: str) -> list[int]:
    some = trigrams.lanes([trigrams.column(text) for text in texts])
    pieces = trigrams.groups(some)
    width = len(some)
    bitmap = (1 << len(texts)) - 1
    for bucket in trigrams.buckets(needle):
        bitmap &= trigrams.row(pieces[bucket // trigrams.GROUP], bucket, width)
    return trigrams.places(bitmap)


@given(TEXTS, st.data())
def test_misses_no_text_that_holds_the_needle(texts, data):
    text = data.draw(st.sampled_from(texts))
    start = data.draw(st.integers(0, len(text)))
    needle = text[start : start + data.draw(st.integers(0, 12))]
    holding = {at for at, each in enumerate(texts) if needle in each}
    assert holding <= set(candidates(texts, needle))


def test_rules_out_most_texts_without_it():
    texts = [f"message number {at} about {'pears' if at % 10 else 'zyxquor'}" for at in range(100)]
    assert candidates(texts, "zyxquor") == list(range(0, 100, 10))
    assert candidates(texts, "nothing") == []


def test_cannot_tell_by_two_octets():
    assert trigrams.buckets("ab") == []
    assert trigrams.buckets("字")


def test_looks_at_a_few_trigrams_of_a_long_needle():
    assert len(trigrams.buckets("the quick brown fox jumps over the lazy dog")) == 8


@pytest.mark.parametrize("count", [1, 2, 7])
def test_groups_come_apart_again(count):
    some = [random.Random(at).randbytes(trigrams.BUCKETS) for at in range(count)]
    assert trigrams.ungroup(trigrams.groups(some), count) == some
