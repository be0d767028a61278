"""Commands of every state: CAPABILITY, NOOP, LOGOUT, ID (RFC 9051 §6.1, RFC 2971)."""

from __future__ import annotations

import logging

from mailcore.imap.session import Done, Handler, Session, State
from mailcore.imap.wire import responses
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
    """Who we are. What the client says of itself is for the log; it decides nothing."""
    if command.fields and session.login is not None:
        said = " ".join(f"{name}={value!r}" for name, value in command.fields[:10])
        log.debug("mailbox %d: client %s", session.mailbox_id, said[:300])
    yield responses.id_([("name", "Hostmail"), ("vendor", "Hostmail")])
    return Done("ID completed")
