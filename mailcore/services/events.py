"""The trace that customers read: facts, added where they happen and in the same transaction.

append_many writes its own events with its other rows; everybody else calls record or record_many.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.db import transaction

from mailcore.message.log_lines import Happened
from mailcore.message.trace import key_of
from mailcore.models import Tenant
from mailcore.outside import clock
from mailcore.services import mail_log, sql

_COLUMNS = (
    "tenant_id", "mailbox_id", "trace", "kind", "at", "sender", "recipient", "folder_id", "uids", "data",
    "message_key",
)  # fmt: skip


@dataclass(slots=True)
class Fact:
    """One event to be. kind is a verb in the past; trace names the SMTP transaction or submission.

    message_id is the mail's own, where it comes into sight; later events of its trace need not repeat it.
    """

    kind: str
    tenant_id: int
    mailbox_id: int | None = None
    trace: str = ""
    sender: str = ""
    recipient: str = ""
    folder_id: int | None = None
    uids: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)
    message_id: str = ""


def record(
    kind: str,
    *,
    tenant_id: int,
    mailbox_id: int | None = None,
    trace: str = "",
    sender: str = "",
    recipient: str = "",
    folder_id: int | None = None,
    uids: str = "",
    data: Mapping[str, Any] | None = None,
    message_id: str = "",
) -> None:
    """Add one event."""
    fact = Fact(
        kind, tenant_id, mailbox_id, trace, sender, recipient, folder_id, uids, data or {}, message_id
    )
    record_many([fact])


def record_many(facts: Iterable[Fact]) -> None:
    """Add events, in one statement. Text from outside is cut to what its column holds."""
    moment, facts = sql.moment(clock.now()), list(facts)
    sql.execute_many(
        sql.insert_statement("event", _COLUMNS),
        [
            (
                fact.tenant_id, fact.mailbox_id, fact.trace[:40], fact.kind, moment,
                sql.text(fact.sender)[:320], sql.text(fact.recipient)[:320], fact.folder_id, fact.uids,
                json.dumps(dict(fact.data)), key_of(fact.message_id),
            )
            for fact in facts
        ],
    )  # fmt: skip
    if mail_log.is_on():
        mail_log.note(Happened(one.kind, one.trace, one.sender, one.recipient, one.data) for one in facts)


def prune(limit: int = 5_000) -> int:
    """Drop at most limit events that are older than their tenant keeps them; how many went."""
    gone = 0
    for tenant_id, days in Tenant.objects.values_list("pk", "event_days"):
        before = clock.now() - dt.timedelta(days=days)
        with transaction.atomic():
            gone += sql.execute(
                # The oldest few by id only: a search for old ones among all would read them all.
                "DELETE FROM event WHERE id IN (SELECT id FROM"
                " (SELECT id, at FROM event WHERE tenant_id = %s ORDER BY id LIMIT %s) oldest WHERE at < %s)",
                (tenant_id, limit - gone, sql.moment(before)),
            )
        if gone >= limit:
            break
    return gone
