"""What SEARCH can look for: the tree that comes of it, and what no tree comes of."""

import datetime as dt
import time

import pytest

from mailcore import limits
from mailcore.errors import BadCharset, BadSyntax
from mailcore.imap.wire import search_keys
from mailcore.imap.wire.grammar import Cursor
from mailcore.imap.wire.keys import (
    All,
    And,
    Contains,
    Dated,
    HasFlag,
    HeaderContains,
    Key,
    Larger,
    Not,
    Numbered,
    Or,
    Smaller,
    Within,
)
from mailcore.imap.wire.seqset import STAR

SEEN, DELETED, RECENT = HasFlag("\\Seen"), HasFlag("\\Deleted"), HasFlag("\\Recent")
DAY = dt.date(2026, 2, 1)


def read(wire: bytes, *literals: bytes) -> Key:
    return search_keys.parse(Cursor(wire, literals))


def depth(key: Key) -> int:
    match key:
        case And(keys) | Or(keys):
            return 1 + max(map(depth, keys))
        case Not(inner):
            return 1 + depth(inner)
    return 0


@pytest.mark.parametrize(
    ("wire", "key"),
    [
        (b"ALL", All()),
        (b"seen", SEEN),
        (b"UNSEEN", Not(SEEN)),
        (b"ANSWERED", HasFlag("\\Answered")),
        (b"UNANSWERED", Not(HasFlag("\\Answered"))),
        (b"FLAGGED", HasFlag("\\Flagged")),
        (b"UNFLAGGED", Not(HasFlag("\\Flagged"))),
        (b"DRAFT", HasFlag("\\Draft")),
        (b"UNDRAFT", Not(HasFlag("\\Draft"))),
        (b"DELETED", DELETED),
        (b"UNDELETED", Not(DELETED)),
        (b"RECENT", RECENT),
        (b"OLD", Not(RECENT)),
        (b"NEW", And((RECENT, Not(SEEN)))),
        (b"KEYWORD $Junk", HasFlag("$Junk")),
        (b"UNKEYWORD $Junk", Not(HasFlag("$Junk"))),
        *[
            (b"%b joe" % field.encode(), Contains(field, "joe"))
            for field in ("BCC", "BODY", "CC", "FROM", "SUBJECT", "TEXT", "TO")
        ],
        (b'SUBJECT ""', Contains("SUBJECT", "")),
        (b'HEADER X-Spam "yes no"', HeaderContains("X-Spam", "yes no")),
        (b'HEADER Date ""', HeaderContains("Date", "")),
        (b"BEFORE 1-Feb-2026", Dated("BEFORE", "internal", DAY)),
        (b"ON 1-Feb-2026", Dated("ON", "internal", DAY)),
        (b'SINCE "1-Feb-2026"', Dated("SINCE", "internal", DAY)),
        (b"SENTBEFORE 1-Feb-2026", Dated("BEFORE", "sent", DAY)),
        (b"SENTON 1-Feb-2026", Dated("ON", "sent", DAY)),
        (b"SENTSINCE 1-Feb-2026", Dated("SINCE", "sent", DAY)),
        (b"SAVEDBEFORE 1-Feb-2026", Dated("BEFORE", "saved", DAY)),
        (b"savedon 1-Feb-2026", Dated("ON", "saved", DAY)),
        (b"SAVEDSINCE 1-Feb-2026", Dated("SINCE", "saved", DAY)),
        (b"SAVEDATESUPPORTED", All()),
        (b"OLDER 1", Within(1, is_younger=False)),
        (b"YOUNGER 4294967295", Within(4294967295, is_younger=True)),
        (b"LARGER 1000", Larger(1000)),
        (b"SMALLER 0", Smaller(0)),
        (b"2,4:*", Numbered(((2, 2), (4, STAR)), uid=False)),
        (b"*", Numbered(((STAR, STAR),), uid=False)),
        (b"UID 1:3", Numbered(((1, 3),), uid=True)),
        (b"NOT SEEN", Not(SEEN)),
        (b"NOT NOT SEEN", SEEN),
        (b"NOT UNSEEN", SEEN),
        (b"SEEN DELETED", And((SEEN, DELETED))),
        (b"(SEEN)", SEEN),
        (b"((SEEN DELETED))", And((SEEN, DELETED))),
        (b"SEEN (DELETED RECENT)", And((SEEN, DELETED, RECENT))),
        (b"OR SEEN DELETED", Or((SEEN, DELETED))),
        (b"OR SEEN OR DELETED RECENT", Or((SEEN, DELETED, RECENT))),
        (b"OR OR SEEN DELETED RECENT", Or((SEEN, DELETED, RECENT))),
        (b"OR (SEEN DELETED) NOT RECENT", Or((And((SEEN, DELETED)), Not(RECENT)))),
        (b"NOT (SEEN OR DELETED RECENT) ALL", And((Not(And((SEEN, Or((DELETED, RECENT))))), All()))),
        (b"CHARSET UTF-8 SEEN", SEEN),
        (b"charset us-ascii TEXT x", Contains("TEXT", "x")),
    ],
)
def test_reads(wire, key):
    assert read(wire) == key


