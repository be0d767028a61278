"""Rows and mails of many messages, a bounded lot at a time. For FETCH and SEARCH.

Each lot is read whole before it is yielded: no cursor and no transaction is open while the client reads.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, TypeAlias

from mailcore import limits
from mailcore.errors import NoSuchMessage
from mailcore.imap.sections import Sections
from mailcore.imap.view import View
from mailcore.services import messages

# A page goes on over so many messages nobody asked for, rather than end and cost another statement.
_GAP = 4

Slices: TypeAlias = list[tuple[int, int]]
Row: TypeAlias = tuple[Any, ...]
# Where a message is in view.shown, and its row.
Found: TypeAlias = tuple[int, Row]


def pages(slices: Slices, most: int) -> Iterator[Slices]:
    """Slices cut and put together so that each lot spans at most so many places."""
    page: Slices = []
    for first, last in slices:
        for start in range(first, last, most):
            stop = min(start + most, last)
            if page and (start - page[-1][1] > _GAP or stop - page[0][0] > most):
                yield page
                page = []
            page.append((start, stop))
    if page:
        yield page


def part(slices: Slices, first: int, stop: int) -> Slices:
    """Of the places in slices, in this order, the first-th to before the stop-th."""
    found: Slices = []
    before = 0
    for low, high in slices:
        start, end = max(low, low + first - before), min(high, low + stop - before)
        if start < end:
            found.append((start, end))
        before += high - low
    return found


def rows(
    view: View, slices: Slices, columns: Sequence[str], most: int = limits.IMAP_PAGE_ROWS
) -> Iterator[tuple[list[Found], bool]]:
    """The rows (of messages.contents, m.uid first) of what is still there, and whether all of it was."""
    shown = view.shown
    for page in pages(slices, most):
        low, high = shown[page[0][0]], shown[page[-1][1] - 1]
        by_uid = {row[0]: row for row in messages.contents(view.snapshot.folder_id, low, high, columns)}
        found: list[Found] = []
        wanted = 0
        for start, stop in page:
            wanted += stop - start
            found += [(at, by_uid[shown[at]]) for at in range(start, stop) if shown[at] in by_uid]
        yield found, len(found) == wanted


def with_mails(found: list[Found], *, size: int, content: int) -> Iterator[tuple[list[Found], bool]]:
    """The same rows, each with its mail (Sections) at its end. size and content are places in a row."""
    lot: list[Found] = []
    octets = 0
    for each in found:
        if lot and octets + each[1][size] > limits.IMAP_PAGE_OCTETS:
            yield _read(lot, content)
            lot, octets = [], 0
        lot.append(each)
        octets += each[1][size]
    if lot:
        yield _read(lot, content)


def mail(content_id: int) -> Sections | None:
    """One mail, None when it was swept away since its row was read."""
    try:
        return Sections(messages.raw_of(content_id))
    except NoSuchMessage:
        return None


def _read(lot: list[Found], content: int) -> tuple[list[Found], bool]:
    ids = [row[content] for _, row in lot]
    try:
        mails = messages.raws_of(ids)
    except NoSuchMessage:  # swept away since its row was read: take the others one by one
        mails = {}
        for pk in ids:
            try:
                mails[pk] = messages.raw_of(pk)
            except NoSuchMessage:
                continue
    there = [(at, (*row, Sections(mails[row[content]]))) for at, row in lot if row[content] in mails]
    return there, len(there) == len(lot)
