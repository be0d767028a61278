"""What is demanded of TLS with the hosts of a route, found before anybody talks to them.

DNS says what there is (outside/published.py), MTA-STS policies are fetched and kept (sts_policies), and
tlspolicy.demands puts it together. A way carries the result; attempt.Courier obeys it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from mailcore.models import Submission
from mailcore.outside import dns, tls
from mailcore.outside.published import Published
from mailcore.outside.remote_smtp import Conversation
from mailcore.outside.routes import Route
from mailcore.services.outbound import sts_policies
from mailcore.services.outbound.sts_policies import Known
from mailcore.tlspolicy import demands
from mailcore.tlspolicy.demands import OPPORTUNISTIC, Demand, Level
from mailcore.tlspolicy.mta_sts import Mode, Policy
from mailcore.tlspolicy.tlsrpt import Held, Kind, Result, Session

Wish = Submission.TLSWish


@dataclass(frozen=True, slots=True)
class Demands:
    """What is demanded of each host of a domain, and what is counted of it.

    trusted are the hosts that DNSSEC or an MTA-STS policy vouches for; None: all, as the operator named them.
    """

    domain: str = ""
    by_host: Mapping[str, Demand] = field(default_factory=dict)
    trusted: frozenset[str] | None = None
    sts: Policy | None = None
    wants_reports: bool = False
    failure: Result | None = None
    failure_words: str = ""
    # Of hosts that the operator named.
    default: Demand = OPPORTUNISTIC

    def of(self, host: str, wish: str = "") -> Demand:
        """What is demanded of a host for mail whose sender wishes that (Submission.TLSWish)."""
        if wish == Wish.WAIVED and self.trusted is not None:
            return OPPORTUNISTIC  # what the operator demands of a relay is not the sender's to waive
        base = self.by_host.get(host, self.default)
        if wish == Wish.REQUIRED:
            is_trusted = self.trusted is None or host in self.trusted
            return demands.with_requiretls(base, host, is_trusted=is_trusted)
        return base

    @property
    def key(self) -> str:
        """What must be the same where mail shares connections; "" where nothing is demanded."""
        digest = demands.digest(self.by_host.items())
        trusted = ",".join(sorted(self.trusted)) if self.trusted else ""
        reported = self.domain if self.wants_reports else ""
        return f"{digest}|{trusted}|{reported}" if digest or trusted or reported else ""

    def session(
        self, host: str, result: Result | None, *, address: str, own_address: str, reason: str
    ) -> Session:
        """One connection with a host under the domain's own demands, for the report."""
        if result is None:
            return Session(self._held(host))
        return Session(self._held(host), result, host, address, own_address, reason)

    def unfetched(self) -> Session | None:
        """What is to be reported of a policy that could not be had."""
        if self.failure is None:
            return None
        return Session(Held(self.domain, Kind.STS), self.failure, reason=self.failure_words)

    def _held(self, host: str) -> Held:
        demand = self.by_host.get(host, OPPORTUNISTIC)
        if demand.records or demand.level == Level.REQUIRED:
            return Held(self.domain, Kind.DANE, tuple(map(str, demand.records)))
        if self.sts is not None and self.sts.mode != Mode.NONE:
            return Held(self.domain, Kind.STS, tuple(self.sts.text.splitlines()))
        return Held(self.domain, Kind.NONE)


def of_relay(policy: str) -> Demands:
    """The demands on a relay, as its owner set them. policy is one of remote_smtp's."""
    level = Level(policy)
    word = "opportunistic" if level == Level.OPPORTUNISTIC else f"relay {level.value}"
    return Demands(default=Demand(word, level))


def of_route(route: Route, port: int) -> Demands:
    """Find what is demanded for a route whose hosts are reached at port. Waits for DNS and HTTPS."""
    found = dns.published(route, port)
    return put_together(route, found, sts_policies.known(route.domain, found.sts_id))


def put_together(route: Route, found: Published, known: Known) -> Demands:
    """The demands that follow from what is published. Waits for nobody."""
    hosts = dict.fromkeys(target.host for target in route.targets)
    sts = known.policy
    vouched = sts is not None and sts.mode != Mode.NONE
    return Demands(
        route.domain,
        {host: demands.demand(route.domain, host, sts, found.dane_of(host)) for host in hosts},
        frozenset(host for host in hosts if found.is_secure or (vouched and sts and sts.allows(host))),
        sts,
        bool(found.reports_to),
        known.failure,
        known.words,
    )


# --- What falls short ------------------------------------------------------------------------------------

_SHORTCOMINGS = {
    tls.SELF_SIGNED: Result.NOT_TRUSTED,
    tls.UNTRUSTED: Result.NOT_TRUSTED,
    tls.MISMATCH: Result.HOST_MISMATCH,
    tls.EXPIRED: Result.EXPIRED,
    tls.UNKNOWN: Result.VALIDATION,
}


def shortcoming(talk: Conversation, demand: Demand) -> Result | None:
    """What a TLS report says of a connection that was had under a demand; None is success."""
    if talk.tls is None:
        return talk.tls_failure
    if demand.policy == "mta-sts testing":
        return _SHORTCOMINGS.get(talk.tls.verdict)
    return None
