"""Whether a mail is wanted: evidence in, a score with its reasons out, and what follows from it. (pure)

No reason alone makes a mail junk, except a block list the operator trusts so far: honest hosts have one fault
or another, and those who forge have several. A DKIM signature that does not hold is no reason (RFC 6376
§6.1), nor is anything that DNS could not tell now. services/inbound gathers the evidence and obeys.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum

from mailcore.filters.blocklists import BlockList, ListedDomain
from mailcore.filters.header import Oddities
from mailcore.senderauth.sender import Verdict

VIRUS_POINTS = 100.0
KNOWN_POINTS = -2.0  # outweighs one fault or two, not a forgery: it is proven


class Action(IntEnum):
    """What becomes of a mail, the mildest first."""

    INBOX = 0
    JUNK = 1
    QUARANTINE = 2
    REFUSE = 3


@dataclass(frozen=True, slots=True)
class Reason:
    """name is for programs and stands in X-Spam-Status; text is for people and may hold strangers' names."""

    name: str
    points: float
    text: str


@dataclass(frozen=True, slots=True)
class Thresholds:
    """The scores from which mail is junk, is refused, and is kept in quarantine; 0 for never."""

    junk: float
    refuse: float = 0.0
    quarantine: float = 0.0

    def action(self, score: float) -> Action:
        """The severest that score reaches."""
        if self.refuse and score >= self.refuse:
            return Action.REFUSE
        if self.quarantine and score >= self.quarantine:
            return Action.QUARANTINE
        return Action.JUNK if self.junk and score >= self.junk else Action.INBOX


@dataclass(frozen=True, slots=True)
class Scan:
    """What a virus scanner said: the name of what it found, if anything; is_known: whether it answered."""

    found: str = ""
    is_known: bool = True


@dataclass(frozen=True, slots=True)
class Decision:
    action: Action
    score: float
    reasons: tuple[Reason, ...]
    thresholds: Thresholds

    @property
    def has_virus(self) -> bool:
        """Then no wish of a mailbox counts: a friend's machine sends viruses as well as a stranger's."""
        return any(reason.name == "VIRUS" for reason in self.reasons)

    def sentence(self) -> str:
        """Why, for a person, what counted most first: "SPF says that ... (2.5); ..."; "" for no reason."""
        heaviest = sorted(self.reasons, key=lambda reason: -reason.points)
        return "; ".join(f"{reason.text} ({reason.points:g})" for reason in heaviest if reason.points)


def decide(reasons: Sequence[Reason], thresholds: Thresholds) -> Decision:
    """Add up, and compare."""
    score = round(sum(reason.points for reason in reasons), 1)
    return Decision(thresholds.action(score), score, tuple(reasons), thresholds)


def known(decision: Decision) -> Decision:
    """The same mail from somebody its recipients have written to."""
    reason = Reason("KNOWN_SENDER", KNOWN_POINTS, "its recipients have written to this sender")
    return decide([*decision.reasons, reason], decision.thresholds)


def reasons(
    verdict: Verdict,
    odd: Oddities,
    *,
    listed: Sequence[BlockList] = (),
    named: Sequence[ListedDomain] = (),
    own: bool = False,
    is_vouched_for: bool = False,
    scan: Scan | None = None,
) -> list[Reason]:
    """What speaks against a mail.

    own: its author has a domain of one of its recipients. is_vouched_for: somebody we trust passed it on and
    found its sender good, whatever SPF, DKIM and DMARC say of it now.
    """
    found = [] if is_vouched_for else [*_of_sender(verdict, own)]
    return [*found, *_of_host(verdict), *_of_header(odd), *_of_lists(listed, named), *_of_scan(scan)]


def _of_sender(verdict: Verdict, own: bool) -> Iterator[Reason]:
    spf, dmarc = verdict.spf, verdict.dmarc
    if spf.result == "fail":
        yield Reason("SPF_FAIL", 2.5, f"{spf.domain} says that this host may not send for it")
    elif spf.result == "softfail":
        yield Reason("SPF_SOFTFAIL", 1.0, f"{spf.domain} does not know this host")
    elif spf.result == "permerror":
        yield Reason("SPF_PERMERROR", 0.5, f"the SPF record of {spf.domain} cannot be read")
    is_signed = any(one.result == "pass" for one in verdict.signatures)
    is_unsure = spf.result == "temperror" or any(one.result == "temperror" for one in verdict.signatures)
    if spf.result != "pass" and not is_signed and not is_unsure:
        yield Reason("NO_AUTH", 1.0, "nobody vouches for the sender")
    if dmarc is not None and dmarc.result == "fail":
        points = 1.5 if dmarc.policy == "none" else 2.5
        yield Reason("DMARC_FAIL", points, f"{dmarc.domain} does not stand behind this mail")
    if (
        own
        and (dmarc is None or dmarc.result in ("none", "fail"))
        and not is_unsure
        and not _aligned(verdict)
    ):
        yield Reason("OWN_DOMAIN", 2.5, "a stranger writes as one of the recipient's own domain")


def _of_host(verdict: Verdict) -> Iterator[Reason]:
    if verdict.helo is not None and verdict.helo.result == "fail":
        yield Reason("HELO_FAIL", 1.0, f"the host says it is {verdict.helo.domain}, and is not")
    if verdict.iprev.result == "permerror":
        yield Reason("NO_REVERSE_NAME", 1.5, "the address of the host has no name")
    elif verdict.iprev.result == "fail":
        yield Reason("REVERSE_MISMATCH", 0.8, "the name of the host does not lead back to it")


def _aligned(verdict: Verdict) -> bool:
    """Whether the very domain of the author passed, where no DMARC record says what to make of that."""
    passed = {one.domain for one in verdict.signatures if one.result == "pass"}
    if verdict.spf.result == "pass":
        passed.add(verdict.spf.domain)
    return bool(verdict.authors) and passed.issuperset(verdict.authors)


def _of_header(odd: Oddities) -> Iterator[Reason]:
    if odd.from_fields > 1:
        yield Reason("SEVERAL_FROM", 4.0, "there are several From fields")
    elif not odd.authors:
        yield Reason("NO_AUTHOR", 3.0, "From names nobody")
    elif odd.authors > 1:
        yield Reason("SEVERAL_AUTHORS", 1.0, "From names several authors")
    if odd.shown:
        yield Reason("NAME_SHOWS_ADDRESS", 2.5, f"the name in From shows an address at {odd.shown}")
    if not odd.has_date:
        yield Reason("NO_DATE", 1.0, "there is no Date")
    if not odd.has_message_id:
        yield Reason("NO_MESSAGE_ID", 0.5, "there is no Message-ID")


def _of_lists(listed: Sequence[BlockList], named: Sequence[ListedDomain]) -> Iterator[Reason]:
    for each in listed:
        yield Reason("LISTED", each.points, f"the host is on the block list {each.zone}")
    for one in named:
        text = f"it names {one.domain}, which is on the block list {one.on.zone}"
        yield Reason("DOMAIN_LISTED", one.on.points, text)


def _of_scan(scan: Scan | None) -> Iterator[Reason]:
    """A virus outweighs every threshold that people set; no answer counts nothing, but is told."""
    if scan is not None and not scan.is_known:
        yield Reason("VIRUS_UNKNOWN", 0.0, "no virus scanner could tell")
    elif scan is not None and scan.found:
        yield Reason("VIRUS", VIRUS_POINTS, f"it carries {scan.found}")
