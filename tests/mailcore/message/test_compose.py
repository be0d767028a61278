"""Whole mails built and completed, judged by the standard library, our own reader and dkimpy's rules."""

from __future__ import annotations

import dataclasses
import datetime as dt
import email
import email.policy
import time
from email.message import EmailMessage

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailcore import limits
from mailcore.errors import BadAddress, BadHeader, TooManyRecipients
from mailcore.message import compose, display, fields
from mailcore.message.compose import Attachment, Draft, build, complete
from tests.messages import corpus

NOW = dt.datetime(2026, 11, 24, 10, 0, 5, tzinfo=dt.timezone(dt.timedelta(hours=1)))
DRAFT = Draft(
    author=("Alice", "alice@example.org"),
    to=[("Bob", "bob@example.net")],
    subject="Hello",
    text="Hi Bob\n\nAlice\n",
    message_id="1@example.org",
    date=NOW,
)
PNG = Attachment("a.png", "image/png", b"\x89PNG\r\n\x1a\n", "pic@x")
PDF = Attachment("b.pdf", "application/pdf", bytes(range(256)) * 9)


def read(raw: bytes) -> EmailMessage:
    return email.message_from_bytes(raw, policy=email.policy.default)  # type: ignore[return-value]


def draft(**changes: object) -> Draft:
    return dataclasses.replace(DRAFT, **changes)  # type: ignore[arg-type]


def assert_well_formed(raw: bytes) -> None:
    assert raw.count(b"\r\n") == raw.count(b"\r") == raw.count(b"\n")
    assert b"\0" not in raw
    assert max(map(len, raw.split(b"\r\n"))) <= 998
    assert raw.endswith(b"\r\n")
    for part in read(raw).walk():
        assert not part.defects, part.defects


def shape(mail: EmailMessage) -> object:
    if mail.is_multipart() and mail.get_content_maintype() == "multipart":
        return {mail.get_content_subtype(): [shape(part) for part in mail.iter_parts()]}
    return mail.get_content_type()


def test_builds_a_plain_mail() -> None:
    assert build(DRAFT) == (
        b"From: Alice <alice@example.org>\r\n"
        b"To: Bob <bob@example.net>\r\n"
        b"Subject: Hello\r\n"
        b"Date: Tue, 24 Nov 2026 10:00:05 +0100\r\n"
        b"Message-ID: <1@example.org>\r\n"
        b"MIME-Version: 1.0\r\n"
        b'Content-Type: text/plain; charset="utf-8"\r\n'
        b"Content-Transfer-Encoding: 7bit\r\n"
        b"\r\n"
        b"Hi Bob\r\n\r\nAlice\r\n"
    )


def test_says_the_same_for_the_same_draft() -> None:
    rich = draft(html="<p>Hi</p>", attachments=[PDF])
    assert build(rich) == build(rich)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, "text/plain"),
        ({"html": "<p>Hi</p>"}, {"alternative": ["text/plain", "text/html"]}),
        ({"attachments": [PDF]}, {"mixed": ["text/plain", "application/pdf"]}),
        (
            {"html": "<img src='cid:pic@x'>", "attachments": [PNG, PDF]},
            {"mixed": [{"alternative": ["text/plain", {"related": ["text/html", "image/png"]}]}, "application/pdf"]},  # noqa: E501
        ),
        ({"html": "<p>", "attachments": [PNG]}, {"mixed": [{"alternative": ["text/plain", "text/html"]}, "image/png"]}),  # noqa: E501
        ({"attachments": [PNG]}, {"mixed": ["text/plain", "image/png"]}),
    ],
)  # fmt: skip
def test_makes_as_many_layers_as_it_needs(changes: dict[str, object], expected: object) -> None:
    raw = build(draft(**changes))
    assert_well_formed(raw)
    assert shape(read(raw)) == expected


