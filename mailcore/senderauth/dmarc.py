"""Whether the domain in From stands behind a mail, and what it wants done otherwise: DMARC. (pure)

RFC 7489 in the form of its successor RFC 9989: the organizational domain is found by walking up the tree of
DNS (§4.10), so no list of public suffixes is needed or kept. pct= went with RFC 9989 and is not looked at;
t=y takes its place. check() is a generator that yields questions for DNS (see questions.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from mailcore import limits
from mailcore.errors import MailError, NoSuchName
from mailcore.senderauth.questions import Outcome, Question, Steps

Result = Literal["none", "pass", "fail", "temperror"]
Policy = Literal["none", "quarantine", "reject"]
Tags = Mapping[str, str]

_POLICIES: dict[str, Policy] = {"none": "none", "quarantine": "quarantine", "reject": "reject"}
_LOWERED: dict[Policy, Policy] = {"reject": "quarantine", "quarantine": "none", "none": "none"}


@dataclass(frozen=True, slots=True)
class DMARC:
    """The verdict on one author domain.

    policy is what the domain asks for when the result is "fail", t=y taken into account. aligned is the
    identifier that made it pass. "temperror": DNS could not tell, never a reason to refuse for good.
    """

    result: Result
    domain: str
    policy: Policy = "none"
    organization: str = ""
    record_at: str = ""
    aligned: str = ""
    # The tags of that record.
    published: Tags = field(default_factory=dict, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class _Walk:
    organization: str
    records: Mapping[str, Tags]


class _CannotTell(Exception):
    pass


def check(
    author: str,
    *,
    spf: Sequence[str] = (),
    dkim: Sequence[str] = (),
    unsure: Sequence[tuple[Literal["spf", "dkim"], str]] = (),
) -> Steps[DMARC]:
    """Judge author, the domain of the one From address, in A-labels.

    spf and dkim are the domains that passed; unsure those whose check ended in temperror: where one of them
    would have made the mail pass, the result is temperror and not fail.
    """
    author = author.rstrip(".").lower()
    try:
        walk = yield from _walk(author)
        at = _record_for(author, walk)
        if not at:
            return DMARC("none", author)
        record = walk.records[at]
        for method, domains in (("dkim", dkim), ("spf", spf)):
            for domain in dict.fromkeys(domains):
                if (yield from _is_aligned(method, domain, author, walk, record)):
                    return DMARC("pass", author, "none", walk.organization, at, domain, record)
        for method, domain in unsure:
            if (yield from _is_aligned(method, domain, author, walk, record)):
                raise _CannotTell
        policy = yield from _policy(author, at, record)
    except _CannotTell:
        return DMARC("temperror", author)
    return DMARC("fail", author, policy, walk.organization, at, published=record)


def _walk(domain: str) -> Steps[_Walk]:
    """The records from domain up to its top (§4.10), all asked together, and the organizational domain."""
    above = names(domain)
    outcomes = yield [Question(f"_dmarc.{name}", "TXT") for name in above]
    records: dict[str, Tags] = {}
    organization = ""
    for name, outcome in zip(above, outcomes, strict=True):
        tags = _record(outcome)
        if tags is None:
            continue
        records[name] = tags
        mark = tags.get("psd", "u").lower()
        if mark == "n":
            organization = name
            break
        if mark == "y":
            if name != domain:
                labels = name.count(".") + 2
                organization = ".".join(domain.split(".")[-labels:])
            break
    if not organization:
        organization = min(records, key=lambda name: name.count("."), default=domain)
    return _Walk(organization, records)


def names(domain: str) -> list[str]:
    """Where records may stand, without the _dmarc label: domain and the at most seven above it. (§4.10)"""
    labels = domain.split(".")
    above = labels[-(limits.DMARC_NAMES - 1) :] if len(labels) >= limits.DMARC_NAMES else labels[1:]
    return [domain, *(".".join(above[start:]) for start in range(len(above)))]


def _record(outcome: Outcome) -> Tags | None:
    """The one DMARC record; None for none, and for several (§4.10). Raises _CannotTell."""
    if isinstance(outcome, MailError):
        if outcome.retry:
            raise _CannotTell
        return None
    found = [tags for text in outcome if (tags := _tags(text)) is not None]
    return found[0] if len(found) == 1 else None


def _tags(text: str) -> Tags | None:
    tags: dict[str, str] = {}
    for piece in text.split(";"):
        name, equals, value = piece.partition("=")
        name, value = name.strip(" \t").lower(), value.strip(" \t")
        if not tags and (name, value) != ("v", "DMARC1"):
            return None
        if equals:
            tags.setdefault(name, value)
    return tags


def _record_for(author: str, walk: _Walk) -> str:
    """Where the policy stands: at the author's domain, its organization's, or a public suffix. (§4.10.1)"""
    if author in walk.records:
        return author
    if walk.organization in walk.records:
        return walk.organization
    return next((name for name, tags in walk.records.items() if tags.get("psd", "").lower() == "y"), "")


def _is_aligned(method: str, domain: str, author: str, walk: _Walk, record: Tags) -> Steps[bool]:
    """§4.4: the same domain, or with relaxed alignment the same organization."""
    domain = domain.rstrip(".").lower()
    if domain == author:
        return True
    is_strict = record.get("aspf" if method == "spf" else "adkim", "r").lower() == "s"
    # What lies outside the author's organization needs no walk of its own.
    if is_strict or not f".{domain}".endswith(f".{walk.organization}"):
        return False
    other = yield from _walk(domain)
    return other.organization == walk.organization


def _policy(author: str, at: str, record: Tags) -> Steps[Policy]:
    """p=, or for a subdomain sp=, or np= for one that does not exist. (§4.7)"""
    asked = record.get("p", "")
    if author != at:
        asked = record.get("sp", asked)
        if "np" in record:
            (outcome,) = yield [Question(author, "A")]
            if isinstance(outcome, NoSuchName):
                asked = record["np"]
            elif isinstance(outcome, MailError) and outcome.retry:
                raise _CannotTell
    policy = _POLICIES.get(asked.lower(), "none")
    return _LOWERED[policy] if record.get("t", "n").lower() == "y" else policy
