"""The mail log: what happens to mail in Postfix's and Dovecot's words, where HOSTMAIL_MAIL_LOG says.

Lines are made from the events as they are written and said once their transaction is committed, so that the
log never tells of what did not happen. Nothing here is done while there is no mail log.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable

from django.conf import settings
from django.db import transaction

from mailcore.message import log_lines
from mailcore.message.log_lines import Happened, Line

log = logging.getLogger("hostmail.mail")


def is_on() -> bool:
    """Whether anybody reads it."""
    return log.isEnabledFor(logging.INFO)


def note(events: Iterable[Happened]) -> None:
    """Say what these events mean, when the transaction is committed."""
    found = list(_lines([event for event in events if event.trace]))
    if found:
        transaction.on_commit(lambda: say(found))


def _lines(events: list[Happened]) -> Iterable[Line]:
    port = settings.HOSTMAIL_OUTBOUND_PORT
    begun: set[str] = set()
    for event in events:
        # Only what comes from outside or is handed in begins something; a copy of it filed here does not.
        came = event.kind in ("submitted", "accepted") or (
            event.kind in ("filed", "quarantined") and "peer" in event.data
        )
        qid = log_lines.queue_id(event.trace)
        if came and qid not in begun and "report" not in event.data:
            begun.add(qid)
            mates = sum(other.trace.partition("/")[0] == event.trace.partition("/")[0] for other in events)
            yield from log_lines.head(event, int(event.data.get("recipient_count") or mates))
        yield from log_lines.lines(event, port=port)


def rejected(peer: str, reply: str, *, sender: str, recipient: str, helo: str, protocol: str) -> None:
    """A recipient was refused at RCPT."""
    if is_on():
        say([
            log_lines.rejected(
                peer, reply, sender=sender, recipient=recipient, helo=helo, protocol=protocol
            )
        ])  # fmt: skip


def login_failed(protocol: str, user: str, peer: str | None, method: str) -> None:
    """Somebody did not get in."""
    if peer and is_on():
        say([log_lines.login_failed(protocol, user, peer, method)])


def login(protocol: str, user: str, peer: str | None, method: str) -> None:
    """Somebody came in."""
    if peer and is_on():
        say([log_lines.login(protocol, user, peer, method)])


def say(lines: Iterable[Line]) -> None:
    """Write lines now; the handler adds time, host and process."""
    for program, text in lines:
        log.info("%s", text, extra={"program": program})
