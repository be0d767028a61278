"""What each POP3 command does (RFC 1939, 2449, 2595, 5034), and run(), which answers one line.

A refusal is an exception: run() says it as -ERR. No command reads or writes rows itself: it asks the server
to call a service.
"""

from __future__ import annotations

import logging
from base64 import b64encode
from collections.abc import Callable, Generator, Iterable, Sequence
from typing import Any, NamedTuple

from mailcore import limits, sasl
from mailcore.errors import (
    BadSyntax,
    LoginFailed,
    LoginTooWeak,
    MailboxInUse,
    MailError,
    NotAllowedNow,
    ReadersOnly,
    TryLater,
    Unexpected,
)
from mailcore.outside import leases
from mailcore.pop3 import wire
from mailcore.pop3.session import (
    ANY,
    Ask,
    Handler,
    Pause,
    Read,
    Request,
    Session,
    StartTLS,
    State,
    Work,
)
from mailcore.services import doors, mailboxes, maildrops, messages
from mailcore.services.messages import Octets

log = logging.getLogger(__name__)
# What LANG knows (RFC 6856 §3.2): the tag, and the language in its own words.
LANGUAGES = {"en": "English", "i-default": "Default language"}


class Spec(NamedTuple):
    """States a command may be given in, and what it does."""

    states: State
    handler: Callable[[Session, wire.Command], Handler]


REGISTRY: dict[str, Spec] = {}


def command(
    name: str, states: State
) -> Callable[[Callable[[Session, wire.Command], Handler]], Callable[[Session, wire.Command], Handler]]:
    def register(
        handler: Callable[[Session, wire.Command], Handler],
    ) -> Callable[[Session, wire.Command], Handler]:
        REGISTRY[name] = Spec(states, handler)
        return handler

    return register


def run(session: Session, line: bytes | wire.Refused) -> Handler:
    """Answer one line. Nothing but GeneratorExit ever leaves it."""
    try:
        if isinstance(line, wire.Refused):
            session.is_over = line.close
            raise BadSyntax(line.text)
        parsed = wire.parse(line)
        spec = REGISTRY[parsed.name]
        if session.state not in spec.states:
            raise BadSyntax("Sign in first" if session.maildrop is None else "Not after signing in")
        yield from spec.handler(session, parsed)
    except MailError as error:
        session.note_error()
        yield wire.err(error.pop3_text())
    except Exception:
        log.exception("POP3 command failed")
        session.note_error()
        yield wire.err(Unexpected().pop3_text())


def greeting(hostname: str) -> bytes:
    """The first line. Without a timestamp in angle brackets: there is no APOP."""
    return wire.ok(f"{hostname} POP3 server ready")


# --- At any time ---------------------------------------------------------------------------------------


@command("CAPA", ANY)
def capa(session: Session, command: wire.Command) -> Handler:
    """RFC 2449 §5: what is honoured here and now."""
    words = [b"TOP", b"UIDL", b"PIPELINING", b"RESP-CODES", b"AUTH-RESP-CODE", b"EXPIRE NEVER"]
    words += [b"UTF8", b"LANG"]
    if session.surroundings.may_login:
        words += [b"USER", b"SASL " + b" ".join(_mechanisms(session))]
    if session.maildrop is None and session.surroundings.can_starttls:
        words.append(b"STLS")
    words.append(b"IMPLEMENTATION Hostmail")
    yield wire.ok("Capability list follows") + wire.listing(words)


@command("LANG", ANY)
def lang(session: Session, command: wire.Command) -> Handler:
    """RFC 6856 §3: what we say is in English, whatever one calls that."""
    if not command.words:
        lines = [b"%b %b" % (tag.encode(), name.encode()) for tag, name in LANGUAGES.items()]
        yield wire.ok("Language listing follows") + wire.listing(lines)
        return
    wanted = command.words[0].decode("ascii", "replace").lower()
    # What is asked for without its last subtags, until there is such a language.
    while wanted != "*" and wanted not in LANGUAGES:
        wanted, hyphen, _ = wanted.rpartition("-")
        if not hyphen:
            raise BadSyntax("There is no such language here")
    yield wire.ok(f"{'en' if wanted == '*' else wanted} Said in English from here on")


@command("QUIT", ANY)
def quit_(session: Session, command: wire.Command) -> Handler:
    """RFC 1939 §6: only here messages are removed, and the answer follows the commit."""
    session.is_over = True
    drop = session.maildrop
    if drop is None:
        yield wire.ok("Bye")
        return
    if session.fetched or session.deleted:
        marks = session.uids(session.fetched), session.uids(session.deleted)
        # As Dovecot does unless told otherwise: who fetched a mail and said goodbye has read it. Not who may
        # only read the mailbox, and not a session that broke off.
        mark_read = session.login is not None and session.login.may_write
        try:
            yield Work(maildrops.leave, (drop, *marks, mark_read))
        except MailError as error:
            yield Work(give_back, (session,))
            # RFC 1939 §6: what could not be removed stays, and the client must know.
            raise TryLater("The deleted messages could not be removed") from error
        session.fetched.clear()
    # Given back before the answer: the client may come again at once.
    yield Work(give_back, (session,))
    yield wire.ok("Bye")


