"""The octets of DATA: where a message ends, and what no message may hold. Pure."""

from __future__ import annotations

from mailcore import limits
from mailcore.errors import BadMessage
from mailcore.message.encode import has_only_crlf

_DOT = b"\r\n."
_END = b"\r\n.\r\n"


class Data:
    """Takes what the client sends in chunks of any size until CR LF . CR LF, which alone ends a message.

    (RFC 5321 §4.1.1.4.) It is searched for a dot that begins a line: in nearly all mail the first one is
    the end, and then neither a second search nor a copy without doubled dots is needed.
    """

    def __init__(self) -> None:
        self._octets = bytearray(b"\r\n")  # so that the first line is like any other
        self._end = -1
        self._stuffed = False

    def take(self, chunk: bytearray) -> bool:
        """Move octets of the message out of chunk. True at its end: what is left then are commands."""
        octets = self._octets
        before = len(octets)
        octets += chunk
        start = max(before - 4, 0)
        if not self._stuffed:
            start = octets.find(_DOT, start)
            self._stuffed = start >= 0 and not _END.startswith(octets[start : start + len(_END)])
        self._end = octets.find(_END, start) if start >= 0 else -1
        if self._end < 0:
            chunk.clear()
            return False
        del chunk[: self._end + len(_END) - before]
        return True

    @property
    def octets(self) -> int:
        """Of the message as it was sent, dots doubled, once take() has said True."""
        return self._end

    def drop(self) -> None:
        """Forget what came, except what may be the beginning of the end."""
        del self._octets[:-4]

    def message(self) -> bytes:
        """The whole message. A dot after a line end was doubled by the client (RFC 5321 §4.5.2)."""
        octets, end = self._octets, self._end
        if self._stuffed:
            del octets[end + 2 :]
            octets = octets.replace(_DOT, b"\r\n")
            end = len(octets) - 2
        with memoryview(octets) as whole:
            return bytes(whole[2 : end + 2])


def refuse_bare_line_ends(raw: bytes) -> None:
    """Raise BadMessage for what other programs may take for a line end, and for endless lines.

    (RFC 5321 §2.3.8: CR and LF only together. NUL is refused because C programs end there.)
    """
    if not has_only_crlf(raw):
        raise BadMessage("CR and LF may only stand together (RFC 5321 section 2.3.8)")
    if b"\0" in raw:
        raise BadMessage("NUL is not allowed in a message (RFC 5322 section 3.5)")
    position = 0
    while position + limits.LINE_OCTETS < len(raw):
        line_end = raw.rfind(b"\n", position, position + limits.LINE_OCTETS + 2)
        if line_end < 0:
            raise BadMessage(f"A line is longer than {limits.LINE_OCTETS} octets")
        position = line_end + 1