def test_carries_text_html_and_files_unchanged() -> None:
    html = '<p>Grüße <img src="cid:pic@x"></p>\n'
    raw = build(draft(text="Grüße\n\n", html=html, attachments=[PNG, PDF]))
    mail = read(raw)
    assert mail.get_body(("plain",)).get_content() == "Grüße\r\n\r\n"  # type: ignore[union-attr]
    assert mail.get_body(("html",)).get_content() == html.replace("\n", "\r\n")  # type: ignore[union-attr]
    seen = display.read(raw)
    assert (seen.text, seen.html) == ("Grüße\n\n", html)
    picture, document = seen.attachments
    assert (picture.is_inline, picture.content_id) == (True, "pic@x")
    assert display.attachment(raw, picture.section) == ("a.png", "image/png", PNG.raw)
    assert display.attachment(raw, document.section) == ("b.pdf", "application/pdf", PDF.raw)


def test_makes_the_text_of_html_when_there_is_none() -> None:
    mail = read(build(draft(text=" \n", html="<p>One</p><p>Two</p>")))
    assert mail.get_body(("plain",)).get_content().split() == ["One", "Two"]  # type: ignore[union-attr]


def test_names_nobody_who_got_a_blind_copy() -> None:
    raw = build(draft(bcc=[("Secret", "secret@example.com")]))
    assert b"secret" not in raw.lower()
    assert b"bcc" not in raw.lower()
    with pytest.raises(BadAddress):
        build(draft(bcc=[("", "no address")]))


def test_has_a_to_field_when_all_copies_are_blind() -> None:
    raw = build(draft(to=[], bcc=[("", "b@example.net")]))
    assert b"\r\nTo: undisclosed-recipients:;\r\n" in raw
    assert read(raw)["to"].addresses == ()


def test_writes_thread_and_further_fields() -> None:
    raw = build(
        draft(
            in_reply_to="<a@x>",
            references=["b@x", "<a@x>"],
            reply_to=[("", "r@example.org")],
            extra=[("X-Priority", "1"), ("Comments", "Grüße")],
        )
    )
    mail = read(raw)
    assert mail["in-reply-to"] == "<a@x>"
    assert mail["references"] == "<b@x> <a@x>"
    assert mail["reply-to"] == "r@example.org"
    assert mail["comments"] == "Grüße"


LINE_ENDS = ["\r", "\n", "\0", "\x0b", "\x0c", "\x1c", "\x85", "\u2028", "\u2029", "\ud800"]


@pytest.mark.parametrize("bad", LINE_ENDS)
@pytest.mark.parametrize(
    "place",
    [
        lambda x: {"author": (x, "a@example.org")},
        lambda x: {"author": ("", f"a{x}@example.org")},
        lambda x: {"to": [(x, "a@example.org")]},
        lambda x: {"cc": [("", f"{x}@example.org")]},
        lambda x: {"bcc": [(x, "a@example.org")]},
        lambda x: {"reply_to": [(x, "a@example.org")]},
        lambda x: {"subject": x},
        lambda x: {"message_id": x},
        lambda x: {"in_reply_to": x},
        lambda x: {"references": ["a@b", x]},
        lambda x: {"extra": [("X-A", x)]},
        lambda x: {"extra": [(f"X-A{x}", "b")]},
        lambda x: {"attachments": [Attachment(x, "text/plain", b"")]},
        lambda x: {"attachments": [Attachment("a", f"text/plain; charset={x}", b"")]},
        lambda x: {"attachments": [Attachment("a", "text/plain", b"", x)]},
    ],
)
def test_lets_nothing_inject_a_field(place, bad: str) -> None:
    with pytest.raises((BadHeader, BadAddress)):
        build(draft(**place(f"a{bad}Bcc: evil@example.com")))


@pytest.mark.parametrize(
    "name",
    ["Bcc", "from", "TO", "Subject", "Date", "Message-ID", "Content-Type", "MIME-Version", "Received", "DKIM-Signature",  # noqa: E501
     "Authentication-Results", "Resent-Bcc", "Return-Path", "", "A:", "A B", "Ä", "x" * 100],
)  # fmt: skip
def test_refuses_further_fields_that_are_not_the_drafts_to_give(name: str) -> None:
    with pytest.raises(BadHeader):
        build(draft(extra=[(name, "x")]))


def test_counts_recipients() -> None:
    people = [("", f"a{n}@example.org") for n in range(limits.ADDRESSES)]
    with pytest.raises(TooManyRecipients):
        build(draft(to=people, bcc=[("", "c@example.org")]))
    raw = build(draft(to=people[1:], cc=[("", "c@example.org")]))
    assert_well_formed(raw)