def give_back(session: Session) -> None:
    """Let the next session have the mailbox."""
    lease, session.lease = session.lease, None
    if lease is not None:
        lease.release()


# --- Before login --------------------------------------------------------------------------------------


@command("STLS", State.AUTHORIZATION)
def stls(session: Session, command: wire.Command) -> Handler:
    """RFC 2595 §4: nothing said before the handshake counts after it."""
    if session.surroundings.is_tls:
        raise NotAllowedNow("TLS is active already")
    if not session.surroundings.can_starttls:
        raise NotAllowedNow("TLS is not available")
    yield StartTLS(wire.ok("Begin TLS negotiation"))
    session.name, session.is_utf8 = None, False
    surroundings = session.surroundings
    surroundings.is_tls, surroundings.may_login, surroundings.can_starttls = True, True, False


@command("UTF8", State.AUTHORIZATION)
def utf8(session: Session, command: wire.Command) -> Handler:
    """RFC 6856 §2: from here on mail is given as it is, UTF-8 in its header fields too."""
    session.is_utf8 = True
    yield wire.ok("UTF8 enabled")


@command("USER", State.AUTHORIZATION)
def user(session: Session, command: wire.Command) -> Handler:
    """Always taken: whether the name exists is nobody's business (RFC 1939 §13)."""
    _login_allowed(session)
    (session.name,) = command.words
    yield wire.ok("Send PASS")


@command("PASS", State.AUTHORIZATION)
def pass_(session: Session, command: wire.Command) -> Handler:
    _login_allowed(session)
    try:
        name, password = session.take_name().decode(), command.words[0].decode()
    except UnicodeDecodeError as error:
        raise LoginFailed from error
    yield from _log_in(session, enter, name, password)


@command("AUTH", State.AUTHORIZATION)
def auth(session: Session, command: wire.Command) -> Handler:
    """RFC 5034. Without a mechanism the list, as clients from before the RFC ask."""
    if not command.words:
        yield wire.ok() + wire.listing(_mechanisms(session) if session.surroundings.may_login else [])
        return
    mechanism, *initial = command.words
    if mechanism.upper() not in _mechanisms(session):
        raise BadSyntax("That mechanism is not supported")
    _login_allowed(session)
    is_login = mechanism.upper() == b"LOGIN"
    first = sasl.decode(initial[0]) if initial else b"" if is_login else (yield from _ask(b""))
    if mechanism.upper() == b"PLAIN":
        yield from _log_in(session, enter, *sasl.plain(first))
    elif is_login:
        # No RFC has it; old programs know nothing else. The name may come with the command.
        name = first or (yield from _ask(b"Username:"))
        yield from _log_in(session, enter, *sasl.login(name, (yield from _ask(b"Password:"))))
    else:
        yield from _scram(session, mechanism.upper().decode(), first)


def _mechanisms(session: Session) -> list[bytes]:
    return [
        b"PLAIN",
        b"LOGIN",
        *(name.encode() for name in sasl.scram_mechanisms(session.surroundings.endpoint)),
    ]


def _ask(challenge: bytes) -> Generator[bytes | Request, Any, bytes]:
    answer = yield Ask(wire.challenge(b64encode(challenge)))
    if answer == b"*":
        raise BadSyntax("Given up, as you wish")
    return sasl.decode(answer) if answer else b""


def _scram(session: Session, mechanism: str, first: bytes) -> Handler:
    """RFC 5802 §5. What proves us is a challenge, which an empty line answers (RFC 5034 §4)."""
    surroundings = session.surroundings
    peer, endpoint = surroundings.peer, surroundings.endpoint
    exchange = mailboxes.Exchange(mechanism, protocol="pop3", peer=peer, endpoint=endpoint)
    challenge = yield from _work(exchange.first, first)
    signature = yield from _work(exchange.final, (yield from _ask(challenge)))
    if (yield from _ask(signature)):
        raise BadSyntax("Nothing is left to be said")
    assert exchange.login is not None
    yield from _log_in(session, come_in, exchange.login)


def _login_allowed(session: Session) -> None:
    if not session.surroundings.may_login:
        raise LoginTooWeak


def _log_in(session: Session, way: Callable[..., None], *arguments: object) -> Handler:
    session.name = None
    yield from _work(way, session, *arguments)
    yield wire.ok(_summary(session))


def _work(function: Callable[..., Any], *arguments: object) -> Generator[bytes | Request, Any, Any]:
    """What function returns; who guessed wrong waits."""
    try:
        return (yield Work(function, arguments))
    except LoginFailed as error:
        if error.wait_seconds:
            yield Pause(error.wait_seconds)
        raise


def enter(session: Session, name: str, password: str) -> None:
    """Check the password and come in."""
    come_in(session, mailboxes.authenticate(name, password, protocol="pop3", peer=session.surroundings.peer))


