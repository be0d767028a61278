"""Becoming somebody: STARTTLS, LOGIN, AUTHENTICATE, ENABLE (RFC 9051 §6.2, RFC 4616, RFC 5161)."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from mailcore import limits
from mailcore.errors import BadSyntax, LoginFailed, LoginTooWeak
from mailcore.imap.session import SAID, Ask, Done, Handler, Output, Pause, Session, StartTLS
from mailcore.imap.wire import responses
from mailcore.imap.wire.parser import sasl_response
from mailcore.imap.wire.values import Authenticate, Enable, Login, Simple
from mailcore.services import mailboxes

MECHANISMS = ("PLAIN", "LOGIN")
# What ENABLE can switch on; the extensions that need it come with their own names.
CAN_ENABLE: tuple[str, ...] = ("CONDSTORE", "QRESYNC")


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
    if command.mechanism not in MECHANISMS:
        raise BadSyntax("We know no such mechanism")
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
        if error.wait_seconds:
            # Guessing costs time, and costs this client's alone.
            yield Pause(error.wait_seconds)
        session.failures += limits.IMAP_ERRORS // limits.IMAP_LOGIN_FAILURES
        raise
    session.enter(found)


def _welcome(session: Session) -> Done:
    return Done("Logged in", responses.capability_code(session.capabilities()))


def enable(session: Session, command: Enable) -> Handler:
    new = [name for name in command.capabilities if name in CAN_ENABLE and name not in session.enabled]
    session.enabled |= set(new)
    yield responses.enabled(new)
    if not {"CONDSTORE", "QRESYNC"}.isdisjoint(new):
        yield from session.tell_modseqs()
    return Done("ENABLE completed")
