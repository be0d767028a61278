"""Whether a verified mail is wanted: gathers the evidence for mailcore/filters and applies the settings.

The MX asks once DNS has said what it knows; inbound.receive() obeys, and writes the decision into the mail
and its event. Mail that is not verified (senders.is_checked) is not judged here either. What a score leads
to is set by the service, its tenants and their mailboxes; services/sorting compares for each mailbox.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, TypeAlias

from django.conf import settings

from mailcore import limits
from mailcore.errors import BadValue
from mailcore.filters import header as header_filter
from mailcore.filters import spam
from mailcore.filters.blocklists import BlockList, ListedDomain
from mailcore.filters.spam import Action, Decision, Scan, Thresholds
from mailcore.message.address import parse_path
from mailcore.models import Mailbox, SpamPolicy, Tenant, User
from mailcore.senderauth.sender import Verdict
from mailcore.services import audit, quarantine, races, senders, sql


def decide(
    verdict: Verdict,
    listed: Sequence[BlockList],
    header: bytes,
    recipients: Sequence[str],
    named: Sequence[ListedDomain] = (),
    scan: Scan | None = None,
) -> Decision:
    """Score one mail, and compare with the thresholds of the service.

    listed are the block lists its host is on, named those of domains it names; header is its header section.
    scan is what a virus scanner says.
    """
    paths = [parse_path(one) for one in recipients]
    found = spam.reasons(
        verdict,
        header_filter.oddities(header),
        listed=listed,
        named=named,
        scan=scan,
        own=not {path.domain for path in paths}.isdisjoint(verdict.authors),
        is_vouched_for=senders.is_vouched_for(verdict),
    )
    return spam.decide(found, of_service())


# --- Thresholds -------------------------------------------------------------------------------------------

# Whom a mail reaches: a mailbox of a tenant, or with None whom the tenant passes it on to.
Place: TypeAlias = tuple[int, int | None]
NAMES = ("junk", "quarantine", "refuse")


def of_service() -> Thresholds:
    """What the operator has set."""
    return Thresholds(
        settings.HOSTMAIL_JUNK_SCORE, settings.HOSTMAIL_REFUSE_SCORE, settings.HOSTMAIL_QUARANTINE_SCORE
    )


def thresholds(places: Iterable[Place]) -> dict[Place, Thresholds]:
    """What holds for each place, number by number: its mailbox's, its tenant's, or the service's."""
    places = set(places)
    if not places:
        return {}
    in_tenants, params = sql.any_of("tenant_id", sorted({tenant for tenant, _ in places}))
    boxes, more = sql.any_of("mailbox_id", sorted({box for _, box in places if box is not None}) or [0])
    rows = sql.rows(
        "SELECT tenant_id, mailbox_id, junk, quarantine, refuse FROM spam_policy"
        f" WHERE {in_tenants} AND (mailbox_id IS NULL OR {boxes})",
        [*params, *more],
    )
    said = {(tenant, box): dict(zip(NAMES, numbers, strict=True)) for tenant, box, *numbers in rows}
    found = {}
    for tenant, box in places:
        levels = [said.get((tenant, None), {}), said.get((tenant, box), {})]
        own = {name: value for level in levels for name, value in level.items() if value is not None}
        found[tenant, box] = replace(of_service(), **own)
    return found


def settle(places: Iterable[Place], score: float) -> dict[Place, Thresholds]:
    """The same for a mail of that score: a quarantine that is full takes nothing, and Junk does instead."""
    found = thresholds(places)
    wanted = [
        box for (_, box), one in found.items() if box and one.quarantine and one.action(score) > Action.JUNK
    ]
    full = quarantine.full(wanted)
    return {place: replace(one, quarantine=0.0) if place[1] in full else one for place, one in found.items()}


def set_thresholds(
    tenant: Tenant, mailbox: Mailbox | None, *, actor: User | None, **numbers: float | None
) -> SpamPolicy:
    """Change junk, quarantine or refuse of a tenant, or of one mailbox of it; those not given stay.

    None means as the level above has it, 0 never. Raises BadValue.
    """
    for name, number in numbers.items():
        if name not in NAMES:
            raise BadValue(f"There is no threshold {name}")
        # Not "number < 0": NaN is no number to compare with.
        if number is not None and not 0 <= number <= limits.SPAM_SCORE:
            raise BadValue(f"A threshold is a number from 0 to {limits.SPAM_SCORE}")
    with races.change():
        policy, _ = SpamPolicy.objects.update_or_create(tenant=tenant, mailbox=mailbox, defaults=numbers)
        audit.record(actor, "spam.thresholds", mailbox or tenant, data=numbers)
    return policy


def of_tenant(tenant: Tenant) -> SpamPolicy:
    """What a tenant has set, not stored where it has set nothing."""
    return SpamPolicy.objects.filter(tenant=tenant, mailbox=None).first() or SpamPolicy(tenant=tenant)


def of_mailbox(mailbox: Mailbox) -> SpamPolicy:
    """What a mailbox has set, not stored where it has set nothing."""
    found = SpamPolicy.objects.filter(mailbox=mailbox).first()
    return found or SpamPolicy(tenant=mailbox.tenant, mailbox=mailbox)


# --- Words ------------------------------------------------------------------------------------------------


def reason(decision: Decision, action: Action) -> str:
    """Why a mail is not in the inbox, in a sentence for its event; "" where it is."""
    if action is Action.INBOX:
        return ""
    return f"spam score {decision.score:g}: {decision.sentence()}"


def facts(decision: Decision) -> dict[str, Any]:
    """What an event tells of it: {"score": 6.5, "action": "junk", "tests": ["SPF_FAIL 2.5"]}."""
    return {
        "score": decision.score,
        "action": decision.action.name.lower(),
        "tests": [f"{reason.name} {reason.points:g}" for reason in decision.reasons],
    }
