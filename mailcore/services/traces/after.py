"""What became of a mail after it was filed: read, moved, copied, deleted, fetched by POP3.

Commands leave one event each, with the packed set of uids they touched and no trace: a mail program that
marks ten thousand messages writes one row. So a mail is followed from folder to folder when somebody asks,
through the events of its mailbox (index event_after), limits.TRACE_AFTER_ROWS of them at most.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from mailcore import limits
from mailcore.imap.wire import seqset
from mailcore.services import sql

GONE = "deleted"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a mail is, or was: a message of a folder."""

    mailbox_id: int
    folder_id: int
    uid: int


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that happened to it. kind as in Event; to is where a moved or copied one went."""

    at: dt.datetime
    kind: str
    via: str
    place: Place
    to: Place | None = None


@dataclass(slots=True)
class Afterlife:
    """steps in order of time; places where it still is. is_cut: there were more events than are looked at."""

    steps: list[Step] = field(default_factory=list)
    places: list[Place] = field(default_factory=list)
    is_cut: bool = False


def follow(tenant_id: int, place: Place, since: int) -> Afterlife:
    """What happened to the mail at place after the event with the id since, within its tenant."""
    life = Afterlife(places=[place])
    # A mail that goes to another mailbox is looked for there from then on.
    waiting, looked = [(place.mailbox_id, since)], 0
    while waiting:
        mailbox_id, after = waiting.pop()
        for event_id, step in _touching(tenant_id, mailbox_id, after, life):
            if step is None:
                life.is_cut = True
                break
            looked += 1
            if step.to is not None and step.to.mailbox_id != mailbox_id:
                waiting.append((step.to.mailbox_id, event_id))
            if looked >= limits.TRACE_COPIES * 4:
                life.is_cut = True
                return life
    life.steps.sort(key=lambda step: step.at)
    return life


def _touching(
    tenant_id: int, mailbox_id: int, after: int, life: Afterlife
) -> Iterator[tuple[int, Step | None]]:
    """The steps in one mailbox, with their events; life's places move along. None: there are more events."""
    rows = sql.rows(
        # trace = '' stands in the text: so the partial index fits.
        "SELECT id, kind, at, folder_id, uids, data FROM event WHERE mailbox_id = %s AND trace = ''"
        " AND id > %s AND tenant_id = %s ORDER BY id LIMIT %s",
        (mailbox_id, after, tenant_id, limits.TRACE_AFTER_ROWS + 1),
    )
    for event_id, kind, at, folder_id, uids, data in rows[: limits.TRACE_AFTER_ROWS]:
        here = [one for one in life.places if one.folder_id == folder_id and one.mailbox_id == mailbox_id]
        if not here:
            continue
        touched = seqset.parse_compact(uids.encode())
        for place in here:
            if not seqset.contains(touched, place.uid):
                continue
            told = as_mapping(data)
            step = Step(as_moment(at), kind, str(told.get("via", "")), place, _target(told, touched, place))
            if kind in ("moved", GONE):
                life.places.remove(place)
            if step.to is not None and len(life.places) < limits.TRACE_COPIES:
                life.places.append(step.to)
            life.steps.append(step)
            yield event_id, step
    if len(rows) > limits.TRACE_AFTER_ROWS:
        yield 0, None


def _target(told: dict[str, Any], touched: seqset.Ranges, place: Place) -> Place | None:
    """Where a moved or copied mail went: the uids of "as" stand in the order of those that were moved."""
    folder_id, target_uids = told.get("to"), told.get("as")
    if not isinstance(folder_id, int) or not isinstance(target_uids, str):
        return None
    number = seqset.count(tuple((low, min(high, place.uid - 1)) for low, high in touched if low < place.uid))
    uid = _nth(seqset.parse_compact(target_uids.encode()), number)
    row = sql.row("SELECT mailbox_id FROM folder WHERE id = %s", (folder_id,))
    if uid is None:
        return None
    return Place(row[0] if row else place.mailbox_id, folder_id, uid)


def _nth(ranges: seqset.Ranges, number: int) -> int | None:
    for low, high in ranges:
        if number <= high - low:
            return low + number
        number -= high - low + 1
    return None


def as_mapping(value: Any) -> dict[str, Any]:
    """The JSON of an event as either driver gives it."""
    found = json.loads(value) if isinstance(value, str) else value
    return found if isinstance(found, dict) else {}


def as_moment(value: Any) -> dt.datetime:
    """A moment as either driver gives it."""
    found = dt.datetime.fromisoformat(value) if isinstance(value, str) else value
    return found if found.tzinfo else found.replace(tzinfo=dt.UTC)
