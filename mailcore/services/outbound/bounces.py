"""Reports that come home after a host had taken the mail: matched to their queue entries.

They come to a return path of ours (return_path), or to the sender's own address with our trace in the mail
they bring back; both prove that whoever wrote them had the mail in hand. What they say is believed only of
recipients it went to: the entry becomes bounced, an event says so, a hard bounce goes on the suppression
list, and the sender gets our readable notice unless they have had one. (RFC 3464, RFC 5321 §6.1)
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from django.conf import settings

from mailcore.errors import NoSuchAddress, NotHere
from mailcore.message import bounce, dsn, trace
from mailcore.message.address import Path
from mailcore.message.dsn import Reported
from mailcore.models import QueueEntry
from mailcore.outside import clock
from mailcore.secrets import random_id
from mailcore.services import events, messages, sql, suppressions
from mailcore.services.messages import Filing, Mail, Unit
from mailcore.services.outbound import return_path

State = QueueEntry.State
# An entry that never left the house is nobody else's to report on.
_LEFT = (State.RELAYED.value, State.BOUNCED.value, State.WAITING.value, State.HELD.value)


@dataclass(frozen=True, slots=True)
class Entry:
    """One recipient the mail went to."""

    pk: int
    recipient: str
    state: str


@dataclass(frozen=True, slots=True)
class Sent:
    """A mail that went out, as far as a report on it needs. mailbox_id is None when an alias sent it on."""

    tenant_id: int
    mailbox_id: int | None
    trace: str
    reverse_path: str
    submitted_at: dt.datetime
    header: bytes
    entries: tuple[Entry, ...]


def expected(path: Path) -> Sent | None:
    """The mail whose return path this is; None for every other address.

    Raises NoSuchAddress for a return path that is forged, expired, or of a mail long forgotten.
    """
    entry_id = return_path.read(path)
    if entry_id is None:
        return None
    row = sql.row("SELECT submission_id FROM queue_entry WHERE id = %s", (entry_id,))
    found = sent(row[0]) if row else None
    if found is None:
        raise NoSuchAddress("Nothing is known here of that message any more")
    return found


def sent(submission_id: int) -> Sent | None:
    """What a report on a submission needs of it; None when it is forgotten."""
    row = sql.row(
        "SELECT s.tenant_id, m.id, s.trace, s.reverse_path, c.header, s.created_at FROM submission s"
        " LEFT JOIN mailbox m ON m.id = s.mailbox_id AND m.state <> 'closing'"
        " LEFT JOIN content c ON c.id = s.content_id WHERE s.id = %s",
        (submission_id,),
    )
    if row is None:
        return None
    marks = ", ".join(["%s"] * len(_LEFT))
    entries = sql.rows(
        "SELECT id, recipient, state FROM queue_entry WHERE submission_id = %s"
        f" AND state IN ({marks}) ORDER BY id",
        (submission_id, *_LEFT),
    )
    at = dt.datetime.fromisoformat(row[5]) if isinstance(row[5], str) else row[5]
    at = at if at.tzinfo else at.replace(tzinfo=dt.UTC)
    tenant_id, mailbox_id, trace_id, reverse_path, header = row[:5]
    found = tuple(Entry(*entry) for entry in entries)
    return Sent(tenant_id, mailbox_id, trace_id, reverse_path, at, bytes(header or b""), found)


def match(sent: Sent, reported: Sequence[Reported]) -> list[tuple[Entry, Reported]]:
    """What a report says of whom the mail went to. A mail to one alone needs no name: hosts rewrite them."""
    by_name = {entry.recipient.lower(): entry for entry in sent.entries}
    found: dict[int, tuple[Entry, Reported]] = {}
    for one in reported:
        entry = by_name.get(one.original.lower()) or by_name.get(one.recipient.lower())
        if entry is None and len(sent.entries) == len(reported) == 1:
            entry = sent.entries[0]
        if entry is not None:
            found.setdefault(entry.pk, (entry, one))
    return list(found.values())


def unit(sent: Sent, raw: bytes, *, recipient: str, prefix: bytes, trace_id: str, peer: str) -> Unit:
    """What to file and write for a mail that came to a return path.

    Raises NotHere for what is no report and has no mailbox to go to, as an answer to what an alias sent on.
    """
    reported = bounce.read(raw)
    matched = match(sent, reported) if reported else []
    if not reported and sent.mailbox_id is None:
        raise NotHere("Only delivery reports are taken at this address")
    failed = [(entry, one) for entry, one in matched if one.action == dsn.FAILED]
    mails = []
    if sent.mailbox_id is not None:
        untold = [(entry, one) for entry, one in failed if entry.state != State.BOUNCED]
        filing = Filing(sent.tenant_id, sent.mailbox_id, "inbox", recipient=sent.reverse_path)
        if untold:
            notice = _notice(sent, untold, peer)
            mails.append(Mail(messages.prepare(notice), [filing], trace.return_path("")))
        elif not matched:
            # An automatic answer, or a report in words we do not understand: a person may.
            mails.append(Mail(messages.prepare(raw), [filing], prefix))
    if not mails:
        mails.append(Mail(messages.prepare(raw), [], prefix))

    def write(content_ids: list[dict[int, int]]) -> None:
        note(sent, matched, peer)

    data = {"report": [entry.recipient for entry, _ in matched][:20], "peer": peer}
    return Unit(mails, trace=trace_id, sender="", data=data, within=write)


def _notice(sent: Sent, failed: Sequence[tuple[Entry, Reported]], peer: str) -> bytes:
    failures = [dsn.Failure(entry.recipient, one.status, one.diagnostic, peer) for entry, one in failed]
    return dsn.build_dsn(
        reporting_mta=settings.HOSTMAIL_HOSTNAME,
        sender=f"mailer-daemon@{settings.HOSTMAIL_HOSTNAME}",
        to=sent.reverse_path,
        failures=failures,
        original=sent.header,
        arrival=sent.submitted_at,
        now=clock.now(),
        message_id=f"<{random_id()}.dsn@{settings.HOSTMAIL_HOSTNAME}>",
    )


def note(sent: Sent, matched: Sequence[tuple[Entry, Reported]], peer: str) -> None:
    """Write what a report says of these entries, inside a transaction. What is known already stays."""
    bounced = []
    for entry, one in matched:
        if one.action != dsn.FAILED:
            continue
        changed = sql.execute(
            "UPDATE queue_entry SET state = %s, last_code = NULL, last_status = %s, last_reply = %s"
            " WHERE id = %s AND state = %s",
            (State.BOUNCED.value, one.status[:12], sql.text(one.diagnostic), entry.pk, State.RELAYED.value),
        )
        if changed:
            bounced.append((entry, one))
    events.record_many(
        events.Fact(
            "bounced", sent.tenant_id, sent.mailbox_id, sent.trace,
            sender=sent.reverse_path, recipient=entry.recipient,
            data={"status": one.status, "reply": one.diagnostic[:500], "host": peer, "phase": "report"},
        )
        for entry, one in bounced
    )  # fmt: skip
    suppressions.note_bounces(
        (sent.tenant_id, entry.recipient, one.status, one.diagnostic) for entry, one in bounced
    )


def note_returned(raw: bytes, mailbox_ids: Sequence[int], peer: str) -> None:
    """A mail with the null path is being filed in these mailboxes, inside this transaction: if it reports on
    mail that one of them sent, write that down. It is filed as it is: that tells the person."""
    traces = bounce.traces(raw, settings.HOSTMAIL_HOSTNAME)
    reported = bounce.read(raw) if traces else None
    if not reported:
        return
    marks = ", ".join(["%s"] * len(traces))
    for submission_id, mailbox_id in sql.rows(
        f"SELECT id, mailbox_id FROM submission WHERE trace IN ({marks})", traces
    ):
        found = sent(submission_id) if mailbox_id in mailbox_ids else None
        if found is not None:
            note(found, match(found, reported), peer)
