"""The outbound queue's rows: written with the message they send, claimed, held, released.

An entry is the truth about one recipient; Celery only hears that there is something to look at.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from mailcore.models import QueueEntry, Submission
from mailcore.outside import clock, worker


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
            (QueueEntry.State.WAITING, recipients, None),
            (QueueEntry.State.DELIVERED, delivered, now),
        )
        for recipient in group
    ]
    QueueEntry.objects.bulk_create(entries)
    if recipients and hold_until is None:
        worker.wake("run_queue")
    return submission
