"""Metadata: short values that programs keep beside a folder or a whole mailbox (RFC 5464).

An entry is a path like "/private/comment" in lower case. What is /private belongs to one person, who alone
sees it; what is /shared is the same for all who may use the mailbox. folder_id 0 is the mailbox itself.
Entries go with their folder, whatever it is renamed to.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from django.db import transaction

from mailcore import limits
from mailcore.errors import BadMetadata, Forbidden, MetadataTooBig, NotFound, TooMuchMetadata
from mailcore.services import sql
from mailcore.services.messages.locked import lock_mailboxes, ring, write_back

# RFC 5464 §3.2: components without "*", "%", controls and octets above 127.
_ENTRY = re.compile(r"/(?:private|shared)(?:/[!-$&-)+-.0-~ ]+)+").fullmatch


def normalise(entry: str) -> str:
    """The entry as it is kept. Raises BadMetadata."""
    entry = entry.lower()
    if len(entry) > limits.METADATA_ENTRY_OCTETS or not _ENTRY(entry):
        raise BadMetadata
    return entry


def values(mailbox_id: int, user_id: int, *, folder_id: int | None = None) -> dict[int, dict[str, bytes]]:
    """All that a person may see, as folder id -> entry -> value, or of one folder only. One statement."""
    where = "" if folder_id is None else " AND folder_id = %s"
    params = [mailbox_id, user_id] if folder_id is None else [mailbox_id, user_id, folder_id]
    found: dict[int, dict[str, bytes]] = {}
    for folder, entry, value in sql.rows(
        "SELECT folder_id, entry, value FROM metadata"
        f" WHERE mailbox_id = %s AND user_id IN (0, %s){where} ORDER BY folder_id, entry",
        params,
    ):
        found.setdefault(folder, {})[entry] = bytes(value)
    return found


def change(mailbox_id: int, user_id: int, folder_id: int, entries: Mapping[str, bytes | None]) -> None:
    """Keep these values, None removes one; all of them or nothing.

    Raises BadMetadata, MetadataTooBig, TooMuchMetadata, and Forbidden for what is shared by a whole mailbox.
    """
    entries = {normalise(entry): value for entry, value in entries.items()}
    if not folder_id and any(entry.startswith("/shared/") for entry in entries):
        raise Forbidden("What is shared by all is not yours to change")
    if any(value is not None and len(value) > limits.METADATA_VALUE_OCTETS for value in entries.values()):
        raise MetadataTooBig
    with transaction.atomic():
        box = lock_mailboxes([mailbox_id]).get(mailbox_id)
        if box is None:
            raise NotFound
        if folder_id and not sql.row(
            "SELECT 1 FROM folder WHERE id = %s AND mailbox_id = %s", (folder_id, mailbox_id)
        ):
            raise NotFound
        for entry, value in entries.items():
            owner = user_id if entry.startswith("/private/") else 0
            sql.execute(
                "DELETE FROM metadata"
                " WHERE mailbox_id = %s AND folder_id = %s AND user_id = %s AND entry = %s",
                (mailbox_id, folder_id, owner, entry),
            )
            if value is not None:
                sql.execute(
                    "INSERT INTO metadata (mailbox_id, folder_id, user_id, entry, value)"
                    " VALUES (%s, %s, %s, %s, %s)",
                    (mailbox_id, folder_id, owner, entry, value),
                )
        # What guests keep privately beside a shared folder takes no room from its owner, nor from each other.
        count, octets = sql.row(
            "SELECT count(*), coalesce(sum(length(value)), 0) FROM metadata"
            " WHERE mailbox_id = %s AND user_id IN (0, %s)",
            (mailbox_id, user_id),
        ) or (0, 0)
        if count > limits.METADATA_ENTRIES or octets > limits.METADATA_OCTETS:
            raise TooMuchMetadata
        if folder_id:
            # Who looks at HIGHESTMODSEQ only sees that there is something new (RFC 7162 §3.2).
            box.modseq += 1
            sql.execute("UPDATE folder SET modseq = %s WHERE id = %s", (box.modseq, folder_id))
            write_back([box])
        ring([mailbox_id])


def chosen(found: Mapping[str, bytes], entries: Iterable[str], depth: int | None) -> dict[str, bytes | None]:
    """Of what was found, the entries asked for and those as many levels below; depth None is all levels.

    An entry that is asked for by its own name alone (depth 0) and has no value is None.
    """
    asked = [normalise(entry) for entry in entries]
    if depth == 0:
        return {entry: found.get(entry) for entry in asked}
    return {
        entry: value
        for entry, value in found.items()
        if any(
            entry == one
            or (entry.startswith(f"{one}/") and (depth is None or entry.count("/") <= one.count("/") + depth))
            for one in asked
        )
    }
