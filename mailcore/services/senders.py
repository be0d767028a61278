"""Who of our peers is looked into, and what is kept of what was found. (RFC 8601)

The MX asks is_checked(), lets judge() run, and hands what was found to inbound.receive(), which writes it
into the mail and its event. Whether the mail is spam is decided in services/spam.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

from django.conf import settings

from mailcore import limits
from mailcore.filters import blocklists, links
from mailcore.filters.blocklists import BlockList, ListedDomain
from mailcore.message import display, fields
from mailcore.message.address import parse_path
from mailcore.models import Domain
from mailcore.outside import asked
from mailcore.outside.lookups import Steps
from mailcore.senderauth import arc, sender
from mailcore.senderauth.questions import both
from mailcore.senderauth.sender import Signed, Verdict
from mailcore.services.messages import Filing
from mailcore.services.routing import OWNERS_READ


def is_checked(peer: str) -> bool:
    """Whether mail from this address is verified, as HOSTMAIL_VERIFY_SENDERS and _TRUSTED_SENDERS say."""
    return settings.HOSTMAIL_VERIFY_SENDERS != "off" and is_stranger(peer)


def is_stranger(peer: str) -> bool:
    """Whether it is the address of none of our relays, nor of this machine unless _VERIFY_SENDERS is on."""
    even_loopback = settings.HOSTMAIL_VERIFY_SENDERS == "on"
    return _is_strange(peer, even_loopback, tuple(settings.HOSTMAIL_TRUSTED_SENDERS))


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
    signed: Signed,
    *,
    header: bytes,
    peer: str,
    reverse_path: str,
    helo: str,
    now: int,
    named: Sequence[str] = (),
) -> Steps[tuple[Verdict, tuple[tuple[BlockList, ...], tuple[ListedDomain, ...]]]]:
    """Find out what DNS and signatures say about one mail, and which block lists have its host or names.

    A generator of lookups for dns.arun(). named are domains, see names_in().
    """
    verdict = sender.judge(
        signed,
        header=header,
        peer=peer,
        mail_from=reverse_path,
        helo=helo,
        receiver=settings.HOSTMAIL_HOSTNAME,
        now=now,
    )
    lists = [BlockList(zone, points) for zone, points in settings.HOSTMAIL_DNS_BLOCKLISTS]
    of_domains = [BlockList(zone, points) for zone, points in settings.HOSTMAIL_DNS_DOMAIN_BLOCKLISTS]
    listed = both(blocklists.check(peer, lists), blocklists.check_domains(named, of_domains))
    return asked.lookups(both(verdict, listed))


def names_in(raw: bytes, reverse_path: str) -> tuple[str, ...]:
    """The domains a mail names, for HOSTMAIL_DNS_DOMAIN_BLOCKLISTS; none where there are no such lists."""
    if not settings.HOSTMAIL_DNS_DOMAIN_BLOCKLISTS:
        return ()
    mail = display.read(raw)
    who = [one.address.rpartition("@")[2] for one in mail.authors[: limits.DMARC_AUTHORS]]
    return links.domains(f"{mail.text}\n{mail.html or ''}", [*who, reverse_path.rpartition("@")[2]])


# --- What the author's domain asks for (DMARC) -----------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Disposition:
    """What becomes of a mail that failed DMARC: refused, or Junk for the recipients in these domains.

    reason is for the event: one sentence, true for every recipient.
    """

    reason: str
    is_refused: bool = False
    junk_for: frozenset[str] = frozenset()

    @property
    def applied(self) -> Literal["none", "quarantine", "reject"]:
        """In the words of RFC 7489 §6.3."""
        if self.is_refused:
            return "reject"
        return "quarantine" if self.junk_for else "none"

    def sort(self, filings: Iterable[Filing]) -> None:
        """Send filings to Junk where that was decided."""
        for filing in filings:
            if parse_path(filing.recipient).domain in self.junk_for:
                filing.folder = "junk"


def is_asked_for(verdict: Verdict) -> bool:
    """Whether the author's domain asks for anything: then dispose() must be called."""
    found = verdict.dmarc
    return found is not None and found.result == "fail" and found.policy != "none"


def dispose(verdict: Verdict, header: bytes, recipients: Sequence[str]) -> Disposition | None:
    """Decide on a mail that failed DMARC, by the settings of its recipients' domains (reads the database).

    It is refused only for all at once, since DATA has one reply: with a recipient whose domain does not want
    that, the others find it in Junk. So do they when it came through a list, which may lawfully have broken
    its signature (RFC 9989), and postmaster and abuse, who must be reachable (RFC 2142). Whom a trusted chain
    of sealers vouches for is let in (RFC 8617 §7.2.1), and no chain that holds is refused.
    """
    found = verdict.dmarc
    if found is None or not is_asked_for(verdict):
        return None
    if is_vouched_for(verdict):
        return Disposition(
            f"DMARC: {found.domain} does not stand behind it, but {verdict.arc.sealers[-1]} does"
        )
    paths = [parse_path(one) for one in recipients]
    names = {path.domain for path in paths}
    chosen = dict(
        Domain.objects.filter(name__in=names)
        .exclude(state=Domain.State.PENDING)
        .values_list("name", "dmarc_policy")
    )
    policies = {name: chosen.get(name, Domain.DMARCPolicy.OBEY) for name in names}
    reason = f"DMARC: {found.domain} does not stand behind it and asks for {found.policy}"
    if (
        found.policy == "reject"
        and all(policy == Domain.DMARCPolicy.OBEY for policy in policies.values())
        and not any(path.local.lower() in OWNERS_READ for path in paths)
        and not is_from_list(header)
        and verdict.arc.result != "pass"
    ):
        return Disposition(reason, is_refused=True)
    junk = [name for name, policy in policies.items() if policy != Domain.DMARCPolicy.IGNORE]
    return Disposition(reason, junk_for=frozenset(junk))


def is_proven(verdict: Verdict) -> bool:
    """Whether a domain stands behind a mail: its SPF record, or a signature."""
    return verdict.spf.result == "pass" or any(one.result == "pass" for one in verdict.signatures)


def is_vouched_for(verdict: Verdict) -> bool:
    """Whether those of HOSTMAIL_TRUSTED_SEALERS say that a mail was good before they changed it."""
    return arc.is_vouched_for(verdict.arc, settings.HOSTMAIL_TRUSTED_SEALERS)


def is_from_list(header: bytes) -> bool:
    """Whether a mail says that it came through a mailing list. (RFC 2919, RFC 2369)"""
    return any(fields.get_raw(header, name) for name in ("list-id", "list-post"))


# --- Events ----------------------------------------------------------------------------------------------


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
