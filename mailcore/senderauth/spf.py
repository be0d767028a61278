"""Whether a host may send for the domain of MAIL FROM or HELO: SPF, RFC 7208. (pure)

check() is a generator that yields questions for DNS (see questions.py). Every limit of §4.6.4 is kept: ten
terms that ask, two void lookups, ten MX, ten names of PTR. "temperror" says that DNS could not tell: never a
reason to refuse for good.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Literal

from mailcore import limits
from mailcore.errors import MailError
from mailcore.senderauth import spf_record
from mailcore.senderauth.questions import Outcome, Question, Steps
from mailcore.senderauth.spf_record import Malformed, Mechanism, Record

Result = Literal["none", "neutral", "pass", "fail", "softfail", "temperror", "permerror"]

_VERSION = re.compile(r"v=spf1(?: |\Z)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class SPF:
    """The verdict on one identity. domain is what was judged; explanation only comes with "fail".

    problem says why for temperror and permerror. explanation is a stranger's text: ASCII, of one line, never
    to be repeated as ours.
    """

    result: Result
    domain: str
    scope: Literal["mailfrom", "helo"]
    mechanism: str = ""
    explanation: str = ""
    problem: str = ""


class _Stop(Exception):
    def __init__(self, result: Result, problem: str) -> None:
        self.result: Result = result
        self.problem = problem


def check(peer: str, mail_from: str, helo: str, *, receiver: str = "unknown", now: int = 0) -> Steps[SPF]:
    """Judge MAIL FROM, or HELO when that is the null path (§2.4).

    peer is an IP address; mail_from an address or "", its domain in A-labels. now, seconds since the epoch,
    stands in explanations.
    """
    local, at, domain = mail_from.rpartition("@")
    scope: Literal["mailfrom", "helo"] = "mailfrom" if mail_from else "helo"
    domain = (domain if mail_from else helo).rstrip(".").lower()
    if not _is_checkable(domain):
        return SPF("none", domain, scope)
    address = ip_address(peer)
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped  # §5: a mapped address is an IPv4 client
    evaluation = _Evaluation(address, local if at and local else "postmaster", domain, helo, receiver, now)
    try:
        result, mechanism, explain = yield from evaluation.judge(domain)
    except _Stop as stop:
        return SPF(stop.result, domain, scope, problem=stop.problem)
    explanation = ""
    if result == "fail" and explain:
        explanation = yield from evaluation.explain(*explain)
    return SPF(result, domain, scope, mechanism, explanation)


def _is_checkable(domain: str) -> bool:
    """§4.3: a name of at least two labels, none empty or too long, and no address literal."""
    labels = domain.split(".")
    return (
        len(labels) > 1
        and len(domain) <= limits.DOMAIN_OCTETS
        and domain.isascii()
        and all(0 < len(label) <= limits.LABEL_OCTETS for label in labels)
        and not domain.startswith("[")
    )


_Explain = tuple[str, str] | None  # the domain-spec of exp= and the domain it belongs to
_Judged = tuple[Result, str, _Explain]


class _Evaluation:
    """One check_host() with all that it includes; the limits count for all of it together."""

    def __init__(
        self, address: IPv4Address | IPv6Address, local: str, domain: str, helo: str, receiver: str, now: int
    ) -> None:
        self.address = address
        self.terms = 0
        self.voids = 0
        self.names: list[str] | None = None
        nibbles = (
            address.exploded if address.version == 4 else ".".join(address.exploded.replace(":", "").upper())
        )
        self.values = {
            "s": f"{local}@{domain}", "l": local, "o": domain, "i": nibbles, "h": helo,
            "v": "in-addr" if address.version == 4 else "ip6",
        }  # fmt: skip
        self.only_in_explanations = {"c": str(address), "r": receiver, "t": str(now)}

    def judge(self, domain: str) -> Steps[_Judged]:
        """check_host() of §4 for one domain. Raises _Stop for temperror and permerror."""
        record = yield from self._record(domain)
        if record is None:
            return "none", "", None
        for mechanism in record.mechanisms:
            if (yield from self._matches(mechanism, domain)):
                explain = (record.explanation, domain) if record.explanation else None
                return mechanism.result, mechanism.name, explain  # type: ignore[return-value]
        if record.redirect:
            self._count_term()
            target = yield from self._expand(record.redirect, domain)
            judged = yield from self.judge(target)
            if judged[0] == "none":
                raise _Stop("permerror", f"redirect to {target}, which has no record")
            return judged
        return "neutral", "default", None

    def _record(self, domain: str) -> Steps[Record | None]:
        (outcome,) = yield [Question(domain, "TXT")]
        if isinstance(outcome, MailError) and outcome.retry:
            raise _Stop("temperror", f"no answer about {domain}")
        found = [text for text in _records(outcome) if _VERSION.match(text)]
        if len(found) > 1:
            raise _Stop("permerror", f"several records at {domain}")
        try:
            return spf_record.parse(found[0]) if found else None
        except Malformed as error:
            raise _Stop("permerror", f"{domain}: {error}") from error

    # --- mechanisms (§5) --------------------------------------------------------------------------------

    def _matches(self, mechanism: Mechanism, domain: str) -> Steps[bool]:
        name = mechanism.name
        if name == "all":
            return True
        if mechanism.network is not None:
            return self.address in mechanism.network
        self._count_term()
        target = (yield from self._expand(mechanism.spec, domain)) if mechanism.spec else domain
        if name == "include":
            return (yield from self._includes(target))
        if name == "ptr":
            names = yield from self._validated_names()
            return any(_is_within(each, target) for each in names)
        if name == "exists":
            found = yield from self._ask(Question(target, "A"))
            return bool(found)
        hosts = [target]
        if name == "mx":
            records = yield from self._ask(Question(target, "MX"))
            if len(records) > limits.SPF_NAMES:
                raise _Stop("permerror", f"{target} has more than {limits.SPF_NAMES} MX records")
            hosts = [record.partition(" ")[2] for record in records]
        for host in hosts:
            addresses = yield from self._ask(Question(host, self._kind))
            if any(self._is_near(each, mechanism.lengths) for each in addresses):
                return True
        return False

    def _includes(self, target: str) -> Steps[bool]:
        result, _, _ = yield from self.judge(target)
        if result == "none":
            raise _Stop("permerror", f"include of {target}, which has no record")
        return result == "pass"

    @property
    def _kind(self) -> str:
        return "A" if self.address.version == 4 else "AAAA"

    def _is_near(self, text: str, lengths: tuple[int, int]) -> bool:
        length = lengths[0] if self.address.version == 4 else lengths[1]
        return self.address in ip_network(f"{text}/{length}", strict=False)

    def _validated_names(self) -> Steps[list[str]]:
        """The names of the peer that lead back to it (§5.5); a failure of DNS only makes them fewer."""
        if self.names is None:
            (outcome,) = yield [Question(self.address.reverse_pointer, "PTR")]
            names = list(dict.fromkeys(_records(outcome)))[: limits.SPF_NAMES]
            outcomes = (yield [Question(each, self._kind) for each in names]) if names else []
            self.names = [
                name.rstrip(".").lower()
                for name, found in zip(names, outcomes, strict=True)
                if any(ip_address(each) == self.address for each in _records(found))
            ]
        return self.names

    # --- limits and macros (§4.6.4, §7) ------------------------------------------------------------------

    def _count_term(self) -> None:
        self.terms += 1
        if self.terms > limits.SPF_TERMS:
            raise _Stop("permerror", f"more than {limits.SPF_TERMS} terms that need DNS")

    def _ask(self, question: Question) -> Steps[list[str]]:
        (outcome,) = yield [question]
        if isinstance(outcome, MailError) and outcome.retry:
            raise _Stop("temperror", f"no answer about {question.name}")
        records = _records(outcome)
        if not records:
            self.voids += 1
            if self.voids > limits.SPF_VOIDS:
                raise _Stop("permerror", f"more than {limits.SPF_VOIDS} lookups that found nothing")
        return records

    def _expand(self, spec: str, domain: str, *, explaining: bool = False) -> Steps[str]:
        if "%" not in spec:
            return spec.rstrip(".").lower() if not explaining else spec
        values = {**self.values, "d": domain, "p": "unknown"}
        if explaining:
            values |= self.only_in_explanations
        if "p" in spf_record.letters(spec):
            names = yield from self._validated_names()
            near = [name for name in names if name == domain] + [n for n in names if _is_within(n, domain)]
            values["p"] = next(iter(near + names), "unknown")
        text = spf_record.expand(spec, values)
        if explaining:
            return text
        text = text.rstrip(".").lower()
        if len(text) > limits.DOMAIN_OCTETS:
            text = text[-limits.DOMAIN_OCTETS - 1 :].partition(".")[2]  # §7.3: labels go from the left
        return text

    def explain(self, spec: str, domain: str) -> Steps[str]:
        """The text of exp= (§6.2); "" when there is none or anything is wrong with it."""
        try:
            target = yield from self._expand(spec, domain)
            (outcome,) = yield [Question(target, "TXT")]
            found = _records(outcome)
            if len(found) != 1:
                return ""
            text = yield from self._expand(found[0], domain, explaining=True)
        except Malformed:
            return ""
        is_fit = text.isascii() and text.isprintable()
        return text[: limits.SPF_EXPLANATION_CHARS] if is_fit else ""


def _records(outcome: Outcome) -> list[str]:
    return [] if isinstance(outcome, MailError) else list(outcome)


def _is_within(name: str, domain: str) -> bool:
    return name == domain or name.endswith("." + domain)
