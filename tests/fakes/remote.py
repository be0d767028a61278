"""A real mail host on loopback (aiosmtpd in a thread) that answers as told and remembers what it got.

    with FakeRemote() as remote:                         # accepts everything, STARTTLS, PIPELINING
        remote.say("rcpt", "550 5.1.1 no such user", recipient="bob@example.org")
        remote.say("mail", "450 4.7.1 slow down", times=2)       # twice, then as usual
        remote.say("mail", "421 4.3.2 enough", after=3)          # from the fourth on
        remote.stall("end")                              # says nothing more from there on
        remote.hang_up("data")                           # closes the connection instead of answering
        remote.babble("rcpt")                            # answers with what is no SMTP
        ... transmit to remote.address, remote.port ...
        remote.messages[0].recipients, .reverse_path, .raw, .tls, .connection

Phases: greeting ehlo helo starttls auth mail rcpt data end rset quit. Later instructions go before earlier
ones; forget() removes all. All methods may be called while it runs.
"""

import asyncio
import contextlib
import datetime as dt
import functools
import re
import ssl
import tempfile
import threading
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import trustme
from aiosmtpd.smtp import SMTP, AuthResult

from mailcore.outside import tls as our_tls


@dataclass
class Received:
    """One message as it arrived, CRLF line ends, dots undoubled."""

    reverse_path: str
    recipients: list[str]
    raw: bytes
    connection: int  # which connection, counted from 1
    ehlo: str
    tls: bool
    mail_options: list[str]
    user: str | None = None


@dataclass
class _Instruction:
    phase: str
    do: str  # "say", "stall", "hang_up", "babble"
    text: str = ""
    recipient: str | None = None
    times: int | None = None
    after: int = 0
    seen: int = field(default=0)

    def applies(self, phase: str, recipient: str | None) -> bool:
        if phase != self.phase or (self.recipient is not None and self.recipient != recipient):
            return False
        self.seen += 1
        return self.seen > self.after and (self.times is None or self.seen <= self.after + self.times)


@functools.cache
def authority() -> trustme.CA:
    """The certificate authority that signed the good certificates of this run."""
    return trustme.CA()


