"""BODY[section] by the example of RFC 3501 §6.4.5, and what is not there."""

import pytest

from mailcore.imap import sections
from mailcore.imap.wire.values import Section
from mailcore.message import fields
from mailcore.message.index import index
from mailcore.services.messages import Octets

INNER = b"Subject: inner\r\nContent-Type: multipart/alternative; boundary=i\r\n\r\n"
INNER_BODY = (
    b"--i\r\nContent-Type: text/plain\r\n\r\ninner text\r\n"
    b"--i\r\nContent-Type: text/html\r\n\r\n<p>inner\r\n--i--\r\n"
)
HEADER = b"Subject: outer\r\nTo: bob@example.net\r\nContent-Type: multipart/mixed; boundary=o\r\n\r\n"
BODY = (
    b"preamble\r\n--o\r\nContent-Type: text/plain\r\nContent-ID: <1@x>\r\n\r\nfirst\r\n"
    b"--o\r\nContent-Type: message/rfc822\r\n\r\n" + INNER + INNER_BODY + b"\r\n--o\r\n\r\nlast\r\n--o--\r\n"
)
PREFIX = b"Return-Path: <ann@example.org>\r\nReceived: from here\r\n"


def kept(raw: bytes, prefix: bytes = b"") -> Octets:
    header, body = fields.split(raw)
    return Octets(prefix, header, body, index(raw).parts)


MAIL = kept(HEADER + BODY, PREFIX)


@pytest.mark.parametrize(
    ("part", "text", "expected"),
    [
        ("", "", PREFIX + HEADER + BODY),
        ("", "HEADER", PREFIX + HEADER),
        ("", "TEXT", BODY),
        ("1", "", b"first"),
        ("1", "MIME", b"Content-Type: text/plain\r\nContent-ID: <1@x>\r\n\r\n"),
        ("2", "", INNER + INNER_BODY),
        ("2", "MIME", b"Content-Type: message/rfc822\r\n\r\n"),
        ("2", "HEADER", INNER),
        ("2", "TEXT", INNER_BODY),
        ("2.1", "", b"inner text"),
        ("2.2", "MIME", b"Content-Type: text/html\r\n\r\n"),
        ("3", "", b"last"),
        ("3", "MIME", b"\r\n"),
    ],
)
def test_cuts_what_a_section_means(part, text, expected):
    assert sections.octets(MAIL, Section(part, text)) == expected


@pytest.mark.parametrize(
    ("part", "text"),
    [
        ("4", ""),
        ("1.1", ""),
        ("2.3", ""),
        ("1", "HEADER"),
        ("1", "TEXT"),
        ("2.1", "HEADER.FIELDS"),
        ("9", "MIME"),
    ],
)
def test_nothing_is_there(part, text):
    assert sections.octets(MAIL, Section(part, text, (b"To",))) is None


def test_selects_fields_of_the_mail_and_of_one_in_it():
    chosen = Section("", "HEADER.FIELDS", (b"RECEIVED", b"to"))
    assert sections.octets(MAIL, chosen) == b"Received: from here\r\nTo: bob@example.net\r\n\r\n"
    others = Section("2", "HEADER.FIELDS.NOT", (b"Content-Type",))
    assert sections.octets(MAIL, others) == b"Subject: inner\r\n\r\n"
    assert sections.octets(MAIL, Section("2", "HEADER.FIELDS", (b"Nothing", b"\xff"))) == b"\r\n"


def test_a_mail_of_one_part_is_its_own_first_part():
    mail = kept(b"Subject: x\r\n\r\nhello\r\n", PREFIX)
    assert sections.octets(mail, Section("1", "")) == b"hello\r\n"
    assert sections.octets(mail, Section("1", "MIME")) == b"Subject: x\r\n\r\n"
    assert sections.octets(mail, Section("1", "TEXT")) is None
    assert sections.octets(mail, Section("2", "")) is None


def test_a_part_may_begin_in_the_header_and_end_in_the_body():
    mail = kept(b"Subject: x\r\n\r\nhello\r\n")
    assert sections.Sections(mail).slice(9, 16) == b"x\r\n\r\nhe"


@pytest.mark.parametrize(
    ("partial", "expected"),
    [((0, 3), b"hel"), ((3, 100), b"lo"), ((5, 1), b""), ((10**18, 10**18), b""), (None, b"hello")],
)
def test_cuts_a_range_of_octets(partial, expected):
    assert sections.cut(b"hello", partial) == expected
    assert sections.cut(None, partial) is None


def test_makes_a_surrogate_for_who_expects_ascii():
    """RFC 6858: of the mail, and of the fields before it."""
    assert sections.Sections(MAIL).for_ascii().octets(Section("", "")) == MAIL.raw
    older = HEADER.replace(b"outer", "äußer".encode()) + BODY
    assert sections.Sections(kept(older, b"")).for_ascii().octets(Section("", "")) == older
    raw = "From: ä@example.net\r\n".encode() + older
    mail = sections.Sections(kept(raw, "Received: from ü\r\nX-A: b\r\n".encode())).for_ascii()
    whole = mail.octets(Section("", ""))
    assert whole.isascii()
    assert whole.startswith(b"X-A: b\r\nFrom: =?utf-8?")
    assert b"\r\nSubject: =?utf-8?" in whole
    assert whole.endswith(BODY)
    assert mail.octets(Section("1", "")) == b"first"
    assert mail.octets(Section("2", "HEADER")) == INNER
    prefixed = sections.Sections(kept(HEADER + BODY, "Return-Path: <ü@x.example>\r\n".encode())).for_ascii()
    assert prefixed.octets(Section("", "")).isascii()
    assert prefixed.octets(Section("", "")).endswith(HEADER + BODY)
