"""A message in place of another, in one transaction: IMAP's REPLACE. (RFC 8508)"""

from __future__ import annotations

from django.db import transaction

from mailcore.errors import FolderGone, MailError, NoSuchMessage
from mailcore.services import sql
from mailcore.services.messages.append import append_many, store_bodies
from mailcore.services.messages.change import expunge
from mailcore.services.messages.locked import lock_mailboxes
from mailcore.services.messages.units import Filed, Unit


def replace(unit: Unit, folder_id: int, uid: int, *, via: str = "") -> Filed:
    """File unit, of one mail with one filing, and remove a message for good; both or neither.

    The room of what goes counts as free already (RFC 8508 §4.3).
    Raises NoSuchMessage when there is none to be replaced, FolderGone, and what append_many gives.
    """
    store_bodies(unit)
    with transaction.atomic():
        # Two mailboxes are locked in one order, here as everywhere.
        there = sql.row("SELECT mailbox_id FROM folder WHERE id = %s", (folder_id,))
        if there is None:
            raise FolderGone
        lock_mailboxes({there[0], *(filing.mailbox_id for mail in unit.mails for filing in mail.filings)})
        if not expunge(folder_id, [(uid, uid)], only_deleted=False, via=via).uids:
            raise NoSuchMessage
        (filed,) = append_many([unit])
        if isinstance(filed, MailError):
            raise filed
        return filed[0]
