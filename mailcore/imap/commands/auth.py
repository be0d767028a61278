"""Becoming somebody: STARTTLS, LOGIN, AUTHENTICATE, ENABLE (RFC 9051 §6.2, RFC 4616, RFC 5802, RFC 5161)."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from django.conf import settings

from mailcore import limits, sasl
from mailcore.errors import BadSyntax, LoginFailed, LoginTooWeak
from mailcore.imap.session import SAID, Ask, Done, Handler, Output, Pause, Session, StartTLS
from mailcore.imap.wire import responses
from mailcore.imap.wire.parser import sasl_response
from mailcore.imap.wire.values import Authenticate, Enable, Login, Simple
from mailcore.services import mailboxes, ways

# What ENABLE can switch on; the extensions that need it come with their own names.
CAN_ENABLE = {name.upper(): name for name in ("CONDSTORE", "QRESYNC", "UIDONLY", "UTF8=ACCEPT", "IMAP4rev2")}


def mechanisms(session: Session) -> tuple[str, ...]:
    """What AUTHENTICATE knows on this connection."""
    return ("PLAIN", "LOGIN", *sasl.scram_mechanisms(session.surroundings.endpoint))


def starttls(session: Session, command: Simple) -> Handler:
    """The tagged OK goes out in the clear; everything the client sent after it is thrown away."""
    if not session.surroundings.can_starttls:
        raise BadSyntax("TLS is active already")
    yield StartTLS(responses.ok("Begin TLS negotiation now", tag=command.tag))
    return SAID


def login(session: Session, command: Login) -> Handler:
    _check_may_login(session)
    yield from _enter(session, command.user, command.password)
    return _welcome(session)


def authenticate(session: Session, command: Authenticate) -> Handler:
    _check_may_login(session)
    if command.mechanism not in mechanisms(session):
        raise BadSyntax("We know no such mechanism")
    if command.mechanism.startswith("SCRAM-"):
        yield from _scram(session, command)
        return _welcome(session)
    if command.mechanism == "PLAIN":
        response = command.initial
        if response is None:
            response = yield from _ask(b"")
        words = response.split(b"\0")
        if len(words) != 3:
            raise BadSyntax("PLAIN takes an identity, a name and a password with NUL between")
        authorize, user, password = words
        if authorize and authorize != user:
            raise LoginFailed("Acting for somebody else is not possible here")
    else:
        user = command.initial if command.initial is not None else (yield from _ask(b"Username:"))
        password = yield from _ask(b"Password:")
    yield from _enter(session, user, password)
    return _welcome(session)


def _scram(session: Session, command: Authenticate) -> Generator[Output, Any, None]:
    """RFC 5802 §5. What proves us is a challenge, which an empty line answers: OK has no room for it."""
    peer, endpoint = session.surroundings.peer, session.surroundings.endpoint
    exchange = mailboxes.Exchange(command.mechanism, protocol="imap", peer=peer, endpoint=endpoint)
    first = command.initial if command.initial is not None else (yield from _ask(b""))
    try:
        final = yield from _ask(exchange.first(first))
        response = yield from _ask(exchange.final(final))
    except LoginFailed as error:
        yield from _failed(session, error)
        raise
    if response:
        raise BadSyntax("Nothing is left to be said")
    assert exchange.login is not None
    _come_in(session, exchange.login)


def _check_may_login(session: Session) -> None:
    if not session.surroundings.may_login:
        raise LoginTooWeak


def _ask(challenge: bytes) -> Generator[Output, Any, bytes]:
    line = yield Ask(responses.challenge(challenge))
    response = sasl_response(line)
    if response is None:
        raise BadSyntax("Authentication cancelled")
    return response


def _enter(session: Session, user: bytes, password: bytes) -> Generator[Output, Any, None]:
    try:
        # Octets that are no UTF-8 are counted as any wrong password is.
        names = user.decode("utf-8", "surrogateescape"), password.decode("utf-8", "surrogateescape")
        found = mailboxes.authenticate(*names, protocol="imap", peer=session.surroundings.peer)
    except LoginFailed as error:
        yield from _failed(session, error)
        raise
    _come_in(session, found)


def _come_in(session: Session, found: mailboxes.Login) -> None:
    session.enter(found)
    session.withhold(ways.imap_without(found.mailbox_id))


def _failed(session: Session, error: LoginFailed) -> Generator[Output, Any, None]:
    if error.wait_seconds:
        # Guessing costs time, and costs this client's alone.
        yield Pause(error.wait_seconds)
    session.failures += limits.IMAP_ERRORS // limits.IMAP_LOGIN_FAILURES


def _welcome(session: Session) -> Done:
    return Done("Logged in", responses.capability_code(session.capabilities()))


def may_unauthenticate(session: Session) -> bool:
    """Whether it is offered. It would have to end compression too (RFC 8437 §4.1), so there it is not."""
    return bool(settings.HOSTMAIL_IMAP_UNAUTHENTICATE) and not session.is_compressed


def unauthenticate(session: Session, command: Simple) -> Handler:
    if not may_unauthenticate(session):
        raise BadSyntax("UNAUTHENTICATE is not offered here")
    session.unauthenticate()
    return Done("You are nobody again", responses.capability_code(session.capabilities()))
    yield b""


def enable(session: Session, command: Enable) -> Handler:
    cannot = session.enabled | session.withheld
    new = [name for name in command.capabilities if name in CAN_ENABLE and name not in cannot]
    session.enabled |= set(new)
    yield responses.enabled(CAN_ENABLE[name] for name in new)
    if not {"CONDSTORE", "QRESYNC"}.isdisjoint(new):
        yield from session.tell_modseqs()
    return Done("ENABLE completed")
