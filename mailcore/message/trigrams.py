"""Which of many texts may hold a needle: a bitmap for each kind of three octets. Pure.

The trigrams of a text (three neighbouring octets of its UTF-8) are hashed into BUCKETS buckets. A plane has
for each bucket one bit a text, set when the text has a trigram of that bucket. A needle can only be in texts
that have all its trigrams, so the answer is the AND of few bitmaps: never a miss, few false hits, which the
caller weeds out by looking at the text. A lane is eight texts: one octet a bucket. Rows put the octets of one
bucket side by side, so that a search reads only the buckets it asks for.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Iterable, Sequence

BUCKETS = 1 << 15
GROUP = 64  # buckets kept in one piece
GROUPS = BUCKETS // GROUP
_MIX, _SHIFT, _MASK = 0x9E3779B1, 17, BUCKETS - 1
# The column of a text that may hold anything.
EVERY = b"\x01" * BUCKETS
# More than these few rule out hardly anything.
_MOST = 8


def grams(octets: bytes) -> set[int]:
    """The trigrams of octets as numbers, by a cast instead of a loop: 25 ns an octet."""
    count = len(octets) - 2
    if count <= 0:
        return set()
    spread = bytearray(4 * count)
    spread[0::4] = octets[:count]
    spread[1::4] = octets[1 : count + 1]
    spread[2::4] = octets[2:]
    numbers = array("I")
    numbers.frombytes(bytes(spread))
    if sys.byteorder == "big":
        numbers.byteswap()
    return set(numbers)


def column(text: str) -> bytes:
    """One text: an octet a bucket, 1 where it has a trigram of it."""
    found = bytearray(BUCKETS)
    for gram in grams(text.encode("utf-8", "replace")):
        found[(gram * _MIX >> _SHIFT) & _MASK] = 1
    return bytes(found)


def lanes(columns: Sequence[bytes]) -> list[bytes]:
    """Texts by eights. Text n is bit n % 8 of lane n // 8."""
    found = []
    for start in range(0, len(columns), 8):
        lane = 0
        for bit, each in enumerate(columns[start : start + 8]):
            lane |= int.from_bytes(each, "little") << bit
        found.append(lane.to_bytes(BUCKETS, "little"))
    return found


class Lanes:
    """lanes() of texts that come one by one; an octet a bucket is kept of the last seven at most."""

    def __init__(self) -> None:
        self._lanes: list[bytes] = []
        self._columns: list[bytes] = []

    def add(self, column: bytes) -> None:
        self._columns.append(column)
        if len(self._columns) == 8:
            self._lanes += lanes(self._columns)
            self._columns = []

    def whole(self) -> list[bytes]:
        return self._lanes + lanes(self._columns)


def groups(some: Sequence[bytes]) -> list[bytes]:
    """Lanes as GROUPS pieces, each of GROUP rows of len(some) octets."""
    width = len(some)
    whole = bytearray(BUCKETS * width)
    for at, lane in enumerate(some):
        whole[at::width] = lane
    step = GROUP * width
    return [bytes(whole[start : start + step]) for start in range(0, len(whole), step)]


def ungroup(pieces: Iterable[bytes], width: int) -> list[bytes]:
    """The lanes that groups() was made of."""
    whole = b"".join(pieces)
    return [whole[at::width] for at in range(width)]


def buckets(needle: str) -> list[int]:
    """The buckets that a text with needle in it has, a few of them; none when needle is too short to tell."""
    octets = needle.encode("utf-8", "replace")
    found = sorted({(gram * _MIX >> _SHIFT) & _MASK for gram in grams(octets)})
    if len(found) <= _MOST:
        return found
    return [found[at * len(found) // _MOST] for at in range(_MOST)]


def row(piece: bytes, bucket: int, width: int) -> int:
    """The bitmap of one bucket out of its group's piece."""
    start = bucket % GROUP * width
    return int.from_bytes(piece[start : start + width], "little")


def places(bitmap: int) -> list[int]:
    """The numbers of the bits that are set, rising."""
    digits = bin(bitmap)[:1:-1]
    found = []
    at = digits.find("1")
    while at >= 0:
        found.append(at)
        at = digits.find("1", at + 1)
    return found