def test_wants_an_aware_date() -> None:
    with pytest.raises(ValueError, match="aware"):
        build(draft(date=dt.datetime(2026, 1, 1)))


@pytest.mark.parametrize(
    ("filename", "shown"),
    [("../../etc/passwd", "passwd"), ("C:\\temp\\x.doc", "x.doc"), ("", None), ("Übersicht.pdf", "Übersicht.pdf"), ('a"b;c.txt', 'a"b;c.txt')],  # noqa: E501
)  # fmt: skip
def test_gives_away_no_path(filename: str, shown: str | None) -> None:
    raw = build(draft(attachments=[Attachment(filename, "text/plain", b"x")]))
    (part,) = read(raw).iter_attachments()
    assert part.get_filename() == shown


def test_forwards_a_mail_as_it_is_or_as_a_file() -> None:
    whole = build(DRAFT)
    raw = build(draft(attachments=[Attachment("m.eml", "message/rfc822", whole)]))
    assert_well_formed(raw)
    assert whole in raw
    assert shape(read(raw)) == {"mixed": ["text/plain", "message/rfc822"]}
    assert display.attachment(raw, "2")[2] == whole  # type: ignore[index]
    eight = whole.replace(b"Hi", "Hï".encode())
    raw = build(draft(attachments=[Attachment("m.eml", "message/rfc822", eight)]))
    assert_well_formed(raw)
    assert display.attachment(raw, "2") == ("m.eml", "application/octet-stream", eight)


def test_never_uses_a_boundary_that_stands_in_a_part() -> None:
    rich = draft(attachments=[Attachment("m.eml", "message/rfc822", build(DRAFT))])
    first = read(build(rich)).get_boundary()
    trap = Attachment("m.eml", "message/rfc822", build(DRAFT) + f"--{first}--\r\n".encode())
    raw = build(draft(attachments=[trap]))
    assert read(raw).get_boundary() != first
    assert display.attachment(raw, "2")[2] == trap.raw  # type: ignore[index]


def test_keeps_multipart_types_out_of_attachments() -> None:
    for kind in ("multipart/mixed", "message/partial", "message/external-body", "nonsense"):
        raw = build(draft(attachments=[Attachment("a", kind, b"--x\r\n\r\n--x--")]))
        assert shape(read(raw)) == {"mixed": ["text/plain", "application/octet-stream"]}


@settings(max_examples=150, deadline=None)
@given(
    subject=st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), max_size=100),
    text=st.text(max_size=300),
    html=st.none() | st.text(max_size=200),
    files=st.lists(st.binary(max_size=300), max_size=3),
)
def test_builds_well_formed_mail_from_anything(
    subject: str, text: str, html: str | None, files: list[bytes]
) -> None:
    attachments = [Attachment(f"{n}.bin", "application/octet-stream", raw) for n, raw in enumerate(files)]
    raw = build(draft(subject=subject, text=text, html=html, attachments=attachments))
    assert_well_formed(raw)
    assert fields.get(raw, "subject") == subject.strip(" ")
    seen = display.read(raw)
    assert [display.attachment(raw, one.section)[2] for one in seen.attachments] == files  # type: ignore[index]  # noqa: E501


def test_builds_big_mail_quickly() -> None:
    big = draft(text="Grüße\n" * 100_000, attachments=[Attachment("a", "application/zip", b"x" * 20_000_000)])
    start = time.process_time()
    raw = build(big)
    assert time.process_time() - start < 30
    assert len(raw) > 20_000_000


# --- What clients hand in


def completed(raw: bytes) -> bytes:
    return complete(raw, message_id_domain="example.org", now=NOW)


WHOLE = b"From: a@example.org\r\nDate: Mon, 1 Jan 2024 00:00:00 +0000\r\nMessage-ID: <x@y>\r\n\r\nHi\r\n"


def test_leaves_a_whole_mail_alone() -> None:
    assert completed(WHOLE) == WHOLE


