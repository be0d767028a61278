"""Mail that the service itself writes: reports, password resets, confirmations, invitations."""

from __future__ import annotations

from mailcore.message import fields
from mailcore.message.address import parse_path
from mailcore.outside import clock
from mailcore.senderauth import dkim
from mailcore.services import domains, sql


def signed(raw: bytes, sender: str) -> bytes:
    """raw with the DKIM signatures of sender's domain, or of the nearest one above it that is proven here.

    A signature of example.org stands for mail.example.org as well (DMARC's relaxed alignment, RFC 7489
    §3.1.1). Where the operator has neither as a domain, it stays unsigned; manage.py doctor tells.
    """
    domain_id, name = signer_of(sender)
    keys = [(one.selector, one.key) for one in domains.signing_keys(domain_id)] if domain_id else []
    if not keys:
        return raw
    return fields.prepend(raw, dkim.sign(raw, domain=name, keys=keys, timestamp=clock.epoch()))


def signer_of(sender: str) -> tuple[int, str]:
    """The proven domain that signs for sender, by primary key and name; 0 and "" when there is none."""
    labels = parse_path(sender).domain.split(".")
    names = [".".join(labels[start:]) for start in range(len(labels) - 1)]
    if not names:
        return 0, ""
    marks = ", ".join(["%s"] * len(names))
    found = sql.row(
        f"SELECT id, name FROM domain WHERE name IN ({marks}) AND state = 'verified'"
        " ORDER BY length(name) DESC LIMIT 1",
        names,
    )
    return (found[0], found[1]) if found else (0, "")
