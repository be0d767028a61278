import re

import pytest

from mailcore.models import Change, Message
from mailcore.services import mailboxes, messages
from tests.mailcore.imap.commands.talking import Talk

RAW = b"Subject: hi\r\n\r\nHello\r\n"


def append(talk: Talk, arguments: str, raw: bytes = RAW) -> str:
    return talk.say(b"APPEND %b {%d}\r\n" % (arguments.encode(), len(raw)), raw)


def test_files_with_flags_and_date(alice):
    said = append(alice, 'Sent (\\Seen \\Flagged $Work) "29-Feb-2024 23:30:00 -0500"')
    state = alice.say("STATUS Sent (UIDVALIDITY)").split("UIDVALIDITY ")[1].split(")")[0]
    assert said == f"a OK [APPENDUID {state} 1] APPEND completed\r\n"
    alice.say("SELECT Sent")
    assert alice.say("FETCH 1 (FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[])") == (
        '* 1 FETCH (FLAGS (\\Seen \\Flagged $Work \\Recent) INTERNALDATE "29-Feb-2024 23:30:00 -0500" '
        f"RFC822.SIZE {len(RAW)} BODY[] {{{len(RAW)}}}\r\n{RAW.decode()})\r\na OK FETCH completed\r\n"
    )


@pytest.mark.parametrize(
    "raw", [b"\n", b"no header at all", b"Subject: \xff\xfe\r\n\r\n\x80", b"a\rb\nc", b"\r\n" * 3]
)
def test_keeps_octets_exactly(alice, raw):
    alice.say("ENABLE UTF8=ACCEPT")
    append(alice, "INBOX", raw)
    alice.say("SELECT INBOX")
    assert f"RFC822.SIZE {len(raw)}" in alice.say("FETCH 1 RFC822.SIZE")
    assert messages.raw_of(Message.objects.get().content_id).raw == raw


def test_keeps_a_header_beyond_ascii_whatever_was_enabled(alice):
    """Against RFC 9755 §4: who moves old mail here would lose it."""
    raw = "Subject: é\r\n\r\n".encode()
    for line in ("APPEND INBOX {%d}\r\n", "APPEND INBOX ~{%d}\r\n", "APPEND INBOX UTF8 (~{%d}\r\n)"):
        assert alice.say(line % len(raw), raw).startswith("a OK ")
    text = "Subject: x\r\n\r\né".encode()
    assert alice.say(f"APPEND INBOX {{{len(text)}}}\r\n", text).startswith("a OK ")
    alice.say("ENABLE UTF8=ACCEPT")
    for line in ("APPEND INBOX {%d}\r\n", "APPEND INBOX ~{%d}\r\n", "APPEND INBOX UTF8 (~{%d}\r\n)"):
        assert alice.say(line % len(raw), raw).startswith("a OK ")
    assert {messages.raw_of(message.content_id).raw for message in Message.objects.all()} == {text, raw}


def test_into_the_selected_folder_is_told_before_the_answer(selected):
    said = append(selected, "INBOX")
    assert said.startswith("* 6 EXISTS\r\n* 6 RECENT\r\na OK [APPENDUID ")


def test_refusals(alice, cast):
    assert append(alice, "Nowhere").startswith("a NO [TRYCREATE] ")
    assert append(alice, "INBOX", b"a\0b").startswith("a NO [CANNOT] ")
    assert append(alice, "INBOX", b"").startswith("a NO [CANNOT] ")
    alice.session.surroundings.max_message = 10
    assert append(alice, "INBOX").startswith("a NO [TOOBIG] ")
    assert not Message.objects.exists()


def test_over_quota(alice, cast):
    mailboxes.set_quota(cast.alice.mailbox, len(RAW) + 5, actor=None)
    assert append(alice, "INBOX").startswith("a OK ")
    assert append(alice, "INBOX").startswith("a NO [OVERQUOTA] ")
    alice.say("SELECT INBOX")
    assert alice.say("COPY 1 Sent").startswith("a NO [OVERQUOTA] ")


def test_advertises_multiappend_and_files_all_by_one_unit(alice):
    assert " MULTIAPPEND " in alice.say("CAPABILITY")
    flags = ["", "(\\Seen)", '($Work) "29-Feb-2024 23:30:00 -0500"']
    line = "APPEND Sent" + "".join(f" {each} {{22}}\r\n".replace("  ", " ") for each in flags)
    said = alice.say(line, *[b"Subject: %d\r\n\r\nHello\r\n" % number for number in range(3)])
    assert re.fullmatch(r"a OK \[APPENDUID \d+ 1:3\] APPEND completed\r\n", said)
    alice.say("SELECT Sent")
    heard = alice.say("FETCH 1:* (UID FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT)])")
    assert [
        f"UID {uid} FLAGS ({names}\\Recent)" in heard
        for uid, names in enumerate(("", "\\Seen ", "$Work "), 1)
    ]
    assert [heard.index(f"Subject: {number}") for number in range(3)] == sorted(
        heard.index(f"Subject: {number}") for number in range(3)
    )
    # One commit: the modification numbers follow each other and one change names all of them.
    assert [
        change.uids for change in Change.objects.filter(folder_id=Message.objects.get(uid=3).folder_id)
    ] == ["1:3"]


@pytest.mark.parametrize(("bad", "code"), [(b"a\0b", "CANNOT"), (b"", "CANNOT"), (b"x" * 101, "TOOBIG")])
def test_files_none_of_several_when_one_is_refused(alice, bad, code):
    alice.session.surroundings.max_message = 100
    said = alice.say(b"APPEND INBOX {1}\r\n {1}\r\n {1}\r\n", b"a", b"b", bad)
    assert said.startswith(f"a NO [{code}] ")
    assert not Message.objects.exists()


def test_files_none_of_several_when_all_do_not_fit(alice, cast):
    mailboxes.set_quota(cast.alice.mailbox, 2 * len(RAW), actor=None)
    line = b"APPEND INBOX" + b" {%d}\r\n" % len(RAW) * 3
    assert alice.say(line, RAW, RAW, RAW).startswith("a NO [OVERQUOTA] ")
    assert not Message.objects.exists()
    assert alice.say(b"APPEND INBOX" + b" {%d}\r\n" % len(RAW) * 2, RAW, RAW).startswith("a OK [APPENDUID ")


def binary(talk: Talk, raw: bytes) -> str:
    return talk.say(b"APPEND INBOX ~{%d}\r\n" % len(raw), raw)


def test_advertises_binary_and_keeps_what_has_nul_in_base64(alice):
    assert " BINARY" in alice.say("CAPABILITY")
    assert binary(alice, b"Content-Transfer-Encoding: binary\r\n\r\n\0\1\2").startswith("a OK [APPENDUID ")
    assert binary(alice, RAW).startswith("a OK [APPENDUID ")
    contents = [messages.raw_of(message.content_id).raw for message in Message.objects.order_by("uid")]
    assert contents == [b"Content-Transfer-Encoding: base64\r\n\r\nAAEC\r\n", RAW]


def test_refuses_nul_that_is_in_no_binary_part(alice):
    assert binary(alice, b"Subject: x\r\n\r\n\0").startswith("a NO [UNKNOWN-CTE] ")
    assert append(alice, "INBOX", b"Content-Transfer-Encoding: binary\r\n\r\n\0").startswith("a NO [CANNOT] ")
    alice.session.surroundings.max_message = 110
    large = b"Content-Transfer-Encoding: binary\r\n\r\n" + bytes(60)
    assert binary(alice, large).startswith("a NO [TOOBIG] ")
    assert not Message.objects.exists()
