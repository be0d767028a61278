"""Sequence sets: what is read is what was meant, and no number of numbers takes long."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailcore.errors import BadSyntax
from mailcore.imap.wire import seqset
from mailcore.imap.wire.seqset import SAVED, STAR

SETS = st.sets(st.integers(1, 60))


@pytest.mark.parametrize(
    ("wire", "ranges"),
    [
        (b"1", ((1, 1),)),
        (b"4294967295", ((4294967295, 4294967295),)),
        (b"*", ((STAR, STAR),)),
        (b"2:4", ((2, 4),)),
        (b"4:2", ((2, 4),)),
        (b"*:4", ((4, STAR),)),
        (b"4:*", ((4, STAR),)),
        (b"5,1:3,4", ((1, 5),)),
        (b"1:10,3:4,12", ((1, 10), (12, 12))),
        (b"*,4294967295", ((4294967295, 4294967295), (STAR, STAR))),
        (b"1,*,5:*", ((1, 1), (5, STAR))),
        (b"2,2,2", ((2, 2),)),
        (b"$", (SAVED,)),
        (b"4,1:3,$", (SAVED, (1, 4))),
    ],
)
def test_parses(wire, ranges):
    assert seqset.parse(wire) == ranges


@pytest.mark.parametrize(
    "wire",
    [
        b"",
        b"0",
        b"01",
        b"1:0",
        b"0:1",
        b"4294967296",
        b"1:4294967296",
        b"9999999999",
        b"99999999999",
        b"$,1",
        b"$$",
        b"1$",
        b"1:$",
        b"$,$",
        b",$",
        b",",
        b"1,",
        b",1",
        b"1::2",
        b"1:2:3",
        b"1:",
        b":1",
        b"a",
        b"1 2",
        b"+1",
        b"-1",
        b"1_0",
        b"**",
        b"1,,2",
        b"\xd9\xa1",
    ],
)
def test_refuses(wire):
    with pytest.raises(BadSyntax):
        seqset.parse(wire)


@pytest.mark.parametrize(
    ("wire", "top", "ranges"),
    [
        (b"5:*", 9, ((5, 9),)),
        (b"5:*", 3, ((3, 5),)),
        (b"*", 3, ((3, 3),)),
        (b"*", 0, ()),
        (b"1:2,*", 3, ((1, 3),)),
        (b"1:2", 0, ((1, 2),)),
        (b"1,8:*", 4, ((1, 1), (4, 8))),
    ],
)
def test_star_is_the_last_message(wire, top, ranges):
    assert seqset.resolve(seqset.parse(wire), top) == ranges


@given(SETS)
def test_collects_and_writes_what_it_reads(numbers):
    ranges = seqset.collect(sorted(numbers))
    assert list(seqset.numbers(ranges)) == sorted(numbers)
    assert seqset.count(ranges) == len(numbers)
    wire = seqset.compact(sorted(numbers))
    assert seqset.parse_compact(wire) == ranges
    if numbers:
        assert seqset.parse(wire) == ranges
        assert seqset.encode(seqset.parse(wire)) == wire


def test_writes_star():
    assert seqset.encode(seqset.parse(b"1,5:*")) == b"1,5:*"
    assert seqset.encode(seqset.parse(b"*")) == b"*"


def test_compact():
    assert seqset.compact([1, 2, 3, 5]) == b"1:3,5"
    assert seqset.compact([]) == b""
    assert seqset.parse_compact(b"") == ()


@given(st.lists(st.tuples(st.integers(1, 40), st.integers(1, 40) | st.just(STAR))), SETS)
def test_finds_the_same_messages_as_counting_them(pairs, uids):
    pairs = [(min(pair), max(pair)) for pair in pairs]
    rising = sorted(uids)
    found = [
        uid for start, stop in seqset.indexes(seqset.ranges_of(pairs), rising) for uid in rising[start:stop]
    ]
    top = rising[-1] if rising else 0
    meant = [(low, high) if high < STAR else (min(low, top), max(low, top)) for low, high in pairs]
    assert found == [uid for uid in rising if any(low <= uid <= high for low, high in meant)]
    slices = seqset.indexes(seqset.ranges_of(pairs), rising)
    assert all(before[1] < after[0] for before, after in zip(slices, slices[1:], strict=False))


@given(SETS, st.integers(1, 60))
def test_knows_its_members(numbers, number):
    assert seqset.contains(seqset.collect(sorted(numbers)), number) == (number in numbers)


@given(st.lists(st.tuples(st.integers(1, 40), st.integers(0, 10))))
def test_normal_form_is_rising_and_apart(pairs):
    ranges = seqset.ranges_of((low, low + more) for low, more in pairs)
    assert set(seqset.numbers(ranges)) == {n for low, more in pairs for n in range(low, low + more + 1)}
    assert all(before[1] + 1 < after[0] for before, after in zip(ranges, ranges[1:], strict=False))


def test_a_million_ranges_are_refused_at_once():
    wire = b",".join([b"1"] * 1_000_000)
    began = time.process_time()
    with pytest.raises(BadSyntax, match="Too many"):
        seqset.parse(wire)
    assert time.process_time() - began < 1


def test_as_many_as_fit_on_a_line_are_quick():
    wire = b",".join(b"%d" % number for number in range(1, 60_000, 2))
    began = time.process_time()
    ranges = seqset.parse(wire)
    assert len(ranges) == 30_000
    assert seqset.indexes(ranges, range(1, 100_001))[0] == (0, 1)
    assert time.process_time() - began < 10


def test_all_numbers_there_are_cost_nothing():
    assert seqset.indexes(seqset.parse(b"1:4294967295"), [1, 5, 9]) == [(0, 3)]


def test_packs_and_unpacks_a_folder_quickly():
    uids = [uid for uid in range(1, 200_000) if uid % 10]
    began = time.process_time()
    assert seqset.count(seqset.parse_compact(seqset.compact(uids))) == len(uids)
    assert time.process_time() - began < 10


def test_neighbours_in_the_folder_are_one_slice():
    assert seqset.indexes(seqset.parse(b"1,5,9"), [1, 5, 7, 9]) == [(0, 2), (3, 4)]


@given(SETS, SETS)
def test_intersection_and_without_are_those_of_sets(one, other):
    first, second = seqset.collect(sorted(one)), seqset.collect(sorted(other))
    assert seqset.intersection(first, second) == seqset.collect(sorted(one & other))
    assert seqset.without(first, sorted(other)) == seqset.collect(sorted(one - other))


def test_intersection_takes_time_by_ranges_not_numbers():
    scattered = tuple((n, n) for n in range(1, 60_000, 2))
    assert seqset.intersection(((1, 2**32 - 1),), scattered) == scattered
    assert seqset.intersection(scattered, ((1, 2**32 - 1),)) == scattered
    assert seqset.without(((1, 2**32 - 1),), [5]) == ((1, 4), (6, 2**32 - 1))


def test_what_was_saved_means_nothing_by_itself():
    assert seqset.indexes((SAVED, (2, 3)), [1, 2, 3]) == [(1, 3)]
    assert seqset.indexes((SAVED, (2, STAR)), [1, 2, 3]) == [(1, 3)]
    assert seqset.intersection((SAVED, (2, 3)), ((1, 9),)) == ((2, 3),)
