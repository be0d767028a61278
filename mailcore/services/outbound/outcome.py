"""What follows from a try: relayed, tried again later, or given up with a report to the sender.

The state of the entries, their attempts, the events and the report are one transaction: nobody is told of a
bounce that is not so, and nothing bounces untold. Retries grow from a minute to hours and end after five days
(RFC 5321 §4.5.4.1); one notice tells of a delay. Reports are RFC 3464 and never answered by reports.
"""

from __future__ import annotations

import datetime as dt
import logging
import random
from collections.abc import Sequence
from dataclasses import dataclass

from django.db import transaction

from mailcore import limits
from mailcore.errors import MailError, NotAllowedNow
from mailcore.models import Attempt, QueueEntry, Submission
from mailcore.outside import clock
from mailcore.services import delivery, events, ledger, sql, stops, suppressions
from mailcore.services.events import Fact
from mailcore.services.outbound import attempt, reports
from mailcore.services.outbound.attempt import Outcome

log = logging.getLogger(__name__)
State = QueueEntry.State
# What no mailbox here sent of its own will.
_NOBODYS = (Submission.Source.FORWARD, Submission.Source.SYSTEM)
_WAITS = (State.WAITING.value, State.HELD.value)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an outcome means for its entry. due_at is set when it is tried again."""

    outcome: Outcome
    state: str
    status: str
    due_at: dt.datetime | None = None
    tells_delay: bool = False

    @property
    def kind(self) -> str:
        return "deferred" if self.state == State.WAITING else str(self.state)


def settle(owner: str, outcomes: Sequence[Outcome]) -> None:
    """Write down what came of entries that owner holds, and tell senders what they must know."""
    now = clock.now()
    verdicts = [judge(outcome, now) for outcome in outcomes]
    told: dict[int, list[Verdict]] = {}
    untold = []
    for verdict in verdicts:
        if reports.is_wanted(
            verdict.outcome.entry,
            verdict.state,
            tells_delay=verdict.tells_delay,
            is_reported=verdict.outcome.tries[-1].reports,
        ):
            told.setdefault(verdict.outcome.entry.submission_id, []).append(verdict)
        else:
            untold.append(verdict)
    if untold:
        ledger.durably(lambda: _write(owner, untold, now))
    for group in told.values():
        _settle_and_tell(owner, group, now)


def judge(outcome: Outcome, now: dt.datetime) -> Verdict:
    """Say what an outcome means now."""
    entry, reply = outcome.entry, outcome.reply
    if reply.is_ok:
        return Verdict(outcome, State.RELAYED, reply.status)
    if reply.is_permanent and reply.phase not in _NEVER_PERMANENT:
        return Verdict(outcome, State.BOUNCED, reply.status)
    end = entry.born_at + dt.timedelta(seconds=limits.QUEUE_LIFETIME_SECONDS)
    if now >= end:
        return Verdict(outcome, State.BOUNCED, "5.4.7")
    is_late = now >= entry.born_at + dt.timedelta(seconds=limits.QUEUE_NOTICE_SECONDS)
    tells_delay = is_late and entry.delay_notified_at is None and entry.wants("DELAY")
    due_at = min(now + retry_delay(entry.attempt_count), end)
    return Verdict(outcome, State.WAITING, reply.status, due_at, tells_delay)


# A host that says 5xx before it has heard of the message speaks of us or of itself, not of the message.
_NEVER_PERMANENT = frozenset({"connect", "greeting", "ehlo", "helo", "starttls", "auth"})


def retry_delay(attempts: int) -> dt.timedelta:
    """How long to wait after so many earlier rounds: growing, and never all at the same moment."""
    steps = limits.QUEUE_RETRY_SECONDS
    seconds = steps[min(attempts, len(steps) - 1)]
    return dt.timedelta(seconds=seconds * random.uniform(0.85, 1.15))  # noqa: S311 - no secret


def _settle_and_tell(owner: str, verdicts: Sequence[Verdict], now: dt.datetime) -> None:
    """One submission: its rows and its report stand or fall together."""
    failed = [verdict for verdict in verdicts if verdict.state == State.BOUNCED]
    delayed = [verdict for verdict in verdicts if verdict.tells_delay]
    relayed = [verdict for verdict in verdicts if verdict.state == State.RELAYED]
    try:
        unit = reports.unit(
            verdicts[0].outcome.entry,
            failed=[(each.outcome, each.status) for each in failed],
            delayed=[(each.outcome, each.status) for each in delayed],
            relayed=[(each.outcome, each.status) for each in relayed],
            now=now,
            within=lambda: _write(owner, verdicts, now, strict=True),
        )
        delivery.deliver(unit)
    except MailError as error:
        # Whoever sent it is gone, or somebody stepped in meanwhile: then without the report.
        log.info("no report on %s: %s", verdicts[0].outcome.entry.trace, error.code)
        with transaction.atomic():
            _write(owner, verdicts, now)


# --- Rows ------------------------------------------------------------------------------------------------


def _write(owner: str, verdicts: Sequence[Verdict], now: dt.datetime, *, strict: bool = False) -> None:
    """Bring entries, attempts and events up to date, inside a transaction.

    strict raises NotAllowedNow if an entry that is to be reported on has been steered or taken meanwhile.
    """
    where, params = sql.any_of("id", [verdict.outcome.entry.pk for verdict in verdicts])
    states: dict[int, tuple[str, str]] = {
        pk: (state, holder)
        for pk, state, holder in sql.rows(
            f"SELECT id, state, lease_owner FROM queue_entry WHERE {where} ORDER BY id {sql.for_update()}",
            params,
        )
    }
    moment = sql.moment(now)
    rows, facts, bounced, unknown = [], [], [], []
    for verdict in verdicts:
        entry, reply = verdict.outcome.entry, verdict.outcome.reply
        state, holder = states.get(entry.pk, ("", ""))
        is_ours = holder == owner and state in _WAITS
        if strict and not is_ours:
            raise NotAllowedNow
        if not is_ours and (verdict.state != State.RELAYED or not state):
            _release(owner, entry.pk)
            continue
        final = verdict.state != State.WAITING
        rows.append((
            verdict.state if final else state, sql.moment(verdict.due_at or now), "", None,
            entry.attempt_count + 1, reply.code or None, verdict.status[:12], sql.text(reply.text),
            verdict.outcome.tries[-1].host[:255],
            moment if verdict.tells_delay else _moment(entry.delay_notified_at),
            moment if final else None, entry.pk,
        ))  # fmt: skip
        facts.append(_fact(verdict, now))
        if verdict.state == State.BOUNCED:
            bounced.append((entry.tenant_id, entry.recipient, verdict.status, reply.text))
            if verdict.status == "5.1.1" and entry.source not in _NOBODYS:
                unknown.append((entry.tenant_id, entry.mailbox_id))
    sql.execute_many(
        "UPDATE queue_entry SET state = %s, due_at = %s, lease_owner = %s, lease_until = %s,"
        " attempt_count = %s, last_code = %s, last_status = %s, last_reply = %s, last_host = %s,"
        " delay_notified_at = %s, finished_at = %s WHERE id = %s",
        rows,
    )
    _write_attempts([verdict for verdict in verdicts if verdict.outcome.entry.pk in states])
    events.record_many(facts)
    suppressions.note_bounces(bounced)
    stops.note_unknown(unknown)


def _moment(value: dt.datetime | None) -> object:
    return None if value is None else sql.moment(value)


def _release(owner: str, pk: int) -> None:
    sql.execute(
        "UPDATE queue_entry SET lease_owner = '', lease_until = NULL WHERE id = %s AND lease_owner = %s",
        (pk, owner),
    )


_CHANGED = attempt.COLUMNS[3:]


def _write_attempts(verdicts: Sequence[Verdict]) -> None:
    known: list[list[object]] = []
    new: list[attempt.Row] = []
    for verdict in verdicts:
        entry, tries = verdict.outcome.entry, verdict.outcome.tries
        for made in tries:
            is_end = made is tries[-1] and verdict.state == State.BOUNCED
            row = attempt.row(entry, made, Attempt.Outcome.REFUSED if is_end else "")
            if row.pk is None:
                new.append(row)
            elif made is tries[-1]:
                known.append([*row.values(_CHANGED), row.pk])
    sql.execute_many(
        f"UPDATE attempt SET {', '.join(f'{name} = %s' for name in _CHANGED)} WHERE id = %s", known
    )
    for start in range(0, len(new), 50):
        attempt.insert_attempts(new[start : start + 50])


def _fact(verdict: Verdict, now: dt.datetime) -> Fact:
    entry, reply, last = verdict.outcome.entry, verdict.outcome.reply, verdict.outcome.tries[-1]
    data: dict[str, object] = {
        "host": last.host,
        "address": last.address,
        "tls": last.tls_version,
        "tls_verdict": last.tls_verdict,
        "tls_policy": last.tls_policy,
        "code": reply.code or None,
        "status": verdict.status,
        "reply": reply.text[:500],
        "phase": reply.phase,
        "ms": last.milliseconds,
        # Seconds since it was handed in.
        "age": round((now - entry.submitted_at).total_seconds(), 1),
        "attempt": entry.attempt_count + 1,
    }
    if last.relay:
        data["relay"] = last.relay
    if last.own_address:
        data["own_address"] = last.own_address
    if verdict.due_at:
        data["next"] = verdict.due_at.isoformat(timespec="seconds")
    return Fact(
        verdict.kind, entry.tenant_id, entry.mailbox_id, entry.trace,
        sender=entry.reverse_path, recipient=entry.recipient, data=data,
    )  # fmt: skip
