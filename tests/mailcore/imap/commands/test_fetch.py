"""FETCH: what is answered, what reading changes, and what happens when messages go away meanwhile."""

import datetime as dt

import pytest

from mailcore import limits
from mailcore.errors import BadSyntax, NoSuchMessage, UnknownCTE
from mailcore.imap.commands.fetch import fetch, from_memory
from mailcore.message.flags import FLAGGED, SEEN
from mailcore.services import messages
from tests.mailcore.imap.commands.reading import Inbox, drive, mail, parse


@pytest.fixture
def inbox(db, data_dir) -> Inbox:
    return Inbox()


def ask(session, line: bytes) -> bytes:
    command = parse(line)
    said, words = drive(fetch(session, command))
    assert words == "FETCH completed"
    return said


def news(session) -> list[bytes]:
    return list(session.poll(may_expunge=True))


def test_answers_flags_and_uids_from_memory(inbox):
    inbox.file(mail("1"), mail("2"), flags=SEEN)
    inbox.file(mail("3"), flags=FLAGGED, keywords=("$Work",))
    session = inbox.session(first_recent=3)
    assert ask(session, b"FETCH 1:* (FLAGS UID)") == (
        b"* 1 FETCH (UID 1 FLAGS (\\Seen))\r\n"
        b"* 2 FETCH (UID 2 FLAGS (\\Seen))\r\n"
        b"* 3 FETCH (UID 3 FLAGS (\\Flagged $Work \\Recent))\r\n"
    )
    assert ask(session, b"FETCH 2 FLAGS") == b"* 2 FETCH (FLAGS (\\Seen))\r\n"
    assert ask(session, b"FETCH 2 UID") == b"* 2 FETCH (UID 2)\r\n"
    assert ask(session, b"UID FETCH 3 FLAGS") == b"* 3 FETCH (UID 3 FLAGS (\\Flagged $Work \\Recent))\r\n"
    assert ask(session, b"UID FETCH 2,9:12 UID") == b"* 2 FETCH (UID 2)\r\n"


def test_answers_modseqs_from_memory_and_from_rows_alike(inbox):
    inbox.file(mail("1"), mail("2"), mail("3"))
    messages.set_flags(inbox.folder_id, [(2, 2)], add=SEEN)
    inbox.expunge([(1, 1)])
    rows = {row[0]: row[3] for row in messages.message_rows(inbox.folder_id)}
    session = inbox.session()
    plain = b"* 1 FETCH (UID 2 MODSEQ (%d))\r\n* 2 FETCH (UID 3 MODSEQ (%d))\r\n" % (rows[2], rows[3])
    assert ask(session, b"UID FETCH 1:* MODSEQ").endswith(plain)
    said = ask(session, b"FETCH 1:* (MODSEQ RFC822.SIZE)")
    assert [b"MODSEQ (%d) RFC822.SIZE " % rows[uid] in line for uid, line in
            zip(rows, said.splitlines(), strict=True)] == [True, True]  # fmt: skip
    # Something is held back: the arrays differ.
    inbox.expunge([(2, 2)])
    list(session.poll(may_expunge=False))
    assert ask(session, b"UID FETCH 1:* (MODSEQ)") == b"* 2 FETCH (UID 3 MODSEQ (%d))\r\n" % rows[3]
    assert ask(session, b"UID FETCH 1:* (FLAGS) (CHANGEDSINCE %d)" % rows[3]) == b""
    assert (
        ask(session, b"UID FETCH 1:* UID (CHANGEDSINCE 1)") == b"* 2 FETCH (UID 3 MODSEQ (%d))\r\n" % rows[3]
    )


def test_two_parts_of_one_section_are_two_answers(inbox):
    inbox.file(mail("1", body="0123456789\r\n"))
    said = ask(inbox.session(), b"FETCH 1 (BODY.PEEK[TEXT]<0.2> BODY.PEEK[TEXT]<0.4> BODY.PEEK[TEXT]<0.2>)")
    assert said.count(b"BODY[TEXT]<0>") == 2


