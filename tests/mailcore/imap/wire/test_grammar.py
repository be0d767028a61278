"""The words of the grammar: read exactly, refused with a sentence that helps."""

import datetime as dt

import pytest

from mailcore.errors import BadSyntax
from mailcore.imap.wire.grammar import Cursor


@pytest.mark.parametrize(
    ("wire", "octets"),
    [
        (b"atom", b"atom"),
        (b"a]b[c", b"a]b[c"),
        (b'"quoted text"', b"quoted text"),
        (b'""', b""),
        (b'"a\\"b\\\\c"', b'a"b\\c'),
        (b'"8-bit \xc3\xa9"', b"8-bit \xc3\xa9"),
        (b'"{5}"', b"{5}"),
    ],
)
def test_reads_strings(wire, octets):
    cursor = Cursor(wire)
    assert cursor.astring("a string") == octets
    cursor.end()


def test_reads_literals_in_their_order():
    cursor = Cursor(b"{3}\r\n {0+}\r\n", (b"a\r\nb"[:3], b""))
    assert cursor.astring("a string") == b"a\r\n"
    cursor.space("a string")
    assert cursor.string("a string") == b""
    cursor.end()


@pytest.mark.parametrize(
    "wire",
    [
        b"",
        b'"',
        b'"abc',
        b'"a"b"'[:3] + b"\\",
        b'"a\\b"',
        b'"a\rb"',
        b'"a\0b"',
        b"(",
        b"{5}",
        b"{5",
        b"\xc3\xa9",
        b" a",
        b"%",
        b"*",
        b'"' + b"a" * 100_000,
    ],
)
def test_refuses_strings(wire):
    cursor = Cursor(wire)
    with pytest.raises(BadSyntax):
        cursor.astring("a string")
        cursor.end()


def test_refuses_nul_in_a_literal():
    with pytest.raises(BadSyntax, match="NUL"):
        Cursor(b"{3}\r\n", (b"a\0b",)).astring("a user name")


def test_tells_nil_from_text():
    assert Cursor(b"NIL").nstring("x") is None
    assert Cursor(b"nil").nstring("x") is None
    assert Cursor(b'"NIL"').nstring("x") == b"NIL"


@pytest.mark.parametrize("wire", [b"", b"+5", b"-5", b"x", b"9223372036854775808", b"\xd9\xa1"])
def test_refuses_numbers(wire):
    with pytest.raises(BadSyntax):
        Cursor(wire).number("a number")


def test_reads_numbers():
    assert Cursor(b"0").number("a number") == 0
    assert Cursor(b"9223372036854775807").number("a number") == (1 << 63) - 1
    cursor = Cursor(b"1_0")
    assert cursor.number("a number") == 1
    with pytest.raises(BadSyntax):
        cursor.end()


@pytest.mark.parametrize(
    ("wire", "name"),
    [
        (b"inbox", "INBOX"),
        (b'"Inbox/Sub"', "INBOX/Sub"),
        (b"inboxes", "inboxes"),
        (b"Entw&APw-rfe", "Entwürfe"),
        (b'"with space"', "with space"),
    ],
)
def test_reads_folder_names(wire, name):
    assert Cursor(wire).folder() == name


def test_reads_folder_names_in_utf8_once_enabled():
    assert Cursor('"Entwürfe & mehr"'.encode(), utf8=True).folder() == "Entwürfe & mehr"
    assert Cursor(b'"Entw&APw-rfe"', utf8=True).folder() == "Entw&APw-rfe"
    assert Cursor('"Entwürfe"'.encode()).folder() == "Entwürfe"
    assert Cursor(b'"Entw&APw-rfe"').folder() == "Entwürfe"


