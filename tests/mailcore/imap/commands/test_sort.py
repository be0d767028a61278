import pytest

from mailcore.models import Message
from mailcore.services import messages
from tests.mailcore.imap.commands.talking import Talk

APFEL = "=?utf-8?q?=C3=84pfel?="
MAILS = (
    # Date, From, To, Cc, Subject, how much body
    ("Mon, 02 Jan 2023 10:00:00 +0000", "Bob <zoe@a.example>", "m@x.example", "c@x.example", "Re: apple", 30),
    ("Mon, 02 Jan 2023 10:00:00 +0500", "Ann <yve@a.example>", "L@x.example", "", "Zebra", 10),
    ("not a date", "xen@a.example", "k@x.example", "B@x.example", "[list] Fwd: APPLE (fwd)", 20),
    (
        "Sun, 01 Jan 2023 23:00:00 -1000",
        "XEN@b.example",
        "k@y.example",
        "a@x.example",
        "=?utf-8?q?=C3=84pfel?=",
        20,
    ),
)


@pytest.fixture
def sorting(alice) -> Talk:
    """Alice with four mails, the third of them dated in between by its arrival."""
    for date, author, to, cc, subject, octets in MAILS:
        raw = f"Date: {date}\r\nFrom: {author}\r\nTo: {to}\r\nCc: {cc}\r\nSubject: {subject}\r\n\r\n"
        raw = (raw + "x" * (1000 + octets - len(raw))).encode()
        alice.say(b'APPEND INBOX "02-Jan-2023 07:00:00 +0000" {%d}\r\n' % len(raw), raw)
    alice.say("SELECT INBOX")
    return alice


def order(talk: Talk, criteria: str, keys: str = "ALL") -> list[int]:
    said = talk.say(f"SORT ({criteria}) UTF-8 {keys}")
    line, tagged = said.splitlines()
    assert tagged == "a OK SORT completed"
    assert line.startswith("* SORT")
    return [int(number) for number in line.split()[2:]]


def test_is_advertised_to_who_is_logged_in(alice):
    advertised = alice.say("CAPABILITY").split()
    assert {"SORT", "ESORT", "SORT=DISPLAY"} <= set(advertised)


@pytest.mark.parametrize(
    ("criteria", "expected"),
    [
        # 2 was sent at 05:00 UTC, 3 came at 07:00, 4 was sent at 09:00, 1 at 10:00.
        ("DATE", [2, 3, 4, 1]),
        ("REVERSE DATE", [1, 4, 3, 2]),
        ("ARRIVAL", [1, 2, 3, 4]),
        # Equals stay in the order of their numbers, in reverse too.
        ("REVERSE ARRIVAL", [1, 2, 3, 4]),
        ("SIZE", [2, 3, 4, 1]),
        ("REVERSE SIZE", [1, 3, 4, 2]),
        ("FROM", [3, 4, 2, 1]),
        ("TO", [3, 4, 2, 1]),
        ("CC", [2, 4, 3, 1]),
        # i;unicode-casemap takes letters apart: an A, its dots, which come after any P, and so before Z.
        ("SUBJECT", [1, 3, 4, 2]),
        ("SUBJECT REVERSE DATE", [1, 3, 4, 2]),
        ("SUBJECT DATE", [3, 1, 4, 2]),
        ("FROM REVERSE SIZE SUBJECT", [3, 4, 2, 1]),
        ("SIZE REVERSE SUBJECT", [2, 4, 3, 1]),
        ("reverse date Reverse Date date", [1, 4, 3, 2]),
    ],
)
def test_sorts(sorting, criteria, expected):
    assert order(sorting, criteria) == expected


def test_sorts_only_what_is_found(sorting):
    assert order(sorting, "REVERSE DATE", "2:3") == [3, 2]
    assert order(sorting, "DATE", "SUBJECT apple") == [3, 1]
    assert order(sorting, "DATE", "UID 99") == []


def test_answers_with_uids_when_asked_for_them(sorting):
    sorting.say("STORE 1 +FLAGS.SILENT (\\Deleted)")
    sorting.say("EXPUNGE")
    assert sorting.say("UID SORT (REVERSE DATE) US-ASCII ALL").startswith("* SORT 4 3 2\r\na OK ")
    assert sorting.say("SORT (REVERSE DATE) US-ASCII ALL").startswith("* SORT 3 2 1\r\na OK ")


