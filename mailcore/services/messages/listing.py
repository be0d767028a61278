"""Messages as lists of people's programs show them: pages by uid, threads, search. Plain SQL, no locks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mailcore import limits
from mailcore.services import sql


@dataclass(frozen=True, slots=True)
class Listed:
    """One message of a list: what stands in its row. date is epoch seconds."""

    folder_id: int
    uid: int
    flags: int
    date: int
    size: int
    thread_id: int
    content_id: int
    message_id: str
    subject: str
    from_text: str
    to_text: str
    preview: str
    has_attachments: bool


_LISTED = (
    "SELECT m.folder_id, m.uid, m.flags, m.internal_date, m.size, m.thread_id, m.content_id, c.message_id,"
    " c.subject, c.from_text, c.to_text, c.preview, c.has_attachments"
)
_COLUMNS = {"from": ("c.from_text",), "to": ("c.to_text",), "subject": ("c.subject",)}
_ANYWHERE = ("c.subject", "c.from_text", "c.to_text", "c.preview")


def _listed(statement: str, params: Sequence[Any]) -> list[Listed]:
    return [Listed(*row) for row in sql.rows(f"{_LISTED} {statement}", params)]


def list_page(folder_id: int, before_uid: int | None = None, limit: int = 50) -> list[Listed]:
    """The newest messages of a folder, or the newest below a uid; newest first."""
    return _listed(
        "FROM message m JOIN content c ON c.id = m.content_id"
        " WHERE m.folder_id = %s AND m.uid < %s ORDER BY m.uid DESC LIMIT %s",
        (folder_id, before_uid or 2**32, limit),
    )


def by_uid(folder_id: int, uid: int) -> Listed | None:
    """One message, None when it is not there."""
    found = _listed(
        "FROM message m JOIN content c ON c.id = m.content_id WHERE m.folder_id = %s AND m.uid = %s",
        (folder_id, uid),
    )
    return found[0] if found else None


def thread(mailbox_id: int, thread_id: int) -> list[Listed]:
    """The messages of a thread in all folders, oldest first; the newest limits.THREAD_SHOWN of them."""
    found = _listed(
        "FROM message m JOIN content c ON c.id = m.content_id WHERE m.mailbox_id = %s AND m.thread_id = %s"
        " ORDER BY m.internal_date DESC, m.id DESC LIMIT %s",
        (mailbox_id, thread_id, limits.THREAD_SHOWN),
    )
    return found[::-1]


def search_page(
    folder_id: int, words: Sequence[tuple[str, str]], before_uid: int | None = None, limit: int = 50
) -> list[Listed]:
    """Messages that hold all words, newest first: of (field, text) pairs, field from, to, subject or "".

    "" looks in subject, addresses and the preview, not in whole bodies. The newest limits.LIST_SEARCHED
    messages below before_uid are looked through.
    """
    conditions, params = [], []
    for field, text in words[: limits.LIST_SEARCH_WORDS]:
        columns = _COLUMNS.get(field, _ANYWHERE)
        pattern = sql.text(text.lower())
        for special in "!%_":
            pattern = pattern.replace(special, f"!{special}")
        # SQLite's lower() knows ASCII only: other letters match as they were written, too.
        conditions.append(
            "(" + " OR ".join(f"lower({column}) LIKE %s ESCAPE '!'" for column in columns) + ")"
        )
        params += [f"%{pattern}%"] * len(columns)
    if not conditions:
        return list_page(folder_id, before_uid, limit)
    return _listed(
        "FROM (SELECT * FROM message WHERE folder_id = %s AND uid < %s ORDER BY uid DESC LIMIT %s) m"
        f" JOIN content c ON c.id = m.content_id WHERE {' AND '.join(conditions)}"
        " ORDER BY m.uid DESC LIMIT %s",
        (folder_id, before_uid or 2**32, limits.LIST_SEARCHED, *params, limit),
    )