def test_says_what_needs_no_database(inbox):
    session = inbox.session()
    assert from_memory(session, parse(b"UID FETCH 1:* (FLAGS) (CHANGEDSINCE 1)"))
    assert from_memory(session, parse(b"FETCH 1:* (MODSEQ)"))
    assert from_memory(session, parse(b"FETCH 1:* (UID FLAGS)"))
    assert from_memory(session, parse(b"UID FETCH 1:* FLAGS"))
    assert not from_memory(session, parse(b"FETCH 1 (FLAGS RFC822.SIZE)"))
    assert not from_memory(session, parse(b"FETCH 1 FAST"))


def test_answers_ready_columns(inbox):
    when = dt.datetime(2024, 2, 29, 23, 30, tzinfo=dt.timezone(dt.timedelta(hours=-5)))
    inbox.file(mail("Hello"), date=when)
    session = inbox.session()
    size = len(mail("Hello"))
    assert (
        ask(session, b"FETCH 1 ALL")
        == (
            b'* 1 FETCH (FLAGS () INTERNALDATE "29-Feb-2024 23:30:00 -0500" RFC822.SIZE %d ENVELOPE '
            b'(NIL "Hello" (("Ann" NIL "ann" "example.org")) (("Ann" NIL "ann" "example.org")) '
            b'(("Ann" NIL "ann" "example.org")) ((NIL NIL "bob" "example.net")) NIL NIL NIL NIL))\r\n'
        )
        % size
    )
    assert ask(session, b"UID FETCH 1 (BODYSTRUCTURE BODY UID)") == (
        b'* 1 FETCH (UID 1 BODYSTRUCTURE ("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 5 1'
        b' NIL NIL NIL NIL) BODY ("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 5 1))\r\n'
    )


def test_answers_octets(inbox):
    inbox.file(mail("Hello"), prefix=b"Return-Path: <>\r\n")
    session = inbox.session()
    raw = b"Return-Path: <>\r\n" + mail("Hello")
    header = raw[: -len(b"Hi.\r\n")]
    assert ask(session, b"FETCH 1 BODY.PEEK[]") == b"* 1 FETCH (BODY[] {%d}\r\n%b)\r\n" % (len(raw), raw)
    assert ask(session, b"FETCH 1 RFC822.SIZE") == b"* 1 FETCH (RFC822.SIZE %d)\r\n" % len(raw)
    assert ask(session, b"FETCH 1 RFC822.HEADER") == b"* 1 FETCH (RFC822.HEADER {%d}\r\n%b)\r\n" % (
        len(header),
        header,
    )
    assert ask(session, b"FETCH 1 (BODY.PEEK[HEADER.FIELDS (subject)] BODY.PEEK[1] BODY.PEEK[2])") == (
        b"* 1 FETCH (BODY[HEADER.FIELDS (subject)] {18}\r\nSubject: Hello\r\n\r\n"
        b" BODY[1] {5}\r\nHi.\r\n BODY[2] NIL)\r\n"
    )
    assert ask(session, b"FETCH 1 (BODY.PEEK[TEXT]<1.2> BODY.PEEK[HEADER]<8.4> BODY.PEEK[1]<99.1>)") == (
        b"* 1 FETCH (BODY[TEXT]<1> {2}\r\ni. BODY[HEADER]<8> {4}\r\nath: BODY[1]<99> {0}\r\n)\r\n"
    )
    assert inbox.flags() == [0]


def test_reading_sets_seen_and_says_so_once(inbox):
    inbox.file(mail("1"), mail("2"))
    inbox.file(mail("3"), flags=SEEN)
    session = inbox.session()
    assert ask(session, b"FETCH 2:3 BODY[1]") == (
        b"* 2 FETCH (BODY[1] {5}\r\nHi.\r\n FLAGS (\\Seen))\r\n* 3 FETCH (BODY[1] {5}\r\nHi.\r\n)\r\n"
    )
    assert inbox.flags() == [0, SEEN, SEEN]
    assert news(session) == []
    # Both ask for flags and read: told once.
    assert ask(session, b"UID FETCH 1 (FLAGS RFC822.TEXT)") == (
        b"* 1 FETCH (UID 1 FLAGS (\\Seen) RFC822.TEXT {5}\r\nHi.\r\n)\r\n"
    )
    assert news(session) == []
    assert ask(session, b"FETCH 1:3 FLAGS").count(b"\\Seen") == 3


