"""Reports to senders: not delivered, not delivered yet. (RFC 3464, RFC 3461 §6)

A report goes to the mailbox that sent the mail, or to the return address if that mailbox is gone. What an
alias sent on for somebody outside is reported to nobody there: the return address may be forged. A mail with
the null path is itself a report or the like: nobody is told of its end (RFC 5321 §4.5.5).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence

from django.conf import settings

from mailcore import limits
from mailcore.errors import NoSuchAddress
from mailcore.message import dsn, trace
from mailcore.models import QueueEntry, Submission
from mailcore.secrets import random_id
from mailcore.services import addresses, delivery, messages, queue, sql
from mailcore.services.messages import Filing, Mail, Unit
from mailcore.services.outbound.attempt import Outcome
from mailcore.services.outbound.service import signed
from mailcore.services.queue import Claimed
from mailcore.tlspolicy import wishes

Source = Submission.Source
Told = Sequence[tuple[Outcome, str]]


def is_wanted(entry: Claimed, state: str, *, tells_delay: bool, is_reported: bool = False) -> bool:
    """Whether somebody is to be told that an entry has come to that state, or of its delay.

    is_reported says that the host which took it makes the reports that the sender asked for.
    """
    if not entry.reverse_path or entry.source == Source.SYSTEM:
        return False
    if entry.source == Source.FORWARD:
        # Whose mail an alias sends on is anybody's claim, and a report on it backscatter, unless one of our
        # own sent it. Those did not ask for anything: the end is told, not the delay.
        return state == QueueEntry.State.BOUNCED and _is_from_here(entry)
    if state == QueueEntry.State.RELAYED:
        return not is_reported and entry.wants("SUCCESS")
    return entry.wants("FAILURE") if state == QueueEntry.State.BOUNCED else tells_delay


def _is_from_here(entry: Claimed) -> bool:
    """Whether one of our people sent what an alias sends on: their submission has the same trace."""
    row = sql.row(
        "SELECT 1 FROM submission WHERE trace = %s AND source <> %s AND reverse_path = %s",
        (entry.trace, Source.FORWARD.value, entry.reverse_path),
    )
    return row is not None


def unit(
    entry: Claimed,
    *,
    failed: Told,
    delayed: Told,
    now: dt.datetime,
    within: Callable[[], None],
    relayed: Told = (),
) -> Unit:
    """What to file for these ends of one submission; within runs in the same transaction.

    Raises NoSuchAddress when there is nobody to tell.
    """
    header = _header(entry.content_id)
    # RFC 8689 §5: never the whole of a mail whose sender demanded TLS.
    may_be_full = entry.ret == "FULL" and entry.tls_wish != wishes.REQUIRED
    full = _full(entry) if may_be_full and failed else b""
    mails, filings, outside = [], *_whom(entry)
    for action, told in ((dsn.FAILED, failed), (dsn.DELAYED, delayed), (dsn.RELAYED, relayed)):
        if not told:
            continue
        sender = f"mailer-daemon@{settings.HOSTMAIL_HOSTNAME}"
        raw = dsn.build_dsn(
            reporting_mta=settings.HOSTMAIL_HOSTNAME,
            sender=sender,
            to=entry.reverse_path,
            failures=[_failure(entry, outcome, status, action) for outcome, status in told],
            original=header,
            arrival=entry.submitted_at,
            now=now,
            message_id=f"<{random_id()}.dsn@{settings.HOSTMAIL_HOSTNAME}>",
            action=action,
            envelope_id=entry.envid,
            full=full if action == dsn.FAILED else b"",
        )
        raw = signed(raw, sender) if outside else raw
        keep_for = (entry.tenant_id, None) if outside else None
        prefix = trace.return_path("") if filings else b""
        mails.append(Mail(messages.prepare(raw), [_again(filing) for filing in filings], prefix, keep_for))

    def write(content_ids: list[dict[int, int]]) -> None:
        within()
        for contents in content_ids if outside else ():
            queue.enqueue(
                tenant_id=entry.tenant_id,
                mailbox_id=None,
                content_id=contents[entry.tenant_id],
                trace=entry.trace,
                source=Source.SYSTEM,
                reverse_path="",
                recipients=[outside],
                needs_smtputf8=not outside.isascii(),
                # A report says much of what it reports on, and goes no less safely. (RFC 8689 §5)
                tls_wish=entry.tls_wish,
            )

    data = {"report": [outcome.entry.recipient for outcome, _ in (*failed, *delayed, *relayed)][:20]}
    return Unit(mails, trace=entry.trace, sender="", data=data, within=write)


def _whom(entry: Claimed) -> tuple[list[Filing], str]:
    """The mailboxes a report goes to, or else the address outside. Raises NoSuchAddress for neither."""
    if entry.mailbox_id is not None:
        row = sql.row("SELECT 1 FROM mailbox WHERE id = %s AND state <> 'closing'", (entry.mailbox_id,))
        if row is not None:
            return [Filing(entry.tenant_id, entry.mailbox_id, "inbox", recipient=entry.reverse_path)], ""
    route = addresses.route(entry.reverse_path)
    if not route.is_ours:
        return [], entry.reverse_path
    filings = delivery.filings((hop, entry.reverse_path) for hop in route.hops)
    if not filings:
        raise NoSuchAddress
    return filings, ""


def _again(filing: Filing) -> Filing:
    return Filing(filing.tenant_id, filing.mailbox_id, filing.folder, recipient=filing.recipient)


def _failure(entry: Claimed, outcome: Outcome, status: str, action: str) -> dsn.Failure:
    last = outcome.tries[-1]
    until = entry.born_at + dt.timedelta(seconds=limits.QUEUE_LIFETIME_SECONDS)
    return dsn.Failure(
        recipient=outcome.entry.recipient,
        status=status,
        diagnostic=str(last.reply),
        remote_mta=last.host,
        last_attempt=last.started_at,
        will_retry_until=until if action == dsn.DELAYED else None,
        original=outcome.entry.orcpt,
    )


def _full(entry: Claimed) -> bytes:
    """The whole mail, as RET=FULL wants it back with a failure (RFC 3461 §4.3); not a long one."""
    row = sql.row("SELECT octets FROM content WHERE id = %s", (entry.content_id,))
    if row is None or row[0] > limits.DSN_FULL_OCTETS:
        return b""
    kept = messages.raw_of(entry.content_id)
    return kept.header + kept.body


def _header(content_id: int) -> bytes:
    row = sql.row("SELECT header FROM content WHERE id = %s", (content_id,))
    return bytes(row[0]) if row else b""
