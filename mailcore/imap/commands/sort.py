"""SORT and UID SORT (RFC 5256): a SEARCH, put in order by keys that were made when the mail was filed.

The names people are shown by (RFC 5957) are made when they are asked for. RETURN is ESORT's (RFC 5267 §3).

One value for each message and criterion is held while it sorts, and none is kept.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from mailcore import limits
from mailcore.imap import pages
from mailcore.imap.commands import results
from mailcore.imap.commands.search import asks_modseq, find, youngest
from mailcore.imap.session import Done, Handler, Session
from mailcore.imap.wire import responses, seqset
from mailcore.imap.wire.values import Sort
from mailcore.message import mime
from mailcore.message.address import display_key
from mailcore.message.subject import casemap

_Made: TypeAlias = Callable[..., Any]


def _as_it_is(value: Any) -> Any:
    return value


def _sent(sent_at: int | None, internal_date: int) -> int:
    """A mail without a date that can be read was sent when it came (RFC 5256 §2.2)."""
    return internal_date if sent_at is None else sent_at


def _display(field: str) -> _Made:
    def made(header: bytes) -> str:
        return casemap(display_key(mime.read_fields(header, 0, len(header)).get(field.encode(), b"")))

    return made


# criterion -> columns of the row, what is made of them, and what a message counts as that went meanwhile.
# Texts compare as i;unicode-casemap says; addresses were mapped when they were filed.
_CRITERIA: dict[str, tuple[tuple[str, ...], _Made, int | str]] = {
    "ARRIVAL": (("m.internal_date",), _as_it_is, 0),
    "CC": (("c.cc_key",), _as_it_is, ""),
    "DATE": (("c.sent_at", "m.internal_date"), _sent, 0),
    "DISPLAYFROM": (("c.header",), _display("from"), ""),
    "DISPLAYTO": (("c.header",), _display("to"), ""),
    "FROM": (("c.from_key",), _as_it_is, ""),
    "SIZE": (("m.size",), _as_it_is, 0),
    "SUBJECT": (("c.base_subject",), casemap, ""),
    "TO": (("c.to_key",), _as_it_is, ""),
}


def sort(session: Session, command: Sort) -> Handler:
    view = session.selected
    if asks_modseq(command.key):
        yield from session.tell_modseqs()
    found = yield from find(view, command.key)
    # A criterion that is named twice has no more to say the second time.
    criteria: dict[str, bool] = {}
    for name, is_reversed in command.criteria:
        criteria.setdefault(name, is_reversed)
    columns = ["m.uid"]
    for name in criteria:
        columns += [column for column in _CRITERIA[name][0] if column not in columns]
    keys: dict[str, dict[int, Any]] = {name: {} for name in criteria}
    makers = [
        (keys[name], _CRITERIA[name][1], [columns.index(column) for column in _CRITERIA[name][0]])
        for name in criteria
    ]
    slices = [(first, last + 1) for first, last in seqset.collect(found)]
    most = limits.IMAP_PAGE_ROWS // (5 if "c.header" in columns else 1)
    for page, _ in pages.rows(view, slices, columns, most):
        for values, make, where in makers:
            for at, row in page:
                values[at] = make(*[row[index] for index in where])
        yield b""
    order = list(found)
    # Sorting is stable, in reverse too: by the last criterion first, then what is equal stays in the order
    # of sequence numbers (RFC 5256 §3).
    for name, is_reversed in reversed(criteria.items()):
        values, missing = keys[name], _CRITERIA[name][2]
        ranks = [values.get(at, missing) for at in order]
        ranked = sorted(range(len(order)), key=ranks.__getitem__, reverse=is_reversed)
        order = [order[index] for index in ranked]
        yield b""
    numbers = [view.shown[at] for at in order] if command.uid else [at + 1 for at in order]
    modseq = youngest(view, command.key, results.returned(command.returns, order))
    if command.returns is None:
        yield responses.sort(numbers, modseq)
    else:
        yield results.answer(command.tag, command.returns, numbers, uid=command.uid, modseq=modseq)
    return Done("SORT completed")
