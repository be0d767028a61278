"""The inbox as POP3 sees it: listed once at login, changed once at the end (RFC 1939 §3 to §6).

Called by mailcore/pop3. Who may have the maildrop at a time is outside/leases.py's business.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass

from django.db import transaction

from mailcore.errors import NoSuchMessage
from mailcore.imap.wire.seqset import Ranges, collect, compact
from mailcore.message import downgrade, flags
from mailcore.message.parts import parse_table
from mailcore.models import Mailbox
from mailcore.services import events, folders, messages, sql
from mailcore.services.messages import Octets


@dataclass(frozen=True, slots=True)
class Maildrop:
    """The messages there were at login, by uid: the same place in the three arrays is the same message."""

    tenant_id: int
    mailbox_id: int
    folder_id: int
    uidvalidity: int
    uids: array[int]
    sizes: array[int]
    contents: array[int]


def look_into(tenant_id: int, mailbox_id: int) -> Maildrop:
    """Return what the inbox of a mailbox holds now."""
    folder_id = folders.by_role(mailbox_id, "inbox")
    state = messages.folder_state(folder_id)
    rows = messages.contents(folder_id, 1, 2**32 - 1, ("m.uid", "m.size", "m.content_id"))
    # By columns: no tuple of a message outlives this.
    uids, sizes, contents = zip(*rows, strict=True) if rows else ((), (), ())
    return Maildrop(
        tenant_id, mailbox_id, folder_id, state.uidvalidity,
        array("I", uids), array("q", sizes), array("q", contents),
    )  # fmt: skip


def header_of(maildrop: Maildrop, index: int, is_utf8: bool = True) -> bytes:
    """The header section of one message as a client reads it. Raises NoSuchMessage."""
    uid = maildrop.uids[index]
    rows = messages.contents(maildrop.folder_id, uid, uid, ("c.prefix", "c.header"))
    if not rows:
        raise NoSuchMessage
    header = bytes(rows[0][0]) + bytes(rows[0][1])
    return downgrade.header(header) if not is_utf8 and downgrade.is_international(header) else header


def shown(mail: Octets, *, is_utf8: bool) -> Octets:
    """The mail as a client reads it: who does not know UTF-8 gets a surrogate (RFC 6856 §2, RFC 6858)."""
    if is_utf8 or not downgrade.is_international(mail.prefix + mail.header):
        return mail
    found = downgrade.surrogate(mail.header + mail.body, parse_table(mail.parts))
    raw, parts = (found[0], found[1].parts) if found is not None else (mail.header + mail.body, mail.parts)
    return Octets(downgrade.header(mail.prefix), b"", raw, parts)


def leave(
    maildrop: Maildrop, fetched: Sequence[int], deleted: Sequence[int] = (), mark_read: bool = False
) -> None:
    """Record which uids were fetched whole and take the deleted ones out, all or none of it.

    With mark_read those fetched that stay become \\Seen. What another client has removed meanwhile is no
    failure. Raises FolderGone.
    """
    with transaction.atomic():
        if fetched:
            events.record(
                "fetched",
                tenant_id=maildrop.tenant_id,
                mailbox_id=maildrop.mailbox_id,
                folder_id=maildrop.folder_id,
                uids=compact(sorted(fetched)).decode(),
                data={"via": "pop3"},
            )
        if mark_read and (stays := sorted(set(fetched) - set(deleted))):
            messages.set_flags(maildrop.folder_id, collect(stays), add=flags.SEEN, via="pop3")
        if deleted:
            _take_out(maildrop, collect(sorted(deleted)))


def _take_out(maildrop: Maildrop, ranges: Ranges) -> None:
    """DELE takes a message out of the inbox; the mailbox says where to (services/ways.py)."""
    row = sql.row("SELECT pop3_deletes FROM mailbox WHERE id = %s", (maildrop.mailbox_id,))
    if row is None or row[0] == Mailbox.Deleting.REMOVE:
        messages.expunge(maildrop.folder_id, ranges, only_deleted=False, via="pop3")
    else:
        messages.move(maildrop.folder_id, ranges, folders.by_role(maildrop.mailbox_id, row[0]), via="pop3")
