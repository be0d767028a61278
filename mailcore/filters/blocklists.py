"""Whether a host, or a domain that a mail names, is on a block list asked by DNS: RFC 5782. (pure)

check() and check_domains() are generators that yield questions for DNS (see senderauth/questions.py). Lists
are off unless the operator names some: most forbid use without a contract, or through public resolvers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address

from mailcore.errors import MailError
from mailcore.senderauth.questions import Question, Steps


@dataclass(frozen=True, slots=True)
class BlockList:
    """zone is asked for the reversed address; points is what being on it counts."""

    zone: str
    points: float


def check(peer: str, lists: Sequence[BlockList]) -> Steps[tuple[BlockList, ...]]:
    """The lists that peer, an IP address, is on. One that does not answer says nothing."""
    if not lists:
        return ()
    address = ip_address(peer)
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    # What reverse_pointer says without its last two labels, which are those of the other tree. (§2.1, §2.4)
    reversed_ = address.reverse_pointer.rsplit(".", 2)[0]
    outcomes = yield [Question(f"{reversed_}.{each.zone}", "A") for each in lists]
    return tuple(
        each
        for each, found in zip(lists, outcomes, strict=True)
        if not isinstance(found, MailError) and any(_is_listing(answer) for answer in found)
    )


@dataclass(frozen=True, slots=True)
class ListedDomain:
    """A domain that a mail names, and a list that has it."""

    domain: str
    on: BlockList


def check_domains(domains: Sequence[str], lists: Sequence[BlockList]) -> Steps[tuple[ListedDomain, ...]]:
    """The first of domains that each list has (§3). A list that does not answer says nothing."""
    pairs = [ListedDomain(domain, each) for each in lists for domain in domains]
    if not pairs:
        return ()
    outcomes = yield [Question(f"{pair.domain}.{pair.on.zone}", "A") for pair in pairs]
    found: dict[str, ListedDomain] = {}
    for pair, outcome in zip(pairs, outcomes, strict=True):
        if not isinstance(outcome, MailError) and any(_is_bad_domain(answer) for answer in outcome):
            found.setdefault(pair.on.zone, pair)
    return tuple(found.values())


def _is_bad_domain(answer: str) -> bool:
    """127.0.0.1 is how URIBL says "you may not ask", 127.0.1.255 how Spamhaus says "that is no domain".

    Its 127.0.1.102 to 199 are good sites that somebody broke into: no reason to lose their owners' mail.
    """
    if not _is_listing(answer) or answer in ("127.0.0.1", "127.0.1.255"):
        return False
    last = answer.removeprefix("127.0.1.")
    return not (last.isdigit() and 102 <= int(last) <= 199)


def _is_listing(answer: str) -> bool:
    """§2.1: 127/8 means listed; anything else is a resolver that makes answers up, or a list that has ended.

    127.255.255/24 is how Spamhaus and others say "you may not ask".
    """
    return answer.startswith("127.") and not answer.startswith("127.255.255.")
