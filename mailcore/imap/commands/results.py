"""What RETURN (...) makes of what a search found: one ESEARCH answer (RFC 4731 §3.1, RFC 9051 §7.3.4).

SEARCH asks with numbers that rise. Numbers in another order keep it here: MIN is the
first, MAX the last.
"""

from __future__ import annotations

from collections.abc import Sequence

from mailcore.imap.wire import responses, seqset
from mailcore.imap.wire.values import Modifier


def answer(tag: bytes, returns: tuple[Modifier, ...], numbers: Sequence[int], *, uid: bool) -> bytes:
    """The ESEARCH line for numbers (uids if uid). RETURN () asks for ALL; nothing found has COUNT only."""
    wanted = dict(returns) or {"ALL": None}
    data: list[tuple[bytes, bytes]] = []
    if numbers and "MIN" in wanted:
        data.append((b"MIN", b"%d" % numbers[0]))
    if numbers and "MAX" in wanted:
        data.append((b"MAX", b"%d" % numbers[-1]))
    if "COUNT" in wanted:
        data.append((b"COUNT", b"%d" % len(numbers)))
    if numbers and "ALL" in wanted:
        data.append((b"ALL", seqset.compact(numbers)))
    return responses.esearch(tag, data, uid=uid)
