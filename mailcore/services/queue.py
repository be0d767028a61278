"""The outbound queue's rows: written with the message they send, claimed, held, released.

An entry is the truth about one recipient; Celery only hears that there is something to look at. Whoever
tries entries holds a lease on them (lease_owner, lease_until) and renews it; what a killed worker held
comes free by recover(). What came of a try is written by services/outbound.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Q

from mailcore import limits
from mailcore.errors import NotAllowedNow
from mailcore.models import Attempt, DeadDestination, QueueEntry, Submission, User
from mailcore.outside import clock, worker
from mailcore.secrets import random_id
from mailcore.services import audit, events, ledger, races, relays, sql
from mailcore.services.events import Fact

log = logging.getLogger(__name__)
State = QueueEntry.State


class Wish(NamedTuple):
    """Which reports a sender wants of one recipient, and how it calls that one (RFC 3461 §4.1, §4.2)."""

    notify: str = ""
    orcpt: str = ""


NO_WISH = Wish()


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
    later: Sequence[str] = (),
    return_domain: str = "",
    wishes: Mapping[str, Wish] | None = None,
    ret: str = "",
    envid: str = "",
    tags: str = "",
    tls_wish: str = "",
    priority: int = 0,
    stream: str = "",
    held_because: str = "",
) -> Submission:
    """Write a submission with an entry per recipient, inside the caller's transaction.

    recipients go out from now on, or from hold_until; delivered ones were filed here in this very
    transaction and are born so; later ones are here, too, and wait for hold_until. With held_because all
    others wait on hold until somebody releases them. With a return_domain they leave from a return path of
    ours there. priority is one of RFC 6710's, -9 to 9. Wakes the worker on commit. Raises IntegrityError for
    a key that is taken.
    """
    now = clock.now()
    submission = Submission(
        tenant_id=tenant_id,
        mailbox_id=mailbox_id,
        trace=trace,
        source=source,
        reverse_path=reverse_path,
        content_id=content_id,
        idempotency_key=key,
        hold_until=hold_until,
        needs_smtputf8=needs_smtputf8,
        return_domain=return_domain,
        dsn_ret=ret,
        dsn_envid=envid,
        tags=tags,
        tls_wish=tls_wish,
        stream=stream,
        created_at=now,
    )
    moment, due = sql.moment(now), sql.moment(hold_until or now)
    with (
        connection.wrap_database_errors
    ):  # the key may be taken: IntegrityError, whatever the driver calls it
        row = sql.row(
            sql.insert_statement("submission", _SUBMISSION, "RETURNING id"),
            (
                tenant_id, mailbox_id, submission.public_id, trace, str(source), reverse_path, content_id,
                key, None if hold_until is None else sql.moment(hold_until), needs_smtputf8, return_domain,
                ret, envid, tags, stream, tls_wish, moment,
            ),
        )  # fmt: skip
    assert row is not None
    submission.pk = row[0]
    submission._state.adding = False
    sql.execute_many(
        sql.insert_statement("queue_entry", _ENTRY),
        [
            (
                tenant_id, submission.pk, random_id(), recipient, recipient.rpartition("@")[2], state, why,
                due, priority, "", 0, "", "", "",
                *(wishes.get(recipient, NO_WISH) if wishes else NO_WISH), moment, finished,
            )
            for state, why, group, finished in (
                (State.HELD.value if held_because else State.WAITING.value, held_because, recipients, None),
                (State.DELIVERED.value, "", delivered, moment),
                (State.HELD.value, "moment", later, None),
            )
            for recipient in group
        ],
    )  # fmt: skip
    if recipients and source == Submission.Source.FORWARD:
        # What an alias passes on has no sender here whose "submitted" would tell of it.
        events.record_many(
            Fact("forwarded", tenant_id, None, trace, sender=reverse_path, recipient=one)
            for one in recipients
        )
    if recipients and hold_until is None and not held_because:
        worker.wake("run_queue")
    return submission


_SUBMISSION = (
    "tenant_id", "mailbox_id", "public_id", "trace", "source", "reverse_path", "content_id",
    "idempotency_key", "hold_until", "needs_smtputf8", "return_domain",
    "dsn_ret", "dsn_envid", "tags", "stream", "tls_wish", "created_at",
)  # fmt: skip
_ENTRY = (
    "tenant_id", "submission_id", "public_id", "recipient", "route", "state", "held_because", "due_at",
    "priority", "lease_owner", "attempt_count", "last_status", "last_reply", "last_host", "dsn_notify",
    "dsn_orcpt", "created_at", "finished_at",
)  # fmt: skip


# --- Claiming --------------------------------------------------------------------------------------------


class Pair(NamedTuple):
    """What one claim takes from: one tenant's entries of one priority for one route. Pairs take turns.

    relay_id is the smart host that takes them; 0 is none, they go to the route's own hosts.
    """

    route: str
    tenant_id: int
    priority: int = 0
    relay_id: int = 0


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
    return_domain: str = ""
    ret: str = ""
    envid: str = ""
    notify: str = ""
    orcpt: str = ""
    tls_wish: str = ""

    def wants(self, kind: str) -> bool:
        """Whether the sender wants a report of that kind; by default of failure and delay (RFC 3461 §4.1)."""
        return kind in self.notify.split(",") if self.notify else kind != "SUCCESS"


# "state = 'waiting'" in exactly these words is the condition of the indexes queue_due and queue_pair.
_FREE = "e.state = 'waiting' AND e.due_at <= %s AND e.lease_until IS NULL"
# Suspended means suspended here too: what waits stays, and goes on when it is lifted.
_MAY_GO = (
    " JOIN tenant t ON t.id = e.tenant_id AND t.state = 'active'"
    " JOIN submission s ON s.id = e.submission_id"
    " LEFT JOIN mailbox m ON m.id = s.mailbox_id"
)
_MAILBOX_MAY = "(m.id IS NULL OR m.state <> 'suspended')"


def due(since: dt.datetime | None = None, limit: int = 10_000) -> list[Pair]:
    """Every route, tenant, priority and relay that has something due and free, the longest waiting first.

    since leaves out what was due by then, which whoever looked then has found: with a hundred thousand
    entries on their way a look for what has just come costs no more than what has just come.
    """
    new, params = ("", ()) if since is None else (" AND e.due_at > %s", (sql.moment(since),))
    rows = sql.rows(
        f"SELECT e.route, e.tenant_id, e.priority, {relays.CHOSEN}"
        f" FROM queue_entry e{_MAY_GO} WHERE {_FREE}{new} AND {_MAILBOX_MAY}"
        " GROUP BY 1, 2, 3, 4 ORDER BY min(e.due_at) LIMIT %s",
        (sql.moment(clock.now()), *params, limit),
    )
    return [Pair(*row) for row in rows]


def claim(owner: str, pair: Pair, limit: int) -> list[Claimed]:
    """Take at most limit due entries of a pair under a lease: nobody else gets them."""
    now = clock.now()
    locking = "" if sql.is_sqlite() else " FOR UPDATE OF e SKIP LOCKED"
    taken = ledger.durably(
        lambda: sql.rows(
            "UPDATE queue_entry SET lease_owner = %s, lease_until = %s WHERE id IN"
            f" (SELECT e.id FROM queue_entry e{_MAY_GO} WHERE {_FREE} AND {_MAILBOX_MAY}"
            f"  AND e.route = %s AND e.tenant_id = %s AND e.priority = %s AND {relays.CHOSEN} = %s"
            f" ORDER BY e.due_at, e.id LIMIT %s{locking}) RETURNING id",
            (owner, sql.moment(_lease_end(now)), sql.moment(now), *pair, limit),
        )
    )
    return _load([row[0] for row in taken])


def _lease_end(now: dt.datetime) -> dt.datetime:
    return now + dt.timedelta(seconds=settings.HOSTMAIL_QUEUE_LEASE_SECONDS)


_LOADED = (
    "SELECT e.id, e.tenant_id, e.recipient, e.route, e.attempt_count, e.delay_notified_at, e.submission_id,"
    " s.mailbox_id, s.trace, s.source, s.reverse_path, s.content_id, s.needs_smtputf8, s.created_at,"
    " COALESCE(s.hold_until, e.created_at), s.return_domain,"
    " s.dsn_ret, s.dsn_envid, e.dsn_notify, e.dsn_orcpt, s.tls_wish"
    " FROM queue_entry e JOIN submission s ON s.id = e.submission_id WHERE {} ORDER BY e.due_at, e.id"
)


def _load(pks: Sequence[int]) -> list[Claimed]:
    if not pks:
        return []
    where, params = sql.any_of("e.id", pks)
    found = []
    for row in sql.rows(_LOADED.format(where), params):
        values = list(row)
        for place in (5, 13, 14):
            values[place] = _moment(values[place])
        values[12] = bool(values[12])
        found.append(Claimed(*values))
    return found


def _moment(value: dt.datetime | str | None) -> Any:
    """A moment as a driver gives it: SQLite's is in UTC and does not say so, or is text."""
    value = dt.datetime.fromisoformat(value) if isinstance(value, str) else value
    return value.replace(tzinfo=dt.UTC) if value is not None and value.tzinfo is None else value


