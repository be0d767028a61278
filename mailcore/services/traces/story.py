"""The story of a mail in one organisation: what became of it for each recipient, and every step on the way.

Told from the events of its trace, the queue entries that still wait, their attempts, and what happened to it
in its mailbox afterwards. Words for all of it are in words.py.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from mailcore import limits
from mailcore.models import Attempt, Folder, Quarantined, QueueEntry, Suppression
from mailcore.services import sql
from mailcore.services.traces.after import Afterlife, Place, as_mapping, as_moment, follow
from mailcore.services.traces.search import family

# What an event makes of its recipient. Later ones win.
_STATES = {
    "refused": "refused", "forwarded": "sending", "relayed": "relayed",
    "deferred": "waiting", "bounced": "bounced",
    "dropped": "dropped", "held": "held", "released": "waiting", "retried": "waiting",
    "quarantined": "quarantined", "discarded": "dropped",
}  # fmt: skip
_LIVE = {QueueEntry.State.WAITING: "waiting", QueueEntry.State.HELD: "held"}
FINAL = frozenset({"delivered", "refused", "relayed", "bounced", "dropped"})
FOLLOWED = 20  # recipients here whose mailbox is looked into


@dataclass(slots=True)
class Step:
    """One line of the time line. kind as in Event, or "attempted" with what Attempt knows in data."""

    at: dt.datetime
    kind: str
    recipient: str = ""
    sender: str = ""
    data: dict[str, Any] = field(default_factory=dict)
    folder: str = ""
    to: str = ""
    via: str = ""


@dataclass(slots=True)
class Outcome:
    """How it stands with one recipient.

    state: delivered, refused, sending, waiting, held, relayed, bounced, dropped or quarantined. role is that
    of the folder it was filed in. entry is the queue entry's public id where it can still be steered,
    suppression that of the address on the suppression list, quarantined that of the mail in quarantine.
    """

    recipient: str
    state: str
    at: dt.datetime
    data: dict[str, Any] = field(default_factory=dict)
    folder: str = ""
    role: str = ""
    next_at: dt.datetime | None = None
    entry: str = ""
    suppression: str = ""
    quarantined: str = ""
    place: Place | None = None
    event_id: int = 0
    life: Afterlife | None = None


@dataclass(slots=True)
class Story:
    tenant_id: int
    trace: str
    sender: str = ""
    subject: str = ""
    octets: int | None = None
    outcomes: list[Outcome] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    folders: dict[int, tuple[str, str]] = field(default_factory=dict)
    is_cut: bool = False

    @property
    def at(self) -> dt.datetime:
        """When it came into sight."""
        return self.steps[0].at

    @property
    def is_moving(self) -> bool:
        """Whether more is still to come by itself."""
        return any(one.state not in FINAL for one in self.outcomes)


def tell(tenant_id: int, trace: str) -> Story | None:
    """All there is to know of one mail, None if the organisation knows nothing of that trace."""
    found = summaries([(tenant_id, trace)])
    if not found:
        return None
    (story,) = found
    _add_attempts(story)
    _add_suppressions(story)
    _add_quarantined(story)
    followed = [one for one in story.outcomes if one.place is not None]
    for one in followed[:FOLLOWED]:
        assert one.place is not None
        one.life = follow(tenant_id, one.place, one.event_id)
        story.is_cut |= one.life.is_cut
    story.is_cut |= len(followed) > FOLLOWED
    _name_folders(story)
    story.steps.sort(key=_order)
    return story


def summaries(pairs: Sequence[tuple[int, str]]) -> list[Story]:
    """The stories of mails, by tenant and trace, as far as a list needs them; unknown ones are left out."""
    if not pairs:
        return []
    events = _events(pairs)
    where, params = sql.any_of("id", {row[6] for rows in events.values() for row in rows if row[6]})
    roles = {pk: (name, role) for pk, name, role in sql.rows(
        f"SELECT id, name, role FROM folder WHERE {where}", params
    )} if events else {}  # fmt: skip
    entries: dict[tuple[int, str], list[QueueEntry]] = {}
    waiting = QueueEntry.objects.filter(
        tenant_id__in={pair[0] for pair in pairs}, submission__trace__in=[pair[1] for pair in pairs]
    ).select_related("submission")
    for entry in waiting.order_by("pk")[: limits.TRACE_RECIPIENTS * 4]:
        entries.setdefault((entry.tenant_id, entry.submission.trace), []).append(entry)
    stories = []
    for pair in pairs:
        if rows := events.get(pair):
            story = Story(*pair, folders=roles)
            _fold(story, rows)
            _add_entries(story, entries.get(pair, ()))
            story.steps.sort(key=_order)
            stories.append(story)
    return stories


def _order(step: Step) -> tuple[dt.datetime, int]:
    """By time; of one moment a try comes after what it is a try of, and before what came of it."""
    return step.at, _RANKS.get(step.kind, 2)


_RANKS = {"submitted": 0, "accepted": 0, "forwarded": 0, "filed": 0, "kept": 0, "attempted": 1}
_COLUMNS = "id, kind, at, mailbox_id, sender, recipient, folder_id, uids, data, trace, tenant_id"


def _events(pairs: Sequence[tuple[int, str]]) -> dict[tuple[int, str], list[sql.Row]]:
    """The events of each mail, oldest first."""
    found: dict[tuple[int, str], list[sql.Row]] = {}
    width, first = 10 if len(pairs) > 1 else 50, 1
    left = list(pairs)
    while left and first <= limits.TRACE_RECIPIENTS:
        names = [name for _, trace in left for name in family(trace, first, first + width - 1)]
        tenants, params = sql.any_of("tenant_id", {pair[0] for pair in left})
        rows = sql.rows(
            f"SELECT {_COLUMNS} FROM event WHERE {tenants} AND trace IN ({', '.join(['%s'] * len(names))})"
            # +id: few rows are sorted, where SQLite would walk through the index of ids.
            f" ORDER BY +id LIMIT {limits.TRACE_AFTER_ROWS * 2}",
            [*params, *names],
        )
        more = set()
        for row in rows:
            pair = (row[10], row[9].partition("/")[0])
            kept = found.setdefault(pair, [])
            if first == 1 or "/" in row[9]:
                kept.append(row)
            if row[9].endswith(f"/{first + width - 1}"):
                more.add(pair)
        left, first = [pair for pair in left if pair in more], first + width
    return found


def _fold(story: Story, rows: Iterable[sql.Row]) -> None:
    """Make steps and outcomes of events."""
    outcomes: dict[str, Outcome] = {}
    for event_id, kind, at, mailbox_id, sender, recipient, folder_id, uids, raw_data, *_ in rows:
        data, moment = as_mapping(raw_data), as_moment(at)
        name, role = story.folders.get(folder_id, ("", ""))
        if "report" in data and kind == "filed":
            kind = "reported"
        elif kind == "filed" and not recipient and role == "sent":
            kind = "kept"
        story.steps.append(Step(moment, kind, recipient, sender, data, name, via=str(data.get("via", ""))))
        if kind not in ("reported", "kept"):
            story.sender = story.sender or sender
            story.subject = story.subject or str(data.get("subject") or "")
            octets = data.get("octets")
            story.octets = octets if story.octets is None and isinstance(octets, int) else story.octets
        if kind == "submitted":
            for one in data.get("recipients") or [recipient]:
                outcomes.setdefault(str(one).lower(), Outcome(str(one), "sending", moment, data))
        elif kind == "filed":
            where = Place(mailbox_id, folder_id, int(uids)) if uids.isdigit() and mailbox_id else None
            outcomes[recipient.lower()] = Outcome(
                recipient, "delivered", moment, data, name, role, place=where, event_id=event_id
            )
        elif state := _STATES.get(kind):
            known = outcomes.get(recipient.lower())
            outcomes[recipient.lower()] = Outcome(
                recipient, state, moment, data or (known.data if known else {}), next_at=_next(data)
            )
    if not outcomes and story.steps[0].kind == "reported":
        # A report that came from outside has a trace of its own.
        told = story.steps[0]
        outcomes[""] = Outcome(told.recipient, "delivered", told.at, told.data, told.folder)
    story.outcomes = list(outcomes.values())


def _next(data: dict[str, Any]) -> dt.datetime | None:
    try:
        return dt.datetime.fromisoformat(str(data.get("next", "")))
    except ValueError:
        return None


def _add_entries(story: Story, entries: Iterable[QueueEntry]) -> None:
    """What the queue says now of what is not over goes before what the events said."""
    by_name = {one.recipient.lower(): one for one in story.outcomes}
    for entry in entries:
        one = by_name.get(entry.recipient.lower())
        state = _LIVE.get(QueueEntry.State(entry.state), str(entry.state))
        if one is None:
            one = Outcome(entry.recipient, state, entry.finished_at or entry.created_at)
            by_name[entry.recipient.lower()] = one
            story.outcomes.append(one)
        if state in ("waiting", "held"):
            one.state, one.entry = state, entry.public_id
            one.next_at = entry.due_at if state == "waiting" else None
            one.data = {**one.data, "held": entry.held_because}
        elif one.state == "sending":
            one.state, one.at = state, entry.finished_at or one.at


def _add_attempts(story: Story) -> None:
    """Each try at each entry, while the queue still has them: the events tell of the last of a round."""
    rows = Attempt.objects.filter(
        tenant_id=story.tenant_id, entry__submission__trace=story.trace
    ).select_related("entry")
    for row in rows.order_by("pk")[: limits.TRACE_AFTER_ROWS]:
        data = {
            "host": row.host, "address": row.address, "tls": row.tls_version, "tls_cipher": row.tls_cipher,
            "tls_verdict": row.tls_verdict, "tls_policy": row.tls_policy, "code": row.code,
            "status": row.status, "reply": row.reply, "ms": row.duration_ms, "phase": row.phase,
            "outcome": row.outcome,
        }  # fmt: skip
        story.steps.append(Step(row.started_at, "attempted", row.entry.recipient, data=data))


def _add_suppressions(story: Story) -> None:
    failed = {one.recipient.lower(): one for one in story.outcomes if one.state == "bounced"}
    rows = Suppression.objects.filter(tenant_id=story.tenant_id, address__in=failed)
    for address, public_id in rows.values_list("address", "public_id"):
        failed[address].suppression = public_id


def _add_quarantined(story: Story) -> None:
    kept = {one.recipient: one for one in story.outcomes if one.state == "quarantined"}
    if not kept:
        return
    rows = Quarantined.objects.filter(tenant_id=story.tenant_id, trace__startswith=story.trace)
    for recipient, trace, public_id in rows.values_list("recipient", "trace", "public_id"):
        if recipient in kept and trace.partition("/")[0] == story.trace:
            kept[recipient].quarantined = public_id


def _name_folders(story: Story) -> None:
    """Add what happened after delivery to the time line, with the names that folders have today."""
    lives = [one for one in story.outcomes if one.life is not None]
    wanted = {
        place.folder_id
        for one in lives
        for step in (one.life.steps if one.life else ())
        for place in (step.place, step.to)
        if place is not None
    }
    for pk, name, role in Folder.objects.filter(pk__in=wanted).values_list("pk", "name", "role"):
        story.folders[pk] = (name, role)
    for one in lives:
        for step in one.life.steps if one.life else ():
            name = story.folders.get(step.place.folder_id, ("", ""))[0]
            to = story.folders.get(step.to.folder_id, ("", ""))[0] if step.to else ""
            story.steps.append(Step(step.at, step.kind, one.recipient, folder=name, to=to, via=step.via))
