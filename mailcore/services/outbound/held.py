"""What waits because of a limit: let go when a day has room again, and told to whom it concerns.

Called by tasks.sweep_sending. Notices go to the mailbox itself and to its organisation's owners and
administrators, once a day for a limit and once for a stop.
"""

from __future__ import annotations

import logging

from django.conf import settings
from django.db import transaction

from mailcore import limits
from mailcore.errors import MailError
from mailcore.message import compose, trace
from mailcore.models import Allowance, Mailbox, Membership, QueueEntry, Role, SendingDay, Submission
from mailcore.outside import clock, worker
from mailcore.secrets import random_id
from mailcore.services import addresses, allowances, delivery, events, messages, queue, sql
from mailcore.services.events import Fact
from mailcore.services.messages import Filing, Mail, Unit
from mailcore.services.outbound.service import signed

log = logging.getLogger(__name__)
State = QueueEntry.State


def release_due() -> int:
    """Let entries go that a limit held, oldest first, as far as today has room; how many went."""
    boxes = sql.rows(
        "SELECT s.mailbox_id, MIN(e.id) FROM queue_entry e JOIN submission s ON s.id = e.submission_id"
        " JOIN mailbox m ON m.id = s.mailbox_id JOIN tenant t ON t.id = m.tenant_id"
        " WHERE e.state = 'held' AND e.held_because = %s AND m.state = 'active' AND t.state = 'active'"
        " GROUP BY s.mailbox_id ORDER BY 2",
        (allowances.LIMIT,),
    )
    released = sum(_release(box) for box, _ in boxes)
    if released:
        worker.wake("run_queue")
    return released


def _release(mailbox_id: int) -> int:
    allowed = allowances.of(mailbox_id)
    if allowed.is_stopped:
        return 0
    now = clock.now()
    with transaction.atomic():
        mine = QueueEntry.objects.filter(
            submission__mailbox_id=mailbox_id, state=State.HELD, held_because=allowances.LIMIT
        )
        free = []
        for entry in mine.select_related("submission").order_by("pk")[: limits.HELD_RELEASED]:
            if not allowances.count(entry.tenant_id, mailbox_id, [entry.recipient], allowed).fits:
                break
            free.append(entry)
        if not free:
            return 0
        for entry in free:
            # Its time in the queue begins now: it has not been tried yet. (services/queue.py, born_at)
            starts = max(now, entry.submission.hold_until or now)
            Submission.objects.filter(pk=entry.submission_id).update(hold_until=starts)
            QueueEntry.objects.filter(pk=entry.pk).update(state=State.WAITING, held_because="", due_at=starts)
        events.record_many(
            Fact(
                "released", entry.tenant_id, mailbox_id, entry.submission.trace,
                sender=entry.submission.reverse_path, recipient=entry.recipient,
            )
            for entry in free
        )  # fmt: skip
    return len(free)


# --- Notices ---------------------------------------------------------------------------------------------


def tell() -> int:
    """Tell of what was held or stopped and not told yet; how many notices were written."""
    told = 0
    for day in SendingDay.objects.filter(held__gt=0, told_at=None).order_by("pk")[:100]:
        mailbox = Mailbox.objects.filter(pk=day.box).select_related("tenant").first()
        if mailbox is not None and SendingDay.objects.filter(pk=day.pk, told_at=None).update(
            told_at=clock.now()
        ):
            told += notify(
                mailbox, "Your mail waits: the limit of the day is reached", _held_text(mailbox, day)
            )
    for row in _untold_stops():
        mailbox = row.mailbox
        assert mailbox is not None
        if Allowance.objects.filter(pk=row.pk, told_at=None).update(told_at=clock.now()):
            told += notify(mailbox, f"Sending from {mailbox} is stopped", _stopped_text(mailbox, row))
    return told


def _untold_stops() -> list[Allowance]:
    rows = Allowance.objects.filter(stopped_at__isnull=False, told_at=None, mailbox__isnull=False)
    return list(rows.select_related("mailbox__tenant").order_by("pk")[:100])


def _held_text(mailbox: Mailbox, day: SendingDay) -> str:
    stands = allowances.today(mailbox)
    most = "as many as one likes" if stands.recipient_limit is None else str(stands.recipient_limit)
    first = "any number" if stands.first_limit is None else str(stands.first_limit)
    return (
        f"{mailbox} has written to {day.recipients} recipients outside on {day.day:%d %B %Y} (UTC),"
        f" {day.first_recipients} of them for the first time.\n\n"
        f"It may write to {most} a day, {first} of them for the first time;"
        " its organisation has limits, too.\n"
        f"What went over them waits: {day.held} recipients so far. Nothing is lost. It goes out by itself,"
        " oldest first, when a new day begins (midnight UTC).\n\n"
        "An administrator can let it go at once, or raise the limit. You can take it back under"
        ' "Waiting to leave" in the webmail.\n'
    )


def _stopped_text(mailbox: Mailbox, row: Allowance) -> str:
    return (
        f"Nothing can be sent from {mailbox} at present, because {row.stopped_because}.\n\n"
        "That looks as if somebody else had its password. Reading and receiving mail work on.\n"
        "What waited in the queue is on hold.\n\n"
        "What to do: change the password and the app passwords of this mailbox, look at what it sent,"
        " then let it send again: an administrator does that on the mailbox's page.\n"
    )


def notify(mailbox: Mailbox, subject: str, text: str) -> int:
    """File a notice for a mailbox, and for those who run its organisation; 1, or 0 if nobody takes it."""
    own = mailbox.primary_address
    sender = f"mailer-daemon@{settings.HOSTMAIL_HOSTNAME}"
    box = Filing(mailbox.tenant_id, mailbox.pk, "inbox", recipient=str(own or ""))
    filings, outside = {mailbox.pk: box}, []
    admins = Membership.objects.filter(tenant=mailbox.tenant, role__in=[Role.OWNER, Role.ADMIN])
    for email in admins.filter(user__is_active=True).values_list("user__email", flat=True):
        try:
            route = addresses.route(email)
        except MailError:
            continue
        if not route.is_ours:
            outside.append(email)
        for filing in delivery.filings((hop, email) for hop in route.hops):
            filings.setdefault(filing.mailbox_id, filing)
    raw = compose.build(
        compose.Draft(
            author=("Mail service", sender),
            subject=subject,
            text=text,
            message_id=f"{random_id()}.notice@{settings.HOSTMAIL_HOSTNAME}",
            date=clock.now(),
            to=[("", str(own))] if own else [],
            # Nobody's holiday note shall answer it (RFC 3834 §5).
            extra=(("Auto-Submitted", "auto-generated"),),
        )
    )
    prepared, name = messages.prepare(signed(raw, sender)), random_id()
    keep_for = (mailbox.tenant_id, None) if outside else None

    def write(content_ids: list[dict[int, int]]) -> None:
        if outside:
            queue.enqueue(
                tenant_id=mailbox.tenant_id,
                mailbox_id=None,
                content_id=content_ids[0][mailbox.tenant_id],
                trace=name,
                source=Submission.Source.SYSTEM,
                reverse_path="",
                recipients=outside,
                needs_smtputf8=not all(one.isascii() for one in outside),
            )

    unit = Unit(
        [Mail(prepared, list(filings.values()), trace.return_path(""), keep_for)],
        trace=name,
        sender="",
        data={"source": "system"},
        within=write,
    )
    try:
        delivery.deliver(unit)
    except MailError as error:
        log.warning("a notice for %s could not be filed: %s", mailbox, error.code)
        return 0
    return 1
