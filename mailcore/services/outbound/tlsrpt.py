"""Counts of TLS sessions with hosts outside, and the reports that their domains want. RFC 8460.

    note(sessions)                      # by whoever had them, for domains that want to hear of it
    domains_of(day)                     # whom we owe a report of that day (in UTC)
    report(day, domain)                 # the report, JSON in UTF-8

Who wants reports, and where, is tlspolicy.tlsrpt.rua() of the TXT records of `_smtp._tls.DOMAIN`. Sending
reports is others' business; counts are kept TLSRPT_KEPT_DAYS.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections import Counter
from collections.abc import Iterable

from django.conf import settings

from mailcore import limits
from mailcore.models import TLSCount
from mailcore.outside import clock
from mailcore.services import ledger, sql
from mailcore.tlspolicy import tlsrpt
from mailcore.tlspolicy.tlsrpt import Held, Kind, Result, Session


def note(sessions: Iterable[Session]) -> None:
    """Count sessions of today. Waits for the commit."""
    day = clock.now().date()
    rows = [_row(day, session, count) for session, count in Counter(sessions).items()]
    if rows:
        ledger.durably(lambda: sql.execute_many(_COUNT, rows))


_COLUMNS = (
    "day", "domain", "policy_type", "policy", "result", "host", "address", "own_address", "reason", "key",
    "count",
)  # fmt: skip
_COUNT = sql.insert_statement(
    "tls_count",
    _COLUMNS,
    "ON CONFLICT (key) DO UPDATE SET count = tls_count.count + excluded.count",
)


def _row(day: dt.date, session: Session, count: int) -> tuple[object, ...]:
    values = (
        session.held.domain[:253],
        session.held.kind.value,
        sql.text("\n".join(session.held.lines)),
        session.result.value if session.result else "",
        session.host[:255],
        session.address[:45],
        session.own_address[:45],
        sql.text(session.reason)[:200],
    )
    key = hashlib.sha256("\0".join((day.isoformat(), *values)).encode()).hexdigest()
    return (day.isoformat() if sql.is_sqlite() else day, *values, key, count)


def domains_of(day: dt.date) -> list[str]:
    """The domains that we had sessions with on that day (in UTC) and that wanted to hear of it, sorted."""
    found = TLSCount.objects.filter(day=day).values_list("domain", flat=True)
    return list(found.order_by("domain").distinct())


def report(day: dt.date, domain: str) -> bytes:
    """The report of that day (in UTC) for a domain, as JSON. Without policies where nothing was counted.

    The same counts give the same octets and the same report-id: a report that goes twice is seen as one.
    """
    rows = TLSCount.objects.filter(day=day, domain=domain).order_by("pk")[: limits.TLSRPT_ROWS]
    return tlsrpt.report(
        [(_session(row), row.count) for row in rows],
        day=day,
        organisation=settings.HOSTMAIL_HOSTNAME,
        contact=f"postmaster@{settings.HOSTMAIL_HOSTNAME}",
        report_id=f"{day.isoformat()}_{domain}@{settings.HOSTMAIL_HOSTNAME}",
    )


def _session(row: TLSCount) -> Session:
    held = Held(row.domain, Kind(row.policy_type), tuple(row.policy.split("\n")) if row.policy else ())
    result = Result(row.result) if row.result else None
    return Session(held, result, row.host, row.address, row.own_address, row.reason)


def prune() -> int:
    """Forget counts that are older than they are kept; how many went, at most a thousand."""
    before = clock.now().date() - dt.timedelta(days=limits.TLSRPT_KEPT_DAYS)
    old = TLSCount.objects.filter(day__lt=before).values_list("pk", flat=True)[:1000]
    gone, _kinds = TLSCount.objects.filter(pk__in=list(old)).delete()
    return gone
