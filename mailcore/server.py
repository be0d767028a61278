"""maild: one process with an event loop (uvloop), the clerk, the database threads and the listeners.

Started by the management command of the same name. Each protocol's server module has

    async def start(maild: Maild) -> list[Listener]

and opens its own ports; what it needs of the others is here.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import importlib
import logging
import os
import signal
import socket
import ssl
from collections.abc import Awaitable, Callable, Sequence
from ipaddress import ip_address
from typing import ParamSpec, Protocol, TypeVar

import uvloop
from django.conf import settings

from mailcore import limits
from mailcore.clerk import Clerk
from mailcore.database import DatabaseThreads
from mailcore.outside import proxy, tls
from mailcore.services import sql

P = ParamSpec("P")
T = TypeVar("T")

log = logging.getLogger(__name__)

# What `--only` names, and the module that serves it.
PROTOCOLS = {
    "mx": "mailcore.smtp.server",
    "submission": "mailcore.smtp.server",
    "imap": "mailcore.imap.server",
    "pop3": "mailcore.pop3.server",
}


class Listener(Protocol):
    """Something open that ends: stop() takes no new sessions, and lets go of the running ones."""

    async def stop(self) -> None: ...


class Port(Protocol):
    """Something that takes connections until it is closed; an asyncio.Server is one."""

    def close(self) -> None: ...


class Introduced:
    """A port at which those of HOSTMAIL_PROXY_PEERS say first on whose behalf they come; others just come."""

    def __init__(
        self,
        listener: socket.socket,
        factory: Callable[[], asyncio.BaseProtocol],
        tls: ssl.SSLContext | None,
    ) -> None:
        self._listener, self._factory, self._tls = listener, factory, tls
        self._loop = asyncio.get_running_loop()
        listener.setblocking(False)
        listener.listen(limits.LISTEN_BACKLOG)
        self._tasks = {self._loop.create_task(self._accept())}

    def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        self._listener.close()

    async def _accept(self) -> None:
        while True:
            try:
                connection, peer = await self._loop.sock_accept(self._listener)
            except OSError as error:
                log.warning("cannot accept a connection: %s", error)
                await asyncio.sleep(limits.ACCEPT_PAUSE_SECONDS)
                continue
            connection.setblocking(False)
            task = self._loop.create_task(self._admit(connection, str(peer[0])))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _admit(self, connection: socket.socket, peer: str) -> None:
        is_proxy = any(ip_address(peer) in network for network in settings.HOSTMAIL_PROXY_PEERS)
        try:
            async with asyncio.timeout(limits.PROXY_SECONDS):
                client = await self._introduction(connection) if is_proxy else None
            proxy.introduce(connection, client)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            handshake = limits.TLS_HANDSHAKE_SECONDS if self._tls else None
            await self._loop.connect_accepted_socket(
                self._factory, connection, ssl=self._tls, ssl_handshake_timeout=handshake
            )
        except (proxy.BadIntroduction, OSError, EOFError, TimeoutError) as error:
            log.info("no connection from %s: %r", peer, error)
            connection.close()

    async def _introduction(self, connection: socket.socket) -> str | None:
        """Not one octet more is read: the next one may belong to TLS."""
        first = await self._exactly(connection, proxy.FIRST_OCTETS)
        if first == proxy.SIGNATURE:
            first += await self._exactly(connection, 4)
            return proxy.client_of_v2(first, await self._exactly(connection, proxy.octets_after_v2(first)))
        while not first.endswith(b"\r\n") and len(first) < limits.PROXY_LINE_OCTETS:
            first += await self._exactly(connection, 1)
        return proxy.client_of_v1(first)

    async def _exactly(self, connection: socket.socket, octets: int) -> bytes:
        read = b""
        while len(read) < octets:
            more = await self._loop.sock_recv(connection, octets - len(read))
            if not more:
                raise EOFError("closed before it said who comes")
            read += more
        return read


class Maild:
    """What the protocol servers share in one process."""

    def __init__(self, only: Sequence[str] = ()) -> None:
        self.only = tuple(only or PROTOCOLS)
        self.clerk = Clerk()
        self.threads = DatabaseThreads()
        self.tls: ssl.SSLContext = tls.server_context()
        self._listeners: list[Listener] = []
        self._stopping = asyncio.Event()
        self._context = contextvars.copy_context()

    def call(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> asyncio.Future[T]:
        """Run database work in a thread of its own pool; the one way to the ORM from the loop."""
        return self.threads.call(function, *args, **kwargs)

    async def look(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run one short read of the database: here on SQLite, where it never waits and a thread would
        cost more than the read, and in a thread where the database is a network away."""
        if sql.is_sqlite():
            # One context for all: Django would give each asyncio task a connection of its own.
            return self._context.run(function, *args, **kwargs)
        return await self.threads.call(function, *args, **kwargs)

    def here(self, function: Callable[P, None], *args: P.args, **kwargs: P.kwargs) -> None:
        """Run a callback of the event loop with the connection that look() reads by. Not from within one."""
        self._context.run(function, *args, **kwargs)

    async def listen(
        self, factory: Callable[[], asyncio.BaseProtocol], port: int, *, tls: bool = False
    ) -> Port:
        """Open a port on HOSTMAIL_BIND for protocols made by factory, shared with sibling processes.

        Nagle is off: a pipelined answer must not wait for an acknowledgement.
        """
        family = socket.AF_INET6 if ":" in settings.HOSTMAIL_BIND else socket.AF_INET
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if settings.HOSTMAIL_PROCESSES > 1:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.bind((settings.HOSTMAIL_BIND, port))
        if settings.HOSTMAIL_PROXY_PEERS:
            return Introduced(listener, factory, self.tls if tls else None)
        loop = asyncio.get_running_loop()
        return await loop.create_server(
            factory,
            sock=listener,
            backlog=limits.LISTEN_BACKLOG,
            ssl=self.tls if tls else None,
            ssl_handshake_timeout=limits.TLS_HANDSHAKE_SECONDS if tls else None,
        )

    async def serve(self, ready: Callable[[], None]) -> None:
        """Open everything, say so, and serve until SIGTERM or SIGINT."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stopping.set)
        self.clerk.start()
        try:
            for module in dict.fromkeys(PROTOCOLS[name] for name in self.only):
                start: Callable[[Maild], Awaitable[list[Listener]]] = importlib.import_module(module).start
                self._listeners += await start(self)
            ready()
            await self._stopping.wait()
        finally:
            await self._end()

    async def _end(self) -> None:
        """Take nothing new, let sessions go, file what was handed in."""
        for stopping in asyncio.as_completed([listener.stop() for listener in self._listeners]):
            with contextlib.suppress(Exception):
                await asyncio.wait_for(stopping, limits.STOP_SECONDS)
        await asyncio.to_thread(self.clerk.stop)
        await asyncio.to_thread(self.threads.close)


def run(only: Sequence[str], ready: Callable[[], None]) -> None:
    """Serve in this process until told to stop."""

    if sql.is_sqlite():
        # Django forbids its connections on an event loop, because they may wait; look() says why ours do not.
        os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"

    async def main() -> None:
        await Maild(only).serve(ready)

    uvloop.run(main())
