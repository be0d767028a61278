"""SEARCH: every key, alone and together, on a small inbox."""

import base64
import datetime as dt

import pytest

from mailcore import limits
from mailcore.imap.commands.search import from_memory, search
from mailcore.imap.wire.keys import And, Contains, HasFlag, HeaderContains, Not, Or
from mailcore.imap.wire.values import Search
from mailcore.message.flags import ANSWERED, FLAGGED, SEEN
from mailcore.services import messages
from tests.mailcore.imap.commands.reading import Inbox, drive, mail, parse

ATTACHED = (
    b"Subject: outer\r\nFrom: x@example.org\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
    b"--b\r\nContent-Type: text/plain; charset=iso-8859-1\r\n"
    b"Content-Transfer-Encoding: quoted-printable\r\n\r\n"
    b"Caf=E9 au la=\r\nit\r\n"
    b"--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: =?utf-8?q?innermost_=C3=BC?=\r\n\r\ninside\r\n"
    b"--b\r\nContent-Type: application/octet-stream; name=report.pdf\r\n"
    b"Content-Transfer-Encoding: base64\r\n\r\n" + base64.b64encode(b"needle in octets") + b"\r\n--b--\r\n"
)


@pytest.fixture
def inbox(db, data_dir) -> Inbox:
    inbox = Inbox()
    west = dt.timezone(dt.timedelta(hours=-5))
    inbox.file(
        mail(
            "Lunch", "Let us eat.\r\n", Date="Thu, 29 Feb 2024 23:30:00 -0500", Cc="Carol <carol@example.com>"
        ),
        date=dt.datetime(2024, 2, 29, 23, 30, tzinfo=west),
        flags=SEEN,
    )
    inbox.file(
        mail("=?utf-8?b?R3LDvMOfZQ==?=", "x" * 2000 + "\r\n", Bcc="dora@example.com", X_Thing="one\r\n two"),
        date=dt.datetime(2024, 3, 1, 12, 0, tzinfo=dt.UTC),
        flags=SEEN | FLAGGED,
        keywords=("$Work",),
    )
    inbox.file(ATTACHED, date=dt.datetime(2024, 3, 2, 0, 30, tzinfo=dt.UTC), flags=ANSWERED)
    inbox.file(
        mail("last", X_Thing="", Date="Sat, 2 Mar 2024 10:00:00 +0900"),
        date=dt.datetime(2024, 3, 2, 10, 0, tzinfo=dt.UTC),
    )
    return inbox


def found(session, keys: bytes) -> list[int]:
    return numbers(session, parse(b"SEARCH " + keys))


def numbers(session, command) -> list[int]:
    said, words = drive(search(session, command))
    assert words == "SEARCH completed"
    assert said.startswith(b"* SEARCH")
    assert said.endswith(b"\r\n")
    return [int(number) for number in said[len(b"* SEARCH") :].split()]


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        (b"ALL", [1, 2, 3, 4]),
        (b"SEEN", [1, 2]),
        (b"UNSEEN", [3, 4]),
        (b"FLAGGED", [2]),
        (b"SEEN UNFLAGGED", [1]),
        (b"ANSWERED", [3]),
        (b"DELETED", []),
        (b"KEYWORD $work", [2]),
        (b"UNKEYWORD $Work", [1, 3, 4]),
        (b"KEYWORD Unknown", []),
        (b"UNKEYWORD Unknown", [1, 2, 3, 4]),
        (b"RECENT", [3, 4]),
        (b"NEW", [3, 4]),
        (b"OLD", [1, 2]),
        (b"OR FLAGGED ANSWERED", [2, 3]),
        (b"NOT (SEEN FLAGGED)", [1, 3, 4]),
        (b"2:3", [2, 3]),
        (b"*", [4]),
        (b"3,9", [3]),
        (b"9", []),
        (b"UID 4,1,77", [1, 4]),
        (b"NOT 2 SEEN", [1]),
        (b"LARGER 2000", [2]),
        (b"SMALLER 2000", [1, 3, 4]),
        (b"BEFORE 1-Mar-2024", [1]),
        (b"ON 29-Feb-2024", [1]),
        (b"ON 2-Mar-2024", [3, 4]),
        (b"SINCE 1-Mar-2024", [2, 3, 4]),
        (b"SENTON 29-Feb-2024", [1]),
        (b"SENTSINCE 1-Mar-2024", [4]),
        (b"SENTBEFORE 2-Mar-2024", [1]),
        (b"FROM ANN@", [1, 2, 4]),
        (b'FROM ""', [1, 2, 3, 4]),
        (b"TO bob", [1, 2, 4]),
        (b"CC carol", [1]),
        (b"BCC DORA", [2]),
        (b'BCC ""', [1, 2, 3, 4]),
        (b"SUBJECT lUNCH", [1]),
        (b'HEADER X-Thing ""', [2, 4]),
        (b'HEADER X-Thing "one two"', [2]),
        (b"HEADER X-Thing tw", [2]),
        (b'HEADER Nothing ""', []),
        (b"HEADER Content-Type multipart", [3]),
        (b"BODY eat", [1]),
        (b"BODY Lunch", []),
        (b"TEXT lunch", [1]),
        (b'TEXT "let us"', [1]),
        (b'BODY "au lait"', [3]),
        (b"BODY innermost", [3]),
        (b"BODY inside", [3]),
        (b"BODY report.pdf", [3]),
        (b"BODY needle", []),
        (b"BODY outer", []),
        (b"TEXT outer", [3]),
        (b"OR BODY eat FLAGGED", [1, 2]),
        (b"OR SUBJECT last OR BODY eat CC nobody", [1, 4]),
        (b"NOT BODY eat UNSEEN", [3, 4]),
        (b"SEEN BODY eat SUBJECT lunch HEADER Cc carol LARGER 10", [1]),
        (b"NOT OR SUBJECT lunch TO bob", [3]),
        (b"OR (SEEN LARGER 2000) (ANSWERED TEXT outer)", [2, 3]),
    ],
)
def test_finds(inbox, keys, expected):
    assert found(inbox.session(first_recent=3), keys) == expected


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        (Contains("SUBJECT", "GRÜSSE"), [2]),
        (Contains("TEXT", "grüße"), [2]),
        (Contains("BODY", "CAFÉ"), [3]),
        (Contains("BODY", "INNERMOST Ü"), [3]),
        (HeaderContains("Subject", "grüsse"), [2]),
        (HeaderContains("Sübject", "x"), []),
        (And((Not(HasFlag("\\Seen")), Or((Contains("BODY", "é"), Contains("SUBJECT", "ß"))))), [3]),
    ],
)
def test_finds_what_is_not_ascii(inbox, key, expected):
    assert numbers(inbox.session(), Search(b"a", "SEARCH", key)) == expected


