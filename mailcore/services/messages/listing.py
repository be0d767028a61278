"""What a person looks at: a folder page by page, one conversation, what a search finds.

Plain values from plain SQL, without locks; a page costs the same in a folder of a hundred thousand. Pages
are named by where they begin, never by an offset: by uid in a folder, by serial across a mailbox (the
modseq at which a message was made, which is its primary key without the mailbox). Called by webmail.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from mailcore import limits
from mailcore.message import display, flags
from mailcore.message.address import parse_list
from mailcore.services import sql, textindex
from mailcore.services.messages.read import raws_of

_SERIAL_BITS = 40
_SERIAL_MASK = (1 << _SERIAL_BITS) - 1


@dataclass(frozen=True, slots=True)
class Listed:
    """One message as a list shows it. date is when it came, in epoch seconds."""

    serial: int
    folder_id: int
    folder_role: str
    uid: int
    flags: int
    date: int
    size: int
    email_id: int
    thread_id: int
    content_id: int
    message_id: str
    subject: str
    from_text: str
    to_text: str
    preview: str
    has_attachments: bool

    def has(self, flag: int) -> bool:
        return bool(self.flags & flag)


@dataclass(frozen=True, slots=True)
class Page:
    """Newest first. has_newer and has_older tell whether there is more on either side."""

    rows: list[Listed]
    has_newer: bool
    has_older: bool


_COLUMNS = (
    "SELECT m.id, m.folder_id, f.role, m.uid, m.flags, m.internal_date, m.size, m.email_id, m.thread_id,"
    " m.content_id, c.message_id, c.subject, c.from_text, c.to_text, c.preview, c.has_attachments"
)


def _listed(condition: str, order: str, params: Sequence[Any]) -> list[Listed]:
    """Messages by a condition on their own table; only those of one page are joined to their contents."""
    outside = ", ".join(f"m.{column}" for column in order.split(", "))
    return [
        Listed(row[0] & _SERIAL_MASK, *row[1:-1], bool(row[-1]))  # type: ignore[call-arg]
        for row in sql.rows(
            f"{_COLUMNS} FROM (SELECT * FROM message WHERE {condition} ORDER BY {order} LIMIT %s) m"
            f" JOIN content c ON c.id = m.content_id JOIN folder f ON f.id = m.folder_id ORDER BY {outside}",
            params,
        )
    ]


def list_page(
    folder_id: int, *, before: int | None = None, after: int | None = None, limit: int = limits.PAGE_ROWS
) -> Page:
    """A page of a folder: the newest messages, those older than uid before, or those newer than uid after."""
    if after is not None:
        found = _listed("folder_id = %s AND uid > %s", "uid", (folder_id, after, limit + 1))
        if len(found) <= limit:
            # The newest page is always a full one.
            return list_page(folder_id, limit=limit)
        return Page(found[limit - 1 :: -1], has_newer=True, has_older=True)
    found = _listed(
        "folder_id = %s AND uid < %s", "uid DESC", (folder_id, 2**32 if before is None else before, limit + 1)
    )
    newer = before is not None and sql.row(
        "SELECT 1 FROM message WHERE folder_id = %s AND uid >= %s LIMIT 1", (folder_id, before)
    )
    return Page(found[:limit], has_newer=bool(newer), has_older=len(found) > limit)


def by_uid(folder_id: int, uid: int) -> Listed | None:
    """One message, None when it is not there."""
    found = _listed("folder_id = %s AND uid = %s", "uid", (folder_id, uid, 1))
    return found[0] if found else None


def by_email(mailbox_id: int, thread_id: int, email_id: int) -> list[Listed]:
    """Every entry of one email, in whichever folders it lies now."""
    return _listed(
        "mailbox_id = %s AND thread_id = %s AND email_id = %s",
        "id",
        (mailbox_id, thread_id, email_id, limits.THREAD_ROWS),
    )


def thread(mailbox_id: int, opened: Listed) -> list[Listed]:
    """The conversation of a message, oldest first, from all folders; of the trash only the message itself.

    Each mail once: a copy, and what a person wrote to themselves, lie in two folders. Of a long one the
    newest limits.THREAD_ROWS, and the message itself in any case.
    """
    rows = _listed(
        "mailbox_id = %s AND thread_id = %s",
        "internal_date DESC, id DESC",
        (mailbox_id, opened.thread_id, limits.THREAD_ROWS),
    )
    shown = {_name(opened)}
    kept = []
    for row in rows:
        if row.serial == opened.serial:
            kept.append(row)
        elif _name(row) not in shown and row.folder_role != "trash":
            shown.add(_name(row))
            kept.append(row)
    if all(row.serial != opened.serial for row in kept):
        kept.append(opened)
    return kept[::-1]


def _name(row: Listed) -> tuple[str, str, str] | int:
    """What two entries of one mail have in common; a sender may choose a Message-ID, but not all of this."""
    return (row.message_id, row.from_text, row.subject) if row.message_id else row.email_id


def correspondents(mailbox_id: int) -> list[tuple[str, str]]:
    """(name, address) of those a mailbox lately wrote to or heard from, the likeliest first.

    Of the newest limits.PEOPLE_ROWS messages outside junk and trash, at most limits.PEOPLE. Who was written
    to counts more than who wrote; the newest name of an address that has one stands.
    """
    names: dict[str, tuple[str, str]] = {}
    weights: dict[str, int] = {}
    for row in islice(_rows(mailbox_id, None, None), limits.PEOPLE_ROWS):
        is_ours = row.folder_role in ("sent", "drafts")
        before: list[str] = []  # these texts have names without quotes: "Baker, Bob <bob@example.org>"
        for one in parse_list(row.to_text if is_ours else row.from_text):
            if not one.domain:
                before.append(one.name or one.local)
                continue
            name, before = ", ".join([*before, one.name]) if one.name else "", []
            key = one.address.casefold()
            if not names.get(key, ("",))[0]:
                names[key] = name, one.address
            weights[key] = weights.get(key, 0) + (5 if is_ours else 1)
    ranked = sorted(names, key=lambda key: -weights[key])
    return [names[key] for key in ranked[: limits.PEOPLE]]


# --- Search ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a person looks for; all of it must be so. Words may stand anywhere, the others in their field."""

    words: tuple[str, ...] = ()
    authors: tuple[str, ...] = ()
    recipients: tuple[str, ...] = ()
    subjects: tuple[str, ...] = ()
    is_unread: bool | None = None
    is_flagged: bool | None = None
    has_attachments: bool | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """A page of what was found, newest first.

    next_before goes on from here, None when everything was looked through. With is_partial there were
    messages of which only subject, people and preview were read, because limits.SEARCH_BODIES texts were.
    """

    rows: list[Listed]
    next_before: int | None
    looked_at: int
    is_partial: bool


