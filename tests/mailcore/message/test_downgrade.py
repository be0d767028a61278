"""RFC 6858: what somebody who expects ASCII in header fields is shown of a mail that has UTF-8 there."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailcore.message import address, downgrade, fields
from mailcore.message.index import index
from mailcore.message.parts import parse_table


def shown(field: str) -> bytes:
    return downgrade.header(field.encode() + b"\r\n\r\n").removesuffix(b"\r\n")


def test_leaves_ascii_as_it_is():
    section = b"From: a@example.org\r\nSubject: =?utf-8?q?=C3=A9?=\r\n\tx\r\n\r\n"
    assert downgrade.header(section) is section


@pytest.mark.parametrize(
    ("field", "name", "mailbox"),
    [
        ("From: Jos\u00e9 <jos\u00e9@example.org>", "Jos\u00e9 <jos\u00e9@example.org>", downgrade.INVALID),
        ("To: a@b\u00fccher.example", "a@b\u00fccher.example", downgrade.INVALID),
        ("Resent-Sender: Jos\u00e9 <jose@example.org>", "Jos\u00e9", "jose@example.org"),
        ('Cc: "Jos\u00e9, the one" <jose@example.org>', "Jos\u00e9, the one", "jose@example.org"),
        ("Return-Path: <jos\u00e9@example.org>", "jos\u00e9@example.org", downgrade.INVALID),
    ],
)
def test_says_what_an_address_was(field, name, mailbox):
    octets = shown(field)
    assert octets.isascii()
    (found,) = address.parse_list(octets.partition(b":")[2])
    assert (found.name, found.address) == (name, mailbox)


def test_keeps_groups_and_their_neighbours():
    octets = shown("To: Fr\u00e8res: a@example.org, \u00e9@example.org;, Vide\u00e9:;, b@example.org")
    assert octets.isascii()
    entries = address.scan(octets.partition(b":")[2])
    assert [(each.local is None, each.domain is None) for each in entries] == [
        (False, True), (False, False), (False, False), (True, True),
        (False, True), (True, True), (False, False),
    ]  # fmt: skip
    assert entries[2].local == b"invalid"


def test_encodes_the_subject():
    octets = shown("Subject: Gr\u00fc\u00dfe aus K\u00f6ln " + "und \u00fcberall " * 20)
    assert octets.isascii()
    assert max(map(len, octets.split(b"\r\n"))) <= 78
    assert (
        fields.get(octets, "subject") == "Gr\u00fc\u00dfe aus K\u00f6ln " + ("und \u00fcberall " * 20).strip()
    )
    assert fields.get(downgrade.header(b"Subject: caf\xe9 noir\r\n\r\n"), "subject") == "caf\u00e9 noir"


def test_takes_out_parameters_and_fields_without_another_form():
    assert shown('Content-Type: text/plain; name="r\u00e9sum\u00e9"; charset="utf-8"') == (
        b"Content-Type: text/plain;\r\n charset=utf-8\r\n"
    )
    assert shown("Received: from b\u00fccher.example") == b""
    assert shown("X-\u00c9: y") == b""
    section = "A: b\r\nReceived: from \u00e9\r\n by x\r\nC: d\r\n\r\n".encode()
    assert downgrade.header(section) == b"A: b\r\nC: d\r\n\r\n"


INNER = "From: \u00e9@example.org\r\nSubject: in\u00e9\r\n\r\nInner \u00e9\r\n"
MAIL = (
    "From: jos\u00e9@example.org\r\nMIME-Version: 1.0\r\n"
    "Content-Type: multipart/mixed; boundary=x\r\n\r\n"
    '--x\r\nContent-Type: text/plain; charset=utf-8; name="\u00e9"\r\nContent-Transfer-Encoding: 8bit\r\n\r\n'
    "Body \u00e9\r\n--x\r\nContent-Type: message/rfc822\r\n\r\n" + INNER + "--x--\r\n"
).encode()


def test_makes_a_whole_mail_anew_and_touches_no_text():
    made = downgrade.surrogate(MAIL, parse_table(index(MAIL).parts))
    assert made is not None
    raw, found = made
    assert found == index(raw)
    table = parse_table(found.parts)
    for part in table.walk():
        assert raw[part.header_start : part.header_end].isascii()
    assert b"".join((found.envelope, found.body, found.bodystructure)).isascii()
    text, inner = table.find("1"), table.find("2")
    assert raw[text.body_start : text.body_end] == "Body \u00e9".encode()
    assert raw[inner.message.body_start : inner.message.body_end].startswith("Inner \u00e9".encode())


def test_needs_no_other_mail_where_only_texts_are_beyond_ascii():
    raw = "Subject: x\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n\u00e9\r\n".encode()
    assert downgrade.surrogate(raw, parse_table(index(raw).parts)) is None


PIECES = st.sampled_from(
    [b"\xc3\xa9", b"\xff", b"From:", b"To: g:", b"Subject:", b"Content-Type: ", b"message/global", b"X-Y:",
     b"multipart/mixed; boundary=x", b"\r\n", b"\n", b" ", b"\r\n\r\n", b"--x\r\n", b"--x--", b";", b'"',
     b"\\", b"<", b"@a>", b"a@b", b"name=", b"=?utf-8?q?=C3=A9?=", b"\x00", b"\r", b","]
)  # fmt: skip


@given(st.lists(PIECES, max_size=30).map(b"".join))
def test_shows_ascii_whatever_it_was_made_from(raw):
    made = downgrade.surrogate(raw, parse_table(index(raw).parts))
    found = made[1] if made else index(raw)
    assert found.envelope.isascii()
    assert found.body.isascii()
    assert found.bodystructure.isascii()


@pytest.mark.parametrize(
    ("section", "is_so"),
    [
        ("From: José <jose@example.org>\r\nSubject: é\r\n\r\n".encode(), False),
        ("From: José <josé@example.org>\r\n\r\n".encode(), True),
        ("To: a@example.org, b@bücher.example\r\n\r\n".encode(), True),
        ("From: josé@example.org\r\n\r\n".encode("latin-1"), False),
        ("X-From: josé@example.org\r\n\r\n".encode(), False),
        (b"From: a@example.org\r\n\r\n", False),
    ],
)
def test_tells_mail_that_needs_smtputf8_from_older_mail(section, is_so):
    assert downgrade.is_international(section) is is_so
