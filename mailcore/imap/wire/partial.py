"""PARTIAL (RFC 9394 §4): some of what was found, counted from either end. Pure."""

from __future__ import annotations

import re

from mailcore.errors import BadSyntax
from mailcore.imap.wire.grammar import Cursor
from mailcore.imap.wire.values import Partial

_RANGE = re.compile(rb"(-?)([1-9][0-9]{0,9}):(-?)([1-9][0-9]{0,9})").match


def partial(cursor: Cursor) -> Partial:
    """SP partial-range"""
    cursor.space("a range like 1:100 or -1:-100")
    found = cursor.match(_RANGE, "a range like 1:100 or -1:-100")
    if found[1] != found[3]:
        raise BadSyntax("A range counts from one end")
    first, last = sorted((int(found[2]), int(found[4])))
    if last >= 1 << 32:
        raise BadSyntax("Numbers of messages are below 4294967296")
    return Partial(found[0], first, last, is_from_end=bool(found[1]))
