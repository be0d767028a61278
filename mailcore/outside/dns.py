"""Lookups in DNS, with "no such name", "no such record" and "try later" kept apart; routes of domains.

Plain names are synchronous, for threads: `dns.route("example.org")`. The same with a leading `a` waits on
the event loop: `await dns.aroute("example.org")`, as Django names them. Both are made of one generator that
yields lookups and is sent outcomes, so they cannot disagree; run() and arun() drive any such generator.

Failures are NoSuchName (NXDOMAIN), NoRecords (NODATA) and LookupFailed (SERVFAIL, time-out, lame, malformed:
try later). Answers are cached for their TTL, within limits (RFC 2308), except where a check asks afresh.
With HOSTMAIL_DNS_SERVERS set only those servers are asked, whatever is looked up.
"""

import asyncio
import functools
import threading
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Sequence
from ipaddress import ip_address
from typing import Any, ParamSpec, TypeVar
from weakref import WeakKeyDictionary

import dns.asyncresolver
import dns.exception
import dns.flags
import dns.name
import dns.nameserver
import dns.rdata
import dns.rdatatype
import dns.resolver
import dns.reversename
from django.conf import settings

from mailcore import limits
from mailcore.errors import LookupFailed, MailError, NoRecords, NoRoute, NoSuchName
from mailcore.outside import clock, reach, routes
from mailcore.outside import published as publishing
from mailcore.outside.lookups import MX, Answer, Lookup, Outcome, Server, Steps, all_records, one, parse_mx

T = TypeVar("T")
P = ParamSpec("P")
AnyResolver = TypeVar("AnyResolver", dns.resolver.Resolver, dns.asyncresolver.Resolver)
# Names as they are, and an answer without records is an answer.
_AS_ASKED: Any = {"search": False, "raise_on_no_answer": False}


# --- One lookup ------------------------------------------------------------------------------------------


def lookup(name: str, rdtype: str) -> Answer:
    """Ask for the records of one type. Raises NoSuchName, NoRecords, LookupFailed."""
    return run(one(Lookup(name, rdtype)))


async def alookup(name: str, rdtype: str) -> Answer:
    """Ask for the records of one type. Raises NoSuchName, NoRecords, LookupFailed."""
    return await arun(one(Lookup(name, rdtype)))


def run(steps: Steps[T]) -> T:
    """Drive a generator of lookups to its end in this thread; all its lookups share DNS_RUN_SECONDS."""
    until = clock.monotonic() + limits.DNS_RUN_SECONDS
    try:
        asked = next(steps)
        while True:
            asked = steps.send([_perform(question, until) for question in asked])
    except StopIteration as done:
        result: T = done.value
        return result


async def arun(steps: Steps[T]) -> T:
    """Drive a generator of lookups on the event loop; what it asks for together is asked together."""
    until = clock.monotonic() + limits.DNS_RUN_SECONDS
    try:
        asked = next(steps)
        while True:
            asked = steps.send(await _aperform_all(asked, until))
    except StopIteration as done:
        result: T = done.value
        return result


def _perform(asked: Lookup, until: float) -> Outcome:
    chase = _Chase(asked, until)
    while chase.outcome is None:
        try:
            resolver = _resolver(dns.resolver.Resolver, chase.servers)
            chase.took(resolver.resolve(chase.name, asked.type, lifetime=chase.seconds(), **_AS_ASKED))
        except (dns.exception.DNSException, OSError, ValueError) as error:
            chase.failed(error)
    return chase.outcome


async def _aperform_all(asked: Sequence[Lookup], until: float) -> list[Outcome]:
    """The outcomes, in order. What the cache knows costs no task: most questions of most mails."""
    chases = [_Chase(question, until) for question in asked]
    open_ones = [chase for chase in chases if chase.outcome is None]
    if len(open_ones) == 1:
        await _achase(open_ones[0])
    elif open_ones:
        await asyncio.gather(*map(_achase, open_ones))
    return [chase.outcome or LookupFailed() for chase in chases]


# Each question has a socket while it is on its way, and a process only so many. Who waits for a place loses
# the time of its run, and with it no more than the answer.
_gates: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore] = WeakKeyDictionary()


def _gate() -> asyncio.Semaphore:
    loop = asyncio.get_running_loop()
    gate = _gates.get(loop)
    if gate is None:
        gate = _gates[loop] = asyncio.Semaphore(limits.DNS_TOGETHER)
    return gate


# Questions on their way, so that mails that come at once do not all ask the same.
_flying: dict[Lookup, asyncio.Future[None]] = {}


