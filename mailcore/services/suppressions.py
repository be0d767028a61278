"""The suppression list of a tenant: whom its mail does not go to, why, and until when.

A host that says that nobody is there (RFC 3463 X.1.x, X.2.1) is believed for a while: to go on sending there
is what marks a sender as careless, and makes hosts refuse everybody's mail. Refusals by rule (5.7.x), full
mailboxes and time-outs suppress nothing.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import replace

from django.db import transaction

from mailcore import limits
from mailcore.errors import BadValue, NoSuchAddress, NotFound, Suppressed
from mailcore.message.address import parse_path
from mailcore.models import Suppression, Tenant, User
from mailcore.outside import clock
from mailcore.secrets import random_id
from mailcore.services import audit, races, sql
from mailcore.services.addresses import Route

# Bad mailbox, bad syntax of it, moved away, null MX (RFC 7505), disabled. (RFC 3463 §3.2, §3.3)
HARD = frozenset({"5.1.1", "5.1.3", "5.1.6", "5.1.10", "5.2.1"})


def is_hard(status: str) -> bool:
    """Whether an enhanced status code says that mail will never arrive, whoever sends it."""
    return status in HARD


def note_bounces(bounced: Iterable[tuple[int, str, str, str]]) -> None:
    """Put addresses of hard bounces on the list, inside the caller's transaction.

    Each is (tenant, address, enhanced status, the host's words); what is no hard bounce is passed over. An
    entry made by hand stays as it is.
    """
    now = clock.now()
    until = now + dt.timedelta(seconds=limits.SUPPRESSED_SECONDS)
    sql.execute_many(
        "INSERT INTO suppression (tenant_id, public_id, address, reason, status, words, since, expires_at)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT (tenant_id, address) DO UPDATE SET"
        " status = excluded.status, words = excluded.words, since = excluded.since,"
        " expires_at = excluded.expires_at WHERE suppression.reason = 'bounce'",
        [
            (
                tenant_id, random_id(), _key(address), Suppression.Reason.BOUNCE.value, status,
                sql.text(words)[:500], sql.moment(now), sql.moment(until),
            )
            for tenant_id, address, status, words in bounced
            if is_hard(status)
        ],
    )  # fmt: skip


def note_complaints(complained: Iterable[tuple[int, str, str]]) -> None:
    """Put addresses whose readers complained on the list, until somebody takes them off.

    Inside a transaction. Each is (tenant, address, words). An entry made by hand stays as it is.
    """
    now = clock.now()
    sql.execute_many(
        "INSERT INTO suppression (tenant_id, public_id, address, reason, status, words, since, expires_at)"
        " VALUES (%s, %s, %s, %s, '', %s, %s, NULL) ON CONFLICT (tenant_id, address) DO UPDATE SET"
        " reason = excluded.reason, status = '', words = excluded.words, since = excluded.since,"
        " expires_at = NULL WHERE suppression.reason <> 'manual'",
        [
            (
                tenant_id, random_id(), _key(address), Suppression.Reason.COMPLAINT.value,
                sql.text(words)[:500], sql.moment(now),
            )
            for tenant_id, address, words in complained
        ],
    )  # fmt: skip


def check(tenant_id: int, address: str) -> None:
    """Raise Suppressed, with the reason and the way out, if mail of the tenant does not go to address."""
    row = sql.row(
        "SELECT reason, since, words FROM suppression WHERE tenant_id = %s AND address = %s"
        " AND (expires_at IS NULL OR expires_at > %s)",
        (tenant_id, _key(address), sql.moment(clock.now())),
    )
    if row is None:
        return
    day = str(row[1])[:10]
    if row[0] == Suppression.Reason.BOUNCE:
        said = f", saying: {row[2][:150]}" if row[2] else ""
        why = f"Its host refused mail for this address for good on {day}{said}."
    elif row[0] == Suppression.Reason.COMPLAINT:
        why = f"Whoever reads this address complained of your mail on {day}."
    else:
        why = f"Your organisation put this address on its suppression list on {day}."
    raise Suppressed(f"{why} Take it off the suppression list to write there again")


def among(tenant_id: int, addresses: Iterable[str]) -> set[str]:
    """Those of addresses, as given, that mail of the tenant does not go to now."""
    by_key = {_key(address): address for address in addresses}
    if not by_key:
        return set()
    marks = ", ".join(["%s"] * len(by_key))
    rows = sql.rows(
        f"SELECT address FROM suppression WHERE tenant_id = %s AND address IN ({marks})"
        " AND (expires_at IS NULL OR expires_at > %s)",
        (tenant_id, *by_key, sql.moment(clock.now())),
    )
    return {by_key[address] for (address,) in rows}


def spared(route: Route) -> Route:
    """A route without the addresses outside that its tenant's mail does not go to.

    Raises NoSuchAddress when nothing is left: better refused at once than taken and lost.
    """
    if not route.outside or route.tenant_id is None:
        return route
    suppressed = among(route.tenant_id, route.outside)
    if not suppressed:
        return route
    outside = tuple(address for address in route.outside if address not in suppressed)
    if not outside and not route.hops:
        raise NoSuchAddress("What this address leads to does not take mail any more")
    return replace(route, outside=outside)


def add(
    tenant: Tenant,
    address: str,
    *,
    words: str = "",
    expires_at: dt.datetime | None = None,
    actor: User | None,
) -> Suppression:
    """Put an address on the list by hand; one that is there already is made to stay as told.

    Raises BadAddress, BadValue for a moment that is over.
    """
    key = _key(str(parse_path(address.strip())))
    now = clock.now()
    if expires_at is not None and expires_at <= now:
        raise BadValue("That moment is over already")
    values = {
        "reason": Suppression.Reason.MANUAL, "status": "", "words": words[:500], "since": now,
        "expires_at": expires_at,
    }  # fmt: skip
    with races.change():
        made, _ = Suppression.objects.update_or_create(tenant=tenant, address=key, defaults=values)
        audit.record(actor, "suppression.add", made)
    return made


def remove(entry: Suppression, *, actor: User | None) -> None:
    """Let mail go there again. Raises NotFound if somebody was faster."""
    with races.change():
        audit.record(actor, "suppression.remove", entry)
        if not Suppression.objects.filter(pk=entry.pk).delete()[0]:
            raise NotFound


def prune() -> int:
    """Forget entries whose time is over; how many."""
    with transaction.atomic():
        return sql.execute("DELETE FROM suppression WHERE expires_at < %s", (sql.moment(clock.now()),))


def _key(address: str) -> str:
    return sql.text(address).lower()[:320]
