import base64

import pytest

from mailcore import limits
from mailcore.errors import UnknownCTE
from mailcore.message.binary import decoded, in_lines, without_nul
from mailcore.message.index import index
from mailcore.message.parts import parse_table


@pytest.mark.parametrize(
    ("octets", "content_type", "encoding", "expected"),
    [
        (b"a\nb\r\n", "application/x", "7bit", b"a\nb\r\n"),
        (b"\0\xff", "application/x", "binary", b"\0\xff"),
        (b"AAEC\r\n/w==\r\n", "image/png", "base64", b"\0\1\2\xff"),
        (b"a=3D=\r\nb=0A", "application/x", "quoted-printable", b"a=b\n"),
        # The lines of a text end with CR LF, however they were stored or encoded.
        (b"a\nb\r\n\n", "text/plain", "8bit", b"a\r\nb\r\n\r\n"),
        (base64.b64encode(b"a\nb\r"), "text/html", "base64", b"a\r\nb\r"),
    ],
)
def test_undoes_the_encoding(octets, content_type, encoding, expected):
    assert decoded(octets, content_type, encoding) == expected


@pytest.mark.parametrize("encoding", ["x-uuencode", "base-64", ""])
def test_says_when_it_does_not_know_the_encoding(encoding):
    with pytest.raises(UnknownCTE):
        decoded(b"x", "text/plain", encoding)


def rewritten(raw: bytes) -> bytes:
    return without_nul(raw, parse_table(index(raw).parts))


def test_keeps_binary_parts_in_base64():
    head = b'Content-Type: multipart/mixed; boundary="b"\r\nContent-Transfer-Encoding: binary\r\n\r\n'
    plain = b"--b\r\nContent-Transfer-Encoding: binary\r\n\r\nno encoding needed\r\n"
    field = b"content-transfer-ENCODING:\r\n\tbinary\r\n"
    raw = (
        head
        + plain
        + b"--b\r\nContent-Type: image/png\r\n"
        + field
        + b"X-After: 1\r\n\r\n\0\1\2\r\n--b--\r\n"
    )
    said = b"Content-Transfer-Encoding: base64\r\n"
    assert rewritten(raw) == (
        head
        + plain
        + b"--b\r\nContent-Type: image/png\r\n"
        + said
        + b"X-After: 1\r\n\r\nAAEC\r\n\r\n--b--\r\n"
    )


def test_keeps_a_mail_of_one_part_in_base64():
    raw = b"Content-Transfer-Encoding: Binary\nSubject: x\n\n" + bytes(100)
    found = rewritten(raw)
    assert found.startswith(b"Content-Transfer-Encoding: base64\nSubject: x\n\nAAAA")
    (part,) = parse_table(index(found).parts).walk()
    assert decoded(found[part.body_start :], part.content_type, part.encoding) == bytes(100)


@pytest.mark.parametrize(
    "raw",
    [
        b"Subject: x\r\n\r\n\0",
        b"Content-Transfer-Encoding: 8bit\r\n\r\n\0",
        b"Subject: \0\r\nContent-Transfer-Encoding: binary\r\n\r\n\0",
    ],
)
def test_refuses_nul_where_nothing_says_binary(raw):
    with pytest.raises(UnknownCTE):
        rewritten(raw)


@pytest.mark.parametrize("body", [b"a\nb", b"a\rb", b"\0", b"x" * (limits.LINE_OCTETS + 1)])
def test_encodes_binary_parts_that_are_not_made_of_lines(body):
    said = b"Content-Transfer-Encoding: %b\r\n\r\n"
    encoded = in_lines(said % b"binary" + body)
    assert encoded == said % b"base64" + base64.encodebytes(body).replace(b"\n", b"\r\n")
    # Nobody is believed to be binary who does not say so.
    assert in_lines(said % b"8bit" + body) == said % b"8bit" + body


def test_leaves_a_mail_of_lines_alone():
    raw = b"Content-Transfer-Encoding: binary\r\n\r\na\r\n\xff\r\n"
    assert in_lines(raw) is raw
