"""The outbound queue's rows: written with the message they send, claimed, held, released.

An entry is the truth about one recipient; Celery only hears that there is something to look at. Whoever
tries entries holds a lease on them (lease_owner, lease_until) and renews it; what a killed worker held
comes free by recover(). What came of a try is written by services/outbound.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from django.conf import settings
from django.db import transaction

from mailcore.errors import NotAllowedNow
from mailcore.models import Attempt, QueueEntry, Submission, User
from mailcore.outside import clock, worker
from mailcore.services import audit, events, races, sql
from mailcore.services.events import Fact

log = logging.getLogger(__name__)
State = QueueEntry.State


def enqueue(
    *,
    tenant_id: int,
    mailbox_id: int | None,
    content_id: int,
    trace: str,
    source: str,
    reverse_path: str,
    recipients: Sequence[str],
    needs_smtputf8: bool = False,
    key: str | None = None,
    hold_until: dt.datetime | None = None,
    delivered: Sequence[str] = (),
) -> Submission:
    """Write a submission with an entry per recipient, inside the caller's transaction.

    recipients go out from now on, or from hold_until; delivered ones were filed here in this very
    transaction and are born so. Wakes the worker on commit.
    """
    now = clock.now()
    submission = Submission.objects.create(
        tenant_id=tenant_id,
        mailbox_id=mailbox_id,
        trace=trace,
        source=source,
        reverse_path=reverse_path,
        content_id=content_id,
        idempotency_key=key,
        hold_until=hold_until,
        needs_smtputf8=needs_smtputf8,
        created_at=now,
    )
    entries = [
        QueueEntry(
            tenant_id=tenant_id,
            submission=submission,
            recipient=recipient,
            route=recipient.rpartition("@")[2],
            state=state,
            due_at=hold_until or now,
            created_at=now,
            finished_at=finished_at,
        )
        for state, group, finished_at in (
            (State.WAITING, recipients, None),
            (State.DELIVERED, delivered, now),
        )
        for recipient in group
    ]
    QueueEntry.objects.bulk_create(entries)
    if recipients and hold_until is None:
        worker.wake("run_queue")
    return submission


# --- Claiming --------------------------------------------------------------------------------------------


class Pair(NamedTuple):
    """What one claim takes from: the entries of one tenant for one route. Pairs of a route take turns."""

    route: str
    tenant_id: int


@dataclass(frozen=True, slots=True)
class Claimed:
    """One entry under lease, with what a try needs of its submission. born_at is when it was first due."""

    pk: int
    tenant_id: int
    recipient: str
    route: str
    attempt_count: int
    delay_notified_at: dt.datetime | None
    submission_id: int
    mailbox_id: int | None
    trace: str
    source: str
    reverse_path: str
    content_id: int
    needs_smtputf8: bool
    submitted_at: dt.datetime
    born_at: dt.datetime


# "state = 'waiting'" in exactly these words is the condition of the indexes queue_due and queue_route.
_FREE = "e.state = 'waiting' AND e.due_at <= %s AND e.lease_until IS NULL"
# Suspended means suspended here too: what waits stays, and goes on when it is lifted.
_MAY_GO = (
    " JOIN tenant t ON t.id = e.tenant_id AND t.state = 'active'"
    " JOIN submission s ON s.id = e.submission_id"
    " LEFT JOIN mailbox m ON m.id = s.mailbox_id"
)
_MAILBOX_MAY = "(m.id IS NULL OR m.state <> 'suspended')"


def due(limit: int = 10_000) -> list[Pair]:
    """Every route and tenant that has something due and free, the longest waiting first."""
    rows = sql.rows(
        f"SELECT e.route, e.tenant_id FROM queue_entry e{_MAY_GO} WHERE {_FREE} AND {_MAILBOX_MAY}"
        " GROUP BY e.route, e.tenant_id ORDER BY min(e.due_at) LIMIT %s",
        (sql.moment(clock.now()), limit),
    )
    return [Pair(*row) for row in rows]


def claim(owner: str, pair: Pair, limit: int) -> list[Claimed]:
    """Take at most limit due entries of one route and tenant under a lease: nobody else gets them."""
    now = clock.now()
    locking = "" if sql.is_sqlite() else " FOR UPDATE OF e SKIP LOCKED"
    with transaction.atomic():
        taken = sql.rows(
            "UPDATE queue_entry SET lease_owner = %s, lease_until = %s WHERE id IN"
            f" (SELECT e.id FROM queue_entry e{_MAY_GO} WHERE {_FREE} AND {_MAILBOX_MAY}"
            "  AND e.route = %s AND e.tenant_id = %s"
            f" ORDER BY e.due_at, e.id LIMIT %s{locking}) RETURNING id",
            (owner, sql.moment(_lease_end(now)), sql.moment(now), *pair, limit),
        )
    return _load([row[0] for row in taken])


def _lease_end(now: dt.datetime) -> dt.datetime:
    return now + dt.timedelta(seconds=settings.HOSTMAIL_QUEUE_LEASE_SECONDS)


def _load(pks: Sequence[int]) -> list[Claimed]:
    rows = QueueEntry.objects.filter(pk__in=pks).select_related("submission").order_by("due_at", "pk")
    return [
        Claimed(
            row.pk, row.tenant_id, row.recipient, row.route, row.attempt_count, row.delay_notified_at,
            row.submission_id, row.submission.mailbox_id, row.submission.trace, row.submission.source,
            row.submission.reverse_path, row.submission.content_id, row.submission.needs_smtputf8,
            row.submission.created_at, row.submission.hold_until or row.created_at,
        )
        for row in rows
    ]  # fmt: skip


def renew(owner: str, pks: Iterable[int]) -> set[int]:
    """Believe owner for another while; which of the entries are still owner's."""
    pks = list(pks)
    if not pks:
        return set()
    where, params = sql.any_of("id", pks)
    with transaction.atomic():
        rows = sql.rows(
            f"UPDATE queue_entry SET lease_until = %s WHERE {where} AND lease_owner = %s"
            " AND lease_until IS NOT NULL RETURNING id",
            (sql.moment(_lease_end(clock.now())), *params, owner),
        )
    return {row[0] for row in rows}