@pytest.mark.parametrize("utf8", [False, True])
@pytest.mark.parametrize(
    "octets", [b"\xff", b"\xc3", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xe9t\xe9"]
)
def test_refuses_what_is_no_utf8_in_quotes(octets, utf8):
    with pytest.raises(BadSyntax):
        Cursor(b'"%b"' % octets, utf8=utf8).astring("a string")
    assert Cursor(b"{%d}\r\n" % len(octets), (octets,), utf8=utf8).astring("a string") == octets


def test_refuses_endless_folder_names():
    with pytest.raises(BadSyntax, match="too long"):
        Cursor(b"a" * 5000).folder()
    with pytest.raises(BadSyntax, match="too long"):
        Cursor(b"*a" * 5000).pattern()


def test_reads_flags():
    assert Cursor(b"(\\seen $Junk \\FLAGGED \\Seen)").flag_list() == ("\\Seen", "$Junk", "\\Flagged")
    assert Cursor(b"()").flag_list() == ()
    assert Cursor(b"\\Deleted x").flags() == ("\\Deleted", "x")


@pytest.mark.parametrize(
    "wire",
    [
        b"(",
        b"(a",
        b"(a  b)",
        b"( a)",
        b"(a )",
        b"(\\)",
        b"(\\Recent)",
        b"(\\Foo)",
        b"(\\*)",
        b"(a\\b)",
        b"(\xc3\xa9)",
        b"(" + b" ".join([b"k%d" % n for n in range(201)]) + b")",
    ],
)
def test_refuses_flags(wire):
    with pytest.raises(BadSyntax):
        Cursor(wire).flag_list()


@pytest.mark.parametrize(
    ("wire", "day"),
    [
        (b"1-Feb-2026", dt.date(2026, 2, 1)),
        (b'"01-feb-2026"', dt.date(2026, 2, 1)),
        (b"29-Feb-2024", dt.date(2024, 2, 29)),
    ],
)
def test_reads_dates(wire, day):
    assert Cursor(wire).date() == day


@pytest.mark.parametrize(
    "wire",
    [b"29-Feb-2025", b"0-Jan-2026", b"1-Foo-2026", b"1-1-2026", b"1-Jan-26", b"1-Jan-0000", b'"1-Jan-2026'],
)
def test_refuses_dates(wire):
    with pytest.raises(BadSyntax):
        Cursor(wire).date()


@pytest.mark.parametrize(
    ("wire", "iso"),
    [
        (b'"01-Feb-2026 12:34:56 +0100"', "2026-02-01T12:34:56+01:00"),
        (b'" 1-Feb-2026 12:34:56 -0330"', "2026-02-01T12:34:56-03:30"),
        (b'"31-Dec-2016 23:59:60 +0000"', "2016-12-31T23:59:59+00:00"),
        (b'"01-JAN-1970 00:00:00 -0000"', "1970-01-01T00:00:00+00:00"),
    ],
)
def test_reads_dates_with_time(wire, iso):
    assert Cursor(wire).date_time().isoformat() == iso


@pytest.mark.parametrize(
    "wire",
    [
        b'"1-Feb-2026 12:34:56 +0100"',
        b'"01-Feb-2026 24:00:00 +0000"',
        b'"01-Feb-2026 12:34:61 +0000"',
        b'"31-Feb-2026 12:34:56 +0000"',
        b'"01-Feb-2026 12:34:56 +2400"',
        b'"01-Feb-2026 12:34:56"',
        b'"01-Feb-2026 12:34:56 GMT"',
        b'"01-Jan-0001 00:00:00 +0100"',
        b'"31-Dec-9999 23:59:59 -0100"',
        b'"00-Jan-2026 00:00:00 +0000"',
    ],
)
def test_refuses_dates_with_time(wire):
    with pytest.raises(BadSyntax):
        Cursor(wire).date_time()


@pytest.mark.parametrize(
    ("wire", "words"),
    [
        (b"a b", "Expected the end of the command, found 'a b'"),
        (b"x" * 30, "Expected the end of the command, found 'xxxxxxxxxxxxxxxxxxxx...'"),
        (b"\r\0\xff\x1b[", "Expected the end of the command, found '????['"),
    ],
)
def test_says_what_it_found(wire, words):
    with pytest.raises(BadSyntax) as caught:
        Cursor(wire).end()
    assert caught.value.public == words


def test_keeps_secrets():
    cursor = Cursor(b"secret")
    cursor.secret = True
    with pytest.raises(BadSyntax) as caught:
        cursor.end()
    assert "secret" not in caught.value.public


def test_reads_lists():
    cursor = Cursor(b"(a b c)")
    assert cursor.several(lambda: cursor.word("x"), "x") == ("A", "B", "C")
    for wire in (b"()", b"(a", b"(a  b)", b"a", b"(" + b"a " * 200 + b"a)"):
        cursor = Cursor(wire)
        with pytest.raises(BadSyntax):
            cursor.several(lambda: cursor.word("x"), "x")  # noqa: B023
