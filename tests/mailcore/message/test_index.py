from __future__ import annotations

import time
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from imapclient.response_parser import parse_fetch_response

from mailcore import limits
from mailcore.message.index import Index, index
from mailcore.message.parts import parse_table
from tests.messages import corpus, name_of, wire, zoo

MAIL = (
    b"Date: Mon, 24 Nov 2025 01:59:58 +0200\r\n"
    b'From: "Bertram Beispiel" <Bertram@example.org>, second@example.org\r\n'
    b"To: Anna <anna@example.net>, =?utf-8?q?J=C3=BC?= <jue@example.net>\r\n"
    b"Cc: Team: carl@example.com;\r\n"
    b"Message-ID: <4@example.org>\r\n"
    b"In-Reply-To: <3@example.net>\r\n"
    b"References: <1@example.net>\r\n <2@example.net> <1@example.net>\r\n"
    b"Subject: Re: [team] =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n"
    b"\r\n"
    b"First line.\r\n\r\nSecond.\r\n"
)


def test_says_what_a_mail_says() -> None:
    found = index(MAIL)
    assert found.octets == len(MAIL)
    assert found.header_octets == MAIL.index(b"First")
    assert found.message_id == "4@example.org"
    assert found.references == ("1@example.net", "2@example.net", "3@example.net")
    assert found.subject == "Re: [team] Grüße"
    assert found.base_subject == "Grüße"
    assert (found.from_key, found.to_key, found.cc_key) == ("BERTRAM", "ANNA", "TEAM")
    assert found.from_text == "Bertram Beispiel <Bertram@example.org>, second@example.org"
    assert found.to_text == "Anna <anna@example.net>, Jü <jue@example.net>"
    assert found.cc_text == "Team:, carl@example.com"
    assert found.sent_day == date(2025, 11, 24).toordinal()
    assert found.sent_at == 1763942398
    assert found.preview == "First line. Second."
    assert not found.has_attachments
    assert wire.read(found.envelope)[1] == b"Re: [team] =?utf-8?q?Gr=C3=BC=C3=9Fe?="


def test_says_little_of_an_empty_mail() -> None:
    found = index(b"")
    assert found.envelope == b"(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)"
    assert (found.message_id, found.references, found.subject, found.from_text) == ("", (), "", "")
    assert (found.sent_at, found.sent_day, found.preview) == (None, None, "")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"<a@b>", "a@b"),
        (b"\r\n <a@b> (c)", "a@b"),
        (b"a@b", "a@b"),
        (b"", ""),
        (b"not an id", ""),
        (b"<>", ""),
        (b"<a@b", "a@b"),
    ],
)
def test_reads_message_ids(value: bytes, expected: str) -> None:
    assert index(b"Message-ID: " + value + b"\r\n\r\n").message_id == expected


def test_keeps_the_first_and_the_newest_references() -> None:
    found = index(b"References: " + b" ".join(b"<%d@x>" % n for n in range(1000)) + b"\r\n\r\n").references
    assert len(found) == limits.REFERENCES
    assert found[0] == "0@x"
    assert found[-1] == "999@x"


def _multipart(*parts: bytes, kind: bytes = b"mixed") -> bytes:
    return (
        b"Content-Type: multipart/"
        + kind
        + b"; boundary=b\r\n\r\n"
        + b"".join(b"--b\r\n" + part + b"\r\n" for part in parts)
        + b"--b--\r\n"
    )


TEXT = b"Content-Type: text/plain\r\n\r\nplain words"
HTML = b"Content-Type: text/html\r\n\r\n<p>rich <b>words</b></p>"


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (_multipart(HTML, TEXT, kind=b"alternative"), "plain words"),
        (_multipart(HTML), "rich words"),
        (_multipart(b"Content-Type: text/plain\r\n\r\n \r\n", HTML), "rich words"),
        (
            _multipart(b"Content-Type: text/plain\r\nContent-Disposition: attachment\r\n\r\nfile", HTML),
            "rich words",
        ),
        (_multipart(b"Content-Type: message/rfc822\r\n\r\nSubject: x\r\n\r\ninner"), ""),
        (HTML, "rich words"),
        (b"Content-Type: image/png\r\n\r\nx", ""),
    ],
)
def test_takes_the_preview_from_the_text(raw: bytes, expected: str) -> None:
    assert index(raw).preview == expected


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        (TEXT, False),
        (HTML, False),
        (b"Content-Type: application/pdf\r\n\r\n", True),
        (b"Content-Type: application/pdf; name=a.pdf\r\nContent-Disposition: inline\r\n\r\n", True),
        (b"Content-Type: text/plain\r\nContent-Disposition: attachment; filename=a.txt\r\n\r\n", True),
        (b"Content-Type: text/plain; name=a.txt\r\n\r\n", True),
        (b"Content-Type: text/calendar\r\n\r\n", False),
        (b"Content-Type: image/png\r\nContent-ID: <a>\r\n\r\n", False),
        (b"Content-Type: image/png\r\nContent-Disposition: inline\r\n\r\n", False),
        (b"Content-Type: image/png\r\n\r\n", True),
        (b"Content-Type: application/pgp-signature; name=signature.asc\r\n\r\n", False),
        (b"Content-Type: message/delivery-status\r\n\r\n", False),
        (b"Content-Type: message/rfc822\r\n\r\n\r\nx", True),
        (_multipart(TEXT, HTML).replace(b"=b", b"=c").replace(b"--b", b"--c"), False),
    ],
)
def test_knows_attachments(part: bytes, expected: bool) -> None:
    assert index(_multipart(TEXT, part)).has_attachments is expected


