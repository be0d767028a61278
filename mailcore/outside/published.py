"""What a domain and its mail hosts have published about TLS: MTA-STS, TLS reports, DANE.

A generator of lookups; callers use dns.published() and dns.apublished(), which drive it. Nothing here fails:
what cannot be looked up is said in the answer. RFC 7672 §2.2 rules which TLSA records count.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from mailcore.errors import NoRecords, NoSuchName
from mailcore.outside.lookups import Answer, Lookup, Outcome, Steps
from mailcore.outside.routes import Route
from mailcore.tlspolicy import mta_sts, tlsa, tlsrpt
from mailcore.tlspolicy.demands import Dane


@dataclass(frozen=True, slots=True)
class Published:
    """sts_id: the id of the MTA-STS policy, "" for none; reports_to: where TLS reports go; dane by host.

    is_secure: DNSSEC vouches for the list of hosts.
    """

    sts_id: str = ""
    reports_to: tuple[str, ...] = ()
    dane: dict[str, Dane] = field(default_factory=dict)
    is_secure: bool = False

    def dane_of(self, host: str) -> Dane:
        return self.dane.get(host, Dane())


def published(route: Route, port: int) -> Steps[Published]:
    """Look up what there is for a route whose hosts are reached at port."""
    dane: dict[str, Dane] = {}
    # RFC 7672 §2.2.1: with a list of hosts that anybody can forge, their records prove nothing.
    if route.authenticated:
        for host in dict.fromkeys(target.host for target in route.targets):
            dane[host] = yield from _dane(host, port)
    sts, reports = yield [
        Lookup(f"_mta-sts.{route.domain}", "TXT"),
        Lookup(f"_smtp._tls.{route.domain}", "TXT"),
    ]
    return Published(mta_sts.record_id(_texts(sts)), tlsrpt.rua(_texts(reports)), dane, route.authenticated)


def _dane(host: str, port: int) -> Steps[Dane]:
    for base in (yield from _bases(host)):
        (outcome,) = yield [Lookup(f"_{port}._tcp.{base}", "TLSA")]
        if isinstance(outcome, Answer):
            # Records in an unsigned zone are none (RFC 7672 §2.1.1).
            if outcome.authenticated:
                records = tuple(filter(None, map(tlsa.parse, outcome.records)))
                return Dane(base, records)
        elif not isinstance(outcome, NoRecords | NoSuchName):
            # RFC 7672 §2.1.2: whoever suppresses the answer must not win by it.
            return Dane(base, is_lost=True)
    return Dane()


def _bases(host: str) -> Steps[list[str]]:
    """The names under which TLSA records of a host may stand, in the order of RFC 7672 §2.2.2.

    None where the host's addresses are not signed: asking is then no use, and some old name servers break.
    """
    outcomes = yield [Lookup(host, "A"), Lookup(host, "AAAA")]
    answers = [outcome for outcome in outcomes if isinstance(outcome, Answer)]
    alias = next((answer.canonical for answer in answers if answer.canonical != host), "")
    if answers and all(answer.authenticated for answer in answers):
        return [alias, host] if alias else [host]
    if alias:
        # The end of the chain is unsigned, its beginning may be signed.
        (outcome,) = yield [Lookup(host, "CNAME")]
        if isinstance(outcome, Answer) and outcome.authenticated:
            return [host]
    return []


def _texts(outcome: Outcome) -> tuple[str, ...]:
    return outcome.records if isinstance(outcome, Answer) else ()