def test_names_no_charset_once_utf8_is_enabled():
    """RFC 9755 §3."""
    with pytest.raises(BadSyntax):
        search_keys.parse(Cursor(b"CHARSET UTF-8 SEEN", utf8=True, charsets=False))
    assert search_keys.parse(Cursor('SUBJECT "é"'.encode(), utf8=True, charsets=False)) == Contains(
        "SUBJECT", "é"
    )


def test_decodes_by_charset():
    assert read(b"CHARSET UTF-8 SUBJECT {2}\r\n", "é".encode()) == Contains("SUBJECT", "é")
    assert read(b"CHARSET ISO-8859-1 SUBJECT {1}\r\n", b"\xe9") == Contains("SUBJECT", "é")
    assert read(b'SUBJECT "\xc3\xa9"') == Contains("SUBJECT", "é")
    with pytest.raises(BadSyntax):
        read(b"CHARSET US-ASCII SUBJECT {2}\r\n", "é".encode())
    with pytest.raises(BadSyntax):
        read(b"SUBJECT {1}\r\n", b"\xe9")


@pytest.mark.parametrize("charset", [b"rot13", b"zlib", b"idna", b"unicode_escape", b"utf-7", b"x"])
def test_refuses_charsets_it_does_not_know(charset):
    with pytest.raises(BadCharset) as caught:
        read(b"CHARSET %b TEXT x" % charset)
    assert caught.value.imap_text().startswith("[BADCHARSET (US-ASCII UTF-8 ")


@pytest.mark.parametrize(
    "wire",
    [
        b"",
        b"FOO",
        b"()",
        b"(SEEN",
        b"SEEN)",
        b"(SEEN) )",
        b"SEEN ",
        b"SEEN  DELETED",
        b"( SEEN)",
        b"(SEEN )",
        b"NOT",
        b"NOT ",
        b"NOT)",
        b"OR",
        b"OR SEEN",
        b"OR SEEN ",
        b"(OR SEEN) DELETED",
        b"FROM",
        b"FROM (",
        b"LARGER x",
        b"LARGER -1",
        b"UID x",
        b"UID 0",
        b"0",
        b"SINCE 2026",
        b"SAVEDON x",
        b"OLDER",
        b"OLDER 0",
        b"YOUNGER -1",
        b"YOUNGER 4294967296",
        b"HEADER x",
        b"KEYWORD \\Seen",
        b"SEENDELETED",
        b"CHARSET",
        b"CHARSET UTF-8",
        b"RETURN (MIN) ALL",
        b"$,1",
        b"SEEN(DELETED)",
    ],
)
def test_refuses(wire):
    with pytest.raises(BadSyntax):
        read(wire)


def test_long_or_chains_are_flat():
    wire = b"OR FROM a " * 900 + b"FROM b"
    key = read(wire)
    assert isinstance(key, Or)
    assert len(key.keys) == 901


def test_depth_that_means_something_is_kept_up_to_the_limit():
    allowed = limits.IMAP_SEARCH_DEPTH
    wire = b"SEEN"
    for level in range(allowed):
        wire = b"OR DELETED (RECENT %b)" % wire if level % 2 else b"(RECENT OR DELETED %b)" % wire
        if level < allowed // 2 - 1:
            assert depth(read(wire)) <= allowed
    with pytest.raises(BadSyntax, match="deep"):
        read(wire)


@pytest.mark.parametrize(
    "wire",
    [
        b"(" * 10_000 + b"SEEN" + b")" * 10_000,
        b"(" * 60_000,
        b"NOT " * 10_000 + b"SEEN",
        b"OR SEEN " * 8000 + b"SEEN",
        b"OR " * 10_000,
        b"SEEN " * 10_000 + b"SEEN",
        b"NOT (SEEN " * 5000,
        b"OR (" * 5000,
    ],
)
def test_ten_thousand_deep_is_an_error_and_quick(wire):
    began = time.process_time()
    with pytest.raises(BadSyntax):
        read(wire)
    assert time.process_time() - began < 2


def test_nesting_below_the_limit_is_quick():
    began = time.process_time()
    assert read(b"(" * 1900 + b"SEEN" + b")" * 1900) == SEEN
    assert read(b"NOT " * 1900 + b"SEEN") == SEEN
    assert len(read(b"OR SEEN " * 999 + b"DELETED").keys) == 1000
    assert time.process_time() - began < 2
