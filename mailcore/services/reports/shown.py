"""What reports say of a domain, added up for people: by source, by day, by what went wrong with TLS."""

from __future__ import annotations

import datetime as dt
import ipaddress
from dataclasses import dataclass
from typing import TypeAlias

from django.conf import settings
from django.db.models import Count, F, Max, Q, QuerySet, Sum
from django.db.models.functions import Coalesce, TruncDate

from mailcore import limits
from mailcore.models import DMARCRow, Domain, TLSRow
from mailcore.outside import clock

DMARCRows: TypeAlias = "QuerySet[DMARCRow]"
_PASSED = Q(dkim=True) | Q(spf=True)


@dataclass(frozen=True, slots=True)
class Source:
    """Mail from one address: count altogether, passed by DMARC, and by each of its two ways."""

    address: str
    is_own: bool
    count: int
    passed: int
    dkim: int
    spf: int
    quarantined: int
    rejected: int
    reporters: int

    @property
    def failed(self) -> int:
        return self.count - self.passed


@dataclass(frozen=True, slots=True)
class Day:
    day: dt.date
    passed: int
    failed: int


@dataclass(frozen=True, slots=True)
class Trouble:
    """TLS sessions that failed in one way, or with result "" those that went well."""

    result: str
    policy_type: str
    host: str
    count: int
    last_at: dt.datetime


@dataclass(frozen=True, slots=True)
class Overview:
    days: int
    sources: list[Source]
    by_day: list[Day]
    tls: list[Trouble]

    @property
    def passed(self) -> int:
        return sum(one.passed for one in self.by_day)

    @property
    def failed(self) -> int:
        return sum(one.failed for one in self.by_day)


def overview(domain: Domain, days: int = 30) -> Overview:
    """The last days of a domain, today included; the sources with most mail, at most REPORT_SOURCES."""
    today = clock.now().date()
    first = today - dt.timedelta(days=days - 1)
    since = dt.datetime.combine(first, dt.time(), dt.UTC)
    rows = DMARCRow.objects.filter(report__domain=domain, report__begins_at__gte=since)
    return Overview(days, _sources(rows), _by_day(rows, first, days), _tls(domain, since))


def _sum(condition: Q) -> Coalesce:
    return Coalesce(Sum("count", filter=condition), 0)


def _sources(rows: DMARCRows) -> list[Source]:
    found = (
        rows.values("source")
        .annotate(
            total=Sum("count"), passed=_sum(_PASSED), by_dkim=_sum(Q(dkim=True)), by_spf=_sum(Q(spf=True)),
            quarantined=_sum(Q(disposition="quarantine")), rejected=_sum(Q(disposition="reject")),
            reporters=Count("report__organization", distinct=True),
        )
        .order_by("-total", "source")[: limits.REPORT_SOURCES]
    )  # fmt: skip
    return [
        Source(
            row["source"], is_own(row["source"]), row["total"], row["passed"], row["by_dkim"], row["by_spf"],
            row["quarantined"], row["rejected"], row["reporters"],
        )
        for row in found
    ]  # fmt: skip


def _by_day(rows: DMARCRows, first: dt.date, days: int) -> list[Day]:
    found = (
        rows.annotate(day=TruncDate("report__begins_at", tzinfo=dt.UTC))
        .values("day")
        .annotate(total=Sum("count"), passed=_sum(_PASSED))
        .order_by("day")
    )
    counts = {row["day"]: (row["passed"], row["total"] - row["passed"]) for row in found}
    whole = [first + dt.timedelta(days=number) for number in range(days)]
    return [Day(day, *counts.get(day, (0, 0))) for day in whole]


def _tls(domain: Domain, since: dt.datetime) -> list[Trouble]:
    rows = TLSRow.objects.filter(report__domain=domain, report__begins_at__gte=since)
    found = (
        rows.values("result", "policy_type", "host")
        .annotate(total=Sum("count"), last_at=Max(F("report__begins_at")))
        .order_by("result", "-total")[: limits.REPORT_SOURCES]
    )
    return [
        Trouble(row["result"], row["policy_type"], row["host"], row["total"], row["last_at"]) for row in found
    ]


def is_own(address: str) -> bool:
    """Whether mail from this address left from here, as HOSTMAIL_OUTBOUND_ADDRESSES says."""
    try:
        at = ipaddress.ip_address(address)
    except ValueError:
        return False
    return any(at in ipaddress.ip_network(one) for one in settings.HOSTMAIL_OUTBOUND_ADDRESSES)
