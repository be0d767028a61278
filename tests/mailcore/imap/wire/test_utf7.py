"""Folder names on the wire: one name, one spelling. (RFC 3501 §5.1.3)"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailcore.errors import BadSyntax
from mailcore.imap.wire import utf7

TEXT = st.text(st.characters(exclude_categories=["Cs"]))


@pytest.mark.parametrize(
    ("name", "wire"),
    [
        ("", b""),
        ("INBOX", b"INBOX"),
        ("Entwürfe", b"Entw&APw-rfe"),
        ("R&D", b"R&-D"),
        ("~peter/mail/台北/日本語", b"~peter/mail/&U,BTFw-/&ZeVnLIqe-"),  # the RFC's own example
        ("é&é", b"&AOk-&-&AOk-"),
        ("x😀", b"x&2D3eAA-"),
        ("a\tb", b"a&AAk-b"),
    ],
)
def test_spells(name, wire):
    assert utf7.encode(name) == wire
    assert utf7.decode(wire) == name


@given(TEXT)
def test_decodes_what_it_encodes(name):
    wire = utf7.encode(name)
    assert wire.isascii()
    assert utf7.decode(wire) == name


@given(
    st.binary(max_size=12)
    | st.text("&-,+/AaBb0 \u00e9", max_size=12).map(lambda text: text.encode("latin-1"))
)
def test_decodes_nothing_else(wire):
    try:
        name = utf7.decode(wire)
    except BadSyntax:
        return
    assert utf7.encode(name) == wire


@pytest.mark.parametrize(
    "wire",
    [
        b"&",
        b"a&",
        b"&AOk",
        b"&AOk ",
        b"R&D",
        b"&Jjo!",
        b"&AGE-",  # "a" has a plain spelling
        b"&AOk-&AOk-",  # one run would do
        b"&AOl-",  # bits left over
        b"&AA-",
        b"&A-",  # half a character
        b"&2D0-",  # half a pair
        b"&3gA-",
        b"&AC8-",
        b"&AAA/-",
        b"\xc3\xa9",
        b"\x00",
        b"a\tb",
    ],
)
def test_refuses(wire):
    with pytest.raises(BadSyntax):
        utf7.decode(wire)


def test_replaces_half_pairs_that_python_can_hold():
    assert utf7.decode(utf7.encode("a\ud800b")) == "a\ufffdb"


def test_reads_utf8_once_enabled():
    assert utf7.decode_utf8("R&D é".encode()) == "R&D é"
    with pytest.raises(BadSyntax):
        utf7.decode_utf8(b"\xff")
