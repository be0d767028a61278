"""maild inside the test's process: its loop in a thread, real sockets on loopback, the test's own database.

Much faster than the service as a program (tests/service.py), and a test can look inside:

    def test_x(maild):                          # the fixture, one maild for all tests of a module
        alice = maild.person()                  # a fresh mailbox in a tenant of its own
        poplib.POP3("127.0.0.1", maild.ports["pop3"])

The database is empty again after each test; maild goes on.
"""

import asyncio
import contextlib
import importlib
import logging
import os
import re
import threading
from collections.abc import Iterator

import uvloop
from django.conf import settings
from django.db import connection

from mailcore.models import Domain, Tenant
from mailcore.server import PROTOCOLS, Maild
from mailcore.services import logins, messages
from mailcore.services.messages import Filed, Filing, Mail, Unit
from tests import cast
from tests.servers import free_port, wait_for

PORTS = ("smtp", "submission", "submissions", "imap", "imaps", "pop3", "pop3s")


class _Errors(logging.Handler):
    """Remembers what was logged as an error: promise P12 of a test is that there is none."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


class LiveMaild:
    """A running maild. ports["imap"] says where."""

    def __init__(self) -> None:
        self.ports = {name: free_port() for name in PORTS}
        self.errors = _Errors()
        self.loop = uvloop.new_event_loop()
        self.listeners: dict[str, object] = {}
        self._people = 0
        self._ready = threading.Event()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="maild", daemon=True)

    def start(self) -> None:
        logging.getLogger().addHandler(self.errors)
        self._thread.start()
        self._ready.wait(30)
        if self._failure:
            raise self._failure

    def stop(self) -> None:
        self.loop.call_soon_threadsafe(self.maild._stopping.set)
        self._thread.join(30)
        assert not self._thread.is_alive()
        logging.getLogger().removeHandler(self.errors)

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        try:
            self.loop.run_until_complete(self._serve())
        except BaseException as error:
            self._failure = error
            raise
        finally:
            self._ready.set()
            asyncio.set_event_loop(None)
            self.loop.close()
            connection.close()
            # Where look() and here() read: a connection of its own.
            self.maild._context.run(connection.close)

    async def _serve(self) -> None:
        """Maild.serve() without signals, which only a main thread can have."""
        self.maild = Maild()
        self.maild.clerk.start()
        try:
            for module in dict.fromkeys(PROTOCOLS.values()):
                started = await importlib.import_module(module).start(self.maild)
                self.listeners[module.split(".")[1]] = started[0]
                self.maild._listeners += started
            self._ready.set()
            await self.maild._stopping.wait()
        finally:
            await self.maild._end()

    def call(self, function, *arguments):
        """What function returns on the loop of maild."""

        async def run():
            return function(*arguments)

        return asyncio.run_coroutine_threadsafe(run(), self.loop).result(10)

    def turn(self) -> None:
        """Return when the loop has looked at its sockets once more."""
        turned = threading.Event()
        self.loop.call_soon_threadsafe(turned.set)
        turned.wait(10)

    def expect_error(self, words: str) -> None:
        """An error was logged that says so (a regular expression); it is no failure of the test."""
        wait_for(
            lambda: any(self._says(record, words) for record in self.errors.records), 5, f"error {words!r}"
        )
        self.errors.records = [record for record in self.errors.records if not self._says(record, words)]

    @staticmethod
    def _says(record: logging.LogRecord, words: str) -> bool:
        return re.search(words, logging.Formatter().format(record)) is not None

    # --- people and their mail ------------------------------------------------------------------------

    def person(self, local: str = "alice", domain: Domain | None = None, **fields) -> cast.Person:
        """Somebody with a fresh mailbox: in a domain and tenant of their own, unless one is given."""
        if domain is None:
            domain = self.domain()
        mailbox = cast.make_mailbox(domain.tenant, f"{local}@{domain.name}", **fields)
        access = mailbox.accesses.select_related("user").first()
        return cast.Person(access.user, domain.tenant, domain, mailbox, f"{local}@{domain.name}")

    def domain(self, tenant: Tenant | None = None) -> Domain:
        self._people += 1
        name = f"d{self._people}-{os.urandom(3).hex()}.test"
        return cast.make_domain(tenant or cast.make_tenant(name), name)

    def file(self, person: cast.Person, *raws: bytes, folder: int | str = "inbox", **filing) -> list[Filed]:
        """File mails in a mailbox, as deliveries would be."""
        unit = Unit([
            Mail(messages.prepare(raw), [Filing(person.tenant.pk, person.mailbox.pk, folder, **filing)])
            for raw in raws
        ])  # fmt: skip
        (filed,) = messages.append_many([unit])
        assert isinstance(filed, list), filed
        return filed


@contextlib.contextmanager
def running(blocker) -> Iterator[LiveMaild]:
    """A maild that runs, and settings that say where."""
    live = LiveMaild()
    before = {}
    for name, port in live.ports.items():
        before[f"HOSTMAIL_{name.upper()}_PORT"] = getattr(settings, f"HOSTMAIL_{name.upper()}_PORT")
        setattr(settings, f"HOSTMAIL_{name.upper()}_PORT", port)
    if connection.vendor == "sqlite":
        os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"  # as mailcore/server.py run()
    with blocker.unblock():
        try:
            live.start()
            yield live
        finally:
            live.stop()
            os.environ.pop("DJANGO_ALLOW_ASYNC_UNSAFE", None)
            for name, port in before.items():
                setattr(settings, name, port)


@contextlib.contextmanager
def watched(live: LiveMaild) -> Iterator[LiveMaild]:
    """One test with it: fails if maild logged an error."""
    live.errors.records.clear()
    logins.forget_all()
    yield live
    found = [logging.Formatter().format(record) for record in live.errors.records]
    assert not found, "maild logged: " + "\n".join(found)
