"""From "this mail is for these hops" to what append_many files: folder, flags, onward copies.

Filters will decide here which folder a mail goes to; today it is the inbox. inbound and outbound
both call this, so that a mail from inside and one from outside are filed alike.
"""

from __future__ import annotations

from collections.abc import Iterable

from mailcore.errors import MailError
from mailcore.services import messages
from mailcore.services.addresses import Hop
from mailcore.services.messages import Filed, Filing, Unit


def filings(hops: Iterable[tuple[Hop, str]]) -> list[Filing]:
    """One filing per mailbox, however many of its addresses a mail came by.

    Each hop comes with the recipient it was reached by.
    """
    found: dict[int, Filing] = {}
    for hop, recipient in hops:
        if hop.mailbox_id not in found:
            found[hop.mailbox_id] = Filing(hop.tenant_id, hop.mailbox_id, "inbox", recipient=recipient)
    return list(found.values())


def deliver(unit: Unit) -> list[Filed]:
    """File one unit now, where there is no clerk. Raises the MailError that keeps it out."""
    (result,) = messages.append_many([unit])
    if isinstance(result, MailError):
        raise result
    return result
