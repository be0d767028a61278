"""Which folders are meant: the filter-mailboxes of RFC 5465 §6, as RFC 7377 §2.2 has them."""

from __future__ import annotations

from typing import Final

from mailcore.errors import BadSyntax
from mailcore.imap.wire.grammar import Cursor
from mailcore.imap.wire.values import Folders

# name -> whether folder names stand behind it.
KINDS: Final = {
    **dict.fromkeys(("SELECTED", "INBOXES", "PERSONAL", "SUBSCRIBED"), False),
    **dict.fromkeys(("SUBTREE", "SUBTREE-ONE", "MAILBOXES"), True),
}


def several(cursor: Cursor) -> tuple[Folders, ...]:
    """One or more in parentheses."""
    return cursor.several(lambda: _one(cursor), "which folders")


def _one(cursor: Cursor) -> Folders:
    kind = cursor.word("which folders")
    if kind not in KINDS:
        raise BadSyntax(f"Unknown kind of folders {kind[:40]}")
    if not KINDS[kind]:
        return Folders(kind)
    cursor.space("folder names")
    if cursor.sees(b"("):
        return Folders(kind, cursor.several(cursor.folder, "folder names"))
    return Folders(kind, (cursor.folder(),))
