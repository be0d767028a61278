"""aiosmtpd's SMTP with what both of our listeners need: limits, whole replies, and DATA read in bulk.

aiosmtpd reads a message line by line, which costs ten times what everything else here does together.
smtp_DATA takes whole chunks out of the stream reader instead and searches them for CR LF . CR LF; only
that ends a message (RFC 5321 §4.1.1.4), so nothing can be smuggled behind a bare LF or CR.

What the subclasses in mx.py and submission.py decide stands in their hooks: policy_*.
"""

from __future__ import annotations

import asyncio
import collections
import logging
import re
import ssl
import weakref
from typing import Any, ClassVar, NoReturn, cast

from aiosmtpd.smtp import SMTP, TLSSetupException
from django.conf import settings

from mailcore import limits
from mailcore.errors import BadSequence, Busy, MailError, MessageTooBig, Unexpected
from mailcore.message import binary
from mailcore.outside import clock, proxy
from mailcore.services.logins import network_key
from mailcore.smtp import dsn, release
from mailcore.smtp.chunks import Chunks, Hopeless
from mailcore.smtp.data import Data
from mailcore.smtp.reader import CommandReader
from mailcore.tlspolicy import wishes

log = logging.getLogger(__name__)
# aiosmtpd tells every command to this logger; ours tell what matters themselves.
logging.getLogger("mail.log").setLevel(logging.WARNING)

# Replies that never wait for company: what follows them is not a command, or nothing.
_AT_ONCE = frozenset({"220", "221", "421"})
_PATH = re.compile(r"<((?:[^<>\s\"\\@:,]+|\"(?:[^\"\\]|\\.)*\")@[^<>\s\"\\@:,]+)>(?: +(.*))?\Z")
_POSTMASTER = re.compile(r"\A(TO: *)<postmaster>(?= |\Z)", re.IGNORECASE)
_ENHANCED = re.compile(r"[245]\d\d [245]\.\d{1,3}\.\d{1,3}\b")
# Enhanced codes for the replies that aiosmtpd words itself (RFC 2034, RFC 3463 §3.6).
_DEFAULT_CODES = {
    "220": "2.0.0", "221": "2.0.0", "250": "2.0.0", "252": "2.5.0", "451": "4.3.0", "454": "4.7.0",
    "500": "5.5.2", "501": "5.5.4", "502": "5.5.1", "503": "5.5.1", "504": "5.5.4", "530": "5.7.0",
    "535": "5.7.8", "538": "5.7.11", "550": "5.0.0", "552": "5.3.4", "553": "5.1.3", "554": "5.5.0",
    "555": "5.5.4",
}  # fmt: skip


class Sessions:
    """What the sessions of one listener share: who is connected, and how much is being received."""

    def __init__(self, hostname: str, tls: ssl.SSLContext) -> None:
        self.hostname = hostname
        self.tls = tls
        self.open: set[Protocol] = set()
        self.by_address: collections.Counter[str] = collections.Counter()
        self.by_network: collections.Counter[str] = collections.Counter()
        self.octets = 0

    def close_all(self) -> None:
        """Tell who is idle 421, and cut who is not: what they sent was not acknowledged."""
        for session in list(self.open):
            session.say_goodbye()


