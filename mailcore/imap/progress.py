"""Telling who waits for a long command that it is still at work (RFC 9585). session.py wraps handlers in it.

Only for handlers that yield nothing (b"") between whole lines: what is said there stands in no line's middle.
How far it is nobody knows before the end, so the tag is all that is said.
"""

from __future__ import annotations

from collections.abc import Generator
from time import monotonic
from typing import Any

from mailcore import limits
from mailcore.imap.wire import responses


def told(handler: Generator[Any, Any, Any], tag: bytes) -> Generator[Any, Any, Any]:
    """What handler yields and returns, with a line where it has said nothing for long and gives way."""
    since = monotonic()
    try:
        output = next(handler)
        while True:
            if output == b"" and monotonic() - since >= limits.IMAP_PROGRESS_SECONDS:
                output = responses.in_progress(tag)
            if output:
                since = monotonic()
            try:
                value = yield output
            except GeneratorExit:
                handler.close()
                raise
            except Exception as error:  # noqa: BLE001  # the handler's to catch
                output = handler.throw(error)
            else:
                output = handler.send(value)
    except StopIteration as stop:
        return stop.value
