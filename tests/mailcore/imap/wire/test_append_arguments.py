import datetime as dt

import pytest

from mailcore import limits
from mailcore.errors import BadSyntax
from mailcore.imap.wire import parser
from mailcore.imap.wire.receiver import Received
from mailcore.imap.wire.values import Append, NewMessage, Replace, Url

BIG = b"x" * (limits.IMAP_URL_OCTETS + 1)


def read(text: bytes, *literals: bytes):
    return parser.parse(Received(b"a " + text, literals))


def test_catenate():
    command = read(
        b'APPEND x (\\Seen) "01-Feb-2026 12:00:00 +0000" catenate (URL "/INBOX/;UID=1" text {3+}\r\n URL u)'
        b" {1+}\r\n",
        b"abc",
        b"d",
    )
    when = dt.datetime(2026, 2, 1, 12, tzinfo=dt.UTC)
    pieces = (Url(b"/INBOX/;UID=1"), b"abc", Url(b"u"))
    first = NewMessage(("\\Seen",), when, b"", pieces=pieces)
    assert command == Append(b"a", "APPEND", "x", (first, NewMessage((), None, b"d")))


def test_catenates_what_is_said_to_be_in_utf8():
    """RFC 6855 §4."""
    command = read(b"APPEND x CATENATE (UTF8 (~{3}\r\n) URL u utf8 (~{1+}\r\n))", b"abc", b"d")
    assert command.messages[0].pieces == (b"abc", Url(b"u"), b"d")


def test_replace():
    assert read(b"replace 4 Drafts (\\Draft) {1}\r\n", b"x") == Replace(
        b"a", "REPLACE", ((4, 4),), "Drafts", NewMessage(("\\Draft",), None, b"x")
    )
    command = read(b"UID REPLACE 7 inbox ~{1}\r\n", b"x")
    assert (command.uid, command.folder, command.message.is_binary) == (True, "INBOX", True)
    assert read(b"REPLACE * x CATENATE (URL u)").message.pieces == (Url(b"u"),)


@pytest.mark.parametrize(
    ("text", "literals"),
    [
        (b"APPEND x CATENATE", 0),
        (b"APPEND x CATENATE ()", 0),
        (b"APPEND x CATENATE (UTF8 {3}\r\n)", 1),
        (b"APPEND x CATENATE (UTF8 (~{3}\r\n)", 1),
        (b"APPEND x CATENATE (TEXT x)", 0),
        (b"APPEND x CATENATE (FILE x)", 0),
        (b"APPEND x CATENATE (URL {3}\r\n)", 1),
        (b"APPEND x CATENATE (URL " + BIG + b")", 0),
        (b"APPEND x CATENATE (URL u" + b" URL u" * limits.IMAP_CATENATE_PIECES + b")", 0),
        (b"REPLACE x {1}\r\n", 1),
        (b"REPLACE 1:2 x {1}\r\n", 1),
        (b"REPLACE 1,3 x {1}\r\n", 1),
        (b"REPLACE 0 x {1}\r\n", 1),
        (b"REPLACE $ x {1}\r\n", 1),
        (b"REPLACE 1 x {1}\r\n {1}\r\n", 2),
        (b"UID REPLACE 1 x", 0),
    ],
)
def test_refuses(text, literals):
    with pytest.raises(BadSyntax):
        read(text, *[b"a\xffb"] * literals)