class Protocol(SMTP):
    """One SMTP connection."""

    is_submission: ClassVar[bool] = False
    _hooks: ClassVar[list[str]]
    line_length_limit = 2048  # of a command line, with its arguments

    def __init__(self, sessions: Sessions, *, over_tls: bool, loop: asyncio.AbstractEventLoop) -> None:
        self.sessions = sessions
        self.over_tls = over_tls
        self.errors = 0
        self.peer_address = ""
        self._network = ""  # the /24 or /64 of it; "" on this machine
        self._in_transaction = False
        self._is_binary = False  # BODY=BINARYMIME
        self.requires_tls = False  # REQUIRETLS (RFC 8689)
        self._chunks = Chunks()
        # Replies to pipelined commands, on their way out together.
        self._held = b""
        # aiosmtpd keeps this in its class, shared by all connections, and EHLO adds to it.
        self.command_size_limits = collections.defaultdict(lambda: limits.SMTP_COMMAND_OCTETS)
        super().__init__(
            self,
            data_size_limit=settings.HOSTMAIL_MAX_MESSAGE,
            enable_SMTPUTF8=True,
            hostname=sessions.hostname,
            ident="ESMTP Hostmail",
            tls_context=None if over_tls else sessions.tls,
            timeout=limits.SMTP_COMMAND_SECONDS,
            auth_require_tls=True,
            loop=loop,
        )
        # asyncio keeps the reader weakly, and strongly until the connection stands.
        reader = CommandReader(limit=self.line_length_limit, loop=loop)
        self._strong_reader = reader
        self._stream_reader_wr = weakref.ref(reader)

    # --- connection ---------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.peer_address = proxy.peer_of(transport)
        self.sessions.open.add(self)
        self.sessions.by_address[self.peer_address] += 1
        self._network = network_key(self.peer_address)
        self.sessions.by_network[self._network] += 1
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        self.sessions.open.discard(self)
        self._chunks.forget(self)
        self.sessions.by_address[self.peer_address] -= 1
        if self.sessions.by_address[self.peer_address] <= 0:
            del self.sessions.by_address[self.peer_address]
        self.sessions.by_network[self._network] -= 1
        if self.sessions.by_network[self._network] <= 0:
            del self.sessions.by_network[self._network]
        super().connection_lost(error)

    async def _handle_client(self) -> None:
        try:
            if self._is_crowded():
                await self.hang_up("421 4.7.0 Too many connections, please try again later")
            await self.meet()
            await super()._handle_client()
        except (ConnectionResetError, BrokenPipeError, TimeoutError):
            log.debug("connection lost: %s", self.peer_address)

    def _is_crowded(self) -> bool:
        of_network = self.sessions.by_network[self._network] if self._network else 0
        return (
            len(self.sessions.open) > limits.SMTP_SESSIONS
            or self.sessions.by_address[self.peer_address] > limits.SMTP_SESSIONS_PER_ADDRESS
            or of_network > limits.SMTP_SESSIONS_PER_NETWORK
        )

    async def meet(self) -> None:
        """What is done before the greeting; hang_up() where there shall be none."""

    async def hang_up(self, text: str) -> NoReturn:
        """Say text and go. Whatever is here of the client is read by nobody."""
        await self.say(text)
        self._writer.close()
        raise ConnectionResetError("we hung up")

    def say_goodbye(self) -> None:
        """Close at the end of the process."""
        if self.transport is not None:
            if not self._in_transaction:
                self._writer.write(b"421 4.3.2 Shutting down\r\n")
            self.transport.close()

    def __init_subclass__(cls) -> None:
        cls._hooks = [name for name in dir(cls) if name.startswith(("smtp_", "handle_", "auth_"))]

    def __dir__(self) -> list[str]:
        """What aiosmtpd looks for in each new session: reading every attribute there is took it 0.3 ms."""
        return self._hooks

    def _reset_timeout(self, duration: float | None = None) -> None:
        """Move the deadline; its timer looks when it fires. A timer for each command costs more than most."""
        seconds = duration or self._timeout_duration
        self._deadline = self.loop.time() + seconds
        if self._timeout_handle is None or duration is not None:
            super()._reset_timeout(seconds)

    def _timeout_cb(self) -> None:
        left = self._deadline - self.loop.time()
        if left > 0:
            super()._reset_timeout(left)
            return
        if self.transport is not None:
            self._writer.write(b"421 4.4.2 Timed out\r\n")
        super()._timeout_cb()  # type: ignore[no-untyped-call]

    async def push(self, status: str | bytes) -> None:
        """Send a reply, with an enhanced status code where aiosmtpd has none (RFC 2034)."""
        text = status.decode() if isinstance(status, bytes) else status
        code = text[:3]
        if code in _DEFAULT_CODES and text[3:4] == " " and not _ENHANCED.match(text) and self._is_extended():
            text = f"{code} {_DEFAULT_CODES[code]} {text[4:]}"
        if code[0] in "45" and code != "421":
            self.errors += 1
            if self.errors >= limits.SMTP_ERRORS:
                await self.hang_up(f"{text}\r\n421 4.7.0 Too many errors, goodbye")
        if code[0] != "3" and code not in _AT_ONCE and b"\n" in self._reader._buffer:  # type: ignore[attr-defined]
            # The next command is here already: its reply goes out with this one, in one write (RFC 2920).
            self._held += text.encode() + b"\r\n"
        else:
            await self.say(text)

    async def say(self, text: str) -> None:
        """Write text and whatever replies were held for it."""
        self._writer.write(self._held + text.encode() + b"\r\n")
        self._held = b""
        await self._writer.drain()

    async def say_held(self) -> None:
        """Write what was held: the next command is here, and takes its time."""
        if self._held:
            self._writer.write(self._held)
            self._held = b""
            await self._writer.drain()

    def _is_extended(self) -> bool:
        return self.session is not None and self.session.extended_smtp

    async def handle_exception(self, error: Exception) -> str:
        """Our fault is temporary for the client: better late than lost (aiosmtpd says 500)."""
        if isinstance(error, MailError):
            return error.smtp_reply()
        if isinstance(error, TLSSetupException | ConnectionError):
            log.info("%s: %r", self.peer_address, error)
        else:
            log.error("SMTP session of %s failed", self.peer_address, exc_info=error)
        return Unexpected().smtp_reply()

    # --- commands -----------------------------------------------------------------------------------

    async def smtp_EHLO(self, hostname: str) -> None:
        if not hostname:
            await self.push("501 5.5.4 Syntax: EHLO hostname")
            return
        self._set_rset_state()  # type: ignore[no-untyped-call]
        assert self.session is not None
        self.session.extended_smtp = True
        self.session.host_name = hostname[: limits.DOMAIN_OCTETS]
        words = [
            self.hostname,
            "PIPELINING",
            f"SIZE {settings.HOSTMAIL_MAX_MESSAGE}",
            "8BITMIME",
            "SMTPUTF8",
            "CHUNKING",
            "BINARYMIME",
            f"LIMITS RCPTMAX={limits.SMTP_RECIPIENTS}",  # RFC 9422
            *(["REQUIRETLS"] if self.over_tls else []),  # RFC 8689 §2: never in clear
            "ENHANCEDSTATUSCODES",
        ]
        if self.is_submission:
            words += ["DSN", release.offer(clock.now())]
        if self.tls_context and not self.over_tls:
            words.append("STARTTLS")
        if mechanisms := self.offered_mechanisms():
            words.append(f"AUTH {' '.join(mechanisms)}")
        lines = [f"250-{word}" for word in words[:-1]] + [f"250 {words[-1]}"]
        await self.say("\r\n".join(lines))

    async def smtp_HELO(self, hostname: str) -> None:
        if not hostname:
            await self.push("501 Syntax: HELO hostname")
            return
        self._set_rset_state()  # type: ignore[no-untyped-call]
        assert self.session is not None
        self.session.extended_smtp = False
        self.session.host_name = hostname[: limits.DOMAIN_OCTETS]
        await self.push(f"250 {self.hostname}")

    def offered_mechanisms(self) -> list[str]:
        """What AUTH offers on this connection; nothing on port 25."""
        return []

    async def smtp_STARTTLS(self, arg: str) -> None:
        """RFC 3207. What came before the handshake is thrown away, and all state with it."""
        if arg:
            await self.push("501 Syntax: STARTTLS")
            return
        if self.over_tls or self.tls_context is None:
            await self.push("503 5.5.1 TLS is active already")
            return
        await self.push("220 Ready to start TLS")
        self._reader._buffer.clear()  # type: ignore[attr-defined]
        plain = cast(asyncio.Transport, self.transport)  # uvloop's is none of asyncio's classes
        # The loop's own TLS: aiosmtpd would make asyncio's, which holds 256 KiB for each connection.
        try:
            transport = await self.loop.start_tls(
                plain,
                self,
                self.tls_context,
                server_side=True,
                ssl_handshake_timeout=limits.TLS_HANDSHAKE_SECONDS,
            )
        except (ssl.SSLError, OSError, TimeoutError) as error:
            raise ConnectionResetError("TLS handshake failed") from error
        if transport is None:
            raise ConnectionResetError("TLS handshake failed")
        self.transport = transport
        self._reader._transport = transport  # type: ignore[attr-defined]
        self._writer._transport = transport  # type: ignore[attr-defined]
        self._over_ssl = True
        self.over_tls = True
        assert self.session is not None
        self.session.extended_smtp = False
        self.session.host_name = None
        self.session.authenticated = None
        self._set_rset_state()  # type: ignore[no-untyped-call]
        self._reset_timeout()

    def tls_words(self) -> tuple[str, str]:
        """Version and cipher of this connection, or empty."""
        found = self.transport.get_extra_info("ssl_object") if self.over_tls and self.transport else None
        if found is None:
            return "", ""
        cipher = found.cipher()
        return str(found.version() or ""), str(cipher[0]) if cipher else ""

    def _getaddr(self, arg: str) -> tuple[str | None, str | None]:
        """The address and the rest of a MAIL or RCPT argument, as RFC 5321 §4.1.2 writes them.

        Instead of aiosmtpd's, which takes 0.3 ms and everything that a header field may hold: comments,
        blanks, source routes. What stands here for an address is judged by parse_path.
        """
        if match := _PATH.match(arg):
            return match[1], match[2] or ""
        if arg.startswith("<>"):
            return "<>", arg[2:].strip()
        return None, None

    async def smtp_MAIL(self, arg: str | None) -> None:
        """aiosmtpd knows nothing of BINARYMIME (RFC 3030 §3)."""
        found: dict[str, str] = {}
        if arg and "BINARYMIME" in arg.upper() and self._is_extended():
            arg, found = dsn.take(arg, dsn.BODY)
        requires = False
        if arg and self.over_tls and self._is_extended():
            arg, requires = wishes.take(arg)
        if self.envelope is not None and not self.envelope.mail_from:
            self.requires_tls = requires
        if self.envelope is not None and not self.envelope.mail_from:
            self._is_binary = found.get("BODY") == "BINARYMIME"
        await super().smtp_MAIL(arg)

    async def smtp_RCPT(self, arg: str | None) -> None:
        """RFC 5321 §4.5.1: postmaster without a domain is the one of this host."""
        if self._chunks.is_begun:
            raise BadSequence
        await super().smtp_RCPT(arg and _POSTMASTER.sub(rf"\1<postmaster@{self.hostname}>", arg))

    async def smtp_VRFY(self, arg: str) -> None:
        await self.push("252 2.5.0 Send some mail, and see" if arg else "501 Syntax: VRFY <address>")

    async def smtp_HELP(self, arg: str) -> None:
        await self.push("214 2.0.0 RFC 5321")

    # --- DATA and BDAT ------------------------------------------------------------------------------

    async def smtp_DATA(self, arg: str) -> None:
        if await self.check_helo_needed() or await self.check_auth_needed("DATA"):
            return
        assert self.envelope is not None
        if not self.envelope.rcpt_tos:
            await self.push("503 5.5.1 Error: need RCPT command")
            return
        if arg:
            await self.push("501 Syntax: DATA")
            return
        if self._is_binary or self._chunks.is_begun:
            raise BadSequence("A binary message, or one that has begun with BDAT, comes by BDAT alone")
        self._in_transaction = True
        try:
            await self.push("354 End data with <CR><LF>.<CR><LF>")
            raw = await self._read_data()
            reply = await self.receive(raw)
        except MailError as error:
            reply = error.smtp_reply()
        finally:
            self._in_transaction = False
            self._set_post_data_state()
        await self.push(reply)

    async def smtp_BDAT(self, arg: str | None) -> None:
        """RFC 3030 §2. After a refused chunk the transaction is over: what of it follows is refused, too."""
        self._in_transaction = True
        is_over = True
        try:
            raw = await self._chunks.take(self, arg)
            is_over = raw is not None
            reply = "250 2.0.0 OK" if raw is None else await self.receive(raw)
        except MailError as error:
            reply = error.smtp_reply()
        except Hopeless as error:
            await self.hang_up(f"{error}\r\n421 4.7.0 Nobody knows where the next command is, goodbye")
        finally:
            self._in_transaction = False
            if is_over:
                self._set_post_data_state()
        await self.push(reply)

    async def in_lines(self, raw: bytes) -> bytes:
        """raw, its binary parts in base64 if it may have such that are not made of lines."""
        if not self._is_binary:
            return raw
        if len(raw) > limits.LOOP_OCTETS:
            return await self.loop.run_in_executor(None, binary.in_lines, raw)
        return binary.in_lines(raw)

    def _set_post_data_state(self) -> None:
        super()._set_post_data_state()  # type: ignore[no-untyped-call]
        self._is_binary = False
        self._chunks.forget(self)

    async def receive(self, raw: bytes) -> str:
        """What becomes of a whole message: the reply, after it is durable. Raises MailError."""
        raise Unexpected

    async def _read_data(self) -> bytes:
        """The message, unstuffed, without its end. Raises MailError after the end was read."""
        reader: Any = self._reader
        buffer: bytearray = reader._buffer
        limit: int = settings.HOSTMAIL_MAX_MESSAGE
        deadline = self.loop.time() + limits.SMTP_DATA_SECONDS
        data = Data()
        trouble: MailError | None = None
        counted = 0
        command_limit = reader._limit
        # With the limit for commands the socket would pause after every 4 KiB.
        reader._limit = limits.SMTP_CHUNK_OCTETS
        try:
            while True:
                if not buffer:
                    if reader.at_eof():
                        raise ConnectionResetError
                    await reader._wait_for_data("DATA")
                    continue
                grown = len(buffer)
                ended = data.take(buffer)
                reader._maybe_resume_transport()
                if ended:
                    break
                self._reset_timeout()
                if trouble is None:
                    counted += grown
                    self.sessions.octets += grown
                    if counted > limit + 4:
                        trouble = MessageTooBig()
                    elif (
                        self.sessions.octets > limits.SMTP_OCTETS_IN_HAND
                        and counted > limits.SMTP_SMALL_OCTETS
                    ):
                        trouble = Busy("Too much mail at once, please try again later")
                if trouble is not None:
                    data.drop()
                if self.loop.time() > deadline:
                    raise ConnectionResetError("DATA took too long")
        finally:
            reader._limit = command_limit
            self.sessions.octets -= counted
        if trouble is None and data.octets > limit:
            trouble = MessageTooBig()
        if trouble is not None:
            raise trouble
        return data.message()
