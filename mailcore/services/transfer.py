"""Moving a mailbox's mail in and out as a whole: imports and exports.

Imports leave out what is there already, so that one that was cut off can simply be run again.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator

from django.db import transaction

from mailcore.errors import MailError, NoSuchFolder
from mailcore.imap.wire.seqset import compact
from mailcore.models import Mailbox
from mailcore.services import events, folders, messages, sql
from mailcore.services.messages import Filing, Mail, Unit

FILED_TOGETHER = 50


class Import:
    """Files what is found, some at a time; leaves out what the folder has."""

    def __init__(self, mailbox: Mailbox, folder: str | None, *, skip: bool) -> None:
        self.mailbox = mailbox
        self.only = folder
        self.skip = skip
        self.filed = self.skipped = self.left_out = 0
        self._waiting: list[Unit] = []
        self._folders: dict[str, int] = {}
        self._there: dict[int, set[tuple[str, int]]] = {}

    def add(self, raw: bytes, *, folder: str = "", flags: int = 0, date: int | None = None) -> None:
        """Take one mail; it is filed with the next ones. date is epoch seconds, None means now.

        Raises OverQuota, BadFolderName, TooManyFolders; what was filed before stays.
        """
        pk = self._folder(self.only or folder or "INBOX")
        prepared = messages.prepare(raw)
        if self.skip and self._is_there(pk, prepared.index.message_id, len(raw)):
            self.skipped += 1
            return
        filing = Filing(self.mailbox.tenant_id, self.mailbox.pk, pk, flags=flags, internal_date=date)
        self._waiting.append(Unit([Mail(prepared, [filing])], enforce_quota=True))
        if len(self._waiting) >= FILED_TOGETHER:
            self.flush()

    def flush(self) -> None:
        """File what waits. Raises as add() does."""
        waiting, self._waiting = self._waiting, []
        for result in messages.append_many(waiting) if waiting else []:
            if isinstance(result, MailError):
                raise result
            self.filed += 1

    def _folder(self, name: str) -> int:
        if name not in self._folders:
            try:
                self._folders[name] = folders.find(self.mailbox.pk, name).folder_id
            except NoSuchFolder:
                self._folders[name] = folders.create(self.mailbox.pk, name)
                folders.subscribe(self.mailbox.pk, name)
        return self._folders[name]

    def _is_there(self, folder: int, message_id: str, octets_: int) -> bool:
        if folder not in self._there:
            self._there[folder] = {
                (row[0], row[1])
                for row in sql.rows(
                    "SELECT c.message_id, m.size FROM message m JOIN content c ON c.id = m.content_id"
                    " WHERE m.folder_id = %s",
                    (folder,),
                )
            }
        known = (message_id, octets_)
        if known in self._there[folder]:
            return True
        self._there[folder].add(known)
        return False


def mails(folder_id: int) -> Iterator[tuple[bytes, int, int]]:
    """(octets, flags, internal date) of every message of a folder, a few at a time.

    At the end one event says which of them left the house.
    """
    after, uids = 0, array("I")
    while some := sql.rows(
        "SELECT uid, content_id, flags, internal_date FROM message WHERE folder_id = %s AND uid > %s"
        " ORDER BY uid LIMIT 20",
        (folder_id, after),
    ):
        after = some[-1][0]
        uids.extend(row[0] for row in some)
        kept = messages.raws_of([row[1] for row in some])
        for _, content_id, flags, date in some:
            yield kept[content_id].raw, flags, date
    owner = sql.row("SELECT tenant_id, mailbox_id FROM folder WHERE id = %s", (folder_id,))
    if uids and owner:
        with transaction.atomic():
            events.record(
                "exported",
                tenant_id=owner[0],
                mailbox_id=owner[1],
                folder_id=folder_id,
                uids=compact(uids).decode(),
                data={"via": "operator"},
            )
