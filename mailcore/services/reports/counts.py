"""DMARC results of mail that comes in, counted for the domains that want to hear of it. (RFC 7489 §7.2)

The MX notes each mail in memory and writes what was gathered once a minute, so that a mail costs no row. What
a killed process had gathered is lost: reports are about the whole, not about each mail.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import threading
from collections import Counter
from dataclasses import asdict, replace

from django.conf import settings
from django.db import transaction

from mailcore import limits
from mailcore.models import DMARCCount
from mailcore.outside import clock
from mailcore.reports.dmarc import Checked, Row
from mailcore.senderauth.dmarc import DMARC
from mailcore.senderauth.sender import Verdict
from mailcore.services import sql

_Key = tuple[dt.date, str, str, Row]
_gathered: Counter[_Key] = Counter()
_lock = threading.Lock()


def note(verdict: Verdict, disposition: str) -> bool:
    """Count one mail; disposition is none, quarantine or reject. True when flush() should be called soon.

    Only for domains whose record names an address for reports.
    """
    found = verdict.dmarc
    if found is None or "rua" not in found.published or settings.HOSTMAIL_SEND_REPORTS == "off":
        return False
    policy = {
        name: found.published[name][:20] for name in ("p", "sp", "adkim", "aspf") if name in found.published
    }
    key = (
        clock.now().date(),
        found.record_at,
        json.dumps(policy, sort_keys=True),
        _row(verdict, found, disposition),
    )
    with _lock:
        is_first = not _gathered
        if key in _gathered or len(_gathered) < limits.DMARC_GATHERED:
            _gathered[key] += 1
    return is_first


def _row(verdict: Verdict, found: DMARC, disposition: str) -> Row:
    signatures = verdict.signatures[: limits.DMARC_SIGNATURES]
    strict = {name: found.published.get(name, "r").lower() == "s" for name in ("adkim", "aspf")}
    passed = [one.domain for one in verdict.signatures if one.result == "pass"]
    return Row(
        source=verdict.peer[:45],
        count=0,
        disposition=disposition,
        dkim=any(_is_aligned(found, domain, strict["adkim"]) for domain in passed),
        spf=verdict.spf.result == "pass" and _is_aligned(found, verdict.spf.domain, strict["aspf"]),
        header_from=found.domain[:253],
        envelope_from=verdict.mail_from.rpartition("@")[2].lower()[:253],
        checked=(
            *(Checked("dkim", one.domain[:253], one.result, one.selector[:100]) for one in signatures),
            Checked("spf", verdict.spf.domain[:253], verdict.spf.result),
        ),
    )


def _is_aligned(found: DMARC, domain: str, is_strict: bool) -> bool:
    """As the verdict has it: nothing was aligned where it is no pass."""
    domain = domain.rstrip(".").lower()
    if found.result != "pass" or domain in ("", found.domain):
        return found.result == "pass" and bool(domain)
    return domain == found.aligned or (not is_strict and f".{domain}".endswith(f".{found.organization}"))


def flush() -> int:
    """Write what was gathered; how many rows. Opens a transaction."""
    with _lock:
        rows = list(_gathered.items())
        _gathered.clear()
    with transaction.atomic():
        sql.execute_many(_COUNT, [_values(key, count) for key, count in rows])
    return len(rows)


_COUNT = sql.insert_statement(
    "dmarc_count",
    ("day", "domain", "policy", "row", "key", "count"),
    "ON CONFLICT (key) DO UPDATE SET count = dmarc_count.count + excluded.count",
)


def _values(key: _Key, count: int) -> tuple[object, ...]:
    day, domain, policy, row = key
    text = sql.text(json.dumps(asdict(row), sort_keys=True))
    digest = hashlib.sha256(json.dumps([day.isoformat(), domain, policy, text]).encode()).hexdigest()
    return (day.isoformat() if sql.is_sqlite() else day, domain[:253], policy, text, digest, count)


def domains_of(day: dt.date) -> list[str]:
    """The domains that mail of that day (in UTC) was counted for, sorted."""
    found = DMARCCount.objects.filter(day=day).values_list("domain", flat=True)
    return list(found.order_by("domain").distinct())


def rows_of(day: dt.date, domain: str) -> tuple[dict[str, str], list[Row]]:
    """The policy as it was last seen, and the rows of one report, at most REPORT_ROWS."""
    counted = list(DMARCCount.objects.filter(day=day, domain=domain).order_by("pk")[: limits.REPORT_ROWS])
    rows = []
    for one in counted:
        values = json.loads(one.row)
        values["checked"] = tuple(Checked(**each) for each in values["checked"])
        values["reasons"] = tuple(values["reasons"])
        rows.append(replace(Row(**values), count=one.count))
    return (json.loads(counted[-1].policy) if counted else {}), rows


def prune() -> int:
    """Forget counts that are older than they are kept; how many went, at most a thousand."""
    before = clock.now().date() - dt.timedelta(days=limits.DMARC_KEPT_DAYS)
    old = list(DMARCCount.objects.filter(day__lt=before).values_list("pk", flat=True)[:1000])
    with transaction.atomic():
        DMARCCount.objects.filter(pk__in=old).delete()
    return len(old)
