from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailcore.message import mime
from mailcore.message.envelope import envelope
from mailcore.message.structure import structures
from tests.messages import corpus, name_of, wire, zoo

PIECES = [
    b'Content-Type: multipart/mixed; boundary=a; x="y\\""\r\n',
    b"Content-Type: message/rfc822; n=\xc3\xbc\r\n",
    b"Content-Disposition: inline; filename*=utf-8''%C3\r\n",
    b"Content-Language: de, en\r\n",
    b"Content-ID: <a>\r\n",
    b"Content-Type: multipart/digest; boundary=b\r\n",
    b"Content-Transfer-Encoding: base64\r\n",
    b"Content-MD5: x\r\n",
    b"Content-Location: x y\r\n",
    b"Subject: \xff\r\n",
    b"From: a@b, c@d\r\n",
    b'Content-Description: "\r\n',
    b"\r\n",
    b"\r\n--a\r\n",
    b"\r\n--a--\r\n",
    b"\r\n--b\r\n",
    b"text\r\n",
    b"\0",
]


def both(raw: bytes) -> tuple[bytes, bytes]:
    mail = mime.scan(raw)
    return structures(mail, envelope(mail.fields)[0])


@pytest.mark.parametrize(
    ("raw", "body", "extension"),
    [
        (
            b"\r\none\r\ntwo\r\n",
            b'("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 10 2',
            b" NIL NIL NIL NIL)",
        ),
        (b"", b'("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 0 0', b" NIL NIL NIL NIL)"),
        (
            b"Content-Type: TEXT/HTML; CharSet=UTF-8\r\nContent-Transfer-Encoding: QUOTED-PRINTABLE\r\n\r\nx",
            b'("text" "html" ("charset" "UTF-8") NIL NIL "quoted-printable" 1 0',
            b" NIL NIL NIL NIL)",
        ),
        (
            b"Content-Type: text/plain; format=flowed\r\n\r\n",
            b'("text" "plain" ("charset" "us-ascii" "format" "flowed") NIL NIL "7bit" 0 0',
            b" NIL NIL NIL NIL)",
        ),
        (
            (
                b'Content-Type: image/png; name=a.png\r\nContent-ID: <1@x>\r\nContent-Description: A "b"\r\n'
                b"Content-Disposition: Attachment; filename=a.png\r\nContent-MD5: Q2hlY2s=\r\n"
                b"Content-Language: de\r\n"
                b"Content-Location: http://a/b\r\nContent-Transfer-Encoding: base64\r\n\r\nAAAA\r\n"
            ),
            b'("image" "png" ("name" "a.png") "<1@x>" "A \\"b\\"" "base64" 6',
            b' "Q2hlY2s=" ("attachment" ("filename" "a.png")) "de" "http://a/b")',
        ),
        (
            b"Content-Type: image/png\r\nContent-Language: de, en\r\nContent-Disposition: inline\r\n\r\n",
            b'("image" "png" NIL NIL NIL "7bit" 0',
            b' NIL ("inline" NIL) ("de" "en") NIL)',
        ),
        # a mail that we may not open has no envelope to give
        (
            b"Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\nAAAA",
            b'("application" "octet-stream" NIL NIL NIL "base64" 4',
            b" NIL NIL NIL NIL)",
        ),
    ],
)
def test_writes_single_parts(raw: bytes, body: bytes, extension: bytes) -> None:
    assert both(raw) == (body + b")", body + extension)


def test_gives_the_example_of_rfc_3501() -> None:
    first, second = b"x" * 1128 + b"\r\n" * 12, (b"y" * 60 + b"\r\n") * 72 + b"z" * 88 + b"\r\n"
    raw = (
        b'Content-Type: MULTIPART/MIXED; BOUNDARY="b"\r\n\r\n'
        b"--b\r\nContent-Type: TEXT/PLAIN; CHARSET=US-ASCII\r\n\r\n" + first + b"\r\n"
        b"--b\r\nContent-Type: TEXT/PLAIN; CHARSET=US-ASCII; NAME=cc.diff\r\n"
        b"Content-ID: <960723163407.20117h@cac.washington.edu>\r\n"
        b"Content-Description: Compiler diff\r\nContent-Transfer-Encoding: BASE64\r\n\r\n"
        + second
        + b"\r\n--b--\r\n"
    )
    assert both(raw)[0] == (
        b'(("text" "plain" ("charset" "US-ASCII") NIL NIL "7bit" 1152 12)'
        b'("text" "plain" ("charset" "US-ASCII" "name" "cc.diff") "<960723163407.20117h@cac.washington.edu>" '
        b'"Compiler diff" "base64" 4554 73) "mixed")'
    )


def test_writes_mails_in_mails() -> None:
    inner = b"From: a@b.c\r\nSubject: in\r\n\r\none\r\n"
    body, structure = both(b"Content-Type: message/rfc822\r\n\r\n" + inner)
    person = b'((NIL NIL "a" "b.c"))'
    start = b'("message" "rfc822" NIL NIL NIL "7bit" %d (NIL "in" %b %b %b NIL NIL NIL NIL NIL) ' % (
        len(inner),
        person,
        person,
        person,
    )
    text = b'("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 5 1'
    assert body == start + text + b") 4)"
    assert structure == start + text + b" NIL NIL NIL NIL) 4 NIL NIL NIL NIL)"


def test_an_empty_multipart_has_one_empty_part() -> None:
    body, structure = both(b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b--\r\n")
    assert body == b'(("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 0 0) "mixed")'
    assert structure.endswith(b' "mixed" ("boundary" "b") NIL NIL NIL)')


def check(raw: bytes) -> None:
    body, structure = both(raw)
    wire.check_body(wire.read(body), extended=False)
    wire.check_body(wire.read(structure), extended=True)


@pytest.mark.parametrize("path", corpus(), ids=name_of)
def test_is_well_formed(path: Path) -> None:
    check(path.read_bytes())


@pytest.mark.parametrize("name", zoo.names())
@pytest.mark.timeout(10)
def test_is_well_formed_for_hostile_mail(name: str) -> None:
    check(zoo.make(name))


@settings(max_examples=300)
@given(st.lists(st.sampled_from(PIECES), max_size=40))
def test_is_well_formed_for_any_mixture(pieces: list[bytes]) -> None:
    check(b"".join(pieces))
