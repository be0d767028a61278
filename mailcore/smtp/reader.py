"""What a client sends, as aiosmtpd's command loop and AUTH read it: lines that end with CR LF, nothing else.

asyncio's reader ends a line at LF. Then a command, or what somebody managed to put into an argument, could
hide from a relay in front of us that counts lines by the standard (RFC 5321 §2.3.8). DATA is read elsewhere.
"""

from __future__ import annotations

import asyncio
from typing import Any

from mailcore.errors import BadSyntax


class CommandReader(asyncio.StreamReader):
    """Refuses, once, a line with a bare CR, LF or NUL in it, whatever else stands before its CR LF."""

    _buffer: bytearray
    _skips = False  # a line was refused, and its end has not come yet
    _before: int | None = None  # of a line over the limit: the octet in front of what comes next

    async def readuntil(self, separator: Any = b"\n") -> bytes:
        """The next line with its end. Raises BadSyntax, and what asyncio raises.

        After LimitOverrunError, and read() of what it says was consumed, the end of that line.
        """
        while True:
            try:
                line = await super().readuntil(separator)
            except asyncio.LimitOverrunError as error:
                if self._skips:
                    self._drop_rest()
                    continue
                self._before = self._buffer[error.consumed - 1]
                raise
            is_whole = line.endswith(b"\r\n")
            if self._skips:
                self._skips = not is_whole
            elif self._before is not None:
                is_whole = is_whole or (line == b"\n" and self._before == ord("\r"))
                self._before = None if is_whole else ord("\n")
                if is_whole:
                    return line
            elif not is_whole:
                self._drop_rest()
                raise BadSyntax("Lines end with CR LF, not with LF alone")
            elif b"\r" in line[:-2] or b"\0" in line:
                raise BadSyntax("CR and NUL have no place in a command")
            else:
                return line

    def _drop_rest(self) -> None:
        """Forget the rest of a refused line, so that nobody takes it for a command that is here already."""
        end = self._buffer.find(b"\r\n")
        self._skips = end < 0
        if end >= 0:
            del self._buffer[: end + 2]
        else:
            del self._buffer[: len(self._buffer) - self._buffer.endswith(b"\r")]
        self._maybe_resume_transport()  # type: ignore[attr-defined]
