"""A body as DKIM hashes it, a piece at a time: RFC 6376 §3.4.3 and §3.4.4. (pure)

In pieces, because a big body is hashed in a thread, and one call over 50 MB of white space would hold up all
other threads for seconds; and because no copy of it need be kept.
"""

from __future__ import annotations

from collections.abc import Iterator

from mailcore import limits
from mailcore.senderauth.dkim import relaxed_lines

_END = b"\r\n"


def pieces(body: bytes, *, relaxed: bool, size: int = limits.DKIM_PIECE_OCTETS) -> Iterator[bytes]:
    """The canonical body: "relaxed", or "simple" (§3.4.3), where only empty lines at the end go.

    A piece ends with a line, after at least size octets. Line ends are kept back until something follows.
    """
    start, empty, is_begun = 0, 0, False
    while start < len(body):
        end = body.find(_END, start + size)
        end = len(body) if end < 0 else end + 2
        piece = body[start:end]
        start = end
        if start == len(body) and not piece.endswith(_END):
            piece += _END
        if relaxed:
            piece = relaxed_lines(piece)
        kept, ends = _without_ends(piece)
        if kept:
            if empty:
                yield _END * empty
            yield kept
            empty, is_begun = 0, True
        empty += ends
    if is_begun or not relaxed:
        yield _END  # a simple body without any line is one empty line


def _without_ends(piece: bytes) -> tuple[bytes, int]:
    """piece without the line ends it ends with, and how many those are."""
    kept = len(piece.rstrip(_END))
    ends, odd = divmod(len(piece) - kept, 2)
    if not odd and piece.endswith(_END * ends):
        return piece[:kept], ends
    # A CR or LF of its own stands among them.
    end = len(piece)
    while piece.endswith(_END, 0, end):
        end -= 2
    return piece[:end], (len(piece) - end) // 2
