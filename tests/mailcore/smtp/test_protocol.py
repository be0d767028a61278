"""What MAIL and RCPT take for an address. How a session goes stands in tests/transcripts/smtp."""

import pytest

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
