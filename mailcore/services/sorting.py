"""What becomes of a judged mail for each mailbox it reaches, when each has thresholds of its own.

DATA has one reply for all recipients, so a mail is refused only when every one of them would refuse it: the
one with the most lenient threshold must still get it. Those who would refuse it then find it in quarantine if
they use that, else in Junk; addresses outside, for whom nothing can be kept here, get it as ever.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mailcore.filters.spam import Action, Decision, Thresholds
from mailcore.message.address import parse_path
from mailcore.services.messages import Filing
from mailcore.services.routing import OWNERS_READ
from mailcore.services.spam import Place


@dataclass(frozen=True, slots=True)
class Reached:
    """One place that a mail reaches, and the recipient it was reached by."""

    place: Place
    recipient: str


def actions(
    reached: Sequence[Reached],
    decision: Decision,
    thresholds: Mapping[Place, Thresholds],
    wishes: Mapping[int, bool],
) -> dict[Place, Action]:
    """What each place does with the mail; the mildest, where it is reached by several addresses.

    Postmaster and abuse have it in Junk at worst: who is blocked must be able to say so (RFC 5321 §4.5.1,
    RFC 2142). A sender that a mailbox wants comes before its thresholds, unless the mail carries a virus.
    """
    found: dict[Place, Action] = {}
    for one in reached:
        action = thresholds.get(one.place, decision.thresholds).action(decision.score)
        if parse_path(one.recipient).local.lower() in OWNERS_READ:
            action = min(action, Action.JUNK)
        wish = None if one.place[1] is None else wishes.get(one.place[1])
        if wish is not None:
            wants_it = wish and not decision.has_virus
            action = Action.INBOX if wants_it else max(action, Action.JUNK)
        found[one.place] = min(found.get(one.place, action), action)
    return found


def is_refused(actions: Mapping[Place, Action]) -> bool:
    """Whether nobody takes it."""
    return bool(actions) and all(action is Action.REFUSE for action in actions.values())


def sort(
    filings: Sequence[Filing], actions: Mapping[Place, Action], thresholds: Mapping[Place, Thresholds]
) -> list[Filing]:
    """Send filings to Junk as their mailboxes say, and return those that go to quarantine instead."""
    kept = []
    for filing in filings:
        place = filing.tenant_id, filing.mailbox_id
        action = actions.get(place, Action.INBOX)
        if action is Action.REFUSE and not (place in thresholds and thresholds[place].quarantine):
            action = Action.JUNK
        if action > Action.JUNK:
            kept.append(filing)
        elif action is Action.JUNK:
            filing.folder = "junk"
    return kept


def common(decision: Decision, thresholds: Mapping[Place, Thresholds]) -> Decision:
    """The decision as the mail itself tells it, which all recipients read: by the most lenient threshold."""
    if not thresholds:
        return decision
    mildest = max(thresholds.values(), key=lambda one: one.junk or float("inf"))
    action = min(one.action(decision.score) for one in thresholds.values())
    return Decision(action, decision.score, decision.reasons, mildest)
