"""A mailbox that looks stolen is stopped from sending; all else of it works on.

Three signs, each with its threshold in limits.py and its own words for owner and administrators: many more
strangers written to than ever before, many recipients who do not exist, and sign-ins to send from many
networks at once. What the mailbox had in the queue waits ("stopped") until somebody lets it go on or drops
it. outbound/held.py tells people of it.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterable

from django.db.models import QuerySet

from mailcore import limits
from mailcore.models import Allowance, Mailbox, QueueEntry, Submission, User
from mailcore.outside import clock, counters, worker
from mailcore.services import allowances, audit, events, logins, races, sql
from mailcore.services.allowances import STOPPED, Charge
from mailcore.services.events import Fact

State = QueueEntry.State
_HOUR = 3600


def is_burst(tenant_id: int, mailbox_id: int, charge: Charge) -> bool:
    """Whether a mail makes its mailbox write to far more strangers than it ever did; then it is stopped.

    Inside the transaction that files the mail. Most mails are decided without a look at the database.
    """
    if not charge.strangers or charge.first_today < limits.STOLEN_FIRST:
        return False
    now = clock.now()
    row = sql.row(
        "SELECT COUNT(*), MAX(first_recipients) FROM sending_day"
        " WHERE tenant_id = %s AND box = %s AND day < %s AND day >= %s AND recipients > 0",
        (
            tenant_id, mailbox_id, now.date().isoformat(),
            (now.date() - dt.timedelta(days=30)).isoformat(),
        ),
    )  # fmt: skip
    days, busiest = row or (0, 0)
    if days < limits.STOLEN_HISTORY_DAYS or charge.first_today < limits.STOLEN_TIMES * max(busiest, 1):
        return False
    return _look(
        tenant_id, mailbox_id,
        f"it wrote to {charge.first_today} people today that it never wrote to before;"
        f" its busiest day of the last month had {busiest}",
    )  # fmt: skip


def note_unknown(bounced: Iterable[tuple[int, int | None]]) -> None:
    """Count recipients who do not exist, as (tenant, mailbox that wrote to one), inside a transaction."""
    for (tenant_id, mailbox_id), amount in Counter(bounced).items():
        if mailbox_id is None:
            continue
        hits = counters.hit(f"unknown:{mailbox_id}", _HOUR, amount)
        if hits >= limits.STOLEN_BOUNCES:
            _look(tenant_id, mailbox_id, f"{hits} people whom it wrote to within an hour do not exist")


def note_login(tenant_id: int, mailbox_id: int, peer: str | None) -> None:
    """Count the networks that somebody signs in from to send."""
    network = logins.network_key(peer)
    if not network or counters.hit(f"sends-from:{mailbox_id}:{network}", _HOUR) > 1:
        return
    hits = counters.hit(f"networks:{mailbox_id}", _HOUR)
    if hits >= limits.STOLEN_NETWORKS:
        _look(tenant_id, mailbox_id, f"{hits} networks signed in to send from it within an hour")


def _look(tenant_id: int, mailbox_id: int, because: str) -> bool:
    """Stop a mailbox that shows a sign, unless somebody let it go on lately; whether it is stopped."""
    row = sql.row("SELECT stopped_at, lifted_at FROM allowance WHERE mailbox_id = %s", (mailbox_id,))
    if row is not None and row[0] is not None:
        return True
    since = clock.now() - dt.timedelta(seconds=limits.STOLEN_PEACE_SECONDS)
    if Allowance.objects.filter(mailbox_id=mailbox_id, lifted_at__gt=since).exists():
        return False
    stop(Mailbox.objects.select_related("tenant").get(pk=mailbox_id), because, actor=None)
    return True


def stop(mailbox: Mailbox, because: str, *, actor: User | None) -> None:
    """Let nothing more leave a mailbox, and keep what is in the queue. Again changes nothing."""
    now = clock.now()
    with races.change():
        row = allowances.row_of(mailbox)
        if not Allowance.objects.filter(pk=row.pk, stopped_at=None).update(
            stopped_at=now, stopped_because=because[:200], told_at=None
        ):
            return
        _waiting(mailbox).update(state=State.HELD, held_because=STOPPED)
        audit.record(actor, "sending.stop", mailbox, data={"because": because[:200]})
        events.record(
            "stopped", tenant_id=mailbox.tenant_id, mailbox_id=mailbox.pk, data={"reason": because[:200]}
        )


def _waiting(mailbox: Mailbox) -> QuerySet[QueueEntry]:
    mine = Submission.objects.filter(mailbox=mailbox)
    return QueueEntry.objects.filter(submission__in=mine.values("pk"), state=State.WAITING)


def lift(mailbox: Mailbox, *, drop: bool = False, actor: User | None) -> int:
    """Let a mailbox send again, and what waited go out, or be dropped; how many entries that were."""
    now = clock.now()
    with races.change():
        row = allowances.row_of(mailbox)
        Allowance.objects.filter(pk=row.pk).update(
            stopped_at=None, stopped_because="", told_at=None, lifted_at=now
        )
        mine = QueueEntry.objects.filter(
            submission__mailbox=mailbox, state=State.HELD, held_because=STOPPED
        ).select_related("submission")
        held = list(mine)
        values = (
            {"state": State.DROPPED, "finished_at": now} if drop else {"state": State.WAITING, "due_at": now}
        )
        QueueEntry.objects.filter(pk__in=[one.pk for one in held], state=State.HELD).update(
            held_because="", **values
        )
        events.record_many(
            Fact(
                "dropped" if drop else "released", one.tenant_id, mailbox.pk, one.submission.trace,
                sender=one.submission.reverse_path, recipient=one.recipient,
            )
            for one in held
        )  # fmt: skip
        audit.record(actor, "sending.lift", mailbox, data={"dropped" if drop else "released": len(held)})
        events.record("lifted", tenant_id=mailbox.tenant_id, mailbox_id=mailbox.pk)
    if held and not drop:
        worker.wake("run_queue")
    return len(held)
