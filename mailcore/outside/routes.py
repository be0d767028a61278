"""Where the mail of a domain goes: MX by preference, then addresses, without loops. (RFC 5321 §5.1, RFC 7505)

Generators of lookups; callers use dns.route() and dns.aroute(), which drive them.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from django.conf import settings

from mailcore import limits
from mailcore.errors import LookupFailed, Loop, NoMailAccepted, NoRecords, NoRoute
from mailcore.outside import reach
from mailcore.outside.lookups import MX, Answer, Lookup, Outcome, Steps, all_records, parse_mx


@dataclass(frozen=True, slots=True)
class Target:
    """One address of one mail host, to be tried in this order."""

    host: str
    address: str
    preference: int = 0
    authenticated: bool = False


@dataclass(frozen=True, slots=True)
class Route:
    """Where mail for domain goes: targets in the order in which to try them, never empty.

    implicit: there was no MX, the domain's own addresses are used. key names the set of hosts, so that
    domains with the same hosts can share connections.
    """

    domain: str
    hosts: tuple[MX, ...]
    targets: tuple[Target, ...]
    implicit: bool
    authenticated: bool

    @property
    def key(self) -> str:
        return ",".join(sorted({mx.host for mx in self.hosts}))


def route(
    domain: str, *, port: int | None = None, shuffle: Callable[[list[Target]], None] = random.shuffle
) -> Steps[Route]:
    """Return where mail for domain goes (RFC 5321 §5.1).

    Raises NoSuchName, NoMailAccepted (null MX), NoRoute, Loop: give up; LookupFailed: try later.
    port is where hosts will be reached; None means HOSTMAIL_OUTBOUND_PORT.
    """
    port = port or settings.HOSTMAIL_OUTBOUND_PORT
    (outcome,) = yield [Lookup(domain, "MX")]
    if isinstance(outcome, Answer):
        hosts = sorted({parse_mx(record) for record in outcome.records})
        if all(mx.is_null for mx in hosts):
            raise NoMailAccepted(f"{domain} accepts no mail")
        hosts = [mx for mx in hosts if not mx.is_null]
    elif isinstance(outcome, NoRecords):
        hosts = [MX(0, domain.lower())]
    else:
        raise outcome
    # RFC 5321 §5.1: ourselves in the list means that only better hosts may be tried.
    ours = [mx.preference for mx in hosts if mx.host == settings.HOSTMAIL_HOSTNAME.lower()]
    if ours:
        hosts = [mx for mx in hosts if mx.preference < min(ours)]
        if not hosts:
            raise Loop(f"The mail host of {domain} is ourselves")
    hosts = hosts[: limits.MX_HOSTS]
    outcomes = yield [Lookup(mx.host, kind) for mx in hosts for kind in ("A", "AAAA")]
    return Route(
        domain,
        tuple(hosts),
        tuple(_targets(domain, hosts, outcomes, port, shuffle)),
        implicit=not isinstance(outcome, Answer),
        authenticated=isinstance(outcome, Answer) and outcome.authenticated,
    )


def _targets(
    domain: str,
    hosts: Sequence[MX],
    outcomes: Sequence[Outcome],
    port: int,
    shuffle: Callable[[list[Target]], None],
) -> list[Target]:
    """Return the addresses to try: by preference, equals at random, without loops and forbidden ones."""
    groups: dict[int, list[Target]] = {}
    worst = max(mx.preference for mx in hosts) + 1
    for index, mx in enumerate(hosts):
        for outcome in outcomes[2 * index : 2 * index + 2]:
            if isinstance(outcome, Answer):
                groups.setdefault(mx.preference, []).extend(
                    Target(mx.host, address, mx.preference, outcome.authenticated)
                    for address in outcome.records
                )
    everything = [target for group in groups.values() for target in group]
    if not everything:
        if any(isinstance(outcome, LookupFailed) for outcome in outcomes):
            raise LookupFailed(f"The name servers did not answer for the mail hosts of {domain}")
        raise NoRoute(f"{domain} has no mail host with an address")
    # The same rule as for names: an address of ours ends the list.
    worst = min([worst, *(target.preference for target in everything if reach.is_ours(target.address, port))])
    usable = [target for target in everything if target.preference < worst]
    if not usable:
        raise Loop(f"The mail host of {domain} is ourselves")
    allowed = [target for target in usable if reach.may_connect(target.address)]
    if not allowed:
        raise NoRoute(f"The mail hosts of {domain} have no address that may be used")
    ordered = []
    for preference in sorted({target.preference for target in allowed}):
        group = [target for target in allowed if target.preference == preference]
        shuffle(group)
        ordered += _families_in_turn(group)
    return ordered[: limits.MX_ADDRESSES]


def _families_in_turn(targets: list[Target]) -> list[Target]:
    """Take IPv4 and IPv6 in turn, so that a host or a network without one of them costs one try, not ten."""
    four = [target for target in targets if ":" not in target.address]
    six = [target for target in targets if ":" in target.address]
    paired = [target for pair in zip(four, six, strict=False) for target in pair]
    shorter = min(len(four), len(six))
    return paired + four[shorter:] + six[shorter:]


def host_targets(host: str) -> Steps[list[Target]]:
    """Return the targets of one host that the operator named (a smart host), an address or a name."""
    if reach.is_address(host):
        return [Target(host, host)]
    return [Target(host, address) for address in (yield from addresses(host))]


def addresses(host: str) -> Steps[list[str]]:
    """Return the IPv4 and then the IPv6 addresses of host; trouble with one kind does not hide the other."""
    return all_records((yield [Lookup(host, "A"), Lookup(host, "AAAA")]))
