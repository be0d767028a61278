"""Answers: exact octets, and the parser reads back what was written."""

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailcore.imap.wire import responses
from mailcore.imap.wire.grammar import Cursor
from mailcore.imap.wire.receiver import Received, Receiver, after_login

NAMES = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


def cursor_over(written: bytes, *, utf8: bool = False) -> Cursor:
    """What the parser sees when a client sends these octets, literals and all."""
    receiver = Receiver(after_login())
    receiver.feed(
        written.replace(b"}\r\n", b"+}\r\n", 1) + b"\r\n" if written.startswith(b"{") else written + b"\r\n"
    )
    received = receiver.command()
    assert isinstance(received, Received)
    return Cursor(received.text, received.literals, utf8=utf8)


@given(
    st.binary(max_size=40).filter(lambda octets: b"\0" not in octets)
    | st.text(' "\\abc{}%()', max_size=10).map(str.encode)
)
def test_strings_are_read_back(octets):
    for write in (responses.string, responses.astring, responses.nstring):
        cursor = cursor_over(write(octets))
        assert cursor.astring("x") == octets
        cursor.end()
    assert cursor_over(responses.nstring(octets)).nstring("x") == octets


@given(NAMES)
def test_folder_names_are_read_back(name):
    if name[:5].upper() == "INBOX":
        name = "x" + name
    assert cursor_over(responses.folder(name)).folder() == name
    if "\0" not in name:
        assert cursor_over(responses.folder(name, utf8=True), utf8=True).folder() == name


@given(st.datetimes(dt.datetime(1, 1, 3), dt.datetime(9999, 12, 29)), st.integers(-1439, 1439))
def test_internal_dates_are_read_back(utc, offset):
    utc = utc.replace(microsecond=0, tzinfo=dt.UTC)
    seconds = (utc - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)) // dt.timedelta(seconds=1)
    when = Cursor(responses.internal_date(seconds, offset)).date_time()
    assert when == utc
    assert when.utcoffset() == dt.timedelta(minutes=offset)


@given(st.lists(st.sampled_from(["\\Seen", "\\Deleted", "$Junk", "a", "b"]), unique=True))
def test_flags_are_read_back(flags):
    assert Cursor(responses.flag_list(flags)).flag_list() == tuple(flags)


@pytest.mark.parametrize(
    ("octets", "written"),
    [
        (b"", b'""'),
        (b"abc", b'"abc"'),
        (b'a"b\\', b'"a\\"b\\\\"'),
        (b"a\r\nb", b"{4}\r\na\r\nb"),
        (b"\xff", b"{1}\r\n\xff"),
        (b"a\0", b"{2}\r\na\0"),
        (b"x" * 1001, b"{1001}\r\n" + b"x" * 1001),
    ],
)
def test_string(octets, written):
    assert responses.string(octets) == written


def test_atoms_are_bare():
    assert responses.astring(b"From") == b"From"
    assert responses.astring(b"nil") == b'"nil"'
    assert responses.astring(b"a b") == b'"a b"'
    assert responses.nstring(None) == b"NIL"


@pytest.mark.parametrize(
    ("answer", "written"),
    [
        (responses.ok("Done"), b"* OK Done\r\n"),
        (responses.ok("Done", tag=b"a", code=b"READ-WRITE"), b"a OK [READ-WRITE] Done\r\n"),
        (responses.no("Too\r\nb OK big", tag=b"a", code=b"TOOBIG"), b"a NO [TOOBIG] Too b OK big\r\n"),
        (responses.bad("What é?"), b"* BAD What ??\r\n"),
        (responses.bad("x", tag=b"a"), b"a BAD x\r\n"),
        (responses.bye("\0"), b"* BYE ?\r\n"),
        (responses.no(""), b"* NO .\r\n"),
        (responses.continue_("idling"), b"+ idling\r\n"),
        (responses.challenge(b""), b"+ \r\n"),
        (responses.challenge(b"Username:"), b"+ VXNlcm5hbWU6\r\n"),
        (responses.appenduid(7, ((3, 5),)), b"APPENDUID 7 3:5"),
        (responses.copyuid(7, [1, 2, 9], [11, 12, 13]), b"COPYUID 7 1:2,9 11:13"),
        (responses.permanentflags(("\\Seen", "k"), keywords=True), b"PERMANENTFLAGS (\\Seen k \\*)"),
        (responses.permanentflags((), keywords=False), b"PERMANENTFLAGS ()"),
        (responses.capability(["IMAP4rev1", "IDLE"]), b"* CAPABILITY IMAP4rev1 IDLE\r\n"),
        (responses.enabled([]), b"* ENABLED\r\n"),
        (responses.enabled(["CONDSTORE"]), b"* ENABLED CONDSTORE\r\n"),
        (responses.flags(["\\Seen"]), b"* FLAGS (\\Seen)\r\n"),
        (responses.exists(3), b"* 3 EXISTS\r\n"),
        (responses.recent(0), b"* 0 RECENT\r\n"),
        (responses.expunge(2), b"* 2 EXPUNGE\r\n"),
        (
            responses.list_line("Entwürfe", ["\\HasNoChildren", "\\Drafts"]),
            b'* LIST (\\HasNoChildren \\Drafts) "/" "Entw&APw-rfe"\r\n',
        ),
        (responses.list_line("Entwürfe", verb=b"LSUB", utf8=True), '* LSUB () "/" "Entwürfe"\r\n'.encode()),
        (responses.list_line("", ["\\Noselect"]), b'* LIST (\\Noselect) "/" ""\r\n'),
        (
            responses.status("a b", [("MESSAGES", 3), ("UNSEEN", 0)]),
            b'* STATUS "a b" (MESSAGES 3 UNSEEN 0)\r\n',
        ),
        (responses.search([]), b"* SEARCH\r\n"),
        (responses.search([2, 84]), b"* SEARCH 2 84\r\n"),
        (responses.id_([]), b"* ID NIL\r\n"),
        (responses.id_([("name", "Hostmail"), ("x", None)]), b'* ID ("name" "Hostmail" "x" NIL)\r\n'),
        (responses.namespace(), b'* NAMESPACE (("" "/")) NIL NIL\r\n'),
        (responses.namespace(shared=["Shared/"]), b'* NAMESPACE (("" "/")) NIL (("Shared/" "/"))\r\n'),
        (responses.quota("", [("STORAGE", 10, 512)]), b'* QUOTA "" (STORAGE 10 512)\r\n'),
        (responses.quotaroot("INBOX", [""]), b'* QUOTAROOT "INBOX" ""\r\n'),
        (responses.fetch(3, [b"UID 7", b"FLAGS (\\Seen)"]), b"* 3 FETCH (UID 7 FLAGS (\\Seen))\r\n"),
        (responses.section(b"BODY[]", b"a\r\n"), b"BODY[] {3}\r\na\r\n"),
        (responses.section(b"BODY[9]", None), b"BODY[9] NIL"),
        (responses.literal(b"a"), b"{1}\r\na"),
        (responses.internal_date(0), b'"01-Jan-1970 00:00:00 +0000"'),
        (responses.internal_date(1_769_945_696, -210), b'"01-Feb-2026 08:04:56 -0330"'),
        (responses.internal_date(-1, 60), b'"01-Jan-1970 00:59:59 +0100"'),
        (responses.internal_date(0, 99_999), b'"01-Jan-1970 00:00:00 +0000"'),
        (responses.internal_date(10**15), b'"31-Dec-9999 01:46:40 +0000"'),
    ],
)
def test_writes(answer, written):
    assert answer == written
