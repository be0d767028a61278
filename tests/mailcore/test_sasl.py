"""SASL's octets."""

import base64

import pytest

from mailcore import sasl
from mailcore.errors import BadSyntax, LoginFailed


@pytest.mark.parametrize(
    ("answer", "octets"), [(b"AGEAYg==", b"\0a\0b"), (b"=", b""), (b"", b""), (b"/w==", b"\xff")]
)
def test_decodes(answer, octets):
    assert sasl.decode(answer) == octets
    assert sasl.decode(base64.b64encode(octets)) == octets


@pytest.mark.parametrize(
    "answer",
    [b"AGEAYg=", b"AGEA\r\nYg==", b"!!!!", b"AGEAYg==AGEAYg==", b"A GEAYg==", b"====", b"*", b"\xff"],
)
def test_refuses_what_is_not_base64(answer):
    with pytest.raises(BadSyntax):
        sasl.decode(answer)


@pytest.mark.parametrize(
    ("octets", "words"),
    [
        (b"\0ann@example.org\0s3cret", ("ann@example.org", "s3cret")),
        (b"ann@example.org\0ann@example.org\0s3cret", ("ann@example.org", "s3cret")),
        (b"Ann@Example.org\0ann@example.org\0s3cret", ("ann@example.org", "s3cret")),
        ("\0änn\0pässwörd".encode(), ("änn", "pässwörd")),
        (b"\0ann\0%s%d{}$(id)", ("ann", "%s%d{}$(id)")),
    ],
)
def test_reads_plain(octets, words):
    assert sasl.plain(octets) == words


@pytest.mark.parametrize(
    "octets",
    [b"", b"\0", b"\0\0", b"\0ann\0", b"\0\0s3cret", b"ann\0s3cret", b"\0ann\0s3\0cret", b"a\0b\0c\0d"],
)
def test_refuses_what_is_not_plain(octets):
    with pytest.raises(BadSyntax):
        sasl.plain(octets)


@pytest.mark.parametrize("octets", [b"root\0ann\0s3cret", b"\0ann\0\xff", b"\0\xff\0x", b"\xc3\0a\0b"])
def test_lets_nobody_act_for_others_nor_in_broken_utf8(octets):
    with pytest.raises(LoginFailed):
        sasl.plain(octets)


def test_reads_the_answers_of_login():
    assert sasl.login(b"ann", "Grüße".encode()) == ("ann", "Grüße")
    for octets in ((b"\xff", b"x"), (b"x", b"\xff")):
        with pytest.raises(LoginFailed):
            sasl.login(*octets)
