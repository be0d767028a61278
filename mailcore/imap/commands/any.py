"""Commands of every state: CAPABILITY, NOOP, LOGOUT, ID (RFC 9051 §6.1, RFC 2971)."""

from __future__ import annotations

import logging

from django.conf import settings

from mailcore.imap.session import Done, Handler, Session, State
from mailcore.imap.wire import responses, withheld
from mailcore.imap.wire.values import Id, Simple

log = logging.getLogger(__name__)


def capability(session: Session, command: Simple) -> Handler:
    yield responses.capability(session.capabilities())
    return Done("CAPABILITY completed")


def noop(session: Session, command: Simple) -> Handler:
    """Nothing but the news, which every command brings."""
    return Done(f"{command.name} completed")
    yield b""  # makes this a generator, as every handler is


def logout(session: Session, command: Simple) -> Handler:
    """The server sees to what is to be done when a session ends, however it ends."""
    yield responses.bye("Goodbye")
    session.state = State.LOGOUT
    return Done("LOGOUT completed")


def id_(session: Session, command: Id) -> Handler:
    """Who we are. By what a client says of itself it may be offered less, and is told so."""
    if command.fields and session.login is not None:
        said = " ".join(f"{name}={value!r}" for name, value in command.fields[:10])
        log.debug("mailbox %d: client %s", session.mailbox_id, said[:300])
    name = dict(command.fields).get("name") or ""
    if words := withheld.from_client(settings.HOSTMAIL_IMAP_WITHOUT, name) - session.withheld:
        session.withhold(words, is_client=True)
        yield responses.capability(session.capabilities())
    yield responses.id_([("name", "Hostmail"), ("vendor", "Hostmail")])
    return Done("ID completed")
