"""Whether a verified mail is wanted: gathers the evidence for mailcore/filters and applies the settings.

The MX asks once DNS has said what it knows; inbound.receive() obeys, and writes the decision into the mail
and its event. Mail that is not verified (senders.is_checked) is not judged here either.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.conf import settings

from mailcore.filters import header as header_filter
from mailcore.filters import spam
from mailcore.filters.blocklists import BlockList
from mailcore.filters.spam import Action, Decision, Thresholds
from mailcore.message.address import parse_path
from mailcore.senderauth.sender import Verdict
from mailcore.services import senders
from mailcore.services.routing import OWNERS_READ


def decide(
    verdict: Verdict, listed: Sequence[BlockList], header: bytes, recipients: Sequence[str]
) -> Decision:
    """Score one mail. listed are the block lists its host is on; header is its header section.

    Mail for postmaster and abuse is never refused: who is blocked must be able to say so (RFC 5321 §4.5.1,
    RFC 2142).
    """
    paths = [parse_path(one) for one in recipients]
    found = spam.reasons(
        verdict,
        header_filter.oddities(header),
        listed=listed,
        own=not {path.domain for path in paths}.isdisjoint(verdict.authors),
        is_vouched_for=senders.is_vouched_for(verdict),
    )
    must_take = any(path.local.lower() in OWNERS_READ for path in paths)
    refuse = 0 if must_take else settings.HOSTMAIL_REFUSE_SCORE
    return spam.decide(found, Thresholds(settings.HOSTMAIL_JUNK_SCORE, refuse))


def reason(decision: Decision) -> str:
    """Why a mail is not in the inbox, in a sentence for its event; "" where it is."""
    if decision.action is Action.INBOX:
        return ""
    return f"spam score {decision.score:g}: {decision.sentence()}"


def facts(decision: Decision) -> dict[str, Any]:
    """What an event tells of it: {"score": 6.5, "action": "junk", "tests": ["SPF_FAIL 2.5"]}."""
    return {
        "score": decision.score,
        "action": decision.action.name.lower(),
        "tests": [f"{reason.name} {reason.points:g}" for reason in decision.reasons],
    }