def test_answers_uids_and_pages(inbox, monkeypatch):
    monkeypatch.setattr(limits, "IMAP_PAGE_OCTETS", 100)
    inbox.expunge([(1, 1)])
    session = inbox.session()
    assert found(session, b"SUBJECT last") == [3]
    assert numbers(session, parse(b"UID SEARCH TEXT last")) == [4]
    assert numbers(session, parse(b"UID SEARCH 1:2")) == [2, 3]
    # Others may run between the pages.
    assert list(search(session, parse(b"SEARCH TEXT last"))).count(b"") >= 3


def test_the_header_is_asked_where_a_column_was_cut(inbox):
    inbox.file(mail("word " * 1000 + "needle"))
    assert found(inbox.session(), b"SUBJECT needle") == [5]


def test_messages_that_are_gone_are_found_by_number_only(inbox):
    session = inbox.session()
    inbox.expunge([(2, 2)])
    messages.set_flags(inbox.folder_id, [(4, 4)], add=FLAGGED)
    assert found(session, b"SMALLER 9999") == [1, 3, 4]  # found out by its row
    list(session.poll(may_expunge=False))
    assert found(session, b"ALL") == [1, 3, 4]
    assert found(session, b"1:3") == [1, 2, 3]
    assert found(session, b"NOT ANSWERED") == [1, 4]
    assert found(session, b"FLAGGED") == [4]
    assert found(session, b"UID 1:3 LARGER 1") == [1, 3]
    list(session.poll(may_expunge=True))
    assert found(session, b"FLAGGED") == [3]


def test_an_empty_folder_has_nothing(inbox):
    inbox.expunge(messages.ALL)
    session = inbox.session()
    for keys in (b"ALL", b"1:*", b"*", b"UID 1:* BODY x", b"NOT SEEN"):
        assert found(session, keys) == []


def test_says_what_needs_no_database(inbox, monkeypatch):
    session = inbox.session()
    for keys in (b"ALL", b"UNSEEN", b"UID 1:* NOT (KEYWORD a RECENT)", b"OR 1:3 DELETED"):
        assert from_memory(session, parse(b"SEARCH " + keys))
    for keys in (b"SUBJECT x", b"SEEN SINCE 1-Jan-2024", b"NOT LARGER 5", b"OR SEEN BODY x"):
        assert not from_memory(session, parse(b"SEARCH " + keys))
    monkeypatch.setattr(limits, "IMAP_SEARCH_ON_LOOP", 7)
    assert from_memory(session, parse(b"SEARCH SEEN"))
    assert not from_memory(session, parse(b"SEARCH SEEN FLAGGED"))


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b"SEARCH RETURN () SEEN", b'* ESEARCH (TAG "a") ALL 1:2'),
        (b"SEARCH RETURN (COUNT MIN) UNSEEN", b'* ESEARCH (TAG "a") MIN 3 COUNT 2'),
        (b"UID SEARCH RETURN (MAX ALL) ALL", b'* ESEARCH (TAG "a") UID MAX 4 ALL 1:4'),
        (b"SEARCH RETURN (MIN MAX ALL) DELETED", b'* ESEARCH (TAG "a")'),
        (b"UID SEARCH RETURN (COUNT ALL) SUBJECT nowhere", b'* ESEARCH (TAG "a") UID COUNT 0'),
    ],
)
def test_returns_what_is_asked(inbox, line, expected):
    assert drive(search(inbox.session(), parse(line))) == (expected + b"\r\n", "SEARCH completed")
