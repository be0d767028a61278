"""The Authentication-Results field that tells readers what we found: RFC 8601. (pure)

Also Received-SPF's successor: SPF is told here and nowhere else (RFC 8601 §1). Everything a stranger said of
itself stands as a cleaned, quoted value: it cannot end the field, open a comment or start another result.
"""

from __future__ import annotations

import re

from mailcore import limits
from mailcore.senderauth.sender import Verdict

_PLAIN = re.compile(r"[A-Za-z0-9!#$%&'*+/?^_`{|}~.@-]+\Z")
_UNFIT = re.compile(r'[\x00-\x1f\x7f"\\]')


def field(authserv_id: str, verdict: Verdict) -> bytes:
    """The whole field with its CRLF, a line for each result; at most AUTHRES_OCTETS.

    Signatures that would make it longer are left out, the last ones first.
    """
    others = _spf(verdict) + _dmarc(verdict) + _arc(verdict) + _iprev(verdict)
    signatures = _dkim(verdict)
    while True:
        lines = [authserv_id, *signatures, *others]
        octets = ("Authentication-Results: " + ";\r\n\t".join(lines) + "\r\n").encode("utf-8", "replace")
        if len(octets) <= limits.AUTHRES_OCTETS or not signatures:
            return octets
        signatures.pop()


def names(field_: bytes, authserv_id: str) -> bool:
    """Whether an Authentication-Results field is in the name of authserv_id (lower case), however written.

    Comments may stand before the name, nested; it may be quoted, and in any case. (RFC 8601 §2.2)
    """
    value = field_.partition(b":")[2].lower()
    at = depth = 0
    while at < len(value):
        octet = value[at : at + 1]
        if octet == b"\\" and depth:
            at += 1
        elif octet == b"(":
            depth += 1
        elif octet == b")" and depth:
            depth -= 1
        elif not depth and octet not in b" \t\r\n":
            break
        at += 1
    # What a reader might take for our name is ours: quotes and quoted pairs count for nothing.
    text = value[at : at + 1024].replace(b"\\", b"").replace(b'"', b"")
    name = re.match(rb"[a-z0-9.-]*", text.lstrip())
    return name is not None and name[0].rstrip(b".") == authserv_id.encode()


def _dkim(verdict: Verdict) -> list[str]:
    lines = []
    for one in verdict.signatures:
        line = f"dkim={one.result}" + _reason(one.problem)
        for name, value in (("d", one.domain), ("s", one.selector), ("a", one.algorithm)):
            line += f" header.{name}={_value(value)}" if value else ""
        lines.append(line)
    return lines or ["dkim=none"]


def _spf(verdict: Verdict) -> list[str]:
    lines = []
    for found in (verdict.spf, verdict.helo):
        if found is not None:
            said = verdict.mail_from if found.scope == "mailfrom" else verdict.helo_name
            line = f"spf={found.result}" + _reason(found.problem)
            lines.append(line + (f" smtp.{found.scope}={_value(said)}" if said else ""))
    return lines


def _dmarc(verdict: Verdict) -> list[str]:
    found = verdict.dmarc
    if found is None:
        return ["dmarc=permerror" + _reason("no author that can be judged")]
    policy = f" policy.dmarc={found.policy}" if found.record_at and found.result == "fail" else ""
    return [f"dmarc={found.result} header.from={_value(found.domain)}{policy}"]


def _arc(verdict: Verdict) -> list[str]:
    """RFC 8617 §10 has no temperror: of no chain, and of one DNS could not tell of, nothing is said."""
    found = verdict.arc
    if found.result == "fail":
        return ["arc=fail" + _reason(found.problem)]
    if found.result == "pass":
        return [f"arc=pass (i={found.instances}) header.oldest-pass={found.oldest_pass}"]
    return []


def _iprev(verdict: Verdict) -> list[str]:
    name = f" ({verdict.iprev.name})" if re.fullmatch(r"[a-z0-9._-]{1,253}", verdict.iprev.name) else ""
    return [f"iprev={verdict.iprev.result} policy.iprev={_value(verdict.peer)}{name}"]


def _reason(problem: str) -> str:
    return f" reason={_quoted(problem[:200])}" if problem else ""


def _value(text: str) -> str:
    """A value of RFC 8601 §2.2: as it is where that is plain, else quoted."""
    text = text[:320]
    return text if _PLAIN.match(text) else _quoted(text)


def _quoted(text: str) -> str:
    return '"' + _UNFIT.sub("?", text) + '"'
