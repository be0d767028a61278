"""Return paths that only we can make: bounce+TOKEN@domain names the queue entry a mail went out for.

They stand in what an alias sends on, whose sender's SPF would not allow us, and in mail of the API, whose
sender is a program. What people write keeps their own address: automatic answers, mailing lists and
greylisting go by it, and their SPF allows us anyway. The domain is one of the same organisation, so SPF stays
aligned with it. TOKEN is the day, the entry and a truncated keyed hash (RFC 2104 §5) over
these and the domain, in letters and digits whose case does not matter.
"""

from __future__ import annotations

import base64
import hmac
import re
from typing import Final

from mailcore import limits, secrets
from mailcore.errors import NoSuchAddress
from mailcore.message.address import Path
from mailcore.models import Domain, Submission
from mailcore.outside import clock

_PREFIX: Final = "bounce+"
_LOCAL = re.compile(r"bounce\+([a-z2-7]{29})\Z", re.IGNORECASE)
_DAY_SECONDS = 24 * 3600
_HASH_OCTETS = 10  # RFC 2104 §5 wants at least half of the hash for a signature; guessing here is done online


def make(entry_id: int, domain: str) -> str:
    """The return path of a mail that leaves for that entry today."""
    named = _today().to_bytes(2, "big") + entry_id.to_bytes(6, "big")
    mac = bytes.fromhex(secrets.keyed_hash("return path", named + domain.lower().encode()))[:_HASH_OCTETS]
    return f"{_PREFIX}{base64.b32encode(named + mac).decode().rstrip('=').lower()}@{domain}"


def read(path: Path) -> int | None:
    """The entry a return path of ours names; None for every other address.

    Raises NoSuchAddress for one that we did not make, or so long ago that nobody can be waiting for it.
    """
    match = _LOCAL.match(path.local)
    if match is None:
        return None
    token = base64.b32decode(match[1].upper() + "===")
    named, mac = token[:8], token[8:]
    day, entry_id = int.from_bytes(named[:2], "big"), int.from_bytes(named[2:], "big")
    good = [
        hmac.compare_digest(bytes.fromhex(each)[:_HASH_OCTETS], mac)
        for each in secrets.keyed_hashes("return path", named + path.domain.lower().encode())
    ]
    if not any(good):
        raise NoSuchAddress("This return path is not one of ours")
    if not 0 <= (_today() - day) % 65536 <= limits.RETURN_PATH_DAYS:
        raise NoSuchAddress("This return path is too old")
    return entry_id


def domain_for(source: str, reverse_path: str) -> str:
    """The domain that reports on a submission come home to; "" leaves its return path as it is.

    A program's own domain, if that one's mail comes to us.
    """
    if source != Submission.Source.API or not reverse_path:
        return ""
    name = reverse_path.rpartition("@")[2]
    domain = Domain.objects.filter(name=name, state=Domain.State.VERIFIED).first()
    if domain is None:
        return ""
    state = domain.findings.get("mx", {}).get("state", "ok" if domain.is_trusted else "")
    return name if state == "ok" else ""


def _today() -> int:
    return int(clock.epoch()) // _DAY_SECONDS % 65536
