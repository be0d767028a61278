"""Reports about TLS, read: how hosts that wrote to a domain fared with its TLS. RFC 8460 §4. (pure)

Written by tlspolicy/tlsrpt.
"""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import dataclass
from typing import Any

from mailcore import limits
from mailcore.errors import BadReport


@dataclass(frozen=True, slots=True)
class Row:
    """Sessions that went the same way. result is "" for those that went well, else a word of §4.3."""

    policy_type: str
    result: str
    count: int
    host: str = ""
    address: str = ""
    sender_address: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """One reporter's sessions with one domain; begins_at and ends_at are aware."""

    organization: str
    contact: str
    report_id: str
    begins_at: dt.datetime
    ends_at: dt.datetime
    domain: str
    rows: tuple[Row, ...]


def parse(octets: bytes) -> list[Report]:
    """The report in a file that is unpacked, once for each domain that it is about. Raises BadReport."""
    try:
        whole = json.loads(octets.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise BadReport("The report is not valid JSON") from error
    if not isinstance(whole, dict) or not isinstance(whole.get("policies"), list):
        raise BadReport("That is no TLS report")
    between = _dict(whole.get("date-range"))
    begins, ends = _moment(between.get("start-datetime")), _moment(between.get("end-datetime"))
    if ends < begins:
        raise BadReport("The report ends before it begins")
    rows: dict[str, list[Row]] = {}
    for policy in whole["policies"][: limits.REPORT_ROWS]:
        domain, found = _policy(_dict(policy))
        if domain:
            rows.setdefault(domain, []).extend(found)
    if not rows or sum(map(len, rows.values())) > limits.REPORT_ROWS:
        raise BadReport("The report is about no domain, or has too many rows")
    return [
        Report(
            _text(whole.get("organization-name"), 200), _text(whole.get("contact-info"), 320),
            _text(whole.get("report-id"), 255), begins, ends, domain, tuple(found),
        )
        for domain, found in rows.items()
    ]  # fmt: skip


def _policy(said: dict[str, Any]) -> tuple[str, list[Row]]:
    policy, summary = _dict(said.get("policy")), _dict(said.get("summary"))
    kind = _text(policy.get("policy-type"), 20)
    domain = _text(policy.get("policy-domain"), 253).rstrip(".").lower()
    rows = [Row(kind, "", _count(summary.get("total-successful-session-count")))]
    failed = _count(summary.get("total-failure-session-count"))
    details = said.get("failure-details")
    for one in details[: limits.REPORT_ROWS] if isinstance(details, list) else ():
        detail = _dict(one)
        count = _count(detail.get("failed-session-count"))
        failed -= count
        rows.append(
            Row(
                kind,
                _text(detail.get("result-type"), 40) or "unknown",
                count,
                _text(detail.get("receiving-mx-hostname"), 255),
                _text(detail.get("receiving-ip"), 45),
                _text(detail.get("sending-mta-ip"), 45),
                _text(detail.get("failure-reason-code"), 200),
            )
        )
    if failed > 0:
        # Details are optional, and may tell of less than the summary.
        rows.append(Row(kind, "unknown", failed))
    return domain, [row for row in rows if row.count]


def _dict(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: object, most: int) -> str:
    return value.strip()[:most] if isinstance(value, str) else ""


def _count(value: object) -> int:
    is_number = isinstance(value, int) and not isinstance(value, bool)
    return min(max(int(value), 0), limits.REPORT_COUNT) if is_number else 0  # type: ignore[call-overload]


def _moment(value: object) -> dt.datetime:
    """A moment as in 2026-11-24T00:00:00Z."""
    try:
        at = dt.datetime.fromisoformat(_text(value, 40))
        return (at if at.tzinfo else at.replace(tzinfo=dt.UTC)).astimezone(dt.UTC)
    except (ValueError, OverflowError) as error:
        raise BadReport("The report has no date") from error
