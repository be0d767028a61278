"""Mail of somebody who never wrote before, to a domain that wants such mail to wait. (RFC 6647)

A domain chooses: nothing, a held reply ("delay": who only wants to be rid of mail hangs up), or to be asked
twice ("greylist"). The MX asks for strangers of which no proven mail came within a week. Who is met is kept
as a count, so it may be lost with Redis: then somebody waits once more.
"""

from __future__ import annotations

from collections.abc import Sequence

from mailcore import limits
from mailcore.errors import BadAddress, Greylisted
from mailcore.message.address import normalise_local, parse_path
from mailcore.models import Domain, SenderRule
from mailcore.outside import counters
from mailcore.services import logins

OFF, DELAY, GREYLIST = Domain.Newcomers.OFF, Domain.Newcomers.DELAY, Domain.Newcomers.GREYLIST


def choice(recipient: str, mailbox_ids: Sequence[int], reverse_path: str) -> str:
    """What the recipient's domain wants: OFF, DELAY or GREYLIST. Reads the database.

    OFF for senders that one of the mailboxes wants: they may wait for nobody's sake.
    """
    found = Domain.objects.filter(name=parse_path(recipient).domain).exclude(state=Domain.State.PENDING)
    chosen = found.values_list("newcomers", flat=True).first() or OFF
    if chosen == OFF or not reverse_path:
        return chosen
    try:
        path = parse_path(reverse_path)
    except BadAddress:
        return chosen
    who = [f"{normalise_local(path.local)}@{path.domain}", f"@{path.domain}"]
    wanted = SenderRule.objects.filter(mailbox_id__in=mailbox_ids, who__in=who, is_wanted=True)
    return OFF if wanted.exists() else chosen


def greet(peer: str, reverse_path: str, recipient: str) -> None:
    """Let in who comes again, not too early and not too late. Raises Greylisted for all others."""
    if has_met(peer, reverse_path, recipient):
        return
    key = _key("grey", peer, reverse_path, recipient)
    if not counters.count(key, limits.GREYLIST_RETRY_SECONDS):
        counters.hit(key, limits.GREYLIST_SECONDS)
        counters.hit(key, limits.GREYLIST_RETRY_SECONDS)
        raise Greylisted
    if counters.count(key, limits.GREYLIST_SECONDS):
        raise Greylisted
    meet(peer, reverse_path, recipient)


def has_met(peer: str, reverse_path: str, recipient: str) -> bool:
    """Whether mail of this sender came in for this recipient from this network within MET_SECONDS."""
    return counters.count(_key("met", peer, reverse_path, recipient), limits.MET_SECONDS) > 0


def meet(peer: str, reverse_path: str, recipient: str) -> None:
    """Remember them."""
    counters.hit(_key("met", peer, reverse_path, recipient), limits.MET_SECONDS)


def _key(kind: str, peer: str, reverse_path: str, recipient: str) -> str:
    """A triplet, of the network: large senders come again from a neighbouring address (RFC 6647 §4.2)."""
    network = logins.network_key(peer) or logins.address_key(peer)
    return f"{kind}:{network}:{reverse_path.lower()}:{recipient.lower()}"
