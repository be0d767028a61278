"""QRESYNC (RFC 7162 §3.2): telling a client that comes back what went while it was away.

The change log says which uids went after a modseq. Where it does not reach back so far, all are told that the
client asks about and that are not there: never too few. SELECT and UID FETCH call it.
"""

from __future__ import annotations

from collections.abc import Iterator

from mailcore import limits
from mailcore.imap.view import View
from mailcore.imap.wire import responses, seqset
from mailcore.imap.wire.seqset import Ranges
from mailcore.services import messages


def vanished(
    view: View, modseq: int, known: Ranges, matches: tuple[Ranges, Ranges] | None = None
) -> Iterator[bytes]:
    """VANISHED (EARLIER) lines: which of known (resolved) went after modseq and are not shown to the client.

    What view shows is there to this client, even if it has gone by now: the news tell that.
    """
    gone = messages.gone_since(view.snapshot.folder_id, modseq)
    if gone is None:
        # It knows of all that went below a message that is where it thinks (§3.2.5.2).
        gone = ((_matched(view, matches) + 1, view.snapshot.uidnext - 1),)
    found = seqset.without(seqset.intersection(gone, known), view.shown)
    for start in range(0, len(found), limits.IMAP_VANISHED_RANGES):
        yield responses.vanished(found[start : start + limits.IMAP_VANISHED_RANGES], earlier=True)


def _matched(view: View, matches: tuple[Ranges, Ranges] | None) -> int:
    """The highest uid that has the sequence number the client knows for it, 0 if none has."""
    if matches is None:
        return 0
    matched = 0
    for seq, uid in zip(*map(seqset.numbers, matches), strict=True):
        if seq > len(view.shown):
            break
        if view.shown[seq - 1] == uid:
            matched = uid
    return matched