def test_counts_what_went_as_empty_and_holds_the_news_of_it_back(sorting, cast):
    gone = Message.objects.get(uid=1)
    messages.expunge(gone.folder_id, [(1, 1)], only_deleted=False)
    said = sorting.say("SORT (SUBJECT) UTF-8 1:4")
    assert said.startswith("* SORT 1 3 4 2\r\n")
    assert "EXPUNGE" not in said
    assert "* 1 EXPUNGE" in sorting.say("NOOP")


def test_reads_more_than_a_page(sorting, monkeypatch):
    monkeypatch.setattr("mailcore.limits.IMAP_PAGE_ROWS", 1)
    monkeypatch.setattr("mailcore.imap.pages.rows.__defaults__", (1,))
    assert order(sorting, "DATE") == [2, 3, 4, 1]


@pytest.mark.parametrize(
    "line",
    [
        "SORT",
        "SORT DATE UTF-8 ALL",
        "SORT () UTF-8 ALL",
        "SORT (DATE)",
        "SORT (DATE) UTF-8",
        "SORT (REVERSE) UTF-8 ALL",
        "SORT (REVERSE REVERSE DATE) UTF-8 ALL",
        "SORT (DISPLAYCC) UTF-8 ALL",
        "SORT RETURN (DATE) UTF-8 ALL",
        "SORT RETURN (SAVE) (DATE) UTF-8 ALL",
        "SORT RETURN (PARTIAL 1:2) (DATE) UTF-8 ALL",
        "SORT RETURN () UTF-8 ALL",
        "SORT (COLOUR) UTF-8 ALL",
        "SORT (DATE) UTF-8 (ALL",
        "SORT (" + "DATE " * 200 + "DATE) UTF-8 ALL",
    ],
)
def test_refuses_what_is_no_sort(sorting, line):
    said = sorting.say(line)
    assert said.startswith("a BAD ")
    assert "* SORT" not in said


def test_refuses_a_charset_it_cannot_read(sorting):
    assert sorting.say("SORT (DATE) X-KLINGON ALL").startswith("a NO [BADCHARSET")


@pytest.mark.parametrize(
    ("returns", "expected"),
    [
        ("", " ALL 2:3,1"),
        ("ALL", " ALL 2:3,1"),
        ("COUNT MIN max", " MIN 2 MAX 1 COUNT 3"),
        ("MAX ALL", " MAX 1 ALL 2:3,1"),
    ],
)
def test_returns_what_is_asked_for_in_the_order_asked_for(sorting, returns, expected):
    """RFC 5267 §3: MIN is the first and MAX the last of what is sorted, and a range only ever rises."""
    said = sorting.say(f"SORT RETURN ({returns}) (DATE) UTF-8 1:3")
    assert said == f'* ESEARCH (TAG "a"){expected}\r\na OK SORT completed\r\n'
    said = sorting.say(f"UID SORT return ({returns}) (DATE) UTF-8 1:3")
    assert said.startswith(f'* ESEARCH (TAG "a") UID{expected}\r\n')


def test_returns_no_ends_of_nothing(sorting):
    said = sorting.say("SORT RETURN (MIN MAX ALL COUNT) (DATE) UTF-8 UID 99")
    assert said.startswith('* ESEARCH (TAG "a") COUNT 0\r\n')
    assert sorting.say("SORT RETURN () (REVERSE ARRIVAL) UTF-8 1,3").startswith(
        '* ESEARCH (TAG "a") ALL 1,3\r\n'
    )


@pytest.fixture
def displayed(alice) -> Talk:
    """Alice with mails whose people are shown by name, as a group, and as what they are."""
    for author in (
        "=?utf-8?q?=C3=89va?= <a@x.example>",
        "zack@x.example",
        "bob <y@x.example>",
        "",
        "Friends: carl@x.example, d@x.example;",
        '"Bob" <x@x.example>, Ann <ann@x.example>',
    ):
        alice.append(f"From: {author}\r\nTo: x <a@b>, {author}\r\n\r\n".encode())
    alice.say("SELECT INBOX")
    return alice


def test_sorts_by_the_names_people_are_shown_by(displayed):
    assert order(displayed, "DISPLAYFROM") == [4, 3, 6, 1, 5, 2]
    assert order(displayed, "REVERSE DISPLAYFROM") == [2, 5, 1, 3, 6, 4]
    assert order(displayed, "DISPLAYTO") == [1, 2, 3, 4, 5, 6]
    assert order(displayed, "displayto displayfrom", "2:4") == [4, 3, 2]
