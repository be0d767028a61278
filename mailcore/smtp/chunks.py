"""BDAT: a message in chunks whose length is said before them. (RFC 3030)

Nothing is searched for and nothing is unstuffed, so what a chunk holds is never taken for a command; and
a refused chunk is read to its end, and thrown away, for the same reason. Used by protocol.py.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from django.conf import settings

from mailcore import limits
from mailcore.errors import BadSequence, Busy, MailError, MessageTooBig

if TYPE_CHECKING:
    from mailcore.smtp.protocol import Protocol

_ARGUMENT = re.compile(r"([0-9]{1,20})( +LAST)?\Z", re.IGNORECASE)


class Hopeless(Exception):
    """A BDAT of which nobody knows where the commands go on; the reply before we hang up."""


class Chunks:
    """What one transaction has sent by BDAT so far."""

    def __init__(self) -> None:
        self.octets = bytearray()
        self.is_begun = False
        self._deadline = 0.0

    async def take(self, protocol: Protocol, arg: str | None) -> bytes | None:
        """Read the chunk that arg announces. The whole message after the last one, else None.

        Raises Hopeless, and when the chunk has been read to its end MailError.
        """
        match = _ARGUMENT.match(arg or "")
        if match is None:
            raise Hopeless("501 5.5.4 Syntax: BDAT octets [LAST]")
        size = int(match[1])
        if size > limits.SMTP_CHUNK_TIMES * settings.HOSTMAIL_MAX_MESSAGE:
            raise Hopeless(MessageTooBig().smtp_reply())
        trouble = _out_of_order(protocol) or self._too_much(protocol, size)
        if not self.is_begun or trouble:
            self._deadline = protocol.loop.time() + limits.SMTP_DATA_SECONDS
        self.is_begun = trouble is None
        await self._read(protocol, size, keep=trouble is None)
        if trouble is not None:
            raise trouble
        return bytes(self.octets) if match[2] else None

    def forget(self, protocol: Protocol) -> None:
        """The transaction is over."""
        protocol.sessions.octets -= len(self.octets)
        self.octets = bytearray()
        self.is_begun = False

    def _too_much(self, protocol: Protocol, size: int) -> MailError | None:
        whole = len(self.octets) + size
        if whole > settings.HOSTMAIL_MAX_MESSAGE:
            return MessageTooBig()
        in_hand = protocol.sessions.octets + size
        if in_hand > limits.SMTP_OCTETS_IN_HAND and whole > limits.SMTP_SMALL_OCTETS:
            return Busy("Too much mail at once, please try again later")
        return None

    async def _read(self, protocol: Protocol, left: int, *, keep: bool) -> None:
        """Move left octets out of the stream."""
        reader: Any = protocol._reader
        buffer: bytearray = reader._buffer
        command_limit = reader._limit
        # With the limit for commands the socket would pause after every 4 KiB.
        reader._limit = limits.SMTP_CHUNK_OCTETS
        try:
            while left:
                if not buffer:
                    if reader.at_eof():
                        raise ConnectionResetError
                    # A chunk may take its time: what came before it gets its reply now.
                    await protocol.say_held()
                    await reader._wait_for_data("BDAT")
                    continue
                taken = min(left, len(buffer))
                if keep:
                    with memoryview(buffer) as view, view[:taken] as piece:
                        self.octets += piece
                    protocol.sessions.octets += taken
                del buffer[:taken]
                left -= taken
                reader._maybe_resume_transport()
                protocol._reset_timeout()
                if protocol.loop.time() > self._deadline:
                    raise ConnectionResetError("BDAT took too long")
        finally:
            reader._limit = command_limit


def _out_of_order(protocol: Protocol) -> MailError | None:
    """Why there is no transaction that a chunk could belong to."""
    if protocol.session is None or not protocol.session.host_name:
        return BadSequence("Send EHLO first")
    if protocol.envelope is None or not protocol.envelope.rcpt_tos:
        # After a refused chunk too: RFC 3030 §2 has all that follow it refused.
        return BadSequence("Send RCPT first")
    return None