class FakeRemote:
    """See the module.

    tls: "self-signed" (default), "good" (trusted inside trusted()), "wrong-name", "expired", "broken" (offers
    STARTTLS, then no handshake), "" (does not offer it). requiretls: offers REQUIRETLS inside TLS.
    auth: {user: password} it asks for.
    """

    PHASES = ("greeting", "ehlo", "helo", "starttls", "auth", "mail", "rcpt", "data", "end", "rset", "quit")

    def __init__(
        self,
        host: str = "mx.example.org",
        *,
        tls: str = "self-signed",
        pipelining: bool = True,
        eightbit: bool = True,
        smtputf8: bool = True,
        size: int = 50_000_000,
        dsn: bool = False,
        requiretls: bool = False,
        auth: dict[str, str] | None = None,
        address: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        self.host, self.tls, self.auth, self.size = host, tls, auth, size
        self.pipelining, self.eightbit, self.smtputf8 = pipelining, eightbit, smtputf8
        self.dsn, self.requiretls = dsn, requiretls
        self.certificate = b""  # the host's own, DER
        self.address, self.port = address, port
        self.messages: list[Received] = []
        self.commands: list[str] = []  # what clients said, in order, on all connections
        self.connections = 0
        self.open_connections = 0
        self.most_open = 0
        self._instructions: list[_Instruction] = []
        self._transports: set[asyncio.Transport] = set()
        self._lock = threading.Lock()
        self._changed = threading.Condition()

    # --- what it does -----------------------------------------------------------------------------------

    def say(
        self, phase: str, text: str, *, recipient: str | None = None, times: int | None = None, after: int = 0
    ) -> Self:
        """Answer with text in that phase; "\\r\\n" in it makes several lines."""
        return self._tell(_Instruction(phase, "say", text, recipient, times, after))

    def stall(self, phase: str, **when: object) -> Self:
        """Stop answering in that phase."""
        return self._tell(_Instruction(phase, "stall", **when))

    def hang_up(self, phase: str, **when: object) -> Self:
        """Close the connection in place of that answer."""
        return self._tell(_Instruction(phase, "hang_up", **when))

    def babble(self, phase: str, **when: object) -> Self:
        """Answer with octets that are no reply."""
        return self._tell(_Instruction(phase, "babble", **when))

    def forget(self) -> None:
        """Drop all instructions and behave."""
        with self._lock:
            self._instructions.clear()

    def wait(self, messages: int, seconds: float = 10) -> list[Received]:
        """Wait until so many messages have come; return them."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.messages) >= messages, seconds), (
                f"{len(self.messages)} of {messages} messages came"
            )
            return list(self.messages)

    def _tell(self, instruction: _Instruction) -> Self:
        assert instruction.phase in self.PHASES, f"phases are {self.PHASES}"
        with self._lock:
            self._instructions.insert(0, instruction)
        return self

    def _instruction(self, phase: str, recipient: str | None) -> _Instruction | None:
        with self._lock:
            return next((each for each in self._instructions if each.applies(phase, recipient)), None)

    # --- its life ---------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def trusted(self):
        """Let our clients trust the authority of tls="good" inside."""
        with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
            path = Path(folder) / "roots.pem"
            path.write_bytes(authority().cert_pem.bytes())
            before, our_tls._roots_file = our_tls._roots_file, lambda: path
            stack.callback(our_tls.forget_all)
            stack.callback(setattr, our_tls, "_roots_file", before)
            our_tls.forget_all()
            yield self

    def start(self) -> Self:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True, name="fake-remote")
        self._thread.start()
        context = self._context()
        self._server = self._call(
            self._loop.create_server, lambda: _Session(self, self._loop, context), self.address, self.port
        )
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    def stop(self) -> None:
        async def stop() -> None:
            self._server.close()
            tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            for transport in list(self._transports):
                transport.abort()
            await asyncio.sleep(0.01)

        self._call(stop)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *exc: object) -> None:
        self.stop()

    def _call(self, make: Callable, *args: object):
        async def run():
            return await make(*args)

        return asyncio.run_coroutine_threadsafe(run(), self._loop).result(10)

    def _context(self) -> ssl.SSLContext | None:
        if not self.tls:
            return None
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        if self.tls in ("good", "wrong-name", "expired"):
            name = "elsewhere.example.com" if self.tls == "wrong-name" else self.host
            until = dt.datetime(2020, 1, 1) if self.tls == "expired" else None
            issued = authority().issue_cert(name, not_after=until)
            issued.configure_cert(context)
            pem = issued.cert_chain_pems[0].bytes().decode()
            # DANE-TA wants the authority in the chain.
            chain = issued.private_key_and_cert_chain_pem.bytes() + authority().cert_pem.bytes()
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / "chain.pem"
                path.write_bytes(chain)
                context.load_cert_chain(path)
        else:
            with tempfile.TemporaryDirectory() as folder:
                cert, key = Path(folder) / "cert.pem", Path(folder) / "key.pem"
                our_tls._make(cert, key, self.host)
                context.load_cert_chain(cert, key)
                pem = cert.read_text()
        self.certificate = ssl.PEM_cert_to_DER_cert(pem)
        return context


class _Handler:
    """aiosmtpd's hooks: what EHLO offers, and where messages go."""

    def __init__(self, fake: FakeRemote) -> None:
        self.fake = fake

    async def handle_EHLO(self, server, session, envelope, hostname, responses):
        session.host_name = hostname
        unwanted = [] if self.fake.eightbit else ["8BITMIME"]
        lines = [line for line in responses if line[4:] not in unwanted]
        more = ["250-PIPELINING"] * self.fake.pipelining + ["250-DSN"] * self.fake.dsn
        more += ["250-REQUIRETLS"] * (self.fake.requiretls and session.ssl is not None)
        return [lines[0], *more, *lines[1:]]

    async def handle_DATA(self, server, session, envelope):
        fake = self.fake
        if await server.told("end"):
            return server.SAID
        with fake._changed:
            fake.messages.append(
                Received(
                    "" if envelope.mail_from == "<>" else envelope.mail_from,
                    list(envelope.rcpt_tos),
                    bytes(envelope.original_content),
                    server.number,
                    session.host_name,
                    session.ssl is not None,
                    list(envelope.mail_options),
                    session.auth_data,
                )
            )
            fake._changed.notify_all()
        return "250 2.0.0 Queued as " + str(len(fake.messages))


class _Session(SMTP):
    """aiosmtpd, told by instructions before it does anything of its own."""

    SAID = "(said)"
    line_length_limit = 200_000

    def __init__(self, fake: FakeRemote, loop, context: ssl.SSLContext | None) -> None:
        self.fake = fake
        self._greeted = False

        def authenticate(server, session, envelope, mechanism, data):
            user, password = data.login.decode(), data.password.decode()
            good = (fake.auth or {}).get(user) == password
            return AuthResult(success=good, auth_data=user, handled=good)

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a host may ask for a password without TLS
            super().__init__(
                _Handler(fake),
                hostname=fake.host,
                ident="ESMTP fake",
                tls_context=context,
                enable_SMTPUTF8=fake.smtputf8,
                data_size_limit=fake.size,
                authenticator=authenticate if fake.auth else None,
                auth_required=bool(fake.auth),
                auth_require_tls=False,
                loop=loop,
            )
        self.local_part_limit = 0

    def connection_made(self, transport) -> None:
        is_new = self.transport is None
        super().connection_made(transport)
        if is_new:
            self._plain = transport
            self.fake._transports.add(transport)
            self.fake.connections += 1
            self.number = self.fake.connections
            self.fake.open_connections += 1
            self.fake.most_open = max(self.fake.most_open, self.fake.open_connections)

    def connection_lost(self, error) -> None:
        self.fake._transports.discard(self._plain)
        self.fake.open_connections -= 1
        super().connection_lost(error)

    async def push(self, status) -> None:
        if status == self.SAID:
            return
        if not self._greeted:
            self._greeted = True
            if await self.told("greeting"):
                return
        await super().push(status)

    async def told(self, phase: str, recipient: str | None = None) -> bool:
        """Do what an instruction for this phase says; false if there is none."""
        instruction = self.fake._instruction(phase, recipient)
        if instruction is None:
            return False
        match instruction.do:
            case "say":
                await super().push(instruction.text)
                if instruction.text.startswith("421"):
                    self.transport.close()
            case "stall":
                await asyncio.sleep(3600)
            case "hang_up":
                self.transport.abort()
                await asyncio.sleep(3600)  # until connection_lost() cancels us
            case "babble":
                self._writer.write(b"\x00\xff<html>hello\r\n")
                await self._writer.drain()
        return True

    async def _or(self, phase: str, usual: Callable, arg: str, recipient: str | None = None) -> None:
        self.fake.commands.append(f"{phase.upper()} {arg or ''}".strip())
        if not await self.told(phase, recipient):
            if self.fake.dsn and arg and phase in ("mail", "rcpt"):
                arg = re.sub(r" (RET|ENVID|NOTIFY|ORCPT)=\S+", "", arg)
            if self.fake.requiretls and arg and phase == "mail":
                arg = arg.replace(" REQUIRETLS", "")
            await usual(arg)

    async def smtp_EHLO(self, arg):
        await self._or("ehlo", super().smtp_EHLO, arg)

    async def smtp_HELO(self, arg):
        await self._or("helo", super().smtp_HELO, arg)

    async def smtp_AUTH(self, arg):
        await self._or("auth", super().smtp_AUTH, arg)

    async def smtp_MAIL(self, arg):
        await self._or("mail", super().smtp_MAIL, arg)

    async def smtp_RCPT(self, arg):
        recipient = arg[arg.find("<") + 1 : arg.rfind(">")] if arg else None
        await self._or("rcpt", super().smtp_RCPT, arg, recipient)

    async def smtp_DATA(self, arg):
        await self._or("data", super().smtp_DATA, arg)

    async def smtp_RSET(self, arg):
        await self._or("rset", super().smtp_RSET, arg)

    async def smtp_QUIT(self, arg):
        await self._or("quit", super().smtp_QUIT, arg)

    async def smtp_STARTTLS(self, arg):
        await self._or("starttls", self._starttls, arg)

    async def _starttls(self, arg):
        if self.fake.tls != "broken":
            await super().smtp_STARTTLS(arg)
            return
        await super().push("220 2.0.0 Ready")
        self._writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await self._writer.drain()
        self.transport.close()
