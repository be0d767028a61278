"""Whether whoever reads an address outside wants what an alias would send there.

Each is asked by a mail with a link, before anything else goes there: a slip of the pen would send a company's
mail to a stranger, and nobody shall flood one through us. The token names the target and the day, keyed; it
is good for a week, and only for the target as it was.
"""

from __future__ import annotations

import datetime as dt
import hmac
import re

from mailcore import limits, secrets
from mailcore.errors import NotFound, TooFast
from mailcore.models import Address, AliasTarget
from mailcore.outside import clock, counters
from mailcore.services import races

_TOKEN = re.compile(r"([0-9]{1,18})-([0-9]{1,8})-([0-9a-f]{32})")
_PURPOSE = "confirm target"


def ask(alias: Address) -> list[tuple[AliasTarget, str]]:
    """The targets of alias that are to be asked now, each with the token for its link.

    Nobody is asked twice in ten minutes. Raises TooFast when the organisation asks too many in a day.
    """
    before = clock.now() - dt.timedelta(seconds=limits.CONFIRM_PAUSE_SECONDS)
    asked = []
    for target in alias.targets.filter(is_waiting=True).order_by("pk"):
        if target.asked_at is not None and target.asked_at > before:
            continue
        if counters.hit(f"confirm:{alias.tenant_id}", 24 * 3600) > limits.CONFIRM_MAILS:
            raise TooFast("Too many addresses were asked today, please go on tomorrow")
        with races.change():
            AliasTarget.objects.filter(pk=target.pk).update(asked_at=clock.now())
        asked.append((target, token(target)))
    return asked


def token(target: AliasTarget) -> str:
    """What the link says, today."""
    return _token(target, int(clock.epoch()) // (24 * 3600))


def _token(target: AliasTarget, day: int) -> str:
    return f"{target.pk}-{day}-{secrets.keyed_hash(_PURPOSE, f'{target.pk}:{day}:{target.target}')[:32]}"


def find(said: str) -> AliasTarget:
    """The target that a link is about, confirmed or not. Raises NotFound: forged, too old, taken away."""
    match = _TOKEN.fullmatch(said)
    target = None
    if match is not None:
        rows = AliasTarget.objects.select_related("address__domain", "address__tenant")
        target = rows.filter(pk=int(match[1])).first()
    if match is None or target is None:
        raise NotFound("This link is not, or no longer, good for anything")
    day = int(match[2])
    age = int(clock.epoch()) // (24 * 3600) - day
    hashes = secrets.keyed_hashes(_PURPOSE, f"{target.pk}:{day}:{target.target}")
    is_good = any(hmac.compare_digest(each[:32], match[3]) for each in hashes)
    if not is_good or not 0 <= age <= limits.CONFIRM_DAYS:
        raise NotFound("This link is not, or no longer, good for anything")
    return target


def confirm(target: AliasTarget) -> None:
    """Let mail of the alias, and of the organisation's other aliases, go there."""
    with races.change():
        same = AliasTarget.objects.filter(address__tenant_id=target.address.tenant_id, target=target.target)
        same.filter(is_waiting=True).update(is_waiting=False)
