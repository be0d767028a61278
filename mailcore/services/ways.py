"""By which protocols programs may open a mailbox, and what POP3's DELE does there. (RFC 1939 §5)

Webmail and the API are not asked. doors.py turns away who comes by a way that is closed, and ends the
sessions of who is inside within a minute.
"""

from __future__ import annotations

from mailcore.errors import BadValue
from mailcore.imap.wire import withheld
from mailcore.models import Mailbox, User
from mailcore.outside import doorbell
from mailcore.services import audit, races, sql


def change(
    mailbox: Mailbox,
    *,
    imap: bool | None = None,
    pop3: bool | None = None,
    smtp: bool | None = None,
    pop3_deletes: str | None = None,
    imap_without: str | None = None,
    actor: User | None,
) -> None:
    """Open or close ways into a mailbox; None leaves one as it is. Raises BadValue.

    imap_without: capabilities that its programs are not offered from their next login on, spaces between.
    """
    if pop3_deletes is not None and pop3_deletes not in Mailbox.Deleting.values:
        raise BadValue("What is deleted by POP3 is removed, or goes to trash or archive")
    if imap_without is not None:
        try:
            imap_without = " ".join(sorted(withheld.read(imap_without)))
        except ValueError as error:
            raise BadValue(str(error)) from error
    wanted = {
        "has_imap": imap, "has_pop3": pop3, "has_smtp": smtp, "pop3_deletes": pop3_deletes,
        "imap_without": imap_without,
    }  # fmt: skip
    changed = {name: value for name, value in wanted.items() if value is not None}
    if not changed:
        return
    with races.change():
        Mailbox.objects.filter(pk=mailbox.pk).update(**changed)
        audit.record(actor, "mailbox.ways", mailbox, data=changed)
        doorbell.ring(f"mailbox:{mailbox.pk}")
    for name, value in changed.items():
        setattr(mailbox, name, value)


def imap_without(mailbox_id: int) -> frozenset[str]:
    """The capabilities that programs are not offered in this mailbox."""
    row = sql.row("SELECT imap_without FROM mailbox WHERE id = %s", (mailbox_id,))
    return frozenset(row[0].split()) if row is not None else frozenset()