def check(raw: bytes) -> Index:
    """Check what holds for the index of any octets."""
    found = index(raw)
    wire.check_envelope(wire.read(found.envelope))
    wire.check_body(wire.read(found.body), extended=False)
    wire.check_body(wire.read(found.bodystructure), extended=True)
    for text in (*found.references, *(value for value in found if isinstance(value, str))):
        text.encode("utf-8")  # no lone surrogates
        assert "\0" not in text
    assert len(found.preview) <= limits.PREVIEW_CHARS
    assert len(found.subject) <= limits.SUBJECT_CHARS
    assert len(found.to_text) <= limits.ADDRESS_TEXT_CHARS
    table = parse_table(found.parts)
    assert (table.root.header_end, table.root.body_end) == (found.header_octets, len(raw))
    for part in table.walk():
        assert 0 <= part.header_start <= part.header_end == part.body_start <= part.body_end <= len(raw)
        for child in part.children:
            assert part.body_start <= child.header_start
            assert child.body_end <= part.body_end
    return found


def _same_shape(structure: object, part: object) -> None:
    """Compare BODYSTRUCTURE with the part table, part by part."""
    stack = [(structure, part)]
    while stack:
        value, found = stack.pop()
        if found.is_multipart:
            for inner, child in zip(value, found.children, strict=False):
                assert isinstance(inner, list)
                stack.append((inner, child))
            assert not isinstance(value[len(found.children)], list)
        else:
            assert value[6] == found.octets
            if found.message:
                stack.append((value[8], found.message))


@pytest.mark.parametrize("path", corpus(), ids=name_of)
def test_indexes_real_mail(path: Path) -> None:
    raw = path.read_bytes()
    found = check(raw)
    _same_shape(wire.read(found.bodystructure), parse_table(found.parts).root)


@pytest.mark.parametrize("path", corpus(), ids=name_of)
def test_an_imap_client_reads_the_answers(path: Path) -> None:
    found = index(path.read_bytes())
    line = b"1 (ENVELOPE %b BODYSTRUCTURE %b UID 7)" % (found.envelope, found.bodystructure)
    pieces: list[object] = []
    while (at := line.find(b"}\r\n")) >= 0:
        start = line.rfind(b"{", 0, at)
        size = int(line[start + 1 : at])
        pieces.append((line[: at + 1], line[at + 3 : at + 3 + size]))
        line = line[at + 3 + size :]
    [(uid, data)] = parse_fetch_response([*pieces, line]).items()
    assert uid == 7
    assert data[b"BODYSTRUCTURE"].is_multipart == found.bodystructure.startswith(b"((")


@pytest.mark.parametrize("name", zoo.names())
@pytest.mark.timeout(10)
def test_indexes_hostile_mail(name: str) -> None:
    check(zoo.make(name))


def test_reads_no_charset_that_python_would_run() -> None:
    found = index(zoo.make("dangerous_charsets"))
    assert found.subject == "x\x9c".replace("\x9c", "œ")


@pytest.mark.parametrize("name", [name for name in zoo.names() if len(zoo.make(name)) > 50_000])
@pytest.mark.timeout(60)
def test_twice_the_mail_takes_twice_the_time(name: str) -> None:
    """Quadratic work would show as four times; small times are all noise."""
    raw = zoo.make(name)
    at = raw.find(b"\r\n\r\n") + 4 or len(raw)
    double = raw[:at] + raw[at:] * 2 if at < len(raw) // 2 else raw[: at - 4] + raw[:at]
    once = min(_seconds(raw) for _ in range(3))
    assert min(_seconds(double) for _ in range(3)) < max(3.2 * once, 0.15)


def _seconds(raw: bytes) -> float:
    start = time.process_time()
    index(raw)
    return time.process_time() - start


_PIECES = [
    b"From: a@b\r\n",
    b"To: =?utf-7?q?+2AA-?= <a@b>,\r\n",
    b"Subject: re: [x] =?",
    b"?q?=00=FF?=",
    b"Date: 1 Jan",
    b" 99 1:1",
    b"References: <",
    b"@x>",
    b"Content-Type: multipart/mixed; boundary=a\r\n",
    b"Content-Type: message/rfc822\r\n",
    b"Content-Type: text/html; charset=utf-7\r\n",
    b"Content-Transfer-Encoding: base64\r\n",
    b"\r\n--a\r\n",
    b"\r\n--a--\r\n",
    b"\r\n",
    b"\n",
    b"\r",
    b"\0",
    b"\xff",
    b"<p>&#",
    b"Content-Disposition: attachment; filename*0*=utf-16''%00%D8\r\n",
    b"Content-ID: \xff\r\n",
    b"Message-ID: <\xff@\r\n",
    b"text ",
    b"(",
    b'"',
    b"\\",
]


@settings(max_examples=500, deadline=None)
@given(st.lists(st.sampled_from(_PIECES), max_size=50))
def test_indexes_any_mixture(pieces: list[bytes]) -> None:
    check(b"".join(pieces))


@settings(deadline=None)
@given(st.binary(max_size=2000))
def test_indexes_any_octets(raw: bytes) -> None:
    check(raw)


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_indexes_damaged_mail(data: st.DataObject) -> None:
    raw = data.draw(st.sampled_from(corpus())).read_bytes()[:20_000]
    start = data.draw(st.integers(0, len(raw)))
    length = data.draw(st.integers(0, 200))
    check(raw[:start] + data.draw(st.binary(max_size=20)) + raw[start + length :])