async def _achase(chase: "_Chase") -> None:
    loop = asyncio.get_running_loop()
    flying = _flying.get(chase.asked) if chase.cached else None
    if flying is not None and flying.get_loop() is loop:
        # Only a bell: what came of it is in the cache, and if it is not, we ask ourselves.
        left = max(0.0, chase.until - clock.monotonic())
        await asyncio.wait([flying], timeout=min(left, limits.DNS_LIFETIME_SECONDS))
        chase.outcome = _cache.get(chase.asked)
    if chase.outcome is not None:
        return
    bell = _flying[chase.asked] = loop.create_future()
    try:
        async with _gate():
            await _aperform(chase)
    finally:
        bell.set_result(None)
        if _flying.get(chase.asked) is bell:
            del _flying[chase.asked]


async def _aperform(chase: "_Chase") -> None:
    while chase.outcome is None:
        try:
            resolver = _resolver(dns.asyncresolver.Resolver, chase.servers)
            found = await resolver.resolve(
                chase.name, chase.asked.type, lifetime=chase.seconds(), **_AS_ASKED
            )
            chase.took(found)
        except (dns.exception.DNSException, OSError, ValueError) as error:
            chase.failed(error)


class _Chase:
    """One lookup on its way: cache, servers one after the other, CNAMEs that the server did not follow."""

    def __init__(self, asked: Lookup, until: float) -> None:
        self.asked = asked
        self.cached = not (asked.fresh or asked.servers)
        self.outcome: Outcome | None = _cache.get(asked) if self.cached else None
        if self.outcome is not None:
            return
        name = _absolute(asked.name)
        self.name = name or dns.name.root
        self.until = until
        self.hops = 0
        self.ttl = limits.DNS_CACHE_SECONDS
        self.authenticated = True
        # With configured servers only those are asked, so "ask at" becomes "ask there, afresh".
        self.left = [] if settings.HOSTMAIL_DNS_SERVERS else list(asked.servers)
        self.authoritative = bool(self.left)
        if not asked.name or name is None:
            self.outcome = NoSuchName(f"{asked.name[:100]!r} is not a domain name")

    @property
    def servers(self) -> tuple[Server, ...]:
        return (self.left[0],) if self.authoritative else ()

    def seconds(self) -> float:
        """Return how long the next question may take."""
        left = self.until - clock.monotonic()
        if left <= 0:
            raise dns.exception.Timeout
        return min(left, limits.DNS_LIFETIME_SECONDS)

    def took(self, found: dns.resolver.Answer) -> None:
        self.ttl = min(self.ttl, int(found.chaining_result.minimum_ttl))
        self.authenticated &= bool(found.response.flags & dns.flags.AD)
        if found.rrset is not None:
            self._end(self._answer(found.rrset, found.canonical_name))
        elif found.canonical_name != self.name and self.asked.type != "CNAME":
            self._follow(found.canonical_name)
        elif self.authoritative and not found.response.flags & dns.flags.AA:
            self.failed(ValueError("lame: not its zone"))
        else:
            self.ttl = min(self.ttl, limits.DNS_NEGATIVE_SECONDS)
            self._end(NoRecords(f"{self.asked.name} has no {self.asked.type} record"))

    def failed(self, error: Exception) -> None:
        if isinstance(error, dns.resolver.NXDOMAIN):
            ttls = [answer.resolve_chaining().minimum_ttl for answer in error.kwargs["responses"].values()]
            self.ttl = min([self.ttl, limits.DNS_NEGATIVE_SECONDS, *ttls])
            self._end(NoSuchName(f"{self.asked.name} does not exist"))
        elif len(self.left) > 1 and self.authoritative and clock.monotonic() < self.until:
            self.left.pop(0)
        else:
            self.ttl = limits.DNS_FAILURE_SECONDS
            # The time of this run being over says nothing about the name.
            self.cached &= clock.monotonic() < self.until
            outcome = LookupFailed(f"The name servers did not answer for {self.asked.name}")
            outcome.__cause__ = error
            self._end(outcome)

    def _follow(self, name: dns.name.Name) -> None:
        self.hops += 1
        if self.hops > limits.DNS_CNAMES:
            self.failed(ValueError("too many CNAMEs"))
        # Another zone's matter: its own resolver answers, still afresh.
        self.name, self.authoritative = name, False

    def _answer(self, rrset: Iterable[dns.rdata.Rdata], canonical: dns.name.Name) -> Answer:
        records = [_text(rdata) for rdata in list(rrset)[: limits.DNS_RECORDS]]
        return Answer(
            self.asked.name,
            self.asked.type,
            tuple(records),
            max(0, self.ttl),
            _name_text(canonical),
            self.authenticated and is_trusted(),
        )

    def _end(self, outcome: Outcome) -> None:
        self.outcome = outcome
        if self.cached:
            _cache.put(self.asked, outcome, self.ttl)