def renew(owner: str, pks: Iterable[int]) -> set[int]:
    """Believe owner for another while, inside a transaction; which of the entries are still owner's."""
    pks = list(pks)
    if not pks:
        return set()
    where, params = sql.any_of("id", pks)
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
    ledger.durably(
        lambda: sql.execute(
            f"UPDATE queue_entry SET lease_owner = '', lease_until = NULL WHERE {where} AND lease_owner = %s",
            (*params, owner),
        )
    )


# Since when it might have gone out, and whether its sender must hear of it now: see outbound.outcome.judge.
_BORN = "COALESCE(s.hold_until, e.created_at)"
_NEED_NOT_TELL = (
    f"({_BORN} > %s OR ({_BORN} > %s AND (e.delay_notified_at IS NOT NULL"
    " OR (e.dsn_notify <> '' AND e.dsn_notify NOT LIKE '%%DELAY%%'))))"
)


def postpone(pair: Pair, until: dt.datetime, status: str, reply: str) -> int:
    """Let what is due of a pair wait until then, without a try: its hosts are known to be down. How many.

    Those stay due whose senders must be told: of a delay, or of the end. It counts as a failed attempt of
    those for which a relay waits for these: others' tries must not keep it from them.
    """
    now = clock.now()
    late, end = (
        sql.moment(now - dt.timedelta(seconds=seconds))
        for seconds in (limits.QUEUE_NOTICE_SECONDS, limits.QUEUE_LIFETIME_SECONDS)
    )
    locking = "" if sql.is_sqlite() else " FOR UPDATE OF e SKIP LOCKED"
    return ledger.durably(
        lambda: sql.execute(
            "UPDATE queue_entry SET due_at = %s, last_status = %s, last_reply = %s,"
            f" attempt_count = attempt_count + (SELECT CASE WHEN {relays.ONE_WAITS} THEN 1 ELSE 0 END"
            "  FROM queue_entry e JOIN submission s ON s.id = e.submission_id WHERE e.id = queue_entry.id)"
            " WHERE id IN"
            f" (SELECT e.id FROM queue_entry e{_MAY_GO} WHERE {_FREE} AND {_NEED_NOT_TELL}"
            "  AND e.route = %s AND e.tenant_id = %s AND e.priority = %s"
            f" AND {relays.CHOSEN} = %s{locking})",
            (sql.moment(until), status[:12], sql.text(reply), sql.moment(now), late, end, *pair),
        )
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
    """Have an entry tried now, on hold or not, hosts known to be down or not. Raises NotAllowedNow when it is
    finished."""
    _ask_again(entry)
    _change(
        entry,
        (State.WAITING, State.HELD),
        "queue.retry",
        actor,
        state=State.WAITING,
        due_at=clock.now(),
        held_because="",
    )
    worker.wake("run_queue")


def _ask_again(entry: QueueEntry) -> None:
    """Let the hosts that entry waits for be asked now. What waits with others is due when their probe is."""
    due_at, host = QueueEntry.objects.values_list("due_at", "last_host").get(pk=entry.pk)
    its_hosts = Q(probe_at=due_at) | (Q(hosts__contains=host) if host else Q())
    DeadDestination.objects.filter(its_hosts).update(probe_at=clock.now())


def hold(entry: QueueEntry, *, actor: User | None) -> None:
    """Keep an entry until it is released. Raises NotAllowedNow unless it waits.

    A try under way is not broken off: what it says in the end still counts.
    """
    _change(entry, (State.WAITING,), "queue.hold", actor, state=State.HELD)


def release(entry: QueueEntry, *, actor: User | None) -> None:
    """Let an entry on hold go on, now. Raises NotAllowedNow unless it is on hold."""
    _change(
        entry, (State.HELD,), "queue.release", actor, state=State.WAITING, due_at=clock.now(), held_because=""
    )
    worker.wake("run_queue")


def drop(entry: QueueEntry, *, actor: User | None) -> None:
    """Give an entry up without a report to its sender. Raises NotAllowedNow when it is finished."""
    before = (State.WAITING, State.HELD)
    _change(entry, before, "queue.drop", actor, state=State.DROPPED, finished_at=clock.now())


_STEERED = {
    "queue.retry": "retried",
    "queue.hold": "held",
    "queue.release": "released",
    "queue.drop": "dropped",
}


def _change(
    entry: QueueEntry, before: tuple[str, ...], verb: str, actor: User | None, **values: object
) -> None:
    with races.change():
        # One statement decides, whatever a worker does at this moment. The lease stays with whoever has it.
        if not QueueEntry.objects.filter(pk=entry.pk, state__in=before).update(**values):
            entry.refresh_from_db()
            raise NotAllowedNow(f"The entry is {entry.get_state_display()}")
        submission = entry.submission
        audit.record(actor, verb, entry, data={"trace": submission.trace})
        events.record(
            _STEERED[verb],
            tenant_id=entry.tenant_id,
            mailbox_id=submission.mailbox_id,
            trace=submission.trace,
            sender=submission.reverse_path,
            recipient=entry.recipient,
        )
    entry.refresh_from_db()