def test_adds_what_is_missing_in_front() -> None:
    raw = b"From: a@example.org\r\nX-Odd :  \t kept  \r\n\r\nHi \x80\r\n"
    made = completed(raw)
    assert made.endswith(raw)
    assert made.startswith(b"Date: Tue, 24 Nov 2026 10:00:05 +0100\r\nMessage-ID: <20261124100005.")
    assert read(made)["message-id"].endswith("@example.org>")
    assert completed(made) == made


def test_gives_different_mails_different_ids() -> None:
    one, two = (
        fields.get(completed(b"From: a@b.example\r\n\r\n" + body), "message-id") for body in (b"1", b"2")
    )  # noqa: E501
    assert one != two
    assert compose.make_message_id(b"x", domain="d", now=NOW) == compose.make_message_id(
        b"x", domain="d", now=NOW
    )  # noqa: E501


def test_drops_blind_copies() -> None:
    raw = WHOLE.replace(
        b"Date", b"Bcc: x@example.com,\r\n\ty@example.com\r\nbcc : z@example.com\r\nResent-Bcc: w@x\r\nDate"
    )  # noqa: E501
    assert completed(raw) == WHOLE


def test_keeps_what_looks_like_bcc_in_the_body() -> None:
    assert completed(WHOLE + b"Bcc: x\r\n") == WHOLE + b"Bcc: x\r\n"


@pytest.mark.parametrize("end", [b"\n", b"\r", b"\r\n"])
def test_makes_every_line_end_crlf(end: bytes) -> None:
    assert completed(WHOLE.replace(b"\r\n", end)) == WHOLE


def test_hides_no_mail_in_a_mail() -> None:
    """What looks to some hosts like the end of the data is no longer there. (SMTP smuggling)"""
    for trick in (b"\n.\n", b"\r.\r", b"\n.\r\n", b"\r\n.\n", b"\r\n.\r"):
        made = completed(WHOLE + trick + b"MAIL FROM:<x@y>\r\n")
        assert made.count(b"\r\n") == made.count(b"\r") == made.count(b"\n")


def test_puts_a_header_on_a_text_without_one() -> None:
    made = completed(b"just words\nand more\n")
    assert read(made)["date"] is not None
    assert made.endswith(b"\r\n\r\njust words\r\nand more\r\n")
    assert fields.get(completed(b"\r\nbody\r\n"), "message-id")
    assert fields.get(completed(b""), "date")


def test_lets_no_folded_first_line_become_ours() -> None:
    made = completed(b" continued: x\r\nFrom: a@example.org\r\n\r\nHi\r\n")
    assert fields.get(made, "message-id").endswith("@example.org>")  # type: ignore[union-attr]


def test_completes_every_real_mail_once() -> None:
    for path in corpus():
        made = completed(path.read_bytes())
        assert made.count(b"\r\n") == made.count(b"\r") == made.count(b"\n")
        assert completed(made) == made
        assert fields.get(made, "date") is not None
        assert fields.get(made, "bcc") is None


@given(
    st.binary(max_size=300)
    | st.lists(st.sampled_from([b"Bcc: x", b"\r", b"\n", b" ", b"Date: y", b"a", b":", b"From: z"])).map(
        b"".join
    )
)  # noqa: E501
def test_completes_any_octets(raw: bytes) -> None:
    made = completed(raw)
    assert completed(made) == made
    assert fields.get(made, "bcc") is None
    assert fields.get(made, "date") is not None
    assert fields.get(made, "message-id") is not None


@pytest.mark.parametrize(
    "spelled",
    [
        b"Bcc: x@y.test", b"BCC:x@y.test", b"bCc : x@y.test", b"Bcc\t: x@y.test", b"Bcc:\n x@y.test",
        b"Bcc:\r\n x@y.test,\r\n\tz@y.test", b"Bcc: z@y.test\r\nBcc: x@y.test", b"bcc:\r\n \r\n x@y.test",
        b"Resent-Bcc: x@y.test",
    ],
)  # fmt: skip
def test_names_no_blind_recipient_however_bcc_is_spelled(spelled):
    raw = b"From: a@b.test\r\n" + spelled + b"\r\nSubject: Hello\r\n\r\nBody\r\n"
    done = complete(raw, message_id_domain="b.test", now=NOW)
    assert b"y.test" not in done
    assert b"\r\nSubject: Hello\r\n" in done
