"""Mail kept apart from the folders of its mailbox until a person decides, or its time is over.

No client sees it and it counts toward no quota; it has limits of its own (full()), beyond which mail goes to
Junk. inbound puts it here as services/sorting says; each step leaves an event in the trace of the mail.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import transaction

from mailcore import limits
from mailcore.errors import BadValue, NotFound
from mailcore.filters.spam import Decision
from mailcore.models import Quarantined, User
from mailcore.outside import clock
from mailcore.secrets import random_id
from mailcore.services import audit, closing, delivery, events, messages, sender_rules, sql
from mailcore.services.messages import Filed, Filing, Mail, Unit

ROWS = 200
_COLUMNS = (
    "public_id", "tenant_id", "mailbox_id", "content_id", "trace", "recipient", "sender", "author", "subject",
    "octets", "score", "reasons", "at", "expires_at",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Kept:
    """A mail to be kept: what it is known by, and for whom."""

    filings: Sequence[Filing]
    decision: Decision
    trace: str
    sender: str
    author: str
    subject: str
    octets: int
    message_id: str
    # What its events tell.
    data: Mapping[str, Any]


def full(mailbox_ids: Collection[int]) -> set[int]:
    """Those of these mailboxes whose quarantine takes no more.

    It is looked at before the mail is filed: some that come at once may overstep it by themselves.
    """
    if not mailbox_ids:
        return set()
    where, params = sql.any_of("mailbox_id", sorted(set(mailbox_ids)))
    rows = sql.rows(
        f"SELECT mailbox_id, COUNT(*), SUM(octets) FROM quarantined WHERE {where} GROUP BY mailbox_id", params
    )
    return {
        box
        for box, count, octets in rows
        if count >= limits.QUARANTINE_MESSAGES or octets >= limits.QUARANTINE_OCTETS
    }


def keep(kept: Kept, contents: Mapping[int, int]) -> None:
    """Write what filing left out, inside its transaction. contents has the content of each tenant."""
    now = clock.now()
    until = now + dt.timedelta(days=settings.HOSTMAIL_QUARANTINE_DAYS)
    reasons = json.dumps([[one.name, one.points, one.text] for one in kept.decision.reasons])
    sql.execute_many(
        sql.insert_statement("quarantined", _COLUMNS),
        [
            (
                random_id(), one.tenant_id, one.mailbox_id, contents[one.tenant_id],
                kept.trace + one.trace_suffix, sql.text(one.recipient)[:320], sql.text(kept.sender)[:320],
                sql.text(kept.author)[:320], sql.text(kept.subject)[:200], kept.octets, kept.decision.score,
                reasons, sql.moment(now), sql.moment(until),
            )
            for one in kept.filings
        ],
    )  # fmt: skip
    events.record_many(
        events.Fact(
            "quarantined", one.tenant_id, one.mailbox_id, kept.trace + one.trace_suffix, kept.sender,
            one.recipient, data=kept.data, message_id=kept.message_id,
        )
        for one in kept.filings
    )  # fmt: skip


def release(entry: Quarantined, *, actor: User | None, allow: bool = False) -> Filed:
    """File it in the inbox after all, as it came and with the time it came; where it lies now.

    allow: its author is wanted from now on. Raises OverQuota, NotFound if somebody was faster, and BadValue
    for a mail without an author that a rule could name.
    """
    if allow and not entry.author:
        raise BadValue("It names no author that could be allowed")
    prepared = messages.prepare(messages.raw_of(entry.content_id).raw)
    filing = Filing(
        entry.tenant_id, entry.mailbox_id, "inbox", internal_date=int(entry.at.timestamp()),
        recipient=entry.recipient,
    )  # fmt: skip
    data = {"subject": entry.subject, "octets": entry.octets, "reason": "released from quarantine"}

    def write(_contents: list[dict[int, int]]) -> None:
        _take(entry)
        audit.record(actor, "quarantine.release", entry.mailbox, data=_facts(entry))

    # With rules first: a release must not say that it failed when only they did.
    if allow:
        sender_rules.add(entry.mailbox, entry.author, is_wanted=True, actor=actor)
    unit = Unit(
        [Mail(prepared, [filing])], enforce_quota=True, trace=entry.trace, sender=entry.sender, data=data,
        within=write,
    )  # fmt: skip
    return delivery.deliver(unit)[0]


def discard(entry: Quarantined, *, actor: User | None) -> None:
    """Delete it for good. Raises NotFound if somebody was faster."""
    with transaction.atomic():
        _take(entry)
        _record_end(entry, "deleted")
        audit.record(actor, "quarantine.delete", entry.mailbox, data=_facts(entry))


def sweep() -> int:
    """Delete some whose time is over; how many."""
    due = Quarantined.objects.filter(expires_at__lt=clock.now()).order_by("expires_at")
    some = list(due[:ROWS])
    gone = 0
    for entry in some:
        with transaction.atomic():
            try:
                _take(entry)
            except NotFound:
                continue  # a person was faster
            _record_end(entry, "expired")
            gone += 1
    return gone


def _take(entry: Quarantined) -> None:
    """Raises NotFound when it is gone."""
    if not sql.execute("DELETE FROM quarantined WHERE id = %s", (entry.pk,)):
        raise NotFound
    closing.drop_contents([entry.content_id])


def _record_end(entry: Quarantined, how: str) -> None:
    events.record(
        "discarded",
        tenant_id=entry.tenant_id,
        mailbox_id=entry.mailbox_id,
        trace=entry.trace,
        sender=entry.sender,
        recipient=entry.recipient,
        data={"quarantine": how, "subject": entry.subject},
    )


def _facts(entry: Quarantined) -> dict[str, Any]:
    return {"author": entry.author, "subject": entry.subject}
