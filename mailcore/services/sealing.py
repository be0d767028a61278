"""Our seal on mail that is passed on: ARC, RFC 8617.

What we found out about a sender is lost to the next host, which sees us; the seal tells it, and that what it
gets is what we got. The keys are those that sign the mail of the domain that passes it on. The MX fetches
them before filing (they lie in the database); inbound.receive() puts the seal in front of what leaves.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric import rsa
from django.conf import settings

from mailcore import limits
from mailcore.outside import clock
from mailcore.senderauth import arc, authres
from mailcore.senderauth.dkim import PrivateKey
from mailcore.senderauth.sender import Verdict
from mailcore.services import domains, sql


@dataclass(frozen=True, slots=True)
class Sealer:
    """Who seals: a domain in A-labels, and one of its keys."""

    domain: str
    selector: str
    key: PrivateKey


def sealers(passed_on_by: Mapping[int, str]) -> dict[int, Sealer]:
    """Who seals for each tenant, by the domain of its that passes a mail on. Reads the database.

    A domain without active keys has no sealer. RSA is preferred: few verifiers know Ed25519.
    """
    found: dict[int, Sealer] = {}
    for tenant_id, name in passed_on_by.items():
        row = sql.row(
            "SELECT id FROM domain WHERE name = %s AND tenant_id = %s AND state = 'verified'",
            (name, tenant_id),
        )
        keys = domains.signing_keys(row[0]) if row else []
        keys.sort(key=lambda one: not isinstance(one.key, rsa.RSAPrivateKey))
        if keys:
            found[tenant_id] = Sealer(name, keys[0].selector, keys[0].key)
    return found


def sealed(raw: bytes, prefix: bytes, verdict: Verdict, sealer: Sealer | None) -> bytes:
    """prefix, with our seal on raw in front where there is a sealer, a chain that may grow, and room."""
    if sealer is None:
        return prefix
    field = authres.field(settings.HOSTMAIL_HOSTNAME, verdict)
    seal = arc.seal(
        raw,
        verdict.arc,
        results=field.partition(b":")[2],
        domain=sealer.domain,
        selector=sealer.selector,
        key=sealer.key,
        timestamp=clock.epoch(),
    )
    return seal + prefix if len(seal) + len(prefix) <= limits.PREFIX_OCTETS else prefix
