"""TLS reports: who wants them, and the report of one day as JSON. RFC 8460. (pure)

Counting is services/outbound/tlsrpt.py's.
"""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import urlsplit

from mailcore import limits


class Kind(StrEnum):
    """Which policy a session was held to. (RFC 8460 §4.4)"""

    DANE = "tlsa"
    STS = "sts"
    NONE = "no-policy-found"


class Result(StrEnum):
    """What went wrong with a session. (RFC 8460 §4.3)"""

    STARTTLS_NOT_SUPPORTED = "starttls-not-supported"
    HOST_MISMATCH = "certificate-host-mismatch"
    EXPIRED = "certificate-expired"
    NOT_TRUSTED = "certificate-not-trusted"
    VALIDATION = "validation-failure"
    TLSA_INVALID = "tlsa-invalid"
    DNSSEC_INVALID = "dnssec-invalid"
    FETCH_ERROR = "sts-policy-fetch-error"
    POLICY_INVALID = "sts-policy-invalid"
    WEBPKI_INVALID = "sts-webpki-invalid"


@dataclass(frozen=True, slots=True)
class Held:
    """The policy that a session was held to: its lines as they were published."""

    domain: str
    kind: Kind
    lines: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Session:
    """One session and what came of its TLS. result None: it went well. reason is for people."""

    held: Held
    result: Result | None = None
    host: str = ""
    address: str = ""
    own_address: str = ""
    reason: str = ""


# --- Who wants reports -----------------------------------------------------------------------------------

_RECORD = re.compile(r"v=TLSRPTv1(?=[ \t]*;)")
_FIELD = re.compile(r"([A-Za-z0-9][A-Za-z0-9_.-]{0,31})=([\x20-\x3a\x3c-\x7e]+)")
_MAILTO = re.compile(r"mailto:[^\s,;!@]+@[^\s,;!@]+", re.IGNORECASE)


def rua(texts: Sequence[str]) -> tuple[str, ...]:
    """Where the TXT records of _smtp._tls.DOMAIN want reports: mailto: and https: URIs, in their order.

    Empty where nobody wants any: there is no record, several, or one that breaks the grammar.
    (RFC 8460 §3)
    """
    records = [text for text in texts if _RECORD.match(text)]
    if len(records) != 1:
        return ()
    _version, *fields = [field.strip(" \t") for field in records[0].split(";")]
    if fields and not fields[-1]:
        fields.pop()  # the delimiter may end it
    found: list[str] = []
    for field in fields:
        match = _FIELD.fullmatch(field)
        if match is None:
            return ()
        if match[1] == "rua":
            found += [uri for uri in map(str.strip, match[2].split(",")) if _is_usable(uri)]
    return tuple(dict.fromkeys(found))[: limits.TLSRPT_URIS]


def _is_usable(uri: str) -> bool:
    if len(uri) > limits.TLSRPT_URI_CHARS:
        return False
    if _MAILTO.fullmatch(uri):
        return True
    try:
        parts = urlsplit(uri)
        return parts.scheme.lower() == "https" and bool(parts.hostname) and "!" not in uri
    except ValueError:
        return False


# --- The report ------------------------------------------------------------------------------------------


def report(
    counted: Iterable[tuple[Session, int]],
    *,
    day: dt.date,
    organisation: str,
    contact: str,
    report_id: str,
) -> bytes:
    """The report of one day (in UTC) as JSON: how many sessions went how, by policy. (RFC 8460 §4.4)

    The same sessions in any order give the same octets.
    """
    policies: dict[Held, dict[Session, int]] = {}
    for session, count in counted:
        sessions = policies.setdefault(session.held, {})
        sessions[session] = sessions.get(session, 0) + count
    whole = {
        "organization-name": organisation,
        "date-range": {
            "start-datetime": f"{day.isoformat()}T00:00:00Z",
            "end-datetime": f"{day.isoformat()}T23:59:59Z",
        },
        "contact-info": contact,
        "report-id": report_id,
        "policies": [
            _policy(held, policies[held])
            for held in sorted(policies, key=lambda held: (held.domain, held.kind, held.lines))
        ],
    }
    return json.dumps(whole, ensure_ascii=False, indent=1).encode()


def _policy(held: Held, sessions: dict[Session, int]) -> dict[str, object]:
    policy: dict[str, object] = {"policy-type": held.kind.value, "policy-domain": held.domain}
    if held.lines:
        policy["policy-string"] = list(held.lines)
    patterns = [line.partition(":")[2].strip() for line in held.lines if line.startswith("mx:")]
    if held.kind == Kind.STS and patterns:
        policy["mx-host"] = patterns
    failed = {session: count for session, count in sessions.items() if session.result is not None}
    made: dict[str, object] = {
        "policy": policy,
        "summary": {
            "total-successful-session-count": sum(sessions.values()) - sum(failed.values()),
            "total-failure-session-count": sum(failed.values()),
        },
    }
    if failed:
        made["failure-details"] = sorted(
            (_failure(session, count) for session, count in failed.items()),
            key=lambda detail: json.dumps(detail, sort_keys=True),
        )
    return made


def _failure(session: Session, count: int) -> dict[str, object]:
    optional = {
        "sending-mta-ip": session.own_address,
        "receiving-mx-hostname": session.host,
        "receiving-ip": session.address,
        "failure-reason-code": session.reason,
    }
    said = {name: value for name, value in optional.items() if value}
    return {"result-type": session.result, **said, "failed-session-count": count}
