"""One turn of a command in a database thread. Called by connection.py."""

from __future__ import annotations

from collections.abc import Generator
from time import monotonic
from typing import Any, TypeAlias

from mailcore import limits
from mailcore.imap.compression import Compression
from mailcore.imap.session import Output

Running: TypeAlias = Generator[Output, Any, None]
ENDED = object()


def turn(
    running: Running, value: object, error: BaseException | None, compression: Compression | None
) -> tuple[list[bytes], object]:
    """Run a command until it needs the loop, has said much, or has taken long.

    Returns what it said, deflated if there is a compression, and its request, None to go on later, or ENDED.
    """
    out, request = _said(running, value, error)
    if out and compression is not None:
        out = [compression.deflate(b"".join(out))]
    return out, request


def _said(running: Running, value: object, error: BaseException | None) -> tuple[list[bytes], object]:
    out: list[bytes] = []
    octets = 0
    until = monotonic() + limits.IMAP_TURN_SECONDS
    try:
        output = running.send(value) if error is None else running.throw(error)
        while isinstance(output, bytes):
            if output:
                out.append(output)
                octets += len(output)
                if octets >= limits.IMAP_TURN_OCTETS:
                    return out, None
            elif monotonic() > until:
                return out, None
            output = next(running)
    except StopIteration:
        return out, ENDED
    return out, output