def test_reading_tells_other_sessions_and_what_others_changed(inbox):
    inbox.file(mail("1"), mail("2"))
    session, other = inbox.session(), inbox.session()
    messages.set_flags(inbox.folder_id, [(2, 2)], add=FLAGGED)
    ask(session, b"FETCH 1 BODY[]")
    assert news(session) == [b"* 2 FETCH (FLAGS (\\Flagged))\r\n"]
    assert sorted(news(other)) == [b"* 1 FETCH (FLAGS (\\Seen))\r\n", b"* 2 FETCH (FLAGS (\\Flagged))\r\n"]


def test_reading_in_a_read_only_folder_changes_nothing(inbox):
    inbox.file(mail("1"))
    session = inbox.session(is_read_only=True)
    assert ask(session, b"FETCH 1 BODY[TEXT]") == b"* 1 FETCH (BODY[TEXT] {5}\r\nHi.\r\n)\r\n"
    assert inbox.flags() == [0]


@pytest.mark.parametrize("items", [b"ENVELOPE", b"BODY.PEEK[]", b"BODY[]", b"BODY.PEEK[HEADER]"])
def test_messages_that_are_gone_are_a_no_after_the_others(inbox, items):
    inbox.file(mail("1"), mail("2"), mail("3"))
    session = inbox.session()
    inbox.expunge([(2, 2)])
    said = []
    with pytest.raises(NoSuchMessage):
        for piece in fetch(session, parse(b"FETCH 1:3 " + items)):
            said.append(piece)
    found = b"".join(said)
    assert b"* 1 FETCH (" in found
    assert b"* 2 FETCH (" not in found
    assert b"* 3 FETCH (" in found
    # By UID a message that is gone means nothing.
    assert ask(session, b"UID FETCH 1:3 " + items).count(b" FETCH (UID ") == 2


def test_flags_of_messages_held_back(inbox):
    inbox.file(mail("1"), mail("2"), mail("3"))
    session = inbox.session()
    inbox.expunge([(2, 2)])
    messages.set_flags(inbox.folder_id, [(3, 3)], add=FLAGGED)
    list(session.poll(may_expunge=False))
    assert ask(session, b"UID FETCH 1:3 FLAGS") == (
        b"* 1 FETCH (UID 1 FLAGS ())\r\n* 3 FETCH (UID 3 FLAGS (\\Flagged))\r\n"
    )
    with pytest.raises(NoSuchMessage):
        list(fetch(session, parse(b"FETCH 2 FLAGS")))


def test_numbers_beyond_the_last(inbox):
    inbox.file(mail("1"))
    session = inbox.session()
    for line in (b"FETCH 2 FLAGS", b"FETCH 1:2 ENVELOPE"):
        with pytest.raises(BadSyntax):
            list(fetch(session, parse(line)))
    assert ask(session, b"UID FETCH 7 BODY[]") == b""


def test_many_small_ranges_and_pages(inbox, monkeypatch):
    monkeypatch.setattr(limits, "IMAP_PAGE_OCTETS", 400)
    inbox.file(*[mail(str(number)) for number in range(1, 60)])
    inbox.expunge([(10, 10), (12, 12)])
    session = inbox.session()
    wanted = [*range(1, 58, 3), *range(40, 45)]
    said = ask(
        session, b"UID FETCH %b BODY.PEEK[HEADER.FIELDS (Subject)]" % b",".join(b"%d" % n for n in wanted)
    )
    left = sorted({uid for uid in wanted if uid not in (10, 12)})
    assert [int(line.split(b"UID ")[1].split()[0]) for line in said.split(b"* ")[1:]] == left
    assert said.count(b"Subject: ") == len(left)
    bodies = ask(session, b"FETCH 1:* BODY.PEEK[]")
    assert bodies.count(b"* ") == 57
    assert [int(line.split()[1]) for line in bodies.splitlines() if line.startswith(b"Subject: ")] == [
        number for number in range(1, 60) if number not in (10, 12)
    ]


