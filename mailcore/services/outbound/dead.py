"""Destinations that are down: one entry asks for all whether they are back, at growing intervals.

Without it each entry for a dead host would be a try of its own, with its own wait for a connection. Those
that wait lose nothing by it: their tries are not counted, they go out at the first sign of life, and their
senders are told of delay and end as ever.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import random
from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import F

from mailcore import limits
from mailcore.models import DeadDestination
from mailcore.outside import clock
from mailcore.outside.smtp_replies import Reply
from mailcore.services import ledger, sql
from mailcore.services.outbound.attempt import Outcome, Try, Way
from mailcore.services.queue import Claimed


@dataclass(frozen=True, slots=True)
class State:
    """What is known of a destination that could not be reached."""

    probe_at: dt.datetime
    status: str
    reply: str
    may_probe: bool


def state(way: Way) -> State | None:
    """What is known of way's hosts; None is nothing bad."""
    found = DeadDestination.objects.filter(pk=_key(way)).first()
    if found is None:
        return None
    return State(found.probe_at, found.last_status, found.last_reply, found.probe_at <= clock.now())


def note(way: Way, reply: Reply) -> None:
    """No host of way could be reached; reply is what came of the last try."""
    ledger.durably(lambda: _note(way, reply))


def _note(way: Way, reply: Reply) -> None:
    now = clock.now()
    known = DeadDestination.objects.filter(pk=_key(way))
    failures = known.values_list("failures", flat=True).first() or 0
    values = {
        "probe_at": now + _pause(failures),
        "last_status": reply.status[:12],
        "last_reply": sql.text(reply.text),
    }
    if not known.update(failures=F("failures") + 1, **values):
        DeadDestination.objects.bulk_create(
            [DeadDestination(key=_key(way), hosts=way.key, since=now, **values)], ignore_conflicts=True
        )


def _pause(failures: int) -> dt.timedelta:
    steps = limits.QUEUE_PROBE_SECONDS
    seconds = steps[min(failures, len(steps) - 1)]
    return dt.timedelta(seconds=seconds * random.uniform(0.85, 1.15))  # noqa: S311 - no secret


def forget(way: Way) -> None:
    """A host of way has answered. What waited for it is due by now, since one asks when all are due."""
    if DeadDestination.objects.filter(pk=_key(way)).exists():
        ledger.durably(lambda: DeadDestination.objects.filter(pk=_key(way)).delete())


def outcomes(entries: Sequence[Claimed], dead: State) -> list[Outcome]:
    """What is written down of entries that nobody tried, because their hosts are known to be down."""
    reply = Reply(0, dead.status or "4.4.1", dead.reply, "connect")
    return [Outcome(entry, [Try(reply, clock.now())]) for entry in entries]


def prune() -> int:
    """Forget destinations for which nothing has come in a long time; how many."""
    before = clock.now() - dt.timedelta(seconds=limits.QUEUE_LIFETIME_SECONDS)
    return DeadDestination.objects.filter(probe_at__lt=before).delete()[0]


def _key(way: Way) -> str:
    return hashlib.sha256(way.key.encode()).hexdigest()
