"""A report that comes in: read, matched to its domain, kept once. Complaints are complaints.py's.

The mail itself is not kept. What cannot be read is refused, so that its sender hears of it; so is what is
about another domain than the one the address was made for.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass

from django.db import transaction
from django.db.models import Count

from mailcore import limits
from mailcore.errors import BadReport, NoSuchAddress, NotHere, TooFast
from mailcore.message.address import Path
from mailcore.models import Domain, Report, ReportKind
from mailcore.outside import clock
from mailcore.reports import arf, dmarc, tls, unpack
from mailcore.secrets import random_id
from mailcore.services import report_addresses, sql
from mailcore.services.messages import Unit
from mailcore.services.reports import complaints


@dataclass(frozen=True, slots=True)
class Box:
    """What an address for reports is for: a domain's reports, or with domain_id 0 anybody's complaints."""

    domain_id: int = 0
    domain: str = ""
    tenant_id: int | None = None


def expected(path: Path) -> Box | None:
    """Whose reports come to path; None when it is no address for reports.

    Raises NoSuchAddress for a forged one and for a domain that is gone, TooFast when a domain has had its
    reports of the day.
    """
    if path.local.lower() == report_addresses.FEEDBACK and path.domain in report_addresses.own_names():
        # An organisation that has the name has its addresses.
        taken = sql.row("SELECT 1 FROM domain WHERE name = %s AND NOT (state = 'pending')", (path.domain,))
        return None if taken else Box()
    domain_id = report_addresses.read(path)
    if domain_id is None:
        return None
    row = sql.row("SELECT name, tenant_id FROM domain WHERE id = %s AND state = 'verified'", (domain_id,))
    if row is None:
        raise NoSuchAddress("That domain is not here any more")
    since = clock.now() - dt.timedelta(days=1)
    (count,) = sql.rows(
        "SELECT COUNT(*) FROM report WHERE domain_id = %s AND received_at > %s",
        (domain_id, sql.moment(since)),
    )[0]
    if count >= limits.REPORTS_A_DAY:
        raise TooFast("Enough reports about that domain for today")
    return Box(domain_id, row[0], row[1])


def unit(box: Box, raw: bytes, *, peer: str, sender: str) -> Unit:
    """What to write for a mail that came to an address for reports.

    sender is the domain that stands behind the mail (DMARC), or "". Costs up to a second for a large report.
    Raises NotHere for what is no complaint, BadReport for what is no report.
    """
    if not box.domain_id:
        complaint = arf.parse(raw)
        if complaint is None:
            raise NotHere("Only complaints in the Abuse Reporting Format are taken at this address")

        def note(_contents: Sequence[object]) -> None:
            complaints.note(complaint, peer=peer)

        return Unit([], within=note)
    found = [one for one in _read(raw) if _is_about(one.domain, box.domain)]
    if not found:
        raise BadReport("The report is not about the domain that this address is for")

    def write(_contents: Sequence[object]) -> None:
        for one in found:
            _keep(box, one, sender=sender)

    return Unit([], within=write)


AnyReport = dmarc.Report | tls.Report


def _read(raw: bytes) -> list[AnyReport]:
    """The reports in a mail. Raises BadReport, with what was wrong with the likeliest file."""
    problem = BadReport("There is no report in this message")
    is_first = True
    for packed in unpack.files(raw):
        try:
            return _parsed(unpack.unpack(packed))
        except BadReport as error:
            problem = error if is_first else problem
            is_first = False
    raise problem


def _parsed(octets: bytes) -> list[AnyReport]:
    start = octets[:100].lstrip(b"\xef\xbb\xbf \t\r\n")
    if start.startswith(b"{"):
        return list(tls.parse(octets))
    return [dmarc.parse(octets)]


def _is_about(said: str, domain: str) -> bool:
    return said == domain or said.endswith(f".{domain}")


def _keep(box: Box, report: AnyReport, *, sender: str) -> None:
    """Write a report with its rows, unless it is known or dated as no honest one is. In a transaction."""
    now = clock.now()
    oldest = now - dt.timedelta(days=limits.REPORT_KEPT_DAYS)
    if report.begins_at < oldest or report.begins_at > now + dt.timedelta(days=1):
        return
    is_dmarc = isinstance(report, dmarc.Report)
    kind = ReportKind.DMARC.value if is_dmarc else ReportKind.TLS.value
    same = (str(box.domain_id), kind, report.organization, report.report_id, report.begins_at.isoformat())
    key = hashlib.sha256("\0".join((*same, report.domain)).encode("utf-8", "replace")).hexdigest()
    contact = report.email if isinstance(report, dmarc.Report) else report.contact
    policy = dict(report.policy) if isinstance(report, dmarc.Report) else {}
    row = sql.row(
        sql.insert_statement("report", _REPORT, "ON CONFLICT (key) DO NOTHING RETURNING id"),
        (
            box.domain_id, random_id(), kind, sql.text(report.organization), sql.text(contact), sender[:253],
            sql.text(report.report_id), sql.moment(report.begins_at), sql.moment(report.ends_at),
            sql.moment(now), json.dumps(policy), key,
        ),
    )  # fmt: skip
    if row is None:
        return
    if isinstance(report, dmarc.Report):
        rows = [_dmarc_row(row[0], one) for one in report.rows]
        sql.execute_many(sql.insert_statement("report_dmarc_row", _DMARC_ROW), rows)
    else:
        rows = [_tls_row(row[0], one) for one in report.rows]
        sql.execute_many(sql.insert_statement("report_tls_row", _TLS_ROW), rows)


_REPORT = (
    "domain_id", "public_id", "kind", "organization", "contact", "sender", "report_id", "begins_at",
    "ends_at", "received_at", "policy", "key",
)  # fmt: skip
_DMARC_ROW = ("report_id", "source", "count", "disposition", "dkim", "spf", "header_from", "details")
_TLS_ROW = ("report_id", "policy_type", "result", "count", "host", "address", "reason")


def _dmarc_row(report_id: int, row: dmarc.Row) -> tuple[object, ...]:
    details = {
        "envelope_from": row.envelope_from,
        "checked": [[one.method, one.domain, one.result, one.selector] for one in row.checked],
        "reasons": list(row.reasons),
    }
    return (
        report_id, row.source, row.count, row.disposition, row.dkim, row.spf, sql.text(row.header_from),
        json.dumps(details).replace("\\u0000", ""),
    )  # fmt: skip


def _tls_row(report_id: int, row: tls.Row) -> tuple[object, ...]:
    texts = (row.host, row.address, row.reason)
    return (
        report_id, sql.text(row.policy_type), sql.text(row.result), row.count, *map(sql.text, texts)
    )  # fmt: skip


def prune() -> int:
    """Forget reports that are older than they are kept, and the oldest of domains that have too many.

    How many went; a bounded piece of work.
    """
    oldest = clock.now() - dt.timedelta(days=limits.REPORT_KEPT_DAYS)
    old = list(Report.objects.filter(begins_at__lt=oldest).values_list("pk", flat=True)[:500])
    crowded = (
        Domain.objects.annotate(kept=Count("reports"))
        .filter(kept__gt=limits.REPORTS_KEPT)
        .values_list("pk", "kept")
    )
    for domain_id, kept in crowded[:10]:
        mine = Report.objects.filter(domain_id=domain_id).order_by("begins_at", "pk")
        old += mine.values_list("pk", flat=True)[: min(kept - limits.REPORTS_KEPT, 500)]
    with transaction.atomic():
        Report.objects.filter(pk__in=set(old)).delete()
    return len(set(old))
