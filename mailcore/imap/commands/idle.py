"""IDLE (RFC 2177, RFC 9051 §6.3.13). After NOTIFY it tells what that asked for (RFC 5465 §4)."""

from __future__ import annotations

from mailcore.errors import BadSyntax
from mailcore.imap.commands import notify
from mailcore.imap.session import RANG, Done, Handler, Session, Wait
from mailcore.imap.wire import responses
from mailcore.imap.wire.values import Simple


def idle(session: Session, command: Simple) -> Handler:
    """Tell the client about changes until it says DONE. The first Wait rings at once: listen, then look."""
    yield responses.continue_("idling")
    while (event := (yield Wait())) is RANG:
        yield from session.poll()
        yield from notify.others(session)
    if event.upper() != b"DONE":
        raise BadSyntax("Expected DONE")
    return Done("IDLE completed")