def test_speaks_in_pieces(inbox):
    inbox.file(*[mail(str(number), "x" * 40_000 + "\r\n") for number in range(6)])
    pieces = list(fetch(inbox.session(), parse(b"FETCH 1:* BODY.PEEK[]")))
    assert len(pieces) >= 3
    assert max(map(len, pieces)) < limits.IMAP_ANSWER_OCTETS + 41_000


MIXED = (
    b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n'
    b"--b\r\nContent-Type: text/plain\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\na=3Db\r\n"
    b"--b\r\nContent-Type: image/png\r\nContent-Transfer-Encoding: base64\r\n\r\nAAEC\r\nAwQF\r\n"
    b"--b\r\nContent-Type: image/gif\r\nContent-Transfer-Encoding: x-uuencode\r\n\r\nend\r\n"
    b"--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: in\r\n\r\nin\r\n"
    b"--b--\r\n"
)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (b"BINARY.PEEK[1]", b"BINARY[1] {3}\r\na=b"),
        (b"BINARY.PEEK[2]", b"BINARY[2] ~{6}\r\n\0\1\2\3\4\5"),
        # Ranges are of what was decoded; without NUL it is a string again.
        (b"BINARY.PEEK[2]<1.3>", b"BINARY[2]<1> {3}\r\n\1\2\3"),
        (b"BINARY.PEEK[2]<0.1>", b"BINARY[2]<0> ~{1}\r\n\0"),
        (b"BINARY.PEEK[2]<9.3>", b"BINARY[2]<9> {0}\r\n"),
        (b"BINARY.SIZE[2]", b"BINARY.SIZE[2] 6"),
        (b"BINARY.PEEK[4]", b"BINARY[4] {17}\r\nSubject: in\r\n\r\nin"),
        (b"BINARY.PEEK[4.1]", b"BINARY[4.1] {2}\r\nin"),
        (b"BINARY.PEEK[]", b"BINARY[] {%d}\r\n%b" % (len(MIXED), MIXED)),
        (b"BINARY.SIZE[]", b"BINARY.SIZE[] %d" % len(MIXED)),
        (b"BINARY.PEEK[9]", b"BINARY[9] NIL"),
        (b"BINARY.SIZE[9]", b"BINARY.SIZE[9] 0"),
        (b"(BINARY.SIZE[1] UID BINARY.PEEK[1])", b"BINARY.SIZE[1] 3 UID 1 BINARY[1] {3}\r\na=b"),
    ],
)
def test_answers_parts_without_their_encoding(inbox, asked, said):
    inbox.file(MIXED)
    assert ask(inbox.session(), b"FETCH 1 " + asked) == b"* 1 FETCH (%b)\r\n" % said
    assert inbox.flags() == [0]


def test_reading_binary_sets_seen(inbox):
    inbox.file(MIXED)
    assert ask(inbox.session(), b"FETCH 1 BINARY[1]") == (
        b"* 1 FETCH (BINARY[1] {3}\r\na=b FLAGS (\\Seen))\r\n"
    )
    assert inbox.flags() == [SEEN]


@pytest.mark.parametrize("item", [b"BINARY.PEEK[3]", b"BINARY.SIZE[3]"])
def test_refuses_what_it_cannot_decode_but_answers_the_rest(inbox, item):
    inbox.file(MIXED, MIXED.replace(b"x-uuencode", b"7bit"), MIXED)
    said: list[bytes] = []
    with pytest.raises(UnknownCTE):
        for piece in fetch(inbox.session(), parse(b"FETCH 1:2 (%b)" % item)):
            said.append(piece)
    value = b"BINARY.SIZE[3] 3" if b"SIZE" in item else b"BINARY[3] {3}\r\nend"
    assert b"".join(said) == b"* 2 FETCH (%b)\r\n" % value
    with pytest.raises(UnknownCTE):
        for piece in fetch(inbox.session(), parse(b"UID FETCH 3 (%b)" % item)):
            said.append(piece)
    assert said[-1] == b"* 3 FETCH (UID 3)\r\n"