def _absolute(name: str) -> dns.name.Name | None:
    try:
        return dns.name.from_text(name, origin=dns.name.root)
    except (dns.exception.DNSException, UnicodeError):
        return None  # no name that could exist: an empty label, one of 64 octets, 256 in all


def _name_text(name: dns.name.Name) -> str:
    return name.to_text(omit_final_dot=True).lower() if name != dns.name.root else "."


def _text(rdata: dns.rdata.Rdata) -> str:
    kind = rdata.rdtype
    if kind in (dns.rdatatype.A, dns.rdatatype.AAAA):
        return str(rdata.address)  # type: ignore[attr-defined]
    if kind == dns.rdatatype.TXT:
        octets = b"".join(rdata.strings)[: limits.DNS_TEXT_OCTETS]  # type: ignore[attr-defined]
        # What is not UTF-8, and NUL (no PostgreSQL text can hold it), becomes U+FFFD: it matches nothing.
        return str(octets.decode("utf-8", "replace")).replace("\0", "\ufffd")
    if kind == dns.rdatatype.MX:
        return f"{rdata.preference} {_name_text(rdata.exchange)}"  # type: ignore[attr-defined]
    if kind in (dns.rdatatype.NS, dns.rdatatype.CNAME, dns.rdatatype.PTR):
        return _name_text(rdata.target)  # type: ignore[attr-defined]
    return str(rdata.to_text())


class _Cache:
    """Outcomes until they expire, those used last; negative ones too."""

    def __init__(self) -> None:
        self._kept: OrderedDict[Lookup, tuple[float, Outcome]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, asked: Lookup) -> Outcome | None:
        with self._lock:
            expires, outcome = self._kept.get(asked, (0.0, None))
            if outcome is None or expires <= clock.monotonic():
                return None
            self._kept.move_to_end(asked)
        # A fresh copy: an exception raised twice would collect tracebacks.
        return type(outcome)(outcome.public) if isinstance(outcome, MailError) else outcome

    def put(self, asked: Lookup, outcome: Outcome, ttl: float) -> None:
        with self._lock:
            self._kept[asked] = clock.monotonic() + ttl, outcome
            self._kept.move_to_end(asked)
            while len(self._kept) > limits.DNS_CACHE_NAMES:
                self._kept.popitem(last=False)

    def clear(self) -> None:
        with self._lock:
            self._kept.clear()


_cache = _Cache()
_made: dict[type, tuple[object, float, dns.resolver.BaseResolver]] = {}


def _resolver(kind: type[AnyResolver], servers: tuple[Server, ...]) -> AnyResolver:
    """Return the resolver of the settings or the system; with servers, one that asks them unrecursed."""
    if servers:
        return _make(kind, list(servers), flags=0)
    configured = list(settings.HOSTMAIL_DNS_SERVERS)
    made = _made.get(kind)
    if made is None or made[0] != configured or made[1] < clock.monotonic():
        # RFC 6840 §5.7: AD in a question asks for it in the answer.
        resolver = _make(kind, configured, flags=dns.flags.RD | dns.flags.AD)
        made = _made[kind] = configured, clock.monotonic() + limits.DNS_CONFIGURATION_SECONDS, resolver
    assert isinstance(made[2], kind)
    return made[2]


def _make(kind: type[AnyResolver], servers: list[Server], *, flags: int) -> AnyResolver:
    resolver = kind(configure=not servers)
    if servers:
        resolver.nameservers = [dns.nameserver.Do53Nameserver(host, port) for host, port in servers]
    resolver.timeout = limits.DNS_TRY_SECONDS
    resolver.lifetime = limits.DNS_LIFETIME_SECONDS
    resolver.use_edns(0, 0, limits.DNS_UDP_OCTETS)
    resolver.flags = flags
    return resolver


def is_trusted() -> bool:
    """Whether the AD bit of our resolvers may be believed, by HOSTMAIL_DNS_VALIDATING.

    By default only of those on this machine: anybody on the way may have set it (RFC 7672 §2.1.1).
    """
    if settings.HOSTMAIL_DNS_VALIDATING != "loopback":
        return bool(settings.HOSTMAIL_DNS_VALIDATING == "yes")
    servers = _resolver(dns.resolver.Resolver, ()).nameservers
    hosts = [str(getattr(server, "address", server)) for server in servers]
    return bool(hosts) and all(reach.is_address(host) and ip_address(host).is_loopback for host in hosts)


def forget_all() -> None:
    """Empty the cache. For tests, and for a person who says "look again"."""
    _cache.clear()


# --- What others ask -------------------------------------------------------------------------------------


