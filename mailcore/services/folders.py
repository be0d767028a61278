"""Folders: create, rename, delete, subscribe. Names are Unicode paths with "/" between levels.

A folder exists when it has a row. A parent that has none is a name without a folder (RFC 9051
§6.3.4 lets us), which the listing shows as \\NonExistent. INBOX is spelt so whatever the client wrote.
"""

from __future__ import annotations

import unicodedata

from django.db import transaction

from mailcore import limits
from mailcore.errors import (
    BadFolderName,
    BadFolderUse,
    FolderExists,
    FolderProtected,
    NoSuchFolder,
    NotFound,
    TooManyFolders,
)
from mailcore.models.folder import Folder, Subscription
from mailcore.services import messages, sql
from mailcore.services.messages.locked import (
    FOLDER_NAMES,
    LockedMailbox,
    lock_mailboxes,
    make_folder,
    ring,
    write_back,
)

SEPARATOR = "/"
# Below these stand the folders of other mailboxes, each under the address of its own (services/sharing.py).
OTHERS, SHARED = "Other Users", "Shared"


def normalise(name: str) -> str:
    """The name as it is kept. Raises BadFolderName."""
    name = unicodedata.normalize("NFC", name).rstrip(SEPARATOR)
    levels = name.split(SEPARATOR)
    if not all(levels) or len(levels) > limits.FOLDER_DEPTH:
        raise BadFolderName(f"A folder name has levels that are not empty, at most {limits.FOLDER_DEPTH}")
    if len(name.encode("utf-8", "replace")) > limits.FOLDER_NAME_OCTETS:
        raise BadFolderName(f"A folder name has at most {limits.FOLDER_NAME_OCTETS} octets")
    if any(unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp") or char in "%*" for char in name):
        raise BadFolderName("A folder name has no control characters, % or *")
    if levels[0].upper() == "INBOX":
        levels[0] = "INBOX"
    return SEPARATOR.join(levels)


def is_of_another(name: str) -> bool:
    """Whether a name stands where the folders of other mailboxes do; one's own are not made there."""
    root, _, rest = name.partition(SEPARATOR)
    return root in (OTHERS, SHARED) and "@" in rest.partition(SEPARATOR)[0]


def may_have_children(name: str) -> bool:
    """Whether any name below this one would be a good name."""
    return (
        name.count(SEPARATOR) + 1 < limits.FOLDER_DEPTH
        and len(name.encode("utf-8", "replace")) + 2 <= limits.FOLDER_NAME_OCTETS
    )


def find(mailbox_id: int, name: str) -> messages.FolderState:
    """The folder of that name with its counters. Raises NoSuchFolder, BadFolderName."""
    found = sql.row(
        "SELECT id FROM folder WHERE mailbox_id = %s AND name = %s", (mailbox_id, normalise(name))
    )
    if found is None:
        raise NoSuchFolder
    return messages.folder_state(found[0])


def by_role(mailbox_id: int, role: str) -> int:
    """The primary key of the folder with this role, made if there is none."""
    found = sql.row("SELECT id FROM folder WHERE mailbox_id = %s AND role = %s", (mailbox_id, role))
    if found:
        return int(found[0])
    with transaction.atomic():
        box = _lock(mailbox_id)
        folder = make_folder(box, FOLDER_NAMES[role], role)
        write_back([box])
        ring([mailbox_id])
    return folder.pk


def _lock(mailbox_id: int) -> LockedMailbox:
    box = lock_mailboxes([mailbox_id]).get(mailbox_id)
    if box is None:
        raise NotFound
    return box


def create(mailbox_id: int, name: str, *, role: str = "") -> int:
    """Make a folder; its primary key.

    Raises BadFolderName, FolderExists, BadFolderUse (another folder has the role), TooManyFolders.
    """
    name = normalise(name)
    if is_of_another(name):
        raise BadFolderName("Folders of that name are those of other mailboxes")
    with transaction.atomic():
        box = _lock(mailbox_id)
        taken = sql.rows(
            "SELECT name, role FROM folder"
            " WHERE mailbox_id = %s AND (name = %s OR (role = %s AND role <> ''))",
            (mailbox_id, name, role),
        )
        if any(row[0] == name for row in taken):
            raise FolderExists
        if taken:
            raise BadFolderUse("Another folder has that use already")
        count = sql.row("SELECT count(*) FROM folder WHERE mailbox_id = %s", (mailbox_id,))
        if count and count[0] >= limits.FOLDERS:
            raise TooManyFolders
        folder = make_folder(box, name, role)
        _inherit_rights(mailbox_id, name, folder.pk)
        write_back([box])
        ring([mailbox_id])
    return folder.pk


def nearest_above(mailbox_id: int, name: str) -> int | None:
    """The nearest folder above a name that exists; None for none."""
    while SEPARATOR in name:
        name = name.rpartition(SEPARATOR)[0]
        found = sql.row("SELECT id FROM folder WHERE mailbox_id = %s AND name = %s", (mailbox_id, name))
        if found:
            return int(found[0])
    return None


def _inherit_rights(mailbox_id: int, name: str, folder_id: int) -> None:
    """A new folder is shared as the nearest one above it is (RFC 4314 §4)."""
    above = nearest_above(mailbox_id, name)
    if above is not None:
        sql.execute(
            "INSERT INTO folder_right (tenant_id, mailbox_id, folder_id, grantee_id, group_id, rights)"
            " SELECT tenant_id, mailbox_id, %s, grantee_id, group_id, rights FROM folder_right"
            " WHERE folder_id = %s",
            (folder_id, above),
        )


def rename(mailbox_id: int, old: str, new: str) -> None:
    """Rename a folder and all below it; renaming INBOX moves its messages to a new folder (RFC 9051 §6.3.6).

    Raises NoSuchFolder, FolderExists, BadFolderName.
    """
    old, new = normalise(old), normalise(new)
    if old == "INBOX":
        with transaction.atomic():
            target = create(mailbox_id, new)
            messages.move(by_role(mailbox_id, "inbox"), messages.ALL, target, via="rename")
        return
    if new == old or new.startswith(old + SEPARATOR):
        raise BadFolderName("A folder cannot move below itself")
    if new == "INBOX":
        raise FolderExists
    if is_of_another(new):
        raise BadFolderName("Folders of that name are those of other mailboxes")
    with transaction.atomic():
        box = _lock(mailbox_id)
        found = sql.rows("SELECT name, id FROM folder WHERE mailbox_id = %s", (mailbox_id,))
        names: dict[str, int] = dict(found)
        moved = {name: pk for name, pk in names.items() if name == old or name.startswith(old + SEPARATOR)}
        if not moved:
            raise NoSuchFolder
        renamed = {normalise(new + name[len(old) :]): pk for name, pk in moved.items()}
        if any(name in names and name not in moved for name in renamed):
            raise FolderExists
        box.modseq += 1
        sql.execute_many(
            "UPDATE folder SET name = %s, modseq = %s WHERE id = %s",
            # Shortest first: what moves up a level may take the name of one that has moved just before.
            [(name, box.modseq, renamed[name]) for name in sorted(renamed, key=len)],
        )
        write_back([box])
        ring([mailbox_id])


def delete(mailbox_id: int, name: str) -> None:
    """Remove a folder and its messages, which are kept aside for the retention; folders below it stay.

    Raises NoSuchFolder, FolderProtected.
    """
    state = find(mailbox_id, name)
    if state.role == Folder.Role.INBOX:
        raise FolderProtected("INBOX cannot be deleted")
    with transaction.atomic():
        messages.expunge(state.folder_id, only_deleted=False, via="folder")
        box = _lock(mailbox_id)
        box.modseq += 1
        sql.execute("DELETE FROM change WHERE folder_id = %s", (state.folder_id,))
        sql.execute(
            "DELETE FROM metadata WHERE mailbox_id = %s AND folder_id = %s", (mailbox_id, state.folder_id)
        )
        sql.execute("DELETE FROM folder_right WHERE folder_id = %s", (state.folder_id,))
        sql.execute("DELETE FROM folder WHERE id = %s", (state.folder_id,))
        write_back([box])
        ring([mailbox_id])


def subscribe(mailbox_id: int, name: str) -> None:
    """Remember a name the client wants to see in LSUB; it need not exist. Raises BadFolderName."""
    with transaction.atomic():
        Subscription.objects.get_or_create(mailbox_id=mailbox_id, name=normalise(name))
        ring([mailbox_id])


def unsubscribe(mailbox_id: int, name: str) -> None:
    """Forget it. Not being subscribed is no error. Raises BadFolderName."""
    with transaction.atomic():
        Subscription.objects.filter(mailbox_id=mailbox_id, name=normalise(name)).delete()
        ring([mailbox_id])


def subscriptions(mailbox_id: int) -> set[str]:
    """The names subscribed to."""
    return set(Subscription.objects.filter(mailbox_id=mailbox_id).values_list("name", flat=True))
