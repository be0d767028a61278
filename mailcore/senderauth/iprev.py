"""Whether a peer's address has a name that leads back to it: "iprev", RFC 8601 §3. (pure)

check() is a generator that yields questions for DNS (see questions.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address
from typing import Literal

from mailcore import limits
from mailcore.errors import MailError
from mailcore.senderauth.questions import Outcome, Question, Steps

Result = Literal["pass", "fail", "temperror", "permerror"]


@dataclass(frozen=True, slots=True)
class IPRev:
    """The verdict; name is the one that leads back, or the first that does not. permerror: it has no name."""

    result: Result
    name: str = ""


def check(peer: str) -> Steps[IPRev]:
    """Judge peer, an IP address. Names beyond the first DNS_POINTERS are not looked at."""
    address = ip_address(peer)
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    (outcome,) = yield [Question(address.reverse_pointer, "PTR")]
    if isinstance(outcome, MailError):
        return IPRev("temperror" if outcome.retry else "permerror")
    names = [name.rstrip(".").lower() for name in outcome[: limits.DNS_POINTERS]]
    kind = "A" if address.version == 4 else "AAAA"
    outcomes = yield [Question(name, kind) for name in names]
    for name, found in zip(names, outcomes, strict=True):
        if any(ip_address(each) == address for each in _records(found)):
            return IPRev("pass", name)
    if any(isinstance(found, MailError) and found.retry for found in outcomes):
        return IPRev("temperror", names[0])
    if all(isinstance(found, MailError) for found in outcomes):
        return IPRev("permerror", names[0])
    return IPRev("fail", names[0])


def _records(outcome: Outcome) -> Sequence[str]:
    return () if isinstance(outcome, MailError) else outcome