def _twins(steps: Callable[P, Steps[T]]) -> tuple[Callable[P, T], Callable[P, Awaitable[T]]]:
    """Return the synchronous and the asynchronous function made of one generator function."""

    @functools.wraps(steps)
    def now(*args: P.args, **kwargs: P.kwargs) -> T:
        return run(steps(*args, **kwargs))

    @functools.wraps(steps)
    async def later(*args: P.args, **kwargs: P.kwargs) -> T:
        return await arun(steps(*args, **kwargs))

    return now, later


def _resolve(name: str, rdtype: str) -> Steps[list[str]]:
    """Return the records of one type as text (see Answer)."""
    answer = yield from one(Lookup(name, rdtype))
    return list(answer.records)


def _txt(name: str) -> Steps[list[str]]:
    """Return the TXT records of name, the strings of each put together."""
    return (yield from _resolve(name, "TXT"))


def _mx_hosts(domain: str) -> Steps[list[MX]]:
    """Return the MX records as they are, the most preferred first; a null MX is MX(0, ".")."""
    return sorted(map(parse_mx, (yield from _resolve(domain, "MX"))))


def _pointers(address: str) -> Steps[list[str]]:
    """Return the names that PTR records give for an IP address."""
    return (yield from _resolve(dns.reversename.from_address(address).to_text(), "PTR"))


def _confirmed_name(address: str) -> Steps[str]:
    """Return the name of an IP address that leads back to it (RFC 8601 §2.7.3, "iprev").

    Raises NoSuchName or NoRecords when there is none, LookupFailed when it cannot be told now.
    """
    names = yield from _pointers(address)
    failure: MailError = NoRecords(f"No name of {address} leads back to it")
    for name in names[: limits.DNS_POINTERS]:
        try:
            found = yield from routes.addresses(name)
        except LookupFailed as error:
            failure = error
        except (NoSuchName, NoRecords):
            continue
        else:
            if ip_address(address) in map(ip_address, found):
                return name
    raise failure


def _nameservers(name: str) -> Steps[list[Server]]:
    """Return the addresses of the name servers of the zone that name lies in.

    With HOSTMAIL_DNS_SERVERS set, those. Raises as lookup() does, and NoRoute if none may be asked.
    """
    if settings.HOSTMAIL_DNS_SERVERS:
        return list(settings.HOSTMAIL_DNS_SERVERS)
    hosts = yield from _zone_hosts(name)
    outcomes = yield [Lookup(host, kind) for host in hosts for kind in ("A", "AAAA")]
    found = [(address, 53) for address in all_records(outcomes) if reach.may_connect(address)]
    if not found:
        raise NoRoute(f"The name servers of {name} have no address we may use")
    return found[: limits.NAME_SERVERS]


def _zone_hosts(name: str) -> Steps[list[str]]:
    labels = name.rstrip(".").split(".")
    failure: MailError = NoSuchName(f"{name} does not exist")
    # Upwards until a zone is found. The last name tried has two labels: top-level domains are not asked.
    for start in range(max(1, len(labels) - 1)):
        zone = ".".join(labels[start:])
        (outcome,) = yield [Lookup(zone, "NS")]
        if isinstance(outcome, LookupFailed):
            raise outcome
        if isinstance(outcome, Answer) and outcome.canonical == zone.lower():
            return list(outcome.records[: limits.NAME_SERVERS])
        failure = outcome if isinstance(outcome, MailError) else failure
    raise failure


def _ask_at(servers: Sequence[Server], name: str, rdtype: str) -> Steps[Answer]:
    """Ask these name servers themselves, one after the other, past every cache.

    A CNAME that leaves the zone is followed through our resolver, also past the cache.
    With HOSTMAIL_DNS_SERVERS set those are asked instead.
    """
    return (yield from one(Lookup(name, rdtype, servers=tuple(servers), fresh=True)))


def _fresh(name: str, rdtype: str) -> Steps[Answer]:
    """Ask the zone's own name servers for what they say now; for checks of a customer's records."""
    servers = yield from _nameservers(name)
    return (yield from _ask_at(servers, name, rdtype))


resolve, aresolve = _twins(_resolve)
txt, atxt = _twins(_txt)
mx_hosts, amx_hosts = _twins(_mx_hosts)
addresses, aaddresses = _twins(routes.addresses)
pointers, apointers = _twins(_pointers)
confirmed_name, aconfirmed_name = _twins(_confirmed_name)
nameservers, anameservers = _twins(_nameservers)
ask_at, aask_at = _twins(_ask_at)
fresh, afresh = _twins(_fresh)
route, aroute = _twins(routes.route)
published, apublished = _twins(publishing.published)
host_targets, ahost_targets = _twins(routes.host_targets)
