"""What a connection says, gathered and written together, compressed if the client wants that (RFC 4978).

The part of connection.py that speaks; it knows no command. While a thread runs a turn, only that turn
deflates.
"""

from __future__ import annotations

import asyncio

from mailcore.imap.compression import Compression


class Output:
    """The speaking side of one client. All of it runs on the event loop."""

    __slots__ = ("compression", "out", "out_octets", "transport")

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self.compression: Compression | None = None
        self.out: list[bytes] = []
        self.out_octets = 0

    def say(self, octets: bytes) -> None:
        """Write octets with the next flush."""
        self.out.append(octets)
        self.out_octets += len(octets)

    def write(self, octets: bytes) -> None:
        """Write octets now."""
        if octets:
            self.send(octets if self.compression is None else self.compression.deflate(octets))

    def send(self, octets: bytes) -> None:
        """Write octets as they are."""
        if self.transport is not None and not self.transport.is_closing():
            self.transport.write(octets)

    def flush(self) -> None:
        """Write what was said."""
        if self.out:
            out, self.out, self.out_octets = self.out, [], 0
            self.write(out[0] if len(out) == 1 else b"".join(out))

    def abort(self) -> None:
        if self.transport is not None:
            self.transport.abort()
