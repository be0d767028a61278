"""IMAP inside the test's process: uvloop in a thread, real sockets, the test's database."""

import asyncio
import os
import re
import socket
import ssl
import threading
from collections.abc import Callable
from functools import partial

import pytest
import uvloop
from django.db import connection

from mailcore import limits, server
from mailcore.imap import server as imap_server
from mailcore.outside import doorbell
from tests.cast import PASSWORD, Cast


class Wire:
    """One client's socket."""

    def __init__(self, port: int, *, greeting: bool = True) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=10)
        self.heard = b""
        self.greeting = self.line() if greeting else b""

    def send(self, octets: bytes | str) -> None:
        self.socket.sendall(octets.encode() if isinstance(octets, str) else octets)

    def line(self) -> bytes:
        """The next line, without CR LF; b"" at the end."""
        while b"\r\n" not in self.heard:
            more = self.socket.recv(65536)
            if not more:
                rest, self.heard = self.heard, b""
                return rest
            self.heard += more
        line, _, self.heard = self.heard.partition(b"\r\n")
        return line

    def until(self, pattern: str) -> list[str]:
        """Lines up to the first that matches."""
        lines = []
        while True:
            line = self.line()
            lines.append(line.decode("utf-8", "replace"))
            if re.search(pattern, lines[-1]):
                return lines
            assert line, f"the end came before {pattern!r}: {lines}"

    def ask(self, command: str, tag: str = "a") -> list[str]:
        self.send(f"{tag} {command}\r\n")
        return self.until(rf"^{tag} (OK|NO|BAD)")

    def rest(self) -> bytes:
        """All that comes until the end."""
        while more := self.socket.recv(65536):
            self.heard += more
        heard, self.heard = self.heard, b""
        return heard

    def login(self, address: str = "alice@acme.test") -> "Wire":
        assert self.ask(f'LOGIN {address} "{PASSWORD}"')[-1].startswith("a OK ")
        return self

    def starttls(self) -> None:
        context = ssl._create_unverified_context()
        self.socket = context.wrap_socket(self.socket)

    def close(self) -> None:
        self.socket.close()


class Running:
    """IMAP and its clients."""

    def __init__(self, imap: imap_server.Imap, settings) -> None:
        self.imap = imap
        self.settings = settings
        self.clients: list[Wire] = []

    def connect(self, **options) -> Wire:
        self.clients.append(Wire(self.settings.HOSTMAIL_IMAP_PORT, **options))
        return self.clients[-1]

    def login(self, address: str = "alice@acme.test", folder: str = "") -> Wire:
        client = self.connect().login(address)
        if folder:
            client.ask(f"SELECT {folder}")
        return client

    def on_loop(self, function: Callable, *arguments):
        """What function returns on the event loop."""

        async def call():
            return function(*arguments)

        return asyncio.run_coroutine_threadsafe(call(), self.imap.loop).result(10)

    def stop(self) -> None:
        """Stop it, as at the end of the process."""
        asyncio.run_coroutine_threadsafe(self.imap.stop(), self.imap.loop).result(10)


@pytest.fixture
def start_imap(transactional_db, data_dir, settings, free_port, monkeypatch):
    """A function that starts it; limits may be changed before. Gives the Running one."""
    for name in ("IMAP", "IMAPS"):
        setattr(settings, f"HOSTMAIL_{name}_PORT", free_port())
    settings.HOSTMAIL_TLS_CERT = settings.HOSTMAIL_DATA_DIR / "tls" / "cert.pem"
    settings.HOSTMAIL_TLS_KEY = settings.HOSTMAIL_DATA_DIR / "tls" / "key.pem"
    if connection.vendor == "sqlite":
        monkeypatch.setitem(os.environ, "DJANGO_ALLOW_ASYNC_UNSAFE", "1")
    loop = uvloop.new_event_loop()
    running: list[Running] = []
    ends: list[threading.Thread] = []
    stops: list[asyncio.Event] = []
    ready = threading.Event()

    async def serve() -> None:
        stop = asyncio.Event()
        stops.append(stop)
        maild = server.Maild(("imap",))
        maild.clerk.start()
        maild._listeners += await imap_server.start(maild)
        running.append(Running(maild._listeners[0], settings))
        ready.set()
        await stop.wait()
        await maild._end()
        if connection.vendor == "sqlite":
            maild.here(connection.close)

    def start() -> Running:
        thread = threading.Thread(target=partial(loop.run_until_complete, serve()), daemon=True)
        ends.append(thread)
        thread.start()
        assert ready.wait(10), "IMAP does not start"
        return running[0]

    yield start
    for each in running:
        for client in each.clients:
            client.close()
    if stops:
        loop.call_soon_threadsafe(stops[0].set)
        ends[0].join(20)
        assert not ends[0].is_alive(), "IMAP does not stop"
    loop.close()
    doorbell.use(None)


@pytest.fixture
def imap(start_imap, monkeypatch) -> Running:
    """Running, looked after often, with the cast."""
    monkeypatch.setattr(limits, "IMAP_SWEEP_SECONDS", 0.02)
    running = start_imap()
    running.cast = Cast()
    return running
