"""Sequence sets (RFC 3501 §9 sequence-set): which messages a client, or our change log, means.

A set is a tuple of (first, last) pairs, both included, first <= last, in rising order, neither touching nor
overlapping. "*" is STAR, a number above every other, until resolve() knows what it stands for. "$", what the
last search saved (RFC 5182), is the pair SAVED before all others: no message has the number 0, so it means
nothing to who does not look for it.
Everything is linear in the ranges named (times a logarithm), never in the numbers they span.
Pure; the parser, the view, the commands and the change log call it.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, TypeAlias

from mailcore import limits
from mailcore.errors import BadSyntax

Ranges: TypeAlias = tuple[tuple[int, int], ...]

STAR: Final = 1 << 32  # nz-number is below 2^32
_TOP: Final = STAR - 1
SAVED: Final = (0, 0)
_NUMBER = rb"(?:[1-9][0-9]{0,9}|\*)"
_RANGE = rb"%b(?::%b)?" % (_NUMBER, _NUMBER)
_is_set = re.compile(rb"%b(?:,%b)*" % (_RANGE, _RANGE)).fullmatch


def parse(raw: bytes) -> Ranges:
    """The set that a client wrote: b"4,2:*". Raises BadSyntax."""
    if raw.count(b",") >= limits.IMAP_RANGES:
        raise BadSyntax("Too many ranges in a sequence set")
    if raw == b"$":
        return (SAVED,)
    if raw.endswith(b",$") and raw.count(b"$") == 1:
        return (SAVED, *parse(raw[:-2]))
    if not _is_set(raw):
        raise BadSyntax("Expected a set of numbers like 1:5,8,10:*")
    if b"," not in raw:
        return (_range(raw),)
    return ranges_of(map(_range, raw.split(b",")))


def _range(raw: bytes) -> tuple[int, int]:
    first, colon, last = raw.partition(b":")
    low = STAR if first == b"*" else int(first)
    high = (STAR if last == b"*" else int(last)) if colon else low
    if (low > _TOP and first != b"*") or (high > _TOP and colon and last != b"*"):
        raise BadSyntax("Numbers of messages are below 4294967296")
    return (low, high) if low <= high else (high, low)


def ranges_of(pairs: Iterable[tuple[int, int]]) -> Ranges:
    """Pairs in any order, overlapping or not, as a set."""
    merged: list[tuple[int, int]] = []
    low = high = -2
    for first, last in sorted(pairs):
        if first <= high + 1 and (first < STAR or high >= STAR):
            if last > high:
                high = last
        else:
            if high > 0:
                merged.append((low, high))
            low, high = first, last
    if high > 0:
        merged.append((low, high))
    return tuple(merged)


def resolve(ranges: Ranges, top: int) -> Ranges:
    """The same set with "*" as top, the highest number in use; nothing if there are no messages (top 0).

    "7:*" with top 3 is 3:7, as RFC 3501 §9 has it; what is above top stays, the caller judges it.
    """
    if not ranges or ranges[-1][1] < STAR:
        return ranges
    if top <= 0:
        return ranges[:-1]
    first, _ = ranges[-1]
    last = (top, top) if first == STAR else (first, top) if first <= top else (top, first)
    return ranges_of((*ranges[:-1], last))


def indexes(ranges: Ranges, uids: Sequence[int]) -> list[tuple[int, int]]:
    """Where in uids (rising) the set's members are: slices (start, stop), stop excluded. "*" is the last."""
    if not uids:
        return []
    slices: list[tuple[int, int]] = []
    stop = 0
    for first, last in resolve(ranges, uids[-1]):
        start = bisect_left(uids, first, stop)
        stop = bisect_right(uids, last, start)
        if start < stop:
            if slices and slices[-1][1] == start:
                slices[-1] = (slices[-1][0], stop)
            else:
                slices.append((start, stop))
    return slices


def contains(ranges: Ranges, number: int) -> bool:
    """Is number in a resolved set?"""
    at = bisect_right(ranges, (number, STAR)) - 1
    return at >= 0 and ranges[at][0] <= number <= ranges[at][1]


def intersection(one: Ranges, other: Ranges) -> Ranges:
    """The numbers in both of two resolved sets."""
    found: list[tuple[int, int]] = []
    at = 0
    for first, last in one:
        while at < len(other) and other[at][1] < first:
            at += 1
        here = at
        while here < len(other) and other[here][0] <= last:
            found.append((max(first, other[here][0]), min(last, other[here][1])))
            here += 1
        at = max(at, here - 1)
    return tuple(found)


def without(ranges: Ranges, uids: Sequence[int]) -> Ranges:
    """A resolved set without uids (rising)."""
    left: list[tuple[int, int]] = []
    stop = 0
    for first, last in ranges:
        start = bisect_left(uids, first, stop)
        stop = bisect_right(uids, last, start)
        low = first
        for uid in uids[start:stop]:
            if low < uid:
                left.append((low, uid - 1))
            low = uid + 1
        if low <= last:
            left.append((low, last))
    return tuple(left)


def count(ranges: Ranges) -> int:
    """How many numbers are in a resolved set."""
    return sum(last - first + 1 for first, last in ranges)


def numbers(ranges: Ranges) -> Iterator[int]:
    """Each number of a resolved set. For sets we made: a client's may span four thousand million."""
    for first, last in ranges:
        yield from range(first, last + 1)


def collect(rising: Iterable[int]) -> Ranges:
    """Numbers in rising order, none twice, as a set."""
    ranges: list[tuple[int, int]] = []
    first = last = -1
    for number in rising:
        if number == last + 1 and first >= 0:
            last = number
        else:
            if first >= 0:
                ranges.append((first, last))
            first = last = number
    if first >= 0:
        ranges.append((first, last))
    return tuple(ranges)


def encode(ranges: Ranges) -> bytes:
    """As written on the wire: b"1:3,5". An empty set is b"", which no client may be sent."""
    return b",".join(
        [b"%d" % first if first == last else b"%d:%d" % (first, last) for first, last in ranges]
    ).replace(b"4294967296", b"*")


def compact(rising: Iterable[int]) -> bytes:
    """Numbers in rising order as wire octets: [1, 2, 3, 5] -> b"1:3,5"."""
    return encode(collect(rising))


def parse_compact(raw: bytes) -> Ranges:
    """What encode() wrote of a set without "*", and only that: not checked, however long. b"" is empty."""
    if not raw:
        return ()
    ranges = []
    for piece in raw.split(b","):
        first, colon, last = piece.partition(b":")
        low = int(first)
        ranges.append((low, int(last) if colon else low))
    return tuple(ranges)
