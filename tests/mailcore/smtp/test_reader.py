"""Only CR LF ends a command."""

import asyncio

import pytest

from mailcore.errors import BadSyntax
from mailcore.smtp.reader import CommandReader

BARE, ODD, LONG = "bare", "odd", "long"


async def lines(*chunks: bytes, limit: int = 20) -> list:
    """What a command loop like aiosmtpd's reads."""
    reader = CommandReader(limit=limit)
    heard: list = []

    async def loop() -> None:
        while True:
            try:
                try:
                    heard.append(await reader.readuntil())
                except asyncio.LimitOverrunError as error:
                    await reader.read(error.consumed)
                    while True:
                        try:
                            await reader.readuntil()
                            break
                        except asyncio.LimitOverrunError as again:
                            await reader.read(again.consumed)
                    heard.append(LONG)
            except BadSyntax as error:
                heard.append(BARE if "LF alone" in error.public else ODD)

    task = asyncio.ensure_future(loop())
    for chunk in chunks:
        reader.feed_data(chunk)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    reader.feed_eof()
    with pytest.raises(asyncio.IncompleteReadError):
        await task
    return heard


@pytest.mark.parametrize(
    ("octets", "heard"),
    [
        (b"NOOP\r\nQUIT\r\n", [b"NOOP\r\n", b"QUIT\r\n"]),
        (b"\r\n", [b"\r\n"]),
        (b"NOOP\nQUIT\r\n", [BARE]),
        (b"NOOP\nRCPT\n\nx\r\nQUIT\r\n", [BARE, b"QUIT\r\n"]),
        (b"NOOP\n\r\nQUIT\r\n", [BARE, b"QUIT\r\n"]),
        (b"NOOP\n" + b"x" * 100 + b"\r\nQUIT\r\n", [BARE, b"QUIT\r\n"]),
        (b"NO\rOP\r\nQUIT\r\n", [ODD, b"QUIT\r\n"]),
        (b"NOOP\r\r\nQUIT\r\n", [ODD, b"QUIT\r\n"]),
        (b"NO\0OP\r\nQUIT\r\n", [ODD, b"QUIT\r\n"]),
        (b"x" * 100 + b"\r\nQUIT\r\n", [LONG, b"QUIT\r\n"]),
        (b"x" * 100 + b"\nRCPT\r\nQUIT\r\n", [LONG, b"QUIT\r\n"]),
        (b"x" * 19 + b"\r\nQUIT\r\n", [LONG, b"QUIT\r\n"]),
        (b"x" * 20 + b"\r\nQUIT\r\n", [LONG, b"QUIT\r\n"]),
        (b"x" * 21 + b"\r\nQUIT\r\n", [LONG, b"QUIT\r\n"]),
        (b"NOOP\r\nQU", [b"NOOP\r\n"]),
    ],
)
async def test_reads_lines_however_they_arrive(octets, heard):
    # How long a line may be to the octet is asyncio's business, and depends on what is here already.
    exact = [LONG if event == b"x" * 19 + b"\r\n" else event for event in await lines(octets)]
    assert exact == heard
    one_by_one = await lines(*(octets[at : at + 1] for at in range(len(octets))))
    assert [LONG if event == b"x" * 19 + b"\r\n" else event for event in one_by_one] == heard
    for at in range(len(octets)):
        split = await lines(octets[:at], octets[at:])
        assert [LONG if event == b"x" * 19 + b"\r\n" else event for event in split] == heard, at


async def test_keeps_nothing_back_that_looks_like_a_command():
    """The reply to a refused line leaves at once: what is left in the buffer is no next command."""
    reader = CommandReader(limit=100)
    reader.feed_data(b"NOOP\nRCPT TO:<x>\r")
    with pytest.raises(BadSyntax):
        await reader.readuntil()
    assert b"\n" not in reader._buffer
    reader.feed_data(b"\nQUIT\r\n")
    assert await reader.readuntil() == b"QUIT\r\n"
