"""Port 25: mail from other hosts. Each hook turns wire words into one call of services.inbound."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from aiosmtpd.smtp import Envelope, Session

from mailcore import limits
from mailcore.errors import BadAddress, MailError, TooManyRecipients
from mailcore.message.address import parse_path
from mailcore.services import inbound, mail_log, messages, senders
from mailcore.smtp.data import refuse_bare_line_ends
from mailcore.smtp.protocol import Protocol, Sessions
from mailcore.smtp.verify import verify

if TYPE_CHECKING:
    from mailcore.server import Maild


class MX(Protocol):
    """A remote host, or a stranger, handing us mail."""

    def __init__(self, maild: Maild, sessions: Sessions, loop: asyncio.AbstractEventLoop) -> None:
        self.maild = maild
        self.transaction: inbound.Transaction | None = None
        super().__init__(sessions, over_tls=False, loop=loop)

    def _set_post_data_state(self) -> None:
        super()._set_post_data_state()
        self.transaction = None

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
        except MailError as error:
            mail_log.rejected(
                self.peer_address, error.smtp_reply(), sender=self.transaction.reverse_path,
                recipient=address, helo=self.transaction.helo, protocol=self.transaction.protocol,
            )  # fmt: skip
            raise
        self.transaction.recipients.append(accepted)
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def receive(self, raw: bytes) -> str:
        assert self.transaction is not None
        lines = await self.in_lines(raw)
        refuse_bare_line_ends(lines)
        if senders.is_checked(self.transaction.peer):
            # It may wait for DNS for long: until then the mail counts as in hand.
            self.sessions.octets += len(raw)
            try:
                # What was signed is what came.
                await verify(self.maild, self.transaction, raw)
            finally:
                self.sessions.octets -= len(raw)
        # A small report may unpack to a large one.
        octets = limits.LOOP_OCTETS + 1 if self.transaction.is_report else len(lines)
        return await drive(self.maild, inbound.receive(self.transaction, lines), octets)


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
