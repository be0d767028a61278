"""The words of CONDSTORE in commands (RFC 7162 §7): modification sequences. Pure."""

from __future__ import annotations

import re

from mailcore.imap.wire.grammar import Cursor

_ENTRY = re.compile(rb'"/flags/(?:[^"\\\r\n]|\\["\\])+" (?:priv|shared|all)(?= )', re.IGNORECASE).match


def modseq(cursor: Cursor) -> int:
    """SP mod-sequence-valzer. 0 is taken for CHANGEDSINCE too: it means "all", and clients say so."""
    cursor.space("a modification sequence")
    return cursor.number("a modification sequence")


def search_modseq(cursor: Cursor) -> int:
    """What stands after MODSEQ in a search. A message has one modseq, whatever flag is named (§3.1.5)."""
    if cursor.sees(b' "'):
        cursor.pos += 1
        cursor.match(_ENTRY, 'a flag like "/flags/\\\\Seen" with priv, shared or all')
    return modseq(cursor)