def search_page(
    mailbox_id: int,
    wanted: Wanted,
    *,
    folder_id: int | None = None,
    before: int | None = None,
    limit: int = limits.PAGE_ROWS,
) -> Found:
    """Look through a mailbox or one folder, from the newest message or from serial before downwards.

    Without a folder, junk and trash are left out. At most limits.SEARCH_ROWS messages are looked at; of
    those whose index columns do not hold all words, the text of the newest few is read.
    """
    looking = _Looking(mailbox_id, wanted)
    hits: list[Listed] = []
    looked_at = 0
    for row in _rows(mailbox_id, folder_id, before):
        looked_at += 1
        if looking.wants(row):
            hits.append(row)
        if len(hits) == limit or looked_at == limits.SEARCH_ROWS:
            return Found(hits, row.serial, looked_at, looking.is_partial)
    return Found(hits, None, looked_at, looking.is_partial)


def _rows(mailbox_id: int, folder_id: int | None, before: int | None) -> Iterator[Listed]:
    base = mailbox_id << _SERIAL_BITS
    top = base + (_SERIAL_MASK if before is None else min(before, _SERIAL_MASK))
    inside = [folder_id] if folder_id is not None else _searched_folders(mailbox_id)
    where, params = sql.any_of(
        "+folder_id", inside
    )  # the plus: no index but that of id, which gives the order
    while True:
        rows = _listed(
            f"id < %s AND id >= %s AND {where}", "id DESC", [top, base, *params, limits.SEARCH_CHUNK_ROWS]
        )
        yield from rows
        if len(rows) < limits.SEARCH_CHUNK_ROWS:
            return
        top = base + rows[-1].serial


def _searched_folders(mailbox_id: int) -> list[int]:
    found = sql.rows(
        "SELECT id FROM folder WHERE mailbox_id = %s AND role NOT IN ('junk', 'trash')", (mailbox_id,)
    )
    return [row[0] for row in found]


class _Looking:
    """One search under way, and how much it may still read."""

    def __init__(self, mailbox_id: int, wanted: Wanted) -> None:
        self.mailbox_id = mailbox_id
        self.wanted = wanted
        # Of each word, which indexed mails hold it, and which are indexed.
        self.indexed: dict[str, tuple[set[int], frozenset[int]]] = {}
        self.words = [word.casefold() for word in wanted.words]
        self.authors = [word.casefold() for word in wanted.authors]
        self.recipients = [word.casefold() for word in wanted.recipients]
        self.subjects = [word.casefold() for word in wanted.subjects]
        self.bodies = 0
        self.octets = 0
        self.is_partial = False

    def wants(self, row: Listed) -> bool:
        wanted = self.wanted
        return (
            wanted.is_unread in (None, not row.has(flags.SEEN))
            and wanted.is_flagged in (None, row.has(flags.FLAGGED))
            and wanted.has_attachments in (None, row.has_attachments)
            and _all_in(self.authors, row.from_text)
            and _all_in(self.recipients, row.to_text)
            and _all_in(self.subjects, row.subject)
            and self._has_words(row)
        )

    def _has_words(self, row: Listed) -> bool:
        if not self.words:
            return True
        known = f"{row.subject}\n{row.from_text}\n{row.to_text}\n{row.preview}".casefold()
        missing = [word for word in self.words if word not in known]
        missing = [word for word in missing if not self._is_indexed(word, row) or not self._holds(word, row)]
        if not missing:
            return True
        if any(self._is_indexed(word, row) for word in missing):
            return False
        if self.bodies >= limits.SEARCH_BODIES or self.octets + row.size > limits.SEARCH_BODY_OCTETS:
            self.is_partial = True
            return False
        self.bodies += 1
        self.octets += row.size
        return _all_in(missing, display.read(raws_of([row.content_id])[row.content_id].raw).text)

    def _is_indexed(self, word: str, row: Listed) -> bool:
        if word not in self.indexed:
            asked = textindex.Wanted("BODY", word)
            self.indexed[word] = textindex.indexed(self.mailbox_id, asked)
        return row.content_id in self.indexed[word][1]

    def _holds(self, word: str, row: Listed) -> bool:
        return row.content_id in self.indexed[word][0]


def _all_in(needles: Sequence[str], text: str) -> bool:
    folded = text.casefold() if needles else ""
    return all(needle in folded for needle in needles)
