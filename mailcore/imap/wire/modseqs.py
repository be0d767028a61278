"""The words of CONDSTORE and QRESYNC in commands (RFC 7162 §7). Pure."""

from __future__ import annotations

import re

from mailcore.errors import BadSyntax
from mailcore.imap.wire import seqset
from mailcore.imap.wire.grammar import Cursor
from mailcore.imap.wire.seqset import Ranges
from mailcore.imap.wire.values import Resync

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


def resync(cursor: Cursor) -> Resync:
    """SP "(" uidvalidity SP mod-sequence-value [SP known-uids] [SP seq-match-data] ")" """
    cursor.space("what is known of the folder in parentheses")
    cursor.expect(b"(", "'(' and a UIDVALIDITY")
    uidvalidity = cursor.number("a UIDVALIDITY")
    since = modseq(cursor)
    known = seqs = uids = None
    if cursor.sees(b" ") and not cursor.sees(b" ("):
        cursor.pos += 1
        known = _known(cursor)
    if cursor.take(b" ("):
        seqs = _rising(cursor)
        cursor.space("the UIDs of those numbers")
        uids = _rising(cursor)
        cursor.expect(b")", "')'")
        if seqset.count(seqs) != seqset.count(uids):
            raise BadSyntax("There are not as many UIDs as sequence numbers")
    cursor.expect(b")", "')'")
    return Resync(uidvalidity, since, known, (seqs, uids) if seqs and uids else None)


def _known(cursor: Cursor) -> Ranges:
    known = cursor.numbers("the UIDs that are known")
    if known[-1][1] >= seqset.STAR or known[0] == seqset.SAVED:
        raise BadSyntax("'*' and '$' are no numbers that a client can know")
    return known


def _rising(cursor: Cursor) -> Ranges:
    """The n-th of one set belongs to the n-th of another: they are to be as the client wrote them."""
    start = cursor.pos
    known = _known(cursor)
    written = seqset.parse_compact(cursor.text[start : cursor.pos])
    last = 0
    for first, end in written:
        if not last < first <= end:
            raise BadSyntax("Expected numbers in ascending order, each once")
        last = end
    return known
