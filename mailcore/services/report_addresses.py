"""Where reports come to: reports+TOKEN@ for each domain, and feedback@ for complaints of feedback loops.

TOKEN names the domain, with a truncated keyed hash over it (RFC 2104 §5): an address that we did not make
leads nowhere, and a report about one domain cannot be filed under another. It is no secret, since it stands
in DNS. Both are addresses of the service's own names.
"""

from __future__ import annotations

import base64
import hmac
import re
from typing import Final

from django.conf import settings

from mailcore import secrets
from mailcore.errors import NoSuchAddress
from mailcore.message.address import Path

FEEDBACK: Final = "feedback"
_PREFIX: Final = "reports+"
_LOCAL = re.compile(r"reports\+([a-z2-7]{26})\Z", re.IGNORECASE)
_PURPOSE: Final = "report address"
_HASH_OCTETS = 10


def own_names() -> list[str]:
    """The service's own names, the one that its addresses are in first."""
    names = (settings.HOSTMAIL_HOSTNAME, settings.HOSTMAIL_SERVICE_DOMAIN)
    return list(dict.fromkeys(name.lower() for name in names if name))


def domain_address(domain_id: int) -> str:
    """Where reports about a domain are to be sent."""
    named = domain_id.to_bytes(6, "big")
    mac = bytes.fromhex(secrets.keyed_hash(_PURPOSE, named))[:_HASH_OCTETS]
    token = base64.b32encode(named + mac).decode().rstrip("=").lower()
    return f"{_PREFIX}{token}@{own_names()[0]}"


def read(path: Path) -> int | None:
    """The domain whose reports come to an address, by primary key; None for every other address.

    Raises NoSuchAddress for one that we did not make.
    """
    match = _LOCAL.match(path.local)
    if match is None or path.domain not in own_names():
        return None
    token = base64.b32decode(match[1].upper() + "======")
    named, mac = token[:6], token[6:]
    hashes = secrets.keyed_hashes(_PURPOSE, named)
    good = [hmac.compare_digest(bytes.fromhex(each)[:_HASH_OCTETS], mac) for each in hashes]
    if not any(good):
        raise NoSuchAddress("This address for reports is not one of ours")
    return int.from_bytes(named, "big")
