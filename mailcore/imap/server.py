"""IMAP's ports, and what their connections share: limits, a sweep for all of them, the end.

RFC 9051 (3501), RFC 8314 (TLS). Started by mailcore/server.py; a single client is in connection.py.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections import Counter, deque
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, Any

from django.conf import settings

from mailcore import limits
from mailcore.errors import Busy
from mailcore.imap.connection import Connection
from mailcore.imap.wire import receiver
from mailcore.outside import doorbell
from mailcore.services import mailboxes
from mailcore.services.doors import Login
from mailcore.snapshot import Snapshots

if TYPE_CHECKING:
    from mailcore.server import Listener, Maild, Port

log = logging.getLogger(__name__)


async def start(maild: Maild) -> list[Listener]:
    """Open the ports."""
    imap = Imap(maild)
    imap.servers = [
        await maild.listen(partial(Connection, imap, is_tls=False), settings.HOSTMAIL_IMAP_PORT),
        await maild.listen(partial(Connection, imap, is_tls=True), settings.HOSTMAIL_IMAPS_PORT, tls=True),
    ]
    imap.sweep()
    return [imap]


class Imap:
    """What the connections of one process share."""

    def __init__(self, maild: Maild) -> None:
        self.maild = maild
        self.loop = asyncio.get_running_loop()
        self.snapshots = Snapshots()
        self.servers: list[Port] = []
        self.open: set[Connection] = set()
        self.by_address: Counter[str] = Counter()
        self.by_mailbox: Counter[int] = Counter()
        self.after_login = receiver.after_login(settings.HOSTMAIL_MAX_MESSAGE)
        self.octets = 0  # of commands being received, beyond small ones
        self.long_turns = 0
        self.waiting: deque[Connection] = deque()
        self.is_stopping = False
        self.to_check: set[Login] = set()
        self.checked_at = 0.0
        self._checking: asyncio.Task[None] | None = None
        self._sweeping: asyncio.TimerHandle | None = None

    async def stop(self) -> None:
        """Take nobody new, tell everybody; a command that runs is answered first."""
        self.is_stopping = True
        for server in self.servers:
            server.close()
        if self._sweeping is not None:
            self._sweeping.cancel()
        for connection in list(self.open):
            connection.leave_when_done()
        if self._checking is not None:
            self._checking.cancel()
        until = self.loop.time() + limits.IMAP_STOP_SECONDS
        while self.open and self.loop.time() < until:
            await asyncio.sleep(0.02)
            for connection in list(self.open):
                if connection.has_said_all():
                    # A TLS client may take its time to say goodbye.
                    connection.abort()
        for connection in list(self.open):
            connection.abort()

    def admit(self, login: Login) -> None:
        """Raises Busy."""
        if self.by_mailbox[login.mailbox_id] >= limits.IMAP_SESSIONS_PER_MAILBOX:
            raise Busy("This mailbox has too many connections")

    def came(self, connection: Connection) -> bool:
        """Count a new connection; whether there is room for it."""
        self.open.add(connection)
        self.by_address[connection.peer] += 1
        return (
            not self.is_stopping
            and len(self.open) <= limits.IMAP_SESSIONS
            and self.by_address[connection.peer] <= limits.IMAP_SESSIONS_PER_ADDRESS
        )

    def left(self, connection: Connection) -> None:
        if connection not in self.open:
            return
        self.open.discard(connection)
        _discount(self.by_address, connection.peer)
        self.count(connection, 0)

    def count(self, connection: Connection, mailbox_id: int) -> None:
        """It has logged in to a mailbox, or, 0, has none any more."""
        if connection.counted:
            _discount(self.by_mailbox, connection.counted)
        if mailbox_id:
            self.by_mailbox[mailbox_id] += 1
        connection.counted = mailbox_id

    # --- long commands ------------------------------------------------------------------------------

    def wait_for_turn(self, connection: Connection) -> None:
        """Commands that take long share a few threads, so that short ones always find one."""
        self.waiting.append(connection)
        self._give_turns()

    def end_turn(self) -> None:
        self.long_turns -= 1
        self._give_turns()

    def _give_turns(self) -> None:
        while self.waiting and self.long_turns < limits.IMAP_LONG_TURNS:
            self.long_turns += 1
            self.waiting.popleft().take_turn()

    # --- TLS ----------------------------------------------------------------------------------------

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
        poll_seconds = doorbell.poll_seconds()
        for connection in list(self.open):
            _look_at_clock(connection, now, poll_seconds)
        self._shed_stalled()
        if now - self.checked_at > limits.IMAP_LOGIN_CHECK_SECONDS:
            self.checked_at = now
            self.to_check.update(each.session.login for each in self.open if each.session.login is not None)
        if self.to_check and self._checking is None:
            logins, self.to_check = list(self.to_check), set()
            self._checking = self.loop.create_task(self._check(logins))
            self._checking.add_done_callback(self._checked)
        self._sweeping = self.loop.call_later(limits.IMAP_SWEEP_SECONDS, self.sweep)

    def _shed_stalled(self) -> None:
        """Slow readers may hold so much; beyond it those go that have taken nothing for longest."""
        stalled = [each for each in self.open if each.stalled_at]
        held = sum(each.held_for_reader() for each in stalled)
        for connection in sorted(stalled, key=lambda each: each.stalled_at):
            if held <= limits.IMAP_STALLED_OCTETS:
                break
            held -= connection.held_for_reader()
            connection.abort()

    async def _check(self, logins: list[Login]) -> None:
        """End the sessions of who may no longer be here (suspended, removed, password changed)."""
        for start_at in range(0, len(logins), 100):
            some = logins[start_at : start_at + 100]
            gone = await self.maild.call(_no_longer_good, some)
            if gone:
                for connection in list(self.open):
                    if connection.session.login in gone:
                        connection.say_bye("Your access has changed, please log in again")

    def _checked(self, task: asyncio.Task[None]) -> None:
        self._checking = None
        if not task.cancelled() and (error := task.exception()):
            log.error("logins could not be checked", exc_info=error)


def _look_at_clock(connection: Connection, now: float, poll_seconds: float) -> None:
    """End what has been idle too long; have IDLE look for news by itself once a minute."""
    idle = now - connection.last_active
    rests = idle > limits.IMAP_COMPRESSION_REST_SECONDS and not connection.is_busy
    if rests and connection.compression is not None:
        connection.compression.rest()
    if connection.stalled_at:
        if now - connection.stalled_at > limits.IMAP_STALL_SECONDS:
            connection.abort()
    elif connection.is_busy or connection.is_closing:
        return
    elif connection.session.login is None:
        age = now - connection.opened_at
        if idle > limits.IMAP_IDLE_BEFORE_LOGIN_SECONDS or age > limits.IMAP_BEFORE_LOGIN_SECONDS:
            connection.say_bye("You have not logged in")
    elif idle > limits.IMAP_IDLE_SECONDS:
        connection.say_bye("Idle for too long")
    elif connection.bell is not None and now - connection.looked_at > poll_seconds:
        connection.ring()


def _discount(counter: Counter[Any], key: Any) -> None:
    counter[key] -= 1
    if counter[key] <= 0:
        del counter[key]


def _no_longer_good(logins: list[Login]) -> set[Login]:
    return {login for login in logins if not mailboxes.is_still_good(login)}
