"""What RETURN (...) makes of what a search found: one ESEARCH answer (RFC 4731 §3.1, RFC 9051 §7.3.4).

SEARCH asks with numbers that rise. Numbers in another order keep it here: MIN is the
first, MAX the last.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from mailcore.imap.wire import responses, seqset
from mailcore.imap.wire.values import Modifier, Partial


def answer(
    tag: bytes,
    returns: tuple[Modifier, ...],
    numbers: Sequence[int],
    *,
    uid: bool,
    modseq: int = 0,
    place: responses.Place | None = None,
) -> bytes:
    """The ESEARCH line for numbers (uids if uid). RETURN () asks for ALL; nothing found has COUNT only.

    modseq is that of what is returned, if the search asked about modseqs (RFC 4731 §3.2); place where it was
    found, if that has to be said (RFC 7377).
    """
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
    if "PARTIAL" in wanted:
        part = cast(Partial, wanted["PARTIAL"])
        some = numbers[slice(*part.within(len(numbers)))]
        data.append((b"PARTIAL", b"(%b %b)" % (part.text, seqset.compact(some) if some else b"NIL")))
    if modseq:
        data.append((b"MODSEQ", b"%d" % modseq))
    return responses.esearch(tag, data, uid=uid, place=place)


def returned(returns: tuple[Modifier, ...] | None, found: Sequence[int]) -> Sequence[int]:
    """What of found is returned, and saved: with MIN, MAX and PARTIAL alone only that, else all
    (RFC 4731 §3.2, RFC 5182 §2.4, RFC 9394 §3.2)."""
    wanted = {name: value for name, value in returns or () if name != "SAVE"}
    if not wanted or wanted.keys() - {"MIN", "MAX", "PARTIAL"}:
        return found
    some = list(found[:1]) if "MIN" in wanted else []
    if "PARTIAL" in wanted:
        some += found[slice(*cast(Partial, wanted["PARTIAL"]).within(len(found)))]
    if "MAX" in wanted:
        some += found[-1:]
    return list(dict.fromkeys(some))
