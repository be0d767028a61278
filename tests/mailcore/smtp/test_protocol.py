"""What MAIL and RCPT take for an address. How a session goes stands in tests/transcripts/smtp."""

import re
import socket

import pytest

from mailcore import limits
from mailcore.smtp.protocol import Protocol


@pytest.mark.parametrize(
    ("argument", "found"),
    [
        ("<ann@example.org>", ("ann@example.org", "")),
        ("<ann@example.org> SIZE=5 BODY=8BITMIME", ("ann@example.org", "SIZE=5 BODY=8BITMIME")),
        ("<>", ("<>", "")),
        ("<> SIZE=5", ("<>", "SIZE=5")),
        ('<"ann b>c\\"d@x"@example.org>', ('"ann b>c\\"d@x"@example.org', "")),
        ("<jörg@exämple.org>", ("jörg@exämple.org", "")),
        ("<o'neil+x/y=z%w!v@example.org>", ("o'neil+x/y=z%w!v@example.org", "")),
    ],
)
def test_finds_the_address(argument, found):
    assert Protocol._getaddr(None, argument) == found


@pytest.mark.parametrize(
    "argument",
    [
        "", "ann@example.org", "<ann@example.org", "<ann>", "<@example.org>", "<ann@>", "<ann @example.org>",
        "<ann@ example.org>", "< ann@example.org>", "<ann@example.org >", "<@a,@b:ann@example.org>",
        "<@a:ann@example.org>", "<ann@a@b>", "(comment) <ann@example.org>", "<ann@[192.0.2.1]:25>",
        "<a,b@example.org>", "<ann@example.org>SIZE=5", "<<ann@example.org>>", "<a\nb@example.org>",
        "<ann@example.org>\tX=1", "Ann <ann@example.org>", '<"ann@example.org>', "<:include:/x@example.org>",
    ],
)  # fmt: skip
def test_finds_none_in_what_is_none(argument):
    assert Protocol._getaddr(None, argument) == (None, None)


_COMMANDS = [
    b"NOOP", b"NOOP x", b"VRFY", b"VRFY ann", b"EXPN list", b"HELP", b"HELP MAIL", b"FROB", b"", b"\xff",
    b"RSET x", b"MAIL", b"MAIL TO:<a@b>", b"MAIL FROM:<a", b"MAIL FROM:<a@b.test> X=1",
    b"MAIL FROM:<a@b.test> SIZE=x", b"MAIL FROM:<a@b.test> SIZE=99999999999",
    b"MAIL FROM:<a@b.test> BODY=9BIT", b"MAIL FROM:<a@b.test> SMTPUTF8=1", b"RCPT TO:<a@b.test>", b"DATA",
    b"BDAT 0", b"MAIL FROM:<a@b.test>", b"MAIL FROM:<a@b.test>", b"RCPT", b"RCPT FROM:<a>",
    b"RCPT TO:<a@b.test>", b"RCPT TO:<a@b.test> X=1", b"RCPT TO:<a b>", b"DATA", b"DATA x", b"RSET",
    b"STARTTLS x", b"AUTH", b"AUTH FROB", b"NOOP " + b"x" * 3000, b"EHLO", b"HELO", b"QUIT",
]  # fmt: skip


@pytest.mark.parametrize("port", ["SMTP", "SUBMISSION"])
def test_gives_every_reply_an_enhanced_code(maild, settings, monkeypatch, port):
    """RFC 2034 §4: all but those to EHLO and HELO, and 3yz, once EHLO has been said."""
    monkeypatch.setattr(limits, "SMTP_ERRORS", 1000)
    address = "127.0.0.1", getattr(settings, f"HOSTMAIL_{port}_PORT")
    with socket.create_connection(address, timeout=10) as client, client.makefile("rb") as heard:
        assert heard.readline().startswith(b"220 ")
        client.sendall(b"EHLO mx.example.org\r\n")
        while heard.readline()[3:4] == b"-":
            pass
        client.sendall(b"".join(command + b"\r\n" for command in _COMMANDS))
        replies = heard.read().decode().splitlines()
    assert len(replies) == len(_COMMANDS), replies
    without = [
        (command, reply)
        for command, reply in zip(_COMMANDS, replies, strict=True)
        if not re.match(r"([245])\d\d \1\.\d{1,3}\.\d{1,3} ", reply)
    ]
    assert without == []
