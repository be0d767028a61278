"""Complaints: somebody said that a mail from here is spam. (RFC 5965, RFC 6650)

A complaint is believed when it proves that the mail was in hand: by a return path that only we make, or by
our trace in its Received fields. Then an event says "complained", and the address goes on the organisation's
suppression list. Where an alias sent the mail on, nobody here wrote it: the event alone tells.
"""

from __future__ import annotations

import logging

from mailcore.errors import BadAddress, NoSuchAddress
from mailcore.message import bounce, fields
from mailcore.message.address import parse_path
from mailcore.models import Submission
from mailcore.reports.arf import Complaint
from mailcore.services import events, report_addresses, sql, suppressions
from mailcore.services.outbound import bounces, return_path

log = logging.getLogger(__name__)


def note(complaint: Complaint, *, peer: str) -> int:
    """Write down what a complaint says of mail that went out from here, inside a transaction.

    How many recipients it was believed of; the same one a second time changes nothing.
    """
    found = _by_return_path(complaint) or _by_trace(complaint)
    if found is None:
        log.info("complaint_unmatched: %s", complaint.kind)
        return 0
    submission_id, entry_ids = found
    sent = bounces.sent(submission_id)
    if sent is None:
        return 0
    entries = [entry for entry in sent.entries if not entry_ids or entry.pk in entry_ids]
    named = {one.lower() for one in complaint.recipients}
    if not entry_ids and (len(entries) > 1 or named & {one.recipient.lower() for one in entries}):
        # Which of several it was is often blackened: then it may be any, and none is suppressed.
        entries = [entry for entry in entries if entry.recipient.lower() in named]
    known = {
        row[0]
        for row in sql.rows(
            "SELECT recipient FROM event WHERE tenant_id = %s AND trace = %s AND kind = 'complained'",
            (sent.tenant_id, sent.trace),
        )
    }
    new = [entry.recipient for entry in entries if entry.recipient not in known]
    words = f"{complaint.kind}, told by {complaint.user_agent or peer}"
    events.record_many(
        events.Fact(
            "complained", sent.tenant_id, sent.mailbox_id, sent.trace,
            sender=sent.reverse_path, recipient=recipient,
            data={"reason": words[:300], "host": peer, "source": complaint.source},
        )
        for recipient in new
    )  # fmt: skip
    source = sql.row("SELECT source FROM submission WHERE id = %s", (submission_id,))
    if complaint.is_complaint and source and source[0] != Submission.Source.FORWARD:
        suppressions.note_complaints((sent.tenant_id, recipient, words) for recipient in new)
    return len(new)


def _by_return_path(complaint: Complaint) -> tuple[int, set[int]] | None:
    """The submission and entry that a return path of ours names, as a field or in the mail's own header."""
    said = [complaint.mail_from, fields.get(complaint.original, "return-path") or ""]
    for text in said:
        try:
            entry_id = return_path.read(parse_path(text.strip().removeprefix("<").removesuffix(">")))
        except (BadAddress, NoSuchAddress):
            continue
        if entry_id is not None:
            row = sql.row("SELECT submission_id FROM queue_entry WHERE id = %s", (entry_id,))
            return (row[0], {entry_id}) if row else None
    return None


def _by_trace(complaint: Complaint) -> tuple[int, set[int]] | None:
    for name in report_addresses.own_names():
        for trace in bounce.traces(b"\r\n" + complaint.original, name):
            row = sql.row("SELECT id FROM submission WHERE trace = %s", (trace,))
            if row is not None:
                return row[0], set()
    return None
