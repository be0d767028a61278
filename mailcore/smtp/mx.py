"""Port 25: mail from other hosts. Each hook turns wire words into one call of services.inbound."""

from __future__ import annotations

import asyncio
import contextlib
import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from aiosmtpd.smtp import Envelope, Session
from django.conf import settings

from mailcore import limits
from mailcore.errors import BadAddress, MailError, NoSuchAddress, TooManyRecipients
from mailcore.message.address import parse_path
from mailcore.services import inbound, mail_log, messages, newcomers, reports, senders, strangers
from mailcore.smtp.data import refuse_bare_line_ends
from mailcore.smtp.protocol import Protocol, Sessions
from mailcore.smtp.verify import verify

if TYPE_CHECKING:
    from mailcore.server import Maild

P = ParamSpec("P")
T = TypeVar("T")

_EARLY = "421 4.7.0 You spoke before your turn, goodbye"


class MX(Protocol):
    """A remote host, or a stranger, handing us mail."""

    def __init__(self, maild: Maild, sessions: Sessions, loop: asyncio.AbstractEventLoop) -> None:
        self.maild = maild
        self.transaction: inbound.Transaction | None = None
        self.is_counted = False  # a host outside, of which services.strangers keeps count
        self.is_known = False  # and of which something good came lately
        self.guesses = 0
        self.newcomers: list[tuple[str, str, str]] = []  # of this transaction, whom a domain lets wait
        super().__init__(sessions, over_tls=False, loop=loop)

    async def meet(self) -> None:
        """A stranger is counted; one that we have had nothing good of waits, and must not speak meanwhile."""
        if not senders.is_stranger(self.peer_address):
            return
        self.is_counted = True
        try:
            self.is_known = await self._count(strangers.arrive, self.peer_address)
        except MailError as error:
            await self.hang_up(error.smtp_reply())
        if not self.is_known and await self._speaks_first():
            await self.hang_up(_EARLY)

    async def _count(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Counts may be a network away."""
        call = functools.partial(function, *args, **kwargs)
        return await asyncio.get_running_loop().run_in_executor(None, call)

    async def _speaks_first(self) -> bool:
        """Whether the client says something before we do (RFC 5321 §4.3.1): programs that only send do."""
        reader = self._reader
        if not reader._buffer:  # type: ignore[attr-defined]
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(settings.HOSTMAIL_MX_BANNER_SECONDS):
                    await reader._wait_for_data("greeting")  # type: ignore[attr-defined]
        if reader.at_eof():
            raise ConnectionResetError
        return bool(reader._buffer)  # type: ignore[attr-defined]

    async def smtp_EHLO(self, hostname: str) -> None:
        """RFC 2920 §3.1: nobody sends more before our answer has told what we can do."""
        if self.is_counted and not self.is_known and self._reader._buffer:  # type: ignore[attr-defined]
            await self.hang_up(_EARLY)
        await super().smtp_EHLO(hostname)

    async def _meet_newcomer(self, recipient: inbound.Recipient) -> None:
        """As its domain wants. Raises Greylisted."""
        assert self.transaction is not None
        boxes = [hop.mailbox_id for hop in recipient.route.hops]
        triplet = self.peer_address, self.transaction.reverse_path, recipient.address
        how = await self.maild.look(newcomers.choice, recipient.address, boxes, triplet[1])
        if how == newcomers.GREYLIST:
            await self._count(newcomers.greet, *triplet)
        elif how == newcomers.DELAY and not await self._count(newcomers.has_met, *triplet):
            self.newcomers.append(triplet)

    async def _wait_for_newcomers(self, octets: int) -> None:
        """Hold the reply. Who hangs up meanwhile ends this task, and has delivered nothing."""
        self.sessions.octets += octets
        try:
            await asyncio.sleep(limits.NEWCOMER_DELAY_SECONDS)
        finally:
            self.sessions.octets -= octets
        for triplet in self.newcomers:
            await self._count(newcomers.meet, *triplet)

    async def _slow_down(self) -> None:
        """The more addresses somebody asks for that are none, the longer each answer takes."""
        self.guesses += 1
        try:
            await self._count(strangers.guess, self.peer_address)
        except MailError as error:
            await self.hang_up(error.smtp_reply())
        seconds = min(self.guesses - limits.SMTP_FREE_GUESSES, limits.SMTP_TARPIT_SECONDS)
        if seconds > 0:
            await self.say_held()
            await asyncio.sleep(seconds)

    def _set_post_data_state(self) -> None:
        super()._set_post_data_state()
        self.transaction = None
        self.newcomers = []

    async def smtp_AUTH(self, arg: str) -> None:
        await self.push("503 5.5.1 No authentication here; send your own mail to the submission port")

    async def handle_MAIL(
        self, server: Protocol, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        reverse_path = "" if address == "<>" else str(parse_path(address))
        if not reverse_path.isascii() and not envelope.smtp_utf8:
            raise BadAddress("That address needs SMTPUTF8")
        tls_version, tls_cipher = self.tls_words()
        self.transaction = inbound.Transaction(
            peer=self.peer_address,
            helo=session.host_name or "",
            protocol=protocol_word(
                extended=session.extended_smtp, tls=bool(tls_version), utf8=envelope.smtp_utf8
            ),
            tls_version=tls_version,
            tls_cipher=tls_cipher,
            reverse_path=reverse_path,
            smtputf8=envelope.smtp_utf8,
            requires_tls=self.requires_tls,
        )
        # aiosmtpd asks "is there a sender?" by truth: the null path keeps its brackets here.
        envelope.mail_from = address
        return "250 2.1.0 OK"

    async def handle_RCPT(
        self, server: Protocol, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        assert self.transaction is not None
        if len(envelope.rcpt_tos) >= limits.SMTP_RECIPIENTS:
            raise TooManyRecipients
        try:
            accepted = await self.maild.look(inbound.accept_recipient, self.transaction, address)
            if self.is_counted and not self.is_known and accepted.sent is None:
                await self._meet_newcomer(accepted)
        except MailError as error:
            mail_log.rejected(
                self.peer_address, error.smtp_reply(), sender=self.transaction.reverse_path,
                recipient=address, helo=self.transaction.helo, protocol=self.transaction.protocol,
            )  # fmt: skip
            if self.is_counted and isinstance(error, NoSuchAddress):
                await self._slow_down()
            raise
        self.transaction.recipients.append(accepted)
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def receive(self, raw: bytes) -> str:
        assert self.transaction is not None
        lines = await self.in_lines(raw)
        refuse_bare_line_ends(lines)
        if self.is_counted:
            await self._count(strangers.bring, self.transaction.peer, len(self.transaction.recipients))
        if senders.is_checked(self.transaction.peer):
            # It may wait for DNS for long: until then the mail counts as in hand.
            self.sessions.octets += len(raw)
            try:
                # What was signed is what came.
                await verify(self.maild, self.transaction, raw)
            finally:
                self.sessions.octets -= len(raw)
        if self.newcomers:
            await self._wait_for_newcomers(len(raw))
        self._note_for_report()
        # A small report may unpack to a large one.
        octets = limits.LOOP_OCTETS + 1 if self.transaction.is_report else len(lines)
        reply = await drive(self.maild, inbound.receive(self.transaction, lines), octets)
        if self.is_counted and not self.is_known and inbound.is_good(self.transaction):
            self.is_known = True
            await self._count(strangers.prove, self.transaction.peer)
        return reply

    def _note_for_report(self) -> None:
        """Note the mail for the report that its author's domain wants; written once a minute."""
        assert self.transaction is not None
        verdict, disposition = self.transaction.verdict, self.transaction.disposition
        # Reports are counted in none: two services would report on each other for ever.
        if verdict is None or self.transaction.is_report:
            return
        if reports.counts.note(verdict, disposition.applied if disposition else "none"):
            loop = asyncio.get_running_loop()
            loop.call_later(limits.DMARC_FLUSH_SECONDS, self.maild.call, reports.counts.flush)


async def drive(maild: Maild, steps: inbound.Steps, octets: int) -> str:
    """Run a generator that yields units to be filed until it returns the reply.

    The first step scans and compresses, and a big message's body goes to a file: all that in a thread,
    so that it does not hold up everybody else's small ones.
    """
    if octets > limits.LOOP_OCTETS:
        unit = await asyncio.get_running_loop().run_in_executor(None, _prepared, steps)
    else:
        unit = next(steps)
    try:
        while True:
            try:
                filed = await maild.clerk.file(unit)
            except MailError as error:
                unit = steps.throw(error)
            else:
                unit = steps.send(filed)
    except StopIteration as done:
        return str(done.value)


def _prepared(steps: inbound.Steps) -> messages.Unit:
    unit = next(steps)
    messages.store_bodies(unit)
    return unit


def protocol_word(*, extended: bool, tls: bool, utf8: bool, authenticated: bool = False) -> str:
    """What the Received field's "with" says (RFC 3848, RFC 6531 §4.3)."""
    if not extended:
        return "SMTP"
    return ("UTF8SMTP" if utf8 else "ESMTP") + ("S" if tls else "") + ("A" if authenticated else "")
