"""POP3's ports and its clients' sockets: limits, back-pressure, TLS, one sweep for all, the end.

RFC 1939, RFC 2595 (STLS), RFC 8314 (TLS from the start). Started by mailcore/server.py. It decides nothing
about mail: each line of a client becomes a generator (commands.run), stepped here. What answers from memory,
and on SQLite a short read, happens right on the event loop; the rest in a thread of maild. Answers are joined
and written together; while a client does not read them, its generator rests. No task while it is idle.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections import Counter
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, Any, cast

from django.conf import settings
from django.db import connection as database

from mailcore import limits
from mailcore.errors import BadSyntax, Busy
from mailcore.outside import leases, proxy, reach, tls
from mailcore.pop3 import commands, wire
from mailcore.pop3.session import (
    Ask,
    Budget,
    Handler,
    Pause,
    Read,
    Request,
    Session,
    StartTLS,
    Surroundings,
    Work,
)
from mailcore.services import mailboxes, maildrops
from mailcore.services.doors import Login

if TYPE_CHECKING:
    from mailcore.server import Listener, Maild, Port

log = logging.getLogger(__name__)


async def start(maild: Maild) -> list[Listener]:
    """Open the ports."""
    pop3 = Pop3(maild)
    pop3.servers = [
        await maild.listen(partial(Connection, pop3, is_tls=False), settings.HOSTMAIL_POP3_PORT),
        await maild.listen(partial(Connection, pop3, is_tls=True), settings.HOSTMAIL_POP3S_PORT, tls=True),
    ]
    pop3.sweep()
    return [pop3]


class Pop3:
    """What the connections of one process share."""

    def __init__(self, maild: Maild) -> None:
        self.maild = maild
        self.loop = asyncio.get_running_loop()
        self.reads_here = database.vendor == "sqlite"
        self.servers: list[Port] = []
        self.open: set[Connection] = set()
        self.by_address: Counter[str] = Counter()
        self.budget = Budget()
        self.is_stopping = False
        self._check_at = self._renew_at = 0.0
        self._sweeping: asyncio.TimerHandle | None = None
        self._running: set[asyncio.Future[Any]] = set()

    async def stop(self) -> None:
        """Take nobody new, let the idle go; a command that runs is answered, and every lease given back."""
        self.is_stopping = True
        for server in self.servers:
            server.close()
        if self._sweeping is not None:
            self._sweeping.cancel()
        for connection in list(self.open):
            connection.leave_when_done()
        try:
            while self.open or self._running:
                await asyncio.sleep(0.01)
        finally:
            for connection in list(self.open):
                connection.abort()

    def came(self, connection: Connection) -> bool:
        """Count a new connection; whether there is room for it."""
        self.open.add(connection)
        self.by_address[connection.peer] += 1
        return (
            not self.is_stopping
            and len(self.open) <= limits.POP3_SESSIONS
            and self.by_address[connection.peer] <= limits.POP3_SESSIONS_PER_ADDRESS
        )

    def left(self, connection: Connection) -> None:
        if connection not in self.open:
            return
        self.open.discard(connection)
        self.by_address[connection.peer] -= 1
        if self.by_address[connection.peer] <= 0:
            del self.by_address[connection.peer]

    def in_background(self, future: asyncio.Future[Any], what: str) -> None:
        """Work whose result nobody waits for; the end waits for it."""

        def done(future: asyncio.Future[Any]) -> None:
            self._running.discard(future)
            if not future.cancelled() and (error := future.exception()):
                log.error("%s failed", what, exc_info=error)

        self._running.add(future)
        future.add_done_callback(done)

    async def start_tls(
        self, connection: Connection, transport: asyncio.Transport
    ) -> asyncio.Transport | None:
        """Shake hands; None when the client does not want to any more."""
        try:
            return await self.loop.start_tls(
                transport,
                connection,
                self.maild.tls,
                server_side=True,
                ssl_handshake_timeout=limits.TLS_HANDSHAKE_SECONDS,
            )
        except (ssl.SSLError, OSError) as error:
            log.info("%s: TLS handshake failed: %r", connection.peer, error)
            return None

    # --- once in a while ----------------------------------------------------------------------------

    def sweep(self) -> None:
        """Look at every connection: one timer for all."""
        now = monotonic()
        for connection in list(self.open):
            connection.look_at_clock(now)
        inside = [each for each in self.open if each.session.login is not None]
        if inside and now >= self._renew_at:
            self._renew_at = now + limits.LEASE_RENEW_SECONDS
            self.in_background(self.maild.call(leases.renew), "renewing leases")
        if inside and now >= self._check_at:
            self._check_at = now + limits.POP3_LOGIN_CHECK_SECONDS
            self.in_background(self.loop.create_task(self._check(inside)), "checking logins")
        self._sweeping = self.loop.call_later(limits.POP3_SWEEP_SECONDS, self.sweep)

    async def _check(self, inside: list[Connection]) -> None:
        """End the sessions of who may no longer be here. RFC 1939 knows no word for that: they are cut."""
        for begin in range(0, len(inside), 100):
            some = inside[begin : begin + 100]
            logins = [each.session.login for each in some if each.session.login is not None]
            gone = await self.maild.call(_no_longer_good, logins)
            for connection in some:
                if connection.session.login in gone:
                    connection.close()


def _no_longer_good(logins: list[Login]) -> set[Login]:
    return {login for login in logins if not mailboxes.is_still_good(login)}


class Connection(asyncio.Protocol):
    """One client, all of it on the event loop."""

    __slots__ = (
        "handler", "is_busy", "is_closing", "is_eof", "is_leaving", "is_reading", "last_active", "opened_at",
        "out", "out_octets", "peer", "pop3", "receiver", "request", "session", "stalled_at", "transport",
    )  # fmt: skip

    def __init__(self, pop3: Pop3, *, is_tls: bool) -> None:
        self.pop3 = pop3
        self.transport: asyncio.Transport | None = None
        self.peer = ""
        self.receiver = wire.LineReceiver()
        self.session = Session(Surroundings("", is_tls, is_tls, not is_tls, pop3.budget))
        # The command that runs, the line it asked for, and whether somebody else is at it: a thread, a
        # timer, a handshake.
        self.handler: Handler | None = None
        self.request: Ask | None = None
        self.is_busy = False
        self.out: list[bytes] = []
        self.out_octets = 0
        self.is_reading = True
        self.is_eof = False
        self.is_leaving = False  # at the end of the process: when no command runs
        self.is_closing = False
        self.stalled_at = 0.0  # since when the client does not take what is written; 0: it does
        self.opened_at = self.last_active = monotonic()

    # --- what the transport says --------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.transport.set_write_buffer_limits(limits.POP3_TURN_OCTETS)
        self.peer = self.session.surroundings.peer = proxy.peer_of(transport)
        self.session.surroundings.endpoint = tls.endpoint_of(transport)
        if not self.pop3.came(self):
            self._say(wire.err(Busy("Too many connections, please try again later").pop3_text()))
            self.close()
            return
        if not self.session.surroundings.may_login:
            self.session.surroundings.may_login = reach.may_login_in_clear(transport)
        self._say(commands.greeting(settings.HOSTMAIL_HOSTNAME))
        self._flush()

    def data_received(self, data: bytes) -> None:
        self.last_active = monotonic()
        self.receiver.feed(data)
        self._go_on()

    def eof_received(self) -> bool:
        """A client that said all it has to say still hears the answers, where the transport allows that."""
        self.is_eof = True
        return (self.is_busy or self.stalled_at > 0) and not self.session.surroundings.is_tls

    def connection_lost(self, error: Exception | None) -> None:
        self.transport = None
        self.is_closing = True
        self.out.clear()
        self.receiver.take_rest()
        self.pop3.left(self)
        if not self.is_busy:
            self._forget()

    def pause_writing(self) -> None:
        self.stalled_at = monotonic()

    def resume_writing(self) -> None:
        self.last_active = monotonic()
        self.stalled_at = 0.0
        self.pop3.loop.call_soon(self._go_on)

    # --- saying, and the end --------------------------------------------------------------------------

    def _say(self, octets: bytes) -> None:
        self.out.append(octets)
        self.out_octets += len(octets)

    def _flush(self) -> None:
        if self.out:
            out, self.out, self.out_octets = self.out, [], 0
            if self.transport is not None and not self.transport.is_closing():
                self.transport.write(out[0] if len(out) == 1 else b"".join(out))

    def close(self) -> None:
        """Say what is left to say, and hang up. Nothing is deleted by that."""
        self._flush()
        self.is_closing = True
        if self.transport is not None:
            self.transport.close()

    def abort(self) -> None:
        if self.transport is not None:
            self.transport.abort()

    def leave_when_done(self) -> None:
        if self.handler is None or self.request is not None:
            self.close()
        self.is_leaving = True

    def _forget(self) -> None:
        """The connection is lost and nobody is at it any more: let others have what it held."""
        if self.handler is not None:
            self.handler.close()
            self.handler = None
        session = self.session
        session.ahead.clear()
        if session.lease is not None:
            self.pop3.in_background(self.pop3.maild.call(_leave, session), "leaving a maildrop")

    def look_at_clock(self, now: float) -> None:
        """End what has been idle or stuck too long."""
        if self.stalled_at:
            if now - self.stalled_at > limits.POP3_STALL_SECONDS:
                self.abort()
        elif self.is_closing:
            if now - self.last_active > limits.POP3_STALL_SECONDS:
                self.abort()
        elif self.is_busy:
            return
        elif self.session.login is None:
            idle = limits.POP3_IDLE_BEFORE_LOGIN_SECONDS
            # However slowly somebody drips octets, or says NOOP.
            if now - self.last_active > idle or now - self.opened_at > 10 * idle:
                self.close()
        elif now - self.last_active > limits.POP3_IDLE_SECONDS:
            self.close()
        elif now - self.last_active > limits.POP3_SWEEP_SECONDS:
            self.session.ahead.clear()

    # --- going on ---------------------------------------------------------------------------------------

    def _go_on(self) -> None:
        self.pop3.maild.here(self._pump)

    def _pump(self) -> None:
        """Run what can be run without waiting, then write the answers to it together."""
        left = limits.POP3_TURN_COMMANDS
        while not (self.is_busy or self.stalled_at or self.is_closing):
            if self.handler is not None and self.request is None:
                self._step(None)
            else:
                line = self.receiver.line()
                if line is None:
                    break
                if self.request is not None:
                    self._answer(line)
                else:
                    left -= 1
                    self.handler = commands.run(self.session, line)
                    self._step(None)
            if left <= 0 or self.out_octets >= limits.POP3_TURN_OCTETS:
                # Others have their turn first.
                self._flush()
                if not (self.is_busy or self.stalled_at or self.is_closing):
                    self.is_busy = True
                    self.pop3.loop.call_soon(self._given_way)
        self._flush()
        if self.transport is not None and not self.is_closing:
            self._mind_the_client()

    def _mind_the_client(self) -> None:
        """After a turn: close, or read no more for now, or read on."""
        assert self.transport is not None
        if self.is_busy or self.stalled_at:
            if self.is_reading and self.receiver.held > limits.POP3_PIPELINED_OCTETS:
                self.is_reading = False
                self.transport.pause_reading()
        elif self.is_eof or (self.is_leaving and self.handler is None):
            self.close()
        elif not self.is_reading:
            self.is_reading = True
            self.transport.resume_reading()

    def _given_way(self) -> None:
        self.is_busy = False
        if self.transport is None:
            self._forget()
        else:
            self._go_on()

    # --- one command ----------------------------------------------------------------------------------

    def _answer(self, line: bytes | wire.Refused) -> None:
        """Give the line that the command asked for."""
        self.request = None
        self.receiver.limit = limits.POP3_LINE_OCTETS
        if isinstance(line, wire.Refused):
            self.session.is_over = line.close
            self._step(None, BadSyntax(line.text))
        else:
            self._step(line)

    def _step(self, value: object, error: BaseException | None = None) -> None:
        """Let the running command go on until it waits, has said enough for a turn, or ends."""
        handler = self.handler
        assert handler is not None
        try:
            output = handler.send(value) if error is None else handler.throw(error)
            while True:
                if isinstance(output, bytes):
                    self._say(output)
                    if self.out_octets >= limits.POP3_TURN_OCTETS:
                        return
                    output = next(handler)
                elif isinstance(output, Read) and self.pop3.reads_here:
                    output = self._read(handler, output)
                else:
                    self._serve(output)
                    return
        except StopIteration:
            self.handler = None
            if self.session.is_over:
                self.close()

    def _read(self, handler: Handler, request: Read) -> bytes | Request:
        """Read right here: SQLite never makes a reader wait."""
        try:
            found = request.function(*request.arguments)
        except Exception as error:  # noqa: BLE001 - the command's to judge, as from a thread
            return handler.throw(error)
        return handler.send(found)

    def _serve(self, request: Request) -> None:
        """Begin what a command asks for."""
        match request:
            case Ask(prompt=prompt):
                self._say(prompt)
                self.request = request
                self.receiver.limit = limits.POP3_AUTH_LINE_OCTETS
            case Pause(seconds=seconds):
                self.is_busy = True
                self.pop3.loop.call_later(seconds, self._brought, None)
            case StartTLS(goodbye=goodbye):
                self.is_busy = True
                self._start_tls(goodbye)
            case Read(function=function, arguments=arguments) | Work(function=function, arguments=arguments):
                self.is_busy = True
                self.pop3.maild.call(function, *arguments).add_done_callback(self._brought)

    def _brought(self, future: asyncio.Future[Any] | None) -> None:
        """What a command asked for is there, or went wrong."""
        self.is_busy = False
        error = future.exception() if future is not None else None
        if self.transport is None:
            self._forget()
            return
        self.last_active = monotonic()
        value = future.result() if future is not None and error is None else None
        self.pop3.maild.here(self._step_and_pump, value, error)

    def _step_and_pump(self, value: object, error: BaseException | None) -> None:
        if not self.is_closing:
            self._step(value, error)
            self._pump()

    # --- TLS --------------------------------------------------------------------------------------------

    def _start_tls(self, goodbye: bytes) -> None:
        """The handshake, in a task. What came in the clear and was not run yet never is (RFC 2595 §4)."""
        assert self.transport is not None
        # From here on the client's octets are its handshake.
        self.transport.pause_reading()
        self.receiver.take_rest()
        self._say(goodbye)
        self._flush()
        handshake = self.pop3.loop.create_task(self.pop3.start_tls(self, self.transport))
        handshake.add_done_callback(self._handshaken)

    def _handshaken(self, handshake: asyncio.Task[asyncio.Transport | None]) -> None:
        transport = None if handshake.cancelled() or handshake.exception() else handshake.result()
        if transport is None or self.transport is None:
            self.is_busy = False
            self.abort()
            # Of who hangs up amid the handshake the transport says nothing.
            self.connection_lost(None)
            return
        self.transport = transport
        self.session.surroundings.endpoint = tls.endpoint_of(transport)
        transport.set_write_buffer_limits(limits.POP3_TURN_OCTETS)
        self.is_reading = True
        self._brought(None)


def _leave(session: Session) -> None:
    """What remains after a connection that was cut: the record of what went out. Nothing is deleted."""
    try:
        if session.fetched:
            maildrops.leave(session.drop, session.uids(session.fetched))
    finally:
        commands.give_back(session)