WORDY = (
    "From: José <josé@example.org>\r\nSubject: Grüße aus Köln\r\nReceived: from ü\r\n"
    "Content-Type: multipart/mixed; boundary=x\r\n\r\n"
    '--x\r\nContent-Type: text/plain; charset=utf-8; name="é.txt"\r\n\r\nGrüße\r\n--x--\r\n'
).encode()
ALL_OF_IT = (
    b"ENVELOPE BODY BODYSTRUCTURE BODY.PEEK[] BODY.PEEK[HEADER] BODY.PEEK[HEADER.FIELDS (FROM RECEIVED)]"
    b" BODY.PEEK[1.MIME] RFC822.HEADER BODY.PEEK[]<0.90>"
)


def test_shows_headers_in_utf8_to_who_enabled_it(inbox):
    inbox.file(WORDY)
    session = inbox.session()
    session.enabled |= {"UTF8=ACCEPT"}
    assert WORDY in ask(session, b"FETCH 1 BODY.PEEK[]")
    assert "Grüße aus Köln".encode() in ask(session, b"FETCH 1 ENVELOPE")
    assert "josé".encode() in ask(session, b"FETCH 1 BODY.PEEK[HEADER.FIELDS (FROM)]")
    assert "é.txt".encode() in ask(session, b"FETCH 1 BODYSTRUCTURE")


def test_shows_others_a_surrogate(inbox):
    """RFC 6858; every way to ask for a header field tells of the same mail."""
    inbox.file(WORDY, mail("x"))
    session = inbox.session()
    for item in ALL_OF_IT.split(b" B"):
        item = item if item.startswith((b"E", b"B")) else b"B" + item
        said = ask(session, b"FETCH 1 (%b)" % item)
        assert said.replace("Grüße\r\n--x".encode(), b"").isascii(), item
    whole = ask(session, b"FETCH 1 BODY.PEEK[]").partition(b"\r\n")[2][:-3]
    assert b"<invalid@internationalized-address.invalid>" in whole
    assert b'"=?utf-8?b?R3LDvMOfZSBhdXMgS8O2bG4=?=" (("=?utf-8?' in ask(session, b"FETCH 1 ENVELOPE")
    assert whole.endswith("\r\n\r\nGrüße\r\n--x--\r\n".encode())
    assert ask(session, b"FETCH 1 BODY.PEEK[TEXT]").count(b"name") == 0
    assert b"BODY[]<0> {90}\r\n" + whole[:90] in ask(session, b"FETCH 1 BODY.PEEK[]<0.90>")
    assert b"Received" not in ask(session, b"FETCH 1 BODY.PEEK[HEADER.FIELDS.NOT (TO)]")
    assert b"BINARY[1] {7}\r\nGr" in ask(session, b"FETCH 1 BINARY.PEEK[1]")
    # The size is that of the mail, which RFC 6858 §3 allows: to know the other we would have to make it.
    assert b"RFC822.SIZE %d" % len(WORDY) in ask(session, b"FETCH 1 RFC822.SIZE")


def test_leaves_out_a_surrogate_of_what_is_gone(inbox, monkeypatch):
    inbox.file(WORDY, mail("x"))
    session = inbox.session()

    def gone(content_id):
        raise NoSuchMessage

    monkeypatch.setattr(messages, "raw_of", gone)
    said = ask(session, b"FETCH 1:2 (UID ENVELOPE)")
    assert said.startswith(b"* 1 FETCH (UID 1)\r\n* 2 FETCH (UID 2 ENVELOPE (")