def let_go(owner: str, pks: Iterable[int]) -> None:
    """Give entries back untried: they are due as before."""
    pks = list(pks)
    if not pks:
        return
    where, params = sql.any_of("id", pks)
    with transaction.atomic():
        sql.execute(
            f"UPDATE queue_entry SET lease_owner = '', lease_until = NULL WHERE {where} AND lease_owner = %s",
            (*params, owner),
        )


def recover() -> int:
    """Free what workers held who did not renew their lease; how many entries.

    A try that was about to end its DATA then may have been taken by the other side: it is noted as lost, and
    the entry goes out again with the same Message-ID, which lets the receiver see that it is the same mail.
    """
    moment = sql.moment(clock.now())
    # One cheap look without the write lock: mostly there is nothing.
    lapsed = "state = 'waiting' AND lease_until < %s"
    found = sql.rows(f"SELECT id FROM queue_entry WHERE {lapsed} LIMIT 1000", (moment,))
    if not found:
        return 0
    where, params = sql.any_of("id", [row[0] for row in found])
    with transaction.atomic():
        freed = sql.rows(
            "UPDATE queue_entry SET lease_owner = '', lease_until = NULL, due_at = %s"
            f" WHERE {where} AND {lapsed} RETURNING id, tenant_id, submission_id, recipient, route",
            (moment, *params, moment),
        )
        interrupted = _note_lost([row[0] for row in freed]) if freed else set()
        submissions = Submission.objects.in_bulk({row[2] for row in freed})
        events.record_many(
            Fact(
                "deferred", tenant, submissions[submission].mailbox_id, submissions[submission].trace,
                sender=submissions[submission].reverse_path, recipient=recipient,
                data={"reply": "interrupted", "may_be_double": pk in interrupted},
            )
            for pk, tenant, submission, recipient, _ in freed
        )  # fmt: skip
    log.warning("queue entries of a worker that vanished go out again: %d", len(freed))
    return len(freed)


def _note_lost(pks: Sequence[int]) -> set[int]:
    where, params = sql.any_of("entry_id", pks)
    rows = sql.rows(
        f"UPDATE attempt SET outcome = %s, reply = %s WHERE {where} AND outcome = %s RETURNING entry_id",
        (
            Attempt.Outcome.LOST.value,
            "Interrupted while the message was being handed over; it may have arrived",
            *params,
            Attempt.Outcome.RUNNING.value,
        ),
    )
    return {row[0] for row in rows}


# --- Steering --------------------------------------------------------------------------------------------


def retry(entry: QueueEntry, *, actor: User | None) -> None:
    """Have an entry tried now, on hold or not. Raises NotAllowedNow when it is finished."""
    _change(entry, (State.WAITING, State.HELD), "queue.retry", actor, state=State.WAITING, due_at=clock.now())
    worker.wake("run_queue")


def hold(entry: QueueEntry, *, actor: User | None) -> None:
    """Keep an entry until it is released. Raises NotAllowedNow unless it waits.

    A try under way is not broken off: what it says in the end still counts.
    """
    _change(entry, (State.WAITING,), "queue.hold", actor, state=State.HELD)


def release(entry: QueueEntry, *, actor: User | None) -> None:
    """Let an entry on hold go on, now. Raises NotAllowedNow unless it is on hold."""
    _change(entry, (State.HELD,), "queue.release", actor, state=State.WAITING, due_at=clock.now())
    worker.wake("run_queue")


def drop(entry: QueueEntry, *, actor: User | None) -> None:
    """Give an entry up without a report to its sender. Raises NotAllowedNow when it is finished."""
    now = clock.now()
    with races.change():
        _change(entry, (State.WAITING, State.HELD), "queue.drop", actor, state=State.DROPPED, finished_at=now)
        submission = Submission.objects.get(pk=entry.submission_id)
        events.record(
            "dropped",
            tenant_id=entry.tenant_id,
            mailbox_id=submission.mailbox_id,
            trace=submission.trace,
            sender=submission.reverse_path,
            recipient=entry.recipient,
        )


def _change(
    entry: QueueEntry, before: tuple[str, ...], verb: str, actor: User | None, **values: object
) -> None:
    with races.change():
        # One statement decides, whatever a worker does at this moment. The lease stays with whoever has it.
        if not QueueEntry.objects.filter(pk=entry.pk, state__in=before).update(**values):
            entry.refresh_from_db()
            raise NotAllowedNow(f"The entry is {entry.get_state_display()}")
        audit.record(actor, verb, entry, data={"trace": entry.submission.trace})
    entry.refresh_from_db()
