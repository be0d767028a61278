"""Between the end of DATA and filing: who sent this? (services/senders says of whom it is asked)"""

from __future__ import annotations

import asyncio
import functools
from typing import TYPE_CHECKING

from mailcore import limits
from mailcore.filters.spam import known
from mailcore.outside import clamd, clock, dns
from mailcore.senderauth import sender
from mailcore.services import inbound, sealing, sender_history, sender_rules, senders, sorting, spam

if TYPE_CHECKING:
    from mailcore.server import Maild


async def verify(maild: Maild, transaction: inbound.Transaction, raw: bytes) -> None:
    """Write into transaction what is found, and what follows from it.

    It takes at most DNS_RUN_SECONDS: what has no answer by then is a temperror. A virus scanner, where there
    is one, may take SCAN_SECONDS beside that.

    A big body is hashed in a thread, so that it does not hold up everybody else's small mails.
    Raises Loop and BadHeader, as inbound.receive() does, before anything costs time.
    """
    header = inbound.header_of(raw)
    now = int(clock.now().timestamp())
    read = functools.partial(_read, raw, transaction.reverse_path, now)
    if len(raw) > limits.LOOP_OCTETS:
        signed, named = await asyncio.get_running_loop().run_in_executor(None, read)
    else:
        signed, named = read()
    steps = senders.judge(
        signed,
        header=header,
        peer=transaction.peer,
        reverse_path=transaction.reverse_path,
        helo=transaction.helo,
        now=now,
        named=named,
    )
    (verdict, (listed, names)), scan = await asyncio.gather(dns.arun(steps), clamd.scan(raw))
    recipients = [one.address for one in transaction.recipients]
    transaction.verdict = verdict
    transaction.spam = spam.decide(verdict, listed, header, recipients, names, scan)
    if senders.is_asked_for(verdict):
        transaction.disposition = await maild.look(senders.dispose, verdict, header, recipients)
    boxes = [hop.mailbox_id for one in transaction.recipients for hop in one.route.hops]
    transaction.wishes = await maild.look(sender_rules.chosen, verdict, header, boxes)
    if not transaction.passed_on_by and await maild.look(sender_history.is_known, verdict, header, boxes):
        transaction.spam = known(transaction.spam)
    places = [one.place for one in transaction.reached]
    transaction.thresholds = await maild.look(spam.settle, places, transaction.spam.score)
    transaction.spam = sorting.common(transaction.spam, transaction.thresholds)
    if passed_on_by := transaction.passed_on_by:
        transaction.sealers = await maild.look(sealing.sealers, passed_on_by)


def _read(raw: bytes, reverse_path: str, now: int) -> tuple[sender.Signed, tuple[str, ...]]:
    """What needs the whole mail."""
    return sender.read(raw, now=now), senders.names_in(raw, reverse_path)
