"""Aggregate reports about DMARC, written. RFC 7489 Appendix C. (pure)

What dmarc.py reads of a report written here is what was given.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from xml.sax.saxutils import escape

from mailcore.reports.dmarc import Row

_DEFAULTS = {"adkim": "r", "aspf": "r"}


def report(
    rows: Iterable[Row],
    *,
    day: dt.date,
    domain: str,
    policy: Mapping[str, str],
    organization: str,
    email: str,
    report_id: str,
) -> bytes:
    """The report of one day (in UTC) about a domain whose record says policy, as XML in UTF-8.

    The same rows give the same octets.
    """
    begin = int(dt.datetime.combine(day, dt.time(), dt.UTC).timestamp())
    tags = {name: value for name, value in (_DEFAULTS | dict(policy)).items() if value}
    published = [("domain", domain)]
    published += [(name, tags[name]) for name in ("adkim", "aspf", "p", "sp") if name in tags]
    # RFC 7489 wants pct, which its successor dropped: every mail was judged alike.
    published += [("pct", "100")]
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        "<feedback>",
        "<version>1.0</version>",
        "<report_metadata>",
        *_elements(("org_name", organization), ("email", email), ("report_id", report_id)),
        "<date_range>",
        *_elements(("begin", str(begin)), ("end", str(begin + 24 * 3600 - 1))),
        "</date_range>",
        "</report_metadata>",
        "<policy_published>",
        *_elements(*published),
        "</policy_published>",
    ]
    for row in sorted(rows, key=repr):
        lines += _record(row)
    return ("\n".join([*lines, "</feedback>"]) + "\n").encode("utf-8", "replace")


def _record(row: Row) -> list[str]:
    lines = ["<record>", "<row>", *_elements(("source_ip", row.source), ("count", str(row.count)))]
    lines += ["<policy_evaluated>", *_elements(("disposition", row.disposition))]
    lines += _elements(("dkim", "pass" if row.dkim else "fail"), ("spf", "pass" if row.spf else "fail"))
    for reason in row.reasons:
        kind, _, comment = reason.partition(" ")
        lines += ["<reason>", *_elements(("type", kind), ("comment", comment)), "</reason>"]
    lines += ["</policy_evaluated>", "</row>", "<identifiers>"]
    names = [("envelope_from", row.envelope_from), ("header_from", row.header_from)]
    lines += _elements(*((name, value) for name, value in names if value))
    lines += ["</identifiers>", "<auth_results>"]
    for one in sorted(row.checked, key=lambda one: one.method):
        extra = [("selector", one.selector)] if one.selector else []
        found = _elements(("domain", one.domain), *extra, ("result", one.result))
        lines += [f"<{one.method}>", *found, f"</{one.method}>"]
    return [*lines, "</auth_results>", "</record>"]


def _elements(*pairs: tuple[str, str]) -> list[str]:
    return [f"<{name}>{escape(_legal(value))}</{name}>" for name, value in pairs]


def _legal(text: str) -> str:
    """Without what XML 1.0 cannot hold."""
    return "".join(char for char in text if char.isprintable())
