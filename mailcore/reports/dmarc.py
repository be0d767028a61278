"""Aggregate reports about DMARC, read. RFC 7489 Appendix C, and its successor RFC 9990. (pure)

Reporters differ: namespaces or none, zones of time in the dates, rows without what the schema wants. What a
row needs is an address and a count; a report needs its range and the domain it is about.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
import re
from dataclasses import dataclass

from mailcore import limits
from mailcore.errors import BadReport
from mailcore.reports import xml
from mailcore.reports.xml import Element


@dataclass(frozen=True, slots=True)
class Checked:
    """One identity that the reporter checked: method is dkim or spf, selector only of DKIM."""

    method: str
    domain: str
    result: str
    selector: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """Mail of one source that went the same way. dkim and spf: passed, and aligned with header_from."""

    source: str
    count: int
    disposition: str
    dkim: bool
    spf: bool
    header_from: str = ""
    envelope_from: str = ""
    envelope_to: str = ""
    reasons: tuple[str, ...] = ()
    checked: tuple[Checked, ...] = ()


@dataclass(frozen=True, slots=True)
class Report:
    """One reporter's view of one domain; begins_at and ends_at are aware. policy: tags as seen by it."""

    organization: str
    email: str
    report_id: str
    begins_at: dt.datetime
    ends_at: dt.datetime
    domain: str
    policy: tuple[tuple[str, str], ...]
    rows: tuple[Row, ...]


_POLICY = ("p", "sp", "np", "adkim", "aspf", "pct", "fo", "testing", "discovery_method")
_NUMBER = re.compile(r"[0-9]{1,30}")


def parse(octets: bytes) -> Report:
    """The report in a file that is unpacked. Raises BadReport."""
    root = xml.parse(octets)
    if root.name != "feedback":
        raise BadReport("That is no DMARC report")
    metadata, published = root.find("report_metadata"), root.find("policy_published")
    if metadata is None or published is None:
        raise BadReport("The report says neither whose it is nor what about")
    begins, ends = _moment(metadata.get("date_range", "begin")), _moment(metadata.get("date_range", "end"))
    domain = _domain(published.get("domain"))
    if ends < begins or not domain:
        raise BadReport("The report says neither when nor what about")
    records = root.all("record")
    if len(records) > limits.REPORT_ROWS:
        raise BadReport("The report has too many rows")
    rows = [row for record in records if (row := _row(record)) is not None]
    return Report(
        organization=metadata.get("org_name")[:200],
        email=metadata.get("email")[:320],
        report_id=metadata.get("report_id")[:255],
        begins_at=begins,
        ends_at=ends,
        domain=domain,
        policy=tuple((name, published.get(name)[:20]) for name in _POLICY if published.get(name)),
        rows=tuple(rows),
    )


def _row(record: Element) -> Row | None:
    """One record, or None for one that names no source or no count."""
    try:
        source = str(ipaddress.ip_address(record.get("row", "source_ip")))
    except ValueError:
        return None
    count = record.get("row", "count")
    if not _NUMBER.fullmatch(count):
        return None
    evaluated = record.find("row", "policy_evaluated") or Element("policy_evaluated")
    names = record.find("identifiers") or Element("identifiers")
    checked = record.find("auth_results") or Element("auth_results")
    disposition = evaluated.get("disposition").lower()
    return Row(
        source=source,
        count=min(int(count), limits.REPORT_COUNT),
        # "pass" is RFC 9990's word for mail that DMARC lets through.
        disposition=disposition if disposition in ("quarantine", "reject") else "none",
        dkim=evaluated.get("dkim").lower() == "pass",
        spf=evaluated.get("spf").lower() == "pass",
        header_from=_domain(names.get("header_from")),
        envelope_from=_domain(names.get("envelope_from")),
        envelope_to=_domain(names.get("envelope_to")),
        reasons=tuple(
            " ".join(filter(None, (one.get("type"), one.get("comment"))))[:200]
            for one in evaluated.all("reason")[: limits.REPORT_CHECKED]
        ),
        checked=tuple(
            Checked(
                one.name,
                _domain(one.get("domain")),
                one.get("result").lower()[:20],
                one.get("selector")[:100],
            )
            for one in checked.children[: limits.REPORT_CHECKED]
            if one.name in ("dkim", "spf")
        ),
    )  # fmt: skip


def _moment(text: str) -> dt.datetime:
    """Seconds since the epoch, with or without a fraction."""
    whole = text.partition(".")[0]
    if not _NUMBER.fullmatch(whole) or int(whole) > limits.REPORT_LATEST:
        raise BadReport("The report has no date")
    return dt.datetime.fromtimestamp(int(whole), dt.UTC)


def _domain(text: str) -> str:
    return text.strip().rstrip(".").lower()[:253]
