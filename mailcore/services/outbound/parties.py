"""Who submits and to whom: the mailbox as it is now, what it may, and where each recipient leads.

Called by submission.py, and by port 587 before there is a mail (accept_sender, accept_recipient).
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from functools import partial

from mailcore.errors import (
    DomainUnverified,
    MailboxSuspended,
    MailError,
    NotFound,
    NotYours,
    SendingStopped,
    TenantSuspended,
)
from mailcore.message.address import parse_path
from mailcore.models import Domain, Submission
from mailcore.secrets import random_id
from mailcore.services import addresses, allowances, queue, sql, suppressions
from mailcore.services.outbound import author

Source = Submission.Source


@dataclass(frozen=True, slots=True)
class Recipient:
    """One recipient we said yes to, and where it leads; route.is_ours tells here from outside."""

    address: str
    route: addresses.Route
    wish: queue.Wish = queue.NO_WISH


@dataclass(frozen=True, slots=True)
class Origin:
    """Who submits, by which door. reverse_path is "" for notifications of a client (RFC 8098 §3)."""

    mailbox_id: int
    user_id: int | None
    source: str
    reverse_path: str
    protocol: str = ""
    key: str | None = None
    # None: as the mailbox's settings say for that door; webmail always.
    file_sent: bool | None = None
    smtputf8: bool = False
    # RET and ENVID of RFC 3461.
    ret: str = ""
    envid: str = ""
    # REQUIRETLS (RFC 8689).
    requires_tls: bool = False
    # Not before then; and the sender's words for it (Submission.tags).
    hold_until: dt.datetime | None = None
    tags: str = ""
    priority: int = 0
    # The address it was handed in from.
    peer: str = ""
    trace: str = field(default_factory=random_id)


@dataclass(frozen=True, slots=True)
class Sender:
    """The mailbox behind an Origin, as it is now."""

    mailbox_id: int
    tenant_id: int
    file_sent_smtp: bool
    file_sent_api: bool
    allowed: allowances.Allowed = allowances.FREE

    def files_sent(self, origin: Origin) -> bool:
        if origin.file_sent is not None:
            return origin.file_sent
        return bool({
            Source.WEBMAIL.value: True, Source.SMTP.value: self.file_sent_smtp,
            Source.API.value: self.file_sent_api,
        }.get(origin.source, False))  # fmt: skip

    def keeper(self, author: str) -> Sender:
        """In whose Sent folder the copy of a mail by author lies, by whose settings: that of a shared mailbox
        whose address it is, so that all who use it see it, else the sender's own."""
        local, _, domain = author.rpartition("@")
        row = sql.row(
            "SELECT m.id, m.tenant_id, m.file_sent_smtp, m.file_sent_api FROM domain d"
            " JOIN address a ON a.domain_id = d.id AND a.local_part = %s"
            " JOIN mailbox m ON m.id = a.mailbox_id"
            " WHERE d.name = %s AND d.tenant_id = %s AND m.tenant_id = %s AND m.kind = 'shared'"
            " AND m.state = 'active'",
            (local, domain, self.tenant_id, self.tenant_id),
        )
        return Sender(row[0], row[1], bool(row[2]), bool(row[3])) if row else self


def accept_recipient(address: str, tenant_id: int | None = None) -> Recipient:
    """Where mail of a tenant for address goes; outside it need only be an address that takes its mail.

    Raises BadAddress, Suppressed, and for addresses here NoSuchAddress, MailboxSuspended, TenantSuspended,
    OverQuota, Loop.
    """
    path = parse_path(address)
    route = addresses.route(path)
    if route.is_ours:
        route = suppressions.spared(addresses.judge(route))
    elif tenant_id is not None:
        suppressions.check(tenant_id, str(path))
    return Recipient(str(path), route)


def accept_sender(
    mailbox_id: int, user_id: int | None, reverse_path: str, may: author.May | None = None
) -> Sender:
    """The mailbox, if mail may go out from it under that return address ("" is nobody's and may always).

    may tells whether it may send as an address, for who asks more than once.
    Raises NotFound, MailboxSuspended, TenantSuspended, SendingStopped, DomainUnverified, NotYours.
    """
    row = sql.row(
        f"SELECT m.state, t.state, m.tenant_id, m.file_sent_smtp, m.file_sent_api, {allowances.COLUMNS}"
        f" FROM mailbox m JOIN tenant t ON t.id = m.tenant_id{allowances.JOINS} WHERE m.id = %s",
        (mailbox_id,),
    )
    if row is None or "closing" in row[:2]:
        raise NotFound("This mailbox is gone")
    if row[1] != "active":
        raise TenantSuspended("This organisation is suspended")
    if row[0] != "active":
        raise MailboxSuspended
    allowed = allowances.read(row[5:])
    if allowed.is_stopped:
        raise SendingStopped
    may = may or partial(addresses.may_send_as, mailbox_id, user_id)
    if reverse_path and not may(reverse_path):
        raise not_yours(row[2], reverse_path)
    return Sender(mailbox_id, row[2], bool(row[3]), bool(row[4]), allowed)


def not_yours(tenant_id: int, address: str) -> MailError:
    """The error for an address that the mailbox may not use, or cannot yet."""
    name = address.rpartition("@")[2]
    pending = Domain.objects.filter(tenant_id=tenant_id, name=name, state=Domain.State.PENDING).exists()
    return DomainUnverified() if pending else NotYours()