def come_in(session: Session, login: doors.Login) -> None:
    """Take the mailbox for this session alone, and list what is in it."""
    lease = leases.take("pop3", login.mailbox_id)
    if lease is None:
        raise MailboxInUse
    try:
        drop = maildrops.look_into(login.tenant_id, login.mailbox_id)
    except BaseException:
        lease.release()
        raise
    session.enter(login, lease, drop)


# --- The maildrop --------------------------------------------------------------------------------------


def _summary(session: Session) -> str:
    return f"{session.count()} messages ({session.octets} octets)"


@command("STAT", State.TRANSACTION)
def stat(session: Session, command: wire.Command) -> Handler:
    yield wire.ok(f"{session.count()} {session.octets}")


@command("LIST", State.TRANSACTION)
def list_(session: Session, command: wire.Command) -> Handler:
    sizes = session.drop.sizes
    if command.numbers:
        index = session.index_of(command.numbers[0])
        yield wire.ok(f"{index + 1} {sizes[index]}")
        return
    yield wire.ok(_summary(session))
    yield from _lines(b"%d %d\r\n" % (index + 1, sizes[index]) for index in session.left())


@command("UIDL", State.TRANSACTION)
def uidl(session: Session, command: wire.Command) -> Handler:
    """RFC 1939 §7. UIDVALIDITY and UID: stable as IMAP's, and never used twice."""
    drop = session.drop
    if command.numbers:
        index = session.index_of(command.numbers[0])
        yield wire.ok(f"{index + 1} {drop.uidvalidity}.{drop.uids[index]}")
        return
    yield wire.ok()
    line = b"%%d %d.%%d\r\n" % drop.uidvalidity
    yield from _lines(line % (index + 1, drop.uids[index]) for index in session.left())


def _lines(lines: Iterable[bytes]) -> Handler:
    """The rest of an answer of many lines, in pieces."""
    piece: list[bytes] = []
    for line in lines:
        piece.append(line)
        if len(piece) == 2000:
            yield b"".join(piece)
            piece.clear()
    yield b"".join(piece) + b".\r\n"


@command("DELE", State.TRANSACTION)
def dele(session: Session, command: wire.Command) -> Handler:
    if session.login is None or not session.login.may_write:
        raise ReadersOnly
    session.delete(session.index_of(command.numbers[0]))
    yield wire.ok("Marked")


@command("RSET", State.TRANSACTION)
def rset(session: Session, command: wire.Command) -> Handler:
    session.reset()
    yield wire.ok(_summary(session))


@command("NOOP", State.TRANSACTION)
def noop(session: Session, command: wire.Command) -> Handler:
    yield wire.ok()


# --- Messages ------------------------------------------------------------------------------------------


@command("RETR", State.TRANSACTION)
def retr(session: Session, command: wire.Command) -> Handler:
    index = session.index_of(command.numbers[0])
    size = session.drop.sizes[index]
    held = session.surroundings.budget.take(size)
    try:
        octets = maildrops.shown((yield from _octets(session, index)), is_utf8=session.is_utf8)
        answer = wire.ok(f"{len(octets)} octets")
        session.fetched.add(index)
        if size <= limits.POP3_TURN_OCTETS:
            yield answer + wire.stuffed(octets.raw)
            return
        yield answer
        yield from wire.stuffed_pieces((octets.prefix, octets.header, octets.body))
    finally:
        session.surroundings.budget.left += held


@command("TOP", State.TRANSACTION)
def top(session: Session, command: wire.Command) -> Handler:
    number, lines = command.numbers
    index = session.index_of(number)
    if not lines:
        header: bytes = yield Read(maildrops.header_of, (session.drop, index, session.is_utf8))
        yield wire.ok() + wire.stuffed(header)
        return
    held = session.surroundings.budget.take(session.drop.sizes[index])
    try:
        octets = maildrops.shown((yield from _octets(session, index)), is_utf8=session.is_utf8)
        yield wire.ok()
        yield from wire.stuffed_pieces((wire.top(octets.raw, lines),))
    finally:
        session.surroundings.budget.left += held


def _octets(session: Session, index: int) -> Generator[bytes | Request, Any, Octets]:
    """One message, out of what was read ahead or with some that follow it."""
    content = session.drop.contents[index]
    octets = session.ahead.pop(content, None)
    if octets is None:
        session.ahead.clear()
        wanted = session.to_read(index)
        found: dict[int, Octets]
        try:
            found = yield _reading(session, wanted)
        except MailError:
            if len(wanted) == 1:
                raise
            # Another of them may be what cannot be read.
            found = yield _reading(session, wanted[:1])
        octets = found.pop(content)
        session.ahead.update(found)
    session.last_index = index
    return octets


def _reading(session: Session, indexes: Sequence[int]) -> Request:
    drop = session.drop
    contents = list(dict.fromkeys(drop.contents[index] for index in indexes))
    # What may lie in files, or in a store a network away, is not read on the event loop.
    is_short = max(drop.sizes[index] for index in indexes) <= limits.INLINE_OCTETS
    return (Read if is_short else Work)(messages.raws_of, (contents,))
