"""All that DNS and signatures say about who sent a mail: SPF, DKIM, ARC, iprev and DMARC in one go. (pure)

read() does what grows with the mail and needs no answers. judge() is a generator that yields questions for
DNS (see questions.py): the methods run side by side and ask nothing twice. Called by the MX; what follows
from a verdict is decided elsewhere (services/inbound).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from mailcore import limits
from mailcore.errors import BadAddress
from mailcore.message import fields
from mailcore.message.address import normalise_domain, scan
from mailcore.senderauth import arc, dkim_verify, dmarc, iprev, spf
from mailcore.senderauth.arc import ARC, NO_CHAIN, Chain
from mailcore.senderauth.dkim_verify import Claims, Signature
from mailcore.senderauth.dmarc import DMARC
from mailcore.senderauth.iprev import IPRev
from mailcore.senderauth.questions import Question, Steps, both, sparingly
from mailcore.senderauth.signed import Mail
from mailcore.senderauth.spf import SPF


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found. spf judges MAIL FROM, or HELO for the null path; then helo is None.

    dmarc is None where no domain of an author can be judged: From is missing, unreadable, or names too many.
    """

    mail_from: str
    helo_name: str
    peer: str
    spf: SPF
    helo: SPF | None
    signatures: tuple[Signature, ...]
    iprev: IPRev
    authors: tuple[str, ...]
    dmarc: DMARC | None
    arc: ARC = NO_CHAIN


@dataclass(frozen=True, slots=True)
class Signed:
    """The signatures of a mail and of those who passed it on, the body compared with them."""

    claims: Claims
    chain: Chain


def read(raw: bytes, *, now: int) -> Signed:
    """Do the part of judging that is costly for a big mail, so that callers may do it elsewhere.

    raw is the mail as it came, with CRLF line ends; now is seconds since the epoch.
    """
    mail = Mail(raw)
    return Signed(dkim_verify.read(mail, now=now), arc.read(mail))


def judge(
    signed: Signed, *, header: bytes, peer: str, mail_from: str, helo: str, receiver: str, now: int
) -> Steps[Verdict]:
    """Judge one mail. signed is what read() gave, header is its header section, peer an IP address.

    mail_from is "" for the null path, its domain in A-labels; now is seconds since the epoch.
    """
    steps = _judge(signed, header, peer, mail_from, helo, receiver, now)
    return (yield from sparingly(steps, limits.VERIFY_QUESTIONS))


def _judge(
    signed: Signed, header: bytes, peer: str, mail_from: str, helo: str, receiver: str, now: int
) -> Steps[Verdict]:
    domains = authors(header)
    by_name = both(
        spf.check(peer, mail_from, helo, receiver=receiver, now=now),
        _helo(peer, helo, receiver, now) if mail_from else _nothing(),
    )
    by_mail = both(
        both(dkim_verify.judge(signed.claims), arc.judge(signed.chain)),
        both(iprev.check(peer), _policies(domains)),
    )
    (sender, greeting), ((signatures, chain), (reverse, _)) = yield from both(by_name, by_mail)
    verdict = yield from _dmarc(domains, sender, signatures)
    return Verdict(
        mail_from, helo, peer, sender, greeting, tuple(signatures), reverse, domains, verdict, chain
    )


def authors(header: bytes) -> tuple[str, ...]:
    """The domains of all addresses in all From fields, in A-labels, each once.

    () when one of them cannot be read or there are more than DMARC_AUTHORS: such mail has no author to judge.
    """
    domains: dict[str, None] = {}
    for value in fields.get_raw(header, "from"):
        for found in scan(value, limits.DMARC_AUTHORS + 1):
            if found.domain is None:
                continue
            try:
                domains[normalise_domain(found.domain.decode("utf-8"))] = None
            except (BadAddress, UnicodeDecodeError):
                return ()
    return tuple(domains) if len(domains) <= limits.DMARC_AUTHORS else ()


def _helo(peer: str, helo: str, receiver: str, now: int) -> Steps[SPF | None]:
    return (yield from spf.check(peer, "", helo, receiver=receiver, now=now))


def _nothing() -> Steps[None]:
    return None
    yield


def _policies(domains: Sequence[str]) -> Steps[None]:
    """Ask at once for what DMARC will want to know, so that it need not wait again."""
    names = [f"_dmarc.{name}" for domain in domains for name in dmarc.names(domain)]
    if names:
        yield [Question(name, "TXT") for name in names]


def _dmarc(domains: Sequence[str], sender: SPF, signatures: Sequence[Signature]) -> Steps[DMARC | None]:
    """The verdict on the author; of several domains the one that asks for most."""
    unsure: list[tuple[Literal["spf", "dkim"], str]] = [
        ("dkim", one.domain) for one in signatures if one.result == "temperror"
    ]
    if sender.result == "temperror":
        unsure.append(("spf", sender.domain))
    worst: DMARC | None = None
    for domain in domains:
        found = yield from dmarc.check(
            domain,
            spf=[sender.domain] if sender.result == "pass" else [],
            dkim=[one.domain for one in signatures if one.result == "pass"],
            unsure=unsure,
        )
        if worst is None or _weight(found) > _weight(worst):
            worst = found
    return worst


_RESULTS = ("pass", "none", "temperror", "fail")
_POLICIES = ("none", "quarantine", "reject")


def _weight(found: DMARC) -> tuple[int, int]:
    return _RESULTS.index(found.result), _POLICIES.index(found.policy)
