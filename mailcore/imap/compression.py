"""DEFLATE both ways on one connection, without its socket. (RFC 4978, RFC 1951)

Every write ends with a sync flush: what the client has can be read without waiting for more. So each write
may come from a new compressor, too, and one that rests needs none: an idle connection keeps the client's
32 KB window alone (48 KB measured, 80 KB while it works). What comes in is inflated a bounded piece at a
time, when there is room for it: small input that swells is no more than a client that says much.

connection.py makes one after COMPRESS; its answers may be deflated in the thread that makes them.
"""

from __future__ import annotations

import zlib

from mailcore import limits
from mailcore.errors import BadSyntax

_RAW = -15  # RFC 4978 §3 means raw DEFLATE; clients may use its whole window
# 4 KB of window and 32 KB in all, where zlib's own choice takes 256 KB; mail headers repeat within 4 KB.
_OUR_WINDOW, _OUR_MEMORY = -12, 5
_LEVEL = 3


class Compression:
    """The two streams. deflate() may be called in a thread, one call at a time; the rest on the loop."""

    __slots__ = ("_deflater", "_has_more", "_inflater", "_waiting")

    def __init__(self) -> None:
        self._deflater: zlib._Compress | None = None
        self._inflater = zlib.decompressobj(_RAW)
        self._waiting = b""
        self._has_more = False  # the inflater holds what did not fit

    def feed(self, chunk: bytes) -> None:
        """Take what came from the client."""
        self._waiting = self._waiting + chunk if self._waiting else chunk

    @property
    def held(self) -> int:
        """Octets that wait to be inflated."""
        return len(self._waiting) + self._has_more

    def inflate(self) -> bytes:
        """The next octets the client meant, at most limits.IMAP_INFLATE_OCTETS; none if more must come first.

        Raises BadSyntax when they are no DEFLATE, or its end: the stream ends with the connection.
        """
        if not self._waiting and not self._has_more:
            return b""
        try:
            octets = self._inflater.decompress(self._waiting, limits.IMAP_INFLATE_OCTETS)
        except zlib.error as error:
            raise BadSyntax("That is not DEFLATE") from error
        if self._inflater.eof:
            raise BadSyntax("The compressed stream has ended")
        self._waiting = self._inflater.unconsumed_tail
        self._has_more = len(octets) == limits.IMAP_INFLATE_OCTETS
        return octets

    def deflate(self, octets: bytes) -> bytes:
        """What to send for octets."""
        deflater = self._deflater
        if deflater is None:
            deflater = self._deflater = zlib.compressobj(_LEVEL, zlib.DEFLATED, _OUR_WINDOW, _OUR_MEMORY)
        return deflater.compress(octets) + deflater.flush(zlib.Z_SYNC_FLUSH)

    def rest(self) -> None:
        """Give the compressor's memory back. What comes next refers to nothing that was said before."""
        self._deflater = None
