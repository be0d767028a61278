"""Which folders are meant: the filter-mailboxes of RFC 5465 §6, as RFC 7377 §2.2 has them."""

from __future__ import annotations

from collections.abc import Mapping
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
    return cursor.several(lambda: one(cursor), "which folders")


def one(cursor: Cursor, kinds: Mapping[str, bool] = KINDS) -> Folders:
    """One of kinds, with its folder names."""
    kind = cursor.word("which folders")
    if kind not in kinds:
        raise BadSyntax(f"Unknown kind of folders {kind[:40]}")
    if not kinds[kind]:
        return Folders(kind)
    cursor.space("folder names")
    if cursor.sees(b"("):
        return Folders(kind, cursor.several(cursor.folder, "folder names"))
    return Folders(kind, (cursor.folder(),))
