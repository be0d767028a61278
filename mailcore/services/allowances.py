"""How much a mailbox and an organisation may send a day. What goes over it waits; it is not lost.

Counted are recipients outside, and among them those whom the mailbox never wrote to before, by days in UTC.
submit counts each mail in the transaction that files it (outbound/submission.py), so that no two of them can
share the last place. What found none is on hold ("limit") until a day has room for it again, oldest first, or
until an administrator lets it go. Limits are the least of the service's settings, or staff's ceiling in their
place, and the organisation's own.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import threading
from collections import OrderedDict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet

from mailcore import limits
from mailcore.errors import BadValue
from mailcore.models import Allowance, Mailbox, SendingDay, Tenant, User
from mailcore.outside import clock
from mailcore.services import audit, races, sql

# Why an entry is on hold (QueueEntry.held_because).
LIMIT, STOPPED = "limit", "stopped"


@dataclass(frozen=True, slots=True)
class Allowed:
    """What may go out in a day; None: as much as one likes."""

    recipients: int | None = None
    first: int | None = None
    tenant_recipients: int | None = None
    tenant_first: int | None = None
    is_stopped: bool = False


FREE = Allowed()

# For a statement with a mailbox m: its allowance, its organisation's, and what read() wants of them.
JOINS = (
    " LEFT JOIN allowance own ON own.mailbox_id = m.id"
    " LEFT JOIN allowance org ON org.tenant_id = m.tenant_id AND org.mailbox_id IS NULL"
)
COLUMNS = (
    "own.recipient_ceiling, own.recipient_limit, own.first_ceiling, own.first_limit,"
    " org.recipient_ceiling, org.recipient_limit, org.first_ceiling, org.first_limit,"
    " own.stopped_at, org.stopped_at"
)


def read(values: Sequence[int | None]) -> Allowed:
    """What the values of COLUMNS come to."""
    return Allowed(
        _least(settings.HOSTMAIL_MAILBOX_RECIPIENTS, *values[0:2]),
        _least(settings.HOSTMAIL_MAILBOX_FIRST_RECIPIENTS, *values[2:4]),
        _least(settings.HOSTMAIL_TENANT_RECIPIENTS, *values[4:6]),
        _least(settings.HOSTMAIL_TENANT_FIRST_RECIPIENTS, *values[6:8]),
        values[8] is not None or values[9] is not None,
    )


def _least(default: int, ceiling: int | None, limit: int | None) -> int | None:
    """The service's default (0: none) or staff's ceiling instead, and no more than the limit below it."""
    top = ceiling if ceiling is not None else (default or None)
    return min((each for each in (top, limit) if each is not None), default=None)


def of(mailbox_id: int) -> Allowed:
    """What a mailbox may send, with its organisation's share."""
    row = sql.row(f"SELECT {COLUMNS} FROM mailbox m{JOINS} WHERE m.id = %s", (mailbox_id,))
    return read(row) if row else FREE


# --- Counting --------------------------------------------------------------------------------------------


class Charge(NamedTuple):
    """Whether a mail may leave today; how many strangers it goes to, and its mailbox had today with them."""

    fits: bool
    strangers: int
    first_today: int


def charge(tenant_id: int, mailbox_id: int, recipients: Collection[str], allowed: Allowed) -> Charge:
    """Count a mail for recipients outside, inside the caller's transaction.

    What may not leave is counted as held, and not as sent.
    """
    charged = count(tenant_id, mailbox_id, recipients, allowed)
    if not charged.fits:
        sql.execute(
            "UPDATE sending_day SET held = held + %s WHERE tenant_id = %s AND box = %s AND day = %s",
            (len(recipients), tenant_id, mailbox_id, _today()),
        )
    return charged


def count(tenant_id: int, mailbox_id: int, recipients: Collection[str], allowed: Allowed) -> Charge:
    """Count recipients outside if the day has room for all of them."""
    today = _today()
    keys = [key_of(recipient) for recipient in recipients]
    strangers = _meet(mailbox_id, keys, today)
    rows = sql.rows(
        _COUNT,
        (
            tenant_id, 0, today, len(keys), len(strangers),
            tenant_id, mailbox_id, today, len(keys), len(strangers),
        ),
    )  # fmt: skip
    sent = {box: (all_of_them, first) for box, all_of_them, first in rows}
    fits = _fits(sent[mailbox_id], (allowed.recipients, allowed.first), len(strangers)) and _fits(
        sent[0], (allowed.tenant_recipients, allowed.tenant_first), len(strangers)
    )
    if fits:
        transaction.on_commit(lambda: _met.add_all((mailbox_id, key) for key in keys))
    else:
        _uncount(tenant_id, mailbox_id, len(keys), strangers)
    return Charge(fits, len(strangers), sent[mailbox_id][1])


def _uncount(tenant_id: int, mailbox_id: int, recipients: int, strangers: Sequence[int]) -> None:
    sql.execute(
        "UPDATE sending_day SET recipients = recipients - %s, first_recipients = first_recipients - %s"
        " WHERE tenant_id = %s AND box IN (0, %s) AND day = %s",
        (recipients, len(strangers), tenant_id, mailbox_id, _today()),
    )
    if strangers:
        where, params = sql.any_of("address_key", strangers)
        sql.execute(f"DELETE FROM acquaintance WHERE mailbox_id = %s AND {where}", (mailbox_id, *params))


# The organisation's row first, always: whoever has it need not wait for the mailbox's.
_COUNT = (
    "INSERT INTO sending_day (tenant_id, box, day, recipients, first_recipients)"
    " VALUES (%s, %s, %s, %s, %s), (%s, %s, %s, %s, %s)"
    " ON CONFLICT (tenant_id, box, day) DO UPDATE SET"
    " recipients = sending_day.recipients + excluded.recipients,"
    " first_recipients = sending_day.first_recipients + excluded.first_recipients"
    " RETURNING box, recipients, first_recipients"
)


