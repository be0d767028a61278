"""Who of our peers is looked into, and what is kept of what was found. (RFC 8601)

The MX asks is_checked(), lets judge() run, and hands the verdict to inbound.receive(), which writes it into
the mail and its event.
"""

from __future__ import annotations

import ipaddress
from functools import lru_cache
from typing import Any

from django.conf import settings

from mailcore.outside import asked
from mailcore.outside.lookups import Steps
from mailcore.senderauth import sender
from mailcore.senderauth.sender import Signed, Verdict


def is_checked(peer: str) -> bool:
    """Whether mail from this address is verified, as HOSTMAIL_VERIFY_SENDERS and _TRUSTED_SENDERS say."""
    how = settings.HOSTMAIL_VERIFY_SENDERS
    if how == "off":
        return False
    return _is_strange(peer, how == "on", tuple(settings.HOSTMAIL_TRUSTED_SENDERS))


@lru_cache(maxsize=1024)
def _is_strange(
    peer: str, even_loopback: bool, trusted: tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]
) -> bool:
    try:
        address = ipaddress.ip_address(peer)
    except ValueError:
        return False  # no network address: a Unix socket
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    if address.is_loopback and not even_loopback:
        return False
    return not any(address in network for network in trusted)


def judge(
    signed: Signed, *, header: bytes, peer: str, reverse_path: str, helo: str, now: int
) -> Steps[Verdict]:
    """Find out what DNS and signatures say about one mail; a generator of lookups for dns.arun()."""
    return asked.lookups(
        sender.judge(
            signed,
            header=header,
            peer=peer,
            mail_from=reverse_path,
            helo=helo,
            receiver=settings.HOSTMAIL_HOSTNAME,
            now=now,
        )
    )


def facts(verdict: Verdict) -> dict[str, Any]:
    """What an event tells of it: {"spf": "pass example.org", "dkim": [...], "dmarc": ..., "iprev": ...}."""
    found: dict[str, Any] = {
        "spf": _words(verdict.spf.result, verdict.spf.domain),
        "dkim": [_words(one.result, one.domain) for one in verdict.signatures],
        "iprev": _words(verdict.iprev.result, verdict.iprev.name),
    }
    if verdict.dmarc is not None:
        policy = verdict.dmarc.policy if verdict.dmarc.result == "fail" else ""
        found["dmarc"] = _words(verdict.dmarc.result, verdict.dmarc.domain, policy)
    if verdict.arc.result != "none":
        found["arc"] = _words(verdict.arc.result, *verdict.arc.sealers)
    return found


def _words(*words: str) -> str:
    return " ".join(filter(None, words))[:300]
