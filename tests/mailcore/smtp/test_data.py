"""The end of DATA, found in chunks of any size, and what no message may hold."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailcore.errors import BadMessage
from mailcore.smtp.data import Data, refuse_bare_line_ends

LINES = st.lists(
    st.sampled_from([b"", b".", b"..", b".a", b"a", b"a\r", b"\r", b"\n.", b".\n", b"\r."]), max_size=6
)
BEHIND = b"QUIT\r\n.\r\n"


def received(wire: bytes, cuts: list[int]) -> tuple[bytes, bytes]:
    """The message and what stands behind its end, when wire comes cut at cuts."""
    data, places = Data(), sorted({min(cut, len(wire)) for cut in cuts} | {len(wire)})
    chunk, ended, start = bytearray(), False, 0
    for place in places:
        chunk += wire[start:place]
        start = place
        ended = ended or data.take(chunk)
    assert ended
    return data.message(), bytes(chunk)


@given(lines=LINES, cuts=st.lists(st.integers(0, 40), max_size=5))
def test_it_finds_the_end_wherever_the_octets_are_cut(lines: list[bytes], cuts: list[int]) -> None:
    message = b"".join(line + b"\r\n" for line in lines)
    wire = b"".join((b"." if line.startswith(b".") else b"") + line + b"\r\n" for line in lines)
    # A dot may also follow a line end that stands inside of what was meant as one line.
    if (b"\r\n" + message).count(b"\r\n.") != sum(line.startswith(b".") for line in lines):
        return
    assert received(wire + b".\r\n" + BEHIND, cuts) == (message, BEHIND)


def test_it_finds_the_end_octet_by_octet() -> None:
    wire = b"a\r\n..b\r\n...\r\n.\n\r\n\r\n.\r\n"
    assert received(wire + BEHIND, list(range(len(wire) + len(BEHIND)))) == (
        b"a\r\n.b\r\n..\r\n\n\r\n\r\n",
        BEHIND,
    )


def test_it_counts_what_was_sent() -> None:
    data = Data()
    assert data.take(bytearray(b"..a\r\n.\r\n"))
    assert data.octets == len(b"..a\r\n")
    assert data.message() == b".a\r\n"


def test_it_still_finds_the_end_of_what_it_dropped() -> None:
    data = Data()
    for octet in b"one\r\n..two\r\n":
        assert not data.take(bytearray([octet]))
        data.drop()
    assert not data.take(bytearray(b"."))
    data.drop()
    assert data.take(bytearray(b"\r\n"))


@pytest.mark.parametrize("length", range(7))
def test_it_knows_every_bare_line_end(length: int) -> None:
    for octets in itertools.product(b"\r\na\x85", repeat=length):
        raw = bytes(octets)
        if raw.replace(b"\r\n", b"").strip(b"a\x85"):
            with pytest.raises(BadMessage):
                refuse_bare_line_ends(raw)
        else:
            refuse_bare_line_ends(raw)