def _fits(sent: tuple[int, int], most: tuple[int | None, int | None], strangers: int) -> bool:
    """Whether what is counted now is within the limits. Who writes to no stranger is not held for others."""
    recipients, first = most
    if recipients is not None and sent[0] > recipients:
        return False
    return first is None or not strangers or sent[1] <= first


def _today() -> str:
    return clock.now().date().isoformat()


def key_of(address: str) -> int:
    """How an acquaintance is known: 63 bits of its address's hash, without regard to case."""
    digest = hashlib.blake2b(sql.text(address).lower().encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1


class _Met:
    """(mailbox, key) of acquaintances in committed rows; those named longest ago go first."""

    def __init__(self) -> None:
        self._keys: OrderedDict[tuple[int, int], None] = OrderedDict()
        self._lock = threading.Lock()

    def __contains__(self, key: tuple[int, int]) -> bool:
        return key in self._keys

    def add_all(self, keys: Iterable[tuple[int, int]]) -> None:
        with self._lock:
            for key in keys:
                self._keys[key] = None
                self._keys.move_to_end(key)
            while len(self._keys) > limits.ACQUAINTANCES_REMEMBERED:
                self._keys.popitem(last=False)

    def clear(self) -> None:
        self._keys.clear()


# Most mail goes to people whom one has written to before.
_met = _Met()


def _meet(mailbox_id: int, keys: Collection[int], today: str) -> list[int]:
    """Note that a mailbox writes to them; those whom it never did before. A statement only if need be."""
    unsure = [key for key in dict.fromkeys(keys) if (mailbox_id, key) not in _met]
    if not unsure:
        return []
    marks = ", ".join(["(%s, %s, %s)"] * len(unsure))
    rows = sql.rows(
        f"INSERT INTO acquaintance (mailbox_id, address_key, since) VALUES {marks}"
        " ON CONFLICT (mailbox_id, address_key) DO NOTHING RETURNING address_key",
        [value for key in sorted(unsure) for value in (mailbox_id, key, today)],
    )
    return [row[0] for row in rows]


def forget_acquaintances() -> None:
    """Forget what this process remembers; the rows stay. For tests."""
    _met.clear()


# --- Setting limits --------------------------------------------------------------------------------------


def set_ceilings(
    of_whom: Mailbox | Tenant, *, recipients: int | None, first: int | None, actor: User | None
) -> None:
    """What staff let a mailbox, or a whole organisation, send a day; None is the service's setting."""
    _set(of_whom, {"recipient_ceiling": recipients, "first_ceiling": first}, "allowance.ceiling", actor)


def set_limits(
    of_whom: Mailbox | Tenant, *, recipients: int | None, first: int | None, actor: User | None
) -> None:
    """The organisation's own limits; they only count where they are lower. None takes one away."""
    _set(of_whom, {"recipient_limit": recipients, "first_limit": first}, "allowance.limit", actor)


def _set(of_whom: Mailbox | Tenant, values: dict[str, int | None], verb: str, actor: User | None) -> None:
    if any(value is not None and not 0 <= value <= limits.SENDING_MOST for value in values.values()):
        raise BadValue(f"A limit is a number from 0 to {limits.SENDING_MOST}")
    with races.change():
        row_of(of_whom)
        _rows_of(of_whom).update(**values)
        audit.record(actor, verb, of_whom, data=dict(values))


def _rows_of(of_whom: Mailbox | Tenant) -> QuerySet[Allowance]:
    if isinstance(of_whom, Mailbox):
        return Allowance.objects.filter(mailbox=of_whom)
    return Allowance.objects.filter(tenant=of_whom, mailbox=None)


def row_of(of_whom: Mailbox | Tenant) -> Allowance:
    """The row of a mailbox or an organisation, made if there is none."""
    if isinstance(of_whom, Mailbox):
        return Allowance.objects.get_or_create(mailbox=of_whom, defaults={"tenant_id": of_whom.tenant_id})[0]
    return Allowance.objects.get_or_create(tenant=of_whom, mailbox=None)[0]


@dataclass(frozen=True, slots=True)
class Today:
    """What a mailbox, or an organisation, has sent today, and may."""

    recipients: int
    first_recipients: int
    held: int
    recipient_limit: int | None
    first_limit: int | None


def today(of_whom: Mailbox | Tenant) -> Today:
    """How a day stands."""
    if isinstance(of_whom, Mailbox):
        tenant_id, box, allowed = of_whom.tenant_id, of_whom.pk, of(of_whom.pk)
        most = allowed.recipients, allowed.first
    else:
        tenant_id, box = of_whom.pk, 0
        row = Allowance.objects.filter(tenant=of_whom, mailbox=None).first() or Allowance()
        most = (
            _least(settings.HOSTMAIL_TENANT_RECIPIENTS, row.recipient_ceiling, row.recipient_limit),
            _least(settings.HOSTMAIL_TENANT_FIRST_RECIPIENTS, row.first_ceiling, row.first_limit),
        )
    day = SendingDay.objects.filter(tenant_id=tenant_id, box=box, day=_today()).first() or SendingDay()
    return Today(day.recipients, day.first_recipients, day.held, *most)


def prune() -> int:
    """Forget the counts of days long over; how many. Acquaintances stay as long as their mailbox."""
    before = clock.now().date() - dt.timedelta(days=limits.SENDING_DAYS_KEPT)
    with transaction.atomic():
        return sql.execute("DELETE FROM sending_day WHERE day < %s", (before.isoformat(),))
