"""Find mails by what somebody knows of them: one row per mail and organisation, newest first.

Each clue has its index on the event table (models/event); only words of a subject are looked for one by one,
a limited number of events at a time. Who runs tenants sees what is theirs; tenant_ids None are all of them.
"""

from __future__ import annotations

import datetime as dt
import heapq
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from mailcore import limits
from mailcore.message import clues, trace
from mailcore.services import sql
from mailcore.services.traces.after import as_moment

# Events are numbered before they are committed: none of a moment stands further than this from its place.
_SLACK = dt.timedelta(minutes=2)


@dataclass(frozen=True, slots=True)
class Asked:
    """What is looked for. since and until are aware; until is not included."""

    clues: clues.Clues
    since: dt.datetime | None = None
    until: dt.datetime | None = None


@dataclass(frozen=True, slots=True)
class Hit:
    """A mail that was found, by its newest event that fits."""

    tenant_id: int
    trace: str
    event_id: int


@dataclass(frozen=True, slots=True)
class Found:
    """One page. before is where the next one begins, None on the last."""

    hits: list[Hit]
    before: int | None


_Alternative = tuple[str, list[Any]]


def find(tenant_ids: Collection[int] | None, asked: Asked, *, before: int | None = None) -> Found:
    """At most limits.TRACE_PAGE mails that fit, those whose newest fitting event has an id below before."""
    wheres = [_theirs(tenant_ids), ("trace > ''", []), *_within(asked)]
    fixed = " AND ".join(where for where, _ in wheres)
    params = [value for _, values in wheres for value in values]
    ways = _alternatives(asked.clues)
    words = asked.clues.words
    chunks = [_events(f"{fixed} AND {where}", [*params, *values], before, words) for where, values in ways]
    hits: dict[tuple[int, str], Hit] = {}
    for event_id, tenant_id, name in heapq.merge(*chunks, key=lambda row: -row[0]):
        if not name:  # looked through as many as one page may
            return Found(_fresh(list(hits.values()), fixed, params, ways, before, words), event_id)
        root = name.partition("/")[0]
        if (tenant_id, root) not in hits:
            if len(hits) == limits.TRACE_PAGE:
                return Found(_fresh(list(hits.values()), fixed, params, ways, before, words), event_id + 1)
            hits[tenant_id, root] = Hit(tenant_id, root, event_id)
    return Found(_fresh(list(hits.values()), fixed, params, ways, before, words), None)


def _theirs(tenant_ids: Collection[int] | None) -> _Alternative:
    if tenant_ids is None:
        return "tenant_id IN (SELECT id FROM tenant)", []
    if not tenant_ids:
        return "1 = 0", []
    return sql.any_of("tenant_id", sorted(tenant_ids))


def _within(asked: Asked) -> list[_Alternative]:
    """The time that is asked for: as ids, which every index ends in, and to the second."""
    found: list[_Alternative] = []
    if asked.since:
        found.append(("id >= %s AND at >= %s", [_first_id(asked.since - _SLACK), sql.moment(asked.since)]))
    if asked.until:
        found.append(("id < %s AND at < %s", [_first_id(asked.until + _SLACK), sql.moment(asked.until)]))
    return found


def _first_id(moment: dt.datetime) -> int:
    """The smallest id of an event at or after moment, by halving: there is no index on the time."""
    newest = sql.row("SELECT id FROM event ORDER BY id DESC LIMIT 1")
    low, high = 0, newest[0] + 1 if newest else 1
    while low < high:
        middle = (low + high) // 2
        row = sql.row("SELECT id, at FROM event WHERE id >= %s ORDER BY id LIMIT 1", (middle,))
        if row is None or as_moment(row[1]) >= moment:
            high = middle
        else:
            low = row[0] + 1
    return low


def _alternatives(asked: clues.Clues) -> list[_Alternative]:
    """Conditions of which one has to be true, each with an index."""
    ways: list[_Alternative] = []
    for name in asked.ids:
        known = _known_as(name)
        ways.append((f"trace IN ({', '.join(['%s'] * len(known))})", list(known)))
    ways += [("message_key = %s", [trace.key_of(message_id)]) for message_id in asked.message_ids]
    for address in asked.addresses:
        # The text of the index stands here: an empty one is not in it.
        ways.append(("sender > '' AND lower(sender) = lower(%s)", [sql.text(address)]))
        ways.append(("recipient > '' AND lower(recipient) = lower(%s)", [sql.text(address)]))
    return ways or [("1 = 1", [])]


def _known_as(name: str) -> list[str]:
    """The names in events of what has this id: itself if it is a trace, or the trace of its submission."""
    rows = sql.rows(
        "SELECT trace FROM submission WHERE public_id = %s UNION SELECT s.trace FROM submission s"
        " JOIN queue_entry q ON q.submission_id = s.id WHERE q.public_id = %s",
        (name, name),
    )
    return [part for root in (name, *(row[0] for row in rows)) for part in family(root)]


def family(root: str, first: int = 1, last: int = 50) -> list[str]:
    """A trace and what its recipients are called: t, t/1, t/2, ..."""
    return [root, *(f"{root}/{number}" for number in range(first, last + 1))]


def _events(
    where: str, params: Sequence[Any], before: int | None, words: Sequence[str]
) -> Iterator[tuple[int, int, str]]:
    """(id, tenant, trace) of the events that fit, newest first; ends with an empty trace if it gives up."""
    subject = _subject() if words else "''"
    # The few events of a trace are sorted: the index of ids would have SQLite read all there are.
    order = "+id" if where.rpartition(" AND ")[2].startswith("trace IN") else "id"
    # A word has no index, so the number of rows read is limited; every other clue is one.
    left = limits.TRACE_SCAN_ROWS
    last = 2**62 if before is None else before
    while True:
        rows = sql.rows(
            f"SELECT id, tenant_id, trace, {subject} FROM event WHERE {where} AND id < %s"
            f" ORDER BY {order} DESC LIMIT {limits.TRACE_CHUNK_ROWS}",
            (*params, last),
        )
        for event_id, tenant_id, name, text in rows:
            if not words or has_all(text, words):
                yield event_id, tenant_id, name
        if len(rows) < limits.TRACE_CHUNK_ROWS:
            return
        last, left = rows[-1][0], left - len(rows)
        if left <= 0:
            yield last, 0, ""
            return


def _subject() -> str:
    return "data ->> '$.subject'" if sql.is_sqlite() else "data ->> 'subject'"


def has_all(subject: str | None, words: Sequence[str]) -> bool:
    """Whether a subject has all these words in it, in any case."""
    folded = (subject or "").casefold()
    return all(word in folded for word in words)


def _fresh(
    hits: list[Hit],
    fixed: str,
    params: Sequence[Any],
    ways: Sequence[_Alternative],
    before: int | None,
    words: Sequence[str],
) -> list[Hit]:
    """Those hits that no earlier page has shown by a newer event."""
    if before is None or not hits:
        return hits
    names = [name for hit in hits for name in family(hit.trace, last=5)]
    either = " OR ".join(f"({where})" for where, _ in ways)
    subject = _subject() if words else "''"
    shown = {
        (tenant_id, name.partition("/")[0])
        for tenant_id, name, text in sql.rows(
            f"SELECT tenant_id, trace, {subject} FROM event WHERE {fixed} AND id >= %s"
            f" AND trace IN ({', '.join(['%s'] * len(names))}) AND ({either})",
            [*params, before, *names, *(value for _, values in ways for value in values)],
        )
        if not words or has_all(text, words)
    }
    return [hit for hit in hits if (hit.tenant_id, hit.trace) not in shown]
