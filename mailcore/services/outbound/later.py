"""Mail that waits for its moment: send later, undo, FUTURERELEASE (RFC 4865).

Entries for recipients outside lie in the queue and are due then. Those for recipients here are on hold
("moment") until then, and are filed by release_due(), which tasks.sweep_later calls: who has left by then, or
has no room, is treated as at any other time. cancel() takes all of a mail back while nothing of it has left.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Sequence

from django.conf import settings
from django.db.models import Exists, OuterRef, Q

from mailcore import limits
from mailcore.errors import MailError, NotAllowedNow
from mailcore.message import dsn, flags, trace
from mailcore.models import QueueEntry, Submission, User
from mailcore.outside import clock
from mailcore.secrets import random_id
from mailcore.services import audit, delivery, events, folders, messages, queue, races, sql
from mailcore.services.events import Fact
from mailcore.services.messages import Filing, Mail, Unit
from mailcore.services.outbound import receipts, submission
from mailcore.services.outbound.parties import Recipient, accept_recipient

log = logging.getLogger(__name__)
State = QueueEntry.State
MOMENT = "moment"


def release_due() -> int:
    """File what is for recipients here and due now; how many entries came to their end."""
    rows = QueueEntry.objects.filter(state=State.HELD, held_because=MOMENT, due_at__lte=clock.now())
    due: dict[int, list[QueueEntry]] = {}
    for entry in rows.select_related("submission__tenant").order_by("due_at", "pk")[: limits.HELD_RELEASED]:
        due.setdefault(entry.submission_id, []).append(entry)
    return sum(_release(entries) for entries in due.values())


def _release(entries: Sequence[QueueEntry]) -> int:
    good: list[tuple[QueueEntry, Recipient]] = []
    ended = 0
    for entry in entries:
        try:
            good.append((entry, accept_recipient(entry.recipient, entry.tenant_id)))
        except MailError as error:
            ended += _refused(entry, error)
    if not good:
        return ended
    sent = entries[0].submission
    kept = messages.raw_of(sent.content_id)
    prepared = messages.prepare(kept.header + kept.body)
    received = submission.received(
        source=sent.source, protocol="", trace_id=sent.trace,
        recipient=good[0][0].recipient if len(good) == 1 else None, now=clock.now(),
    )  # fmt: skip
    filings = delivery.filings((hop, one.address) for _, one in good for hop in one.route.hops)
    mails = [Mail(prepared, filings, trace.return_path(sent.reverse_path) + received)]
    onward = [one for _, one in good if one.route.outside]
    mails += [Mail(prepared, [], received, keep_for=(one.route.tenant_id or 0, None)) for one in onward]
    mails += _receipts(sent, prepared.header, [entry for entry, one in good if one.route.hops])
    pks = [entry.pk for entry, _ in good]

    def write(content_ids: list[dict[int, int]]) -> None:
        where, params = sql.any_of("id", pks)
        done = sql.execute(
            f"UPDATE queue_entry SET state = %s, held_because = '', finished_at = %s WHERE {where}"
            " AND state = %s AND held_because = %s",
            (State.DELIVERED.value, sql.moment(clock.now()), *params, State.HELD.value, MOMENT),
        )
        if done != len(pks):
            raise NotAllowedNow  # taken back at this moment: then nothing is filed, and the rest comes next
        for one, contents in zip(onward, content_ids[1 : 1 + len(onward)], strict=True):
            assert one.route.tenant_id is not None
            queue.enqueue(
                tenant_id=one.route.tenant_id,
                mailbox_id=None,
                content_id=contents[one.route.tenant_id],
                trace=sent.trace,
                source=Submission.Source.FORWARD,
                reverse_path=sent.reverse_path,
                recipients=one.route.outside,
                needs_smtputf8=not all(each.isascii() for each in one.route.outside),
                return_domain=one.address.rpartition("@")[2],
            )

    data = {"source": sent.source, "subject": prepared.index.subject[:200], "octets": prepared.octets}
    try:
        delivery.deliver(Unit(mails, trace=sent.trace, sender=sent.reverse_path, data=data, within=write))
    except MailError as error:
        log.info("mail for its moment waits on: %s %s", sent.trace, error.code)
        return ended
    return ended + len(pks)


def _receipts(sent: Submission, header: bytes, entries: Sequence[QueueEntry]) -> list[Mail]:
    asked = {entry.recipient: entry.dsn_orcpt for entry in entries if "SUCCESS" in entry.dsn_notify}
    if not asked or not sent.reverse_path or sent.mailbox_id is None:
        return []
    raw = receipts.delivered(asked, to=sent.reverse_path, header=header, envelope_id=sent.dsn_envid)
    to = Filing(sent.tenant_id, sent.mailbox_id, "inbox", recipient=sent.reverse_path)
    return [Mail(messages.prepare(raw), [to], trace.return_path(""))]


def _refused(entry: QueueEntry, error: MailError) -> int:
    """Try again later what may pass, else give it up with a report; 1 if it came to its end."""
    now, sent = clock.now(), entry.submission
    moment = sent.hold_until or sent.created_at
    if error.retry and now < moment + dt.timedelta(seconds=limits.QUEUE_LIFETIME_SECONDS):
        later = now + dt.timedelta(seconds=limits.QUEUE_RETRY_SECONDS[4])
        with races.change():
            QueueEntry.objects.filter(pk=entry.pk, state=State.HELD).update(due_at=later)
        return 0

    def write(_: list[dict[int, int]]) -> None:
        gone = QueueEntry.objects.filter(pk=entry.pk, state=State.HELD, held_because=MOMENT)
        if not gone.update(
            state=State.BOUNCED, held_because="", finished_at=now, last_code=error.smtp[0],
            last_status=error.smtp[1], last_reply=error.public,
        ):  # fmt: skip
            raise NotAllowedNow
        events.record(
            "bounced", tenant_id=entry.tenant_id, mailbox_id=sent.mailbox_id, trace=sent.trace,
            sender=sent.reverse_path, recipient=entry.recipient,
            data={"status": error.smtp[1], "reply": error.public},
        )  # fmt: skip

    mails = []
    if sent.reverse_path and sent.mailbox_id is not None and _hears_of_failure(entry):
        raw = dsn.build_dsn(
            reporting_mta=settings.HOSTMAIL_HOSTNAME,
            sender=f"mailer-daemon@{settings.HOSTMAIL_HOSTNAME}",
            to=sent.reverse_path,
            failures=[dsn.Failure(entry.recipient, error.smtp[1], error.public, original=entry.dsn_orcpt)],
            original=messages.raw_of(sent.content_id).header,
            arrival=sent.created_at,
            now=now,
            message_id=f"<{random_id()}.dsn@{settings.HOSTMAIL_HOSTNAME}>",
            envelope_id=sent.dsn_envid,
        )
        to = Filing(sent.tenant_id, sent.mailbox_id, "inbox", recipient=sent.reverse_path)
        mails.append(Mail(messages.prepare(raw), [to], trace.return_path("")))
    try:
        delivery.deliver(Unit(mails, trace=sent.trace, sender="", within=write))
    except MailError as failed:
        log.info("no report on %s: %s", sent.trace, failed.code)
        return 0
    return 1


def _hears_of_failure(entry: QueueEntry) -> bool:
    """RFC 3461 §4.1: who says nothing wants to hear of failures."""
    return not entry.dsn_notify or "FAILURE" in entry.dsn_notify


# --- Taking back -----------------------------------------------------------------------------------------


def waiting(mailbox_id: int) -> list[Submission]:
    """The mails of a mailbox that wait for their moment, or on hold, and can be taken back; next first."""
    rows = (
        Submission.objects.filter(mailbox_id=mailbox_id)
        .exclude(source__in=[Submission.Source.SYSTEM, Submission.Source.FORWARD])
        .filter(entries__state__in=[State.HELD, State.WAITING])
        .filter(_untouched())
        .distinct()
        .order_by("hold_until", "pk")
    )
    return list(rows[: limits.HELD_RELEASED])


def _untouched() -> Q:
    """No entry has been tried or ended, and some wait for more than their turn."""
    mine = QueueEntry.objects.filter(submission=OuterRef("pk"))
    begun = mine.exclude(state__in=[State.HELD, State.WAITING], attempt_count=0)
    held = mine.filter(state=State.HELD)
    return Q(~Exists(begun)) & (Q(hold_until__gt=clock.now()) | Q(Exists(held)))


def cancel(sent: Submission, *, actor: User | None) -> None:
    """Take a mail back whole. Raises NotAllowedNow when some of it has left, or is leaving."""
    now = clock.now()
    with races.change():
        every = QueueEntry.objects.filter(submission=sent)
        free = every.filter(state__in=[State.HELD, State.WAITING], attempt_count=0, lease_until=None)
        recipients = list(every.values_list("recipient", flat=True))
        done = free.update(state=State.DROPPED, held_because="", finished_at=now)
        if not done or done != len(recipients):
            raise NotAllowedNow("It has left already, or some of it")
        audit.record(actor, "submission.cancel", sent, data={"trace": sent.trace})
        events.record_many(
            Fact(
                "dropped", sent.tenant_id, sent.mailbox_id, sent.trace,
                sender=sent.reverse_path, recipient=recipient,
            )
            for recipient in recipients
        )  # fmt: skip


def back_to_drafts(sent: Submission, *, actor: User | None) -> tuple[int, int] | None:
    """Take a mail back and make its copy in Sent a draft again: (folder, uid), or None if there is no copy.

    Raises NotAllowedNow.
    """
    assert sent.mailbox_id is not None
    cancel(sent, actor=actor)
    copy = sql.row(
        "SELECT m.folder_id, m.uid, m.content_id FROM message m JOIN content c ON c.id = m.content_id"
        " WHERE m.mailbox_id = %s AND m.folder_id = %s AND c.message_id ="
        " (SELECT message_id FROM content WHERE id = %s) ORDER BY m.id DESC LIMIT 1",
        (sent.mailbox_id, folders.by_role(sent.mailbox_id, "sent"), sent.content_id),
    )
    if copy is None:
        return None
    kept = messages.raw_of(copy[2])
    filing = Filing(sent.tenant_id, sent.mailbox_id, "drafts", flags=flags.DRAFT | flags.SEEN)
    (filed,) = delivery.deliver(Unit([Mail(messages.prepare(kept.header + kept.body), [filing])]))
    messages.expunge(copy[0], [(copy[1], copy[1])], only_deleted=False, via="webmail")
    return filed.folder_id, filed.uid
