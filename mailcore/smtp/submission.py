"""Ports 587 and 465: mail from our own people's programs (RFC 6409, RFC 8314). AUTH is RFC 4954.

Each hook turns wire words into one call of services.outbound. Nobody sends before they have signed in, and
nobody signs in over a line that others can read.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import re
from base64 import b64encode
from dataclasses import replace
from typing import TYPE_CHECKING

from aiosmtpd.smtp import Envelope, Session

from mailcore import limits, sasl
from mailcore.errors import (
    BadAddress,
    BadSyntax,
    LoginFailed,
    LoginTooWeak,
    MailError,
    TooManyRecipients,
)
from mailcore.message.address import parse_path
from mailcore.models import Submission
from mailcore.outside import clock, reach, tls
from mailcore.services import doors, mailboxes, outbound, queue
from mailcore.services.messages import Unit
from mailcore.smtp import dsn, release
from mailcore.smtp.mx import protocol_word
from mailcore.smtp.protocol import Protocol, Sessions

if TYPE_CHECKING:
    from mailcore.server import Maild

# RFC 4954 §5: who first submitted the mail, as the client says; we believe only who signed in.
_AUTH_PARAMETER = re.compile(r" +AUTH=[!-~]*(?= |\Z)", re.IGNORECASE)


class _Abandoned(Exception):
    """An AUTH exchange that ended before there were a name and a password; its reply."""


class SubmissionProtocol(Protocol):
    """One of our people's mail programs."""

    is_submission = True
    line_length_limit = limits.SMTP_AUTH_OCTETS

    def __init__(
        self, maild: Maild, sessions: Sessions, *, over_tls: bool, loop: asyncio.AbstractEventLoop
    ) -> None:
        self.maild = maild
        self.login: doors.Login | None = None
        self.failed_logins = 0
        self.origin: outbound.Origin | None = None
        self.recipients: list[outbound.Recipient] = []
        # What MAIL and the present RCPT say of reports (RFC 3461).
        self.mail_dsn: dict[str, str] = {}
        self.wish = queue.NO_WISH
        # When MAIL says that it shall leave (RFC 4865).
        self.hold_until: dt.datetime | None = None
        super().__init__(sessions, over_tls=over_tls, loop=loop)
        self._auth_required = True
        self.command_size_limits["AUTH"] = limits.SMTP_AUTH_OCTETS

    def _set_post_data_state(self) -> None:
        super()._set_post_data_state()
        self.origin = None
        self.recipients = []

    # --- signing in -------------------------------------------------------------------------------------

    def offered_mechanisms(self) -> list[str]:
        if not self._is_private() or self._is_signed_in():
            return []
        return ["PLAIN", "LOGIN", *sasl.scram_mechanisms(self._endpoint())]

    def _endpoint(self) -> bytes:
        return tls.endpoint_of(self.transport) if self.over_tls else b""

    def _is_signed_in(self) -> bool:
        return self.session is not None and bool(self.session.authenticated)

    def _is_private(self) -> bool:
        """Whether a password may cross this line: TLS, or one that never leaves this machine if set so."""
        if self.over_tls:
            return True
        return self.transport is not None and reach.may_login_in_clear(self.transport)

    async def smtp_AUTH(self, arg: str | None) -> None:
        if await self.check_helo_needed("EHLO"):
            return
        if self._is_signed_in() or (self.envelope is not None and self.envelope.mail_from):
            # RFC 4954 §4: once, and never during a mail transaction.
            await self.push("503 5.5.1 AUTH is not possible now")
            return
        mechanism, _, initial = (arg or "").strip(" ").partition(" ")
        if not self._is_private():
            await self.push(LoginTooWeak().smtp_reply())
            return
        try:
            if mechanism.upper() in sasl.scram_mechanisms(self._endpoint()):
                login = await self._scram(mechanism.upper(), initial.strip(" "))
            elif mechanism.upper() == "PLAIN":
                login = await self._by_password(*sasl.plain(await self._answer(initial.strip(" "), b"")))
            elif mechanism.upper() == "LOGIN":
                name = _text(await self._answer(initial.strip(" "), b"VXNlcm5hbWU6"))
                login = await self._by_password(name, _text(await self._answer("", b"UGFzc3dvcmQ6")))
            else:
                known = arg is not None
                await self.push(
                    "504 5.5.4 Unknown mechanism" if known else "501 5.5.4 Syntax: AUTH mechanism"
                )
                return
        except _Abandoned as ended:
            await self.push(str(ended))
        except BadSyntax as error:
            await self.push(error.smtp_reply())
        except MailError as error:
            await self._refuse(error)
        else:
            assert self.session is not None
            self.login = login
            self.session.authenticated = True
            await self.push("235 2.7.0 Signed in")

    async def _scram(self, mechanism: str, initial: str) -> doors.Login:
        """RFC 5802 §5. What proves us is a challenge, which an empty line answers (RFC 4954 §4)."""
        exchange = mailboxes.Exchange(
            mechanism, protocol="smtp", peer=self.peer_address, endpoint=self._endpoint()
        )
        challenge = await self.maild.call(exchange.first, await self._answer(initial, b""))
        signature = await self.maild.call(exchange.final, await self._answer("", b64encode(challenge)))
        if await self._answer("", b64encode(signature)):
            raise BadSyntax("Nothing is left to be said")
        assert exchange.login is not None
        return exchange.login

    async def _answer(self, initial: str, challenge: bytes) -> bytes:
        """The client's answer, decoded: the initial one (RFC 4954 §4), or its next line after a challenge."""
        if initial:
            return sasl.decode(initial.encode("utf-8", "surrogateescape"))
        await self.say(f"334 {challenge.decode()}")
        self._reset_timeout()
        try:
            line = await self._reader.readuntil(b"\n")
        except asyncio.LimitOverrunError as error:
            # Nobody has such a password; and what follows it is no command.
            await self.say("500 5.5.6 That line is too long")
            raise ConnectionResetError from error
        except asyncio.IncompleteReadError as error:
            raise ConnectionResetError from error
        self._reset_timeout()
        line = line.removesuffix(b"\n").removesuffix(b"\r")
        if line == b"*":
            raise _Abandoned("501 5.7.0 AUTH was cancelled")
        return sasl.decode(line)

    async def _by_password(self, name: str, password: str) -> doors.Login:
        return await self.maild.call(
            mailboxes.authenticate, name, password, protocol="smtp", peer=self.peer_address
        )

    async def _refuse(self, error: MailError) -> None:
        """Say no, slowly where guessing shall be slow; hang up on who keeps trying."""
        await asyncio.sleep(getattr(error, "wait_seconds", 0.0))
        self.failed_logins += 1
        if self.failed_logins >= limits.SMTP_AUTH_FAILURES:
            await self.say(f"{error.smtp_reply()}\r\n421 4.7.0 Too many failed logins, goodbye")
            self._writer.close()
        elif isinstance(error, LoginFailed):
            await self.push(error.smtp_reply())
        else:
            # RFC 4954 §6 knows no other words for a mailbox or a tenant that is suspended, or a busy server.
            code = "454 4.7.0" if error.retry else "535 5.7.8"
            await self.push(f"{code} {error.public.encode('ascii', 'replace').decode()}")

    # --- mail -------------------------------------------------------------------------------------------

    async def smtp_MAIL(self, arg: str | None) -> None:
        arg = None if arg is None else _AUTH_PARAMETER.sub("", arg)
        self.mail_dsn, self.hold_until = {}, None
        if arg and "=" in arg and self._is_extended():
            arg, self.mail_dsn = dsn.take(arg, dsn.MAIL)
            arg, self.hold_until = release.take(arg, clock.now())
        await super().smtp_MAIL(arg)

    async def smtp_RCPT(self, arg: str | None) -> None:
        self.wish = queue.NO_WISH
        if arg and "=" in arg and self._is_extended():
            arg, found = dsn.take(arg, dsn.RCPT)
            self.wish = queue.Wish(found.get("NOTIFY", ""), found.get("ORCPT", ""))
        await super().smtp_RCPT(arg)

    async def handle_MAIL(
        self, server: Protocol, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        assert self.login is not None
        if not await self.maild.look(doors.is_still_good, self.login):
            session.authenticated = False
            return "530 5.7.0 Please sign in again"
        reverse_path = "" if address == "<>" else str(parse_path(address))
        _check_utf8(reverse_path, envelope)
        await self.maild.look(outbound.accept_sender, self.login.mailbox_id, self.login.user_id, reverse_path)
        protocol = protocol_word(
            extended=session.extended_smtp, tls=self.over_tls, utf8=envelope.smtp_utf8, authenticated=True
        )
        self.origin = outbound.Origin(
            self.login.mailbox_id,
            self.login.user_id,
            Submission.Source.SMTP,
            reverse_path,
            protocol=protocol,
            peer=self.peer_address,
            smtputf8=envelope.smtp_utf8,
            ret=self.mail_dsn.get("RET", ""),
            envid=self.mail_dsn.get("ENVID", ""),
            hold_until=self.hold_until,
            requires_tls=self.requires_tls,
        )
        # aiosmtpd asks "is there a sender?" by truth: the null path keeps its brackets here.
        envelope.mail_from = address
        return "250 2.1.0 OK"

    async def handle_RCPT(
        self, server: Protocol, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if len(envelope.rcpt_tos) >= limits.SMTP_RECIPIENTS:
            raise TooManyRecipients
        _check_utf8(address, envelope)
        assert self.login is not None
        accepted = await self.maild.look(outbound.accept_recipient, address, self.login.tenant_id)
        self.recipients.append(accepted if self.wish is queue.NO_WISH else replace(accepted, wish=self.wish))
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def receive(self, raw: bytes) -> str:
        assert self.origin is not None
        raw = await self.in_lines(raw)
        steps = outbound.steps(self.origin, raw, self.recipients)
        # Judging and signing take a millisecond and ask the database; a big message takes longer.
        begin = self.maild.look if len(raw) <= limits.LOOP_OCTETS else self.maild.call
        unit = await begin(_first, steps)
        filed = await self.maild.clerk.file(unit)
        try:
            steps.send(filed)
        except StopIteration as done:
            return f"250 2.0.0 OK: queued as {done.value.trace}"
        raise AssertionError("a submission is one unit")


def _first(steps: outbound.Steps) -> Unit:
    return next(steps)


def _text(octets: bytes) -> str:
    if b"\0" in octets:
        raise BadSyntax("NUL is not allowed there")
    try:
        return octets.decode()
    except UnicodeDecodeError as error:
        raise LoginFailed from error


def _check_utf8(address: str, envelope: Envelope) -> None:
    if not address.isascii() and not envelope.smtp_utf8:
        raise BadAddress("That address needs SMTPUTF8")
