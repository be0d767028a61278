"""Bodies a piece at a time, as dkimpy reads them whole."""

from __future__ import annotations

import dkim.canonicalization as judge
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailcore import limits
from mailcore.senderauth.bodies import pieces

_line = st.text(alphabet="ab \t", max_size=6).map(str.encode)
_body = st.builds(lambda lines, end: b"\r\n".join(lines) + end, st.lists(_line, max_size=12), _line)


@settings(max_examples=150, deadline=None)
@given(body=_body, size=st.integers(0, 20))
def test_makes_bodies_canonical_as_dkimpy_does(body: bytes, size: int) -> None:
    whole = body if not body or body.endswith(b"\r\n") else body + b"\r\n"
    assert b"".join(pieces(body, relaxed=True, size=size)) == judge.Relaxed.canonicalize_body(whole)
    assert b"".join(pieces(body, relaxed=False, size=size)) == judge.Simple.canonicalize_body(whole)


@pytest.mark.parametrize(
    ("body", "simple", "relaxed"),
    [
        (b"", b"\r\n", b""),
        (b"\r\n\r\n", b"\r\n", b""),
        (b" \t\r\n", b" \t\r\n", b""),
        (b"a  b \r\n\r\n\r\nc\r\n\r\n", b"a  b \r\n\r\n\r\nc\r\n", b"a b\r\n\r\n\r\nc\r\n"),
        (b"a\r\r\n\r\n", b"a\r\r\n", b"a\r\r\n"),
        (b"a\n\r\n", b"a\n\r\n", b"a\n\r\n"),
    ],
)
def test_keeps_line_ends_back_until_something_follows(body: bytes, simple: bytes, relaxed: bytes) -> None:
    for size in (0, 1, 100):
        assert b"".join(pieces(body, relaxed=False, size=size)) == simple
        assert b"".join(pieces(body, relaxed=True, size=size)) == relaxed


def test_gives_no_piece_much_bigger_than_asked() -> None:
    body = b"a  b \r\n" * 50_000
    assert max(map(len, pieces(body, relaxed=True))) <= limits.DKIM_PIECE_OCTETS + 10
