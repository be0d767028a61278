"""One conversation with one remote mail host, over a socket, in a thread. (RFC 5321 as a client)

    talk = Conversation("mx.example.org", "192.0.2.1", 25, ehlo_name="mail.ours.example")
    talk.open()                                          # raises Failed
    for each in talk.transmit(path, recipients, raw):    # never raises for what the host says or does
        each.recipient, each.reply
    talk.close()

transmit() may be called again while talk.is_open: one connection carries many messages. Commands are
pipelined when the host offers it (RFC 2920), TLS is used as the policy says (RFC 3207, RFC 7435), and every
reply is kept with its phase and its time. A surprise (disconnect, silence, garbage, 421) is temporary, and
says in words what happened: better late than lost. Called by services/outbound; rows are not known here.
"""

import base64
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from ipaddress import ip_address
from typing import Literal

from mailcore import limits
from mailcore.outside import clock
from mailcore.outside.smtp_replies import (
    RecipientReply,
    Reply,
    Surprise,
    as_recipient_reply,
    as_refusal,
    parse,
)
from mailcore.outside.smtp_wire import TLS, Body, Wire, checked_path
from mailcore.tlspolicy import tlsa
from mailcore.tlspolicy.tlsrpt import Result

Policy = Literal["none", "opportunistic", "required", "verified", "dane"]


class Failed(Exception):
    """The conversation cannot be had; reply says why. Whatever it is, another host may do better."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(str(reply))
        self.reply = reply


# --- How long to wait, and for a smart host who we are ---------------------------------------------------


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds for a whole reply in each phase (RFC 5321 §4.5.3.2)."""

    connect: float = limits.REMOTE_CONNECT_SECONDS
    greeting: float = limits.REMOTE_GREETING_SECONDS
    ehlo: float = limits.REMOTE_HELO_SECONDS
    starttls: float = limits.REMOTE_TLS_SECONDS
    auth: float = limits.REMOTE_MAIL_SECONDS
    mail: float = limits.REMOTE_MAIL_SECONDS
    rcpt: float = limits.REMOTE_RCPT_SECONDS
    data: float = limits.REMOTE_DATA_SECONDS
    block: float = limits.REMOTE_BLOCK_SECONDS
    end: float = limits.REMOTE_END_SECONDS
    quit: float = limits.REMOTE_QUIT_SECONDS


@dataclass(frozen=True, slots=True)
class Credentials:
    """Name and password at a smart host (RFC 4954); never part of a reply or a log line."""

    user: str
    password: str = field(repr=False)


# --- The conversation ------------------------------------------------------------------------------------


class Conversation:
    """See the module. Attributes of use afterwards: replies, tls, notes, extensions, is_open.

    policy: "none" never asks for TLS; "opportunistic" takes any that works and goes on without if none does;
    "required" wants TLS with whatever certificate; "verified" wants a certificate that is good for host;
    "dane" one that records name, of a host that goes by one of names (the first is told to it).
    With requiretls the host must offer REQUIRETLS too, and every message carries it (RFC 8689).
    notes are short remarks for the record of the attempt; tls_failure is for TLS reports (RFC 8460 §4.3).
    """

    def __init__(
        self,
        host: str,
        address: str,
        port: int,
        *,
        ehlo_name: str,
        policy: Policy = "opportunistic",
        names: Sequence[str] = (),
        records: Sequence[tlsa.TLSA] = (),
        requiretls: bool = False,
        timeouts: Timeouts | None = None,
        source_address: str | None = None,
        credentials: Credentials | None = None,
    ) -> None:
        self.host, self.address, self.port = host, address, port
        self.ehlo_name = ehlo_name
        self.policy = policy
        self.names, self.records = tuple(names) or (host,), tuple(records)
        self.requiretls = requiretls
        self.own_address = ""
        self.tls_failure: Result | None = None
        self.timeouts = timeouts or Timeouts()
        self.source_address = source_address
        self.credentials = credentials
        self.tls: TLS | None = None
        self.extensions: dict[str, str] = {}
        self.replies: list[Reply] = []
        self.notes: list[str] = []
        self.transmitted = 0
        self._wire: Wire | None = None
        self._must_reset = False

    @property
    def is_open(self) -> bool:
        """Whether another message may be transmitted."""
        return self._wire is not None

    @property
    def offers_dsn(self) -> bool:
        """Whether the host makes the reports that its clients ask for (RFC 3461 §3)."""
        return "DSN" in self.extensions

    def open(self) -> None:
        """Connect, greet, protect, sign in. Raises Failed."""
        try:
            self._open(try_tls=self.policy != "none")
        except _TLSBroken as broken:
            self._drop()
            self.tls = None
            if self.policy != "opportunistic":
                raise Failed(self._keep(Reply(0, "4.7.5", broken.text, "starttls"))) from broken
            self._note(f"TLS failed, went on without: {broken.text}")
            self._open(try_tls=False)

    def _open(self, *, try_tls: bool) -> None:
        phase = "connect"
        try:
            self._wire = Wire(self.address, self.port, self.source_address, self.timeouts.connect)
            self.own_address = self._wire.own_address
            phase = "greeting"
            self._expect(phase, 220)
            phase = "ehlo"
            self._ehlo()
            if try_tls:
                phase = "starttls"
                self._start_tls()
                self._must_offer_requiretls()
            if self.credentials:
                phase = "auth"
                self._authenticate(self.credentials)
        except Surprise as surprise:
            self._drop()
            reply = Reply(surprise.code, surprise.status, surprise.text, phase)
            raise Failed(reply if surprise.code else self._keep(reply)) from surprise
        except Failed:
            self._quit()
            raise

    def transmit(
        self,
        reverse_path: str,
        recipients: Sequence[str],
        raw: bytes,
        *,
        size: int | None = None,
        smtputf8: bool = False,
        body8bit: bool | None = None,
        before_end: Callable[[], None] | None = None,
        mail_dsn: str = "",
        rcpt_dsn: Sequence[str] = (),
    ) -> list[RecipientReply]:
        """Send one message to recipients; return the end of each, in their order.

        size is for SIZE, else it is counted; body8bit, whether raw has octets above 127, else it is looked
        up. before_end is called when all is sent but the final dot: the last moment to note that the host
        may soon have the message. What it raises goes to the caller, the message is not sent. mail_dsn and
        rcpt_dsn (one for each recipient) are parameters of RFC 3461, left out where the host offers no DSN.
        """
        assert self._wire is not None, "not open"
        if not recipients:
            return []
        paths = [checked_path(recipient) for recipient in recipients]
        sender = checked_path(reverse_path, empty=True)
        body = Body(raw)
        if body8bit is None:
            body8bit = not raw.isascii()
        smtputf8 = smtputf8 or any(not path.isascii() for path in (sender, *paths))
        refusal = self._refusal(size or body.octets, smtputf8=smtputf8)
        if refusal:
            return [RecipientReply(recipient, refusal) for recipient in recipients]
        mail = self._mail_command(sender, size or body.octets, smtputf8=smtputf8, body8bit=body8bit)
        ends = [f"<{path}>" for path in paths]
        if self.offers_dsn:
            mail += mail_dsn and f" {mail_dsn}"
            wanted = rcpt_dsn or [""] * len(paths)
            ends = [end + (wish and f" {wish}") for end, wish in zip(ends, wanted, strict=True)]
        replies: list[Reply | None] = [None] * len(paths)
        phase = ["mail"]
        try:
            self._transaction(mail, ends, body, replies, phase, before_end)
        except Surprise as surprise:
            self._drop()
            lost = Reply(
                surprise.code,
                surprise.status,
                surprise.text,
                phase[0],
                is_uncertain=phase[0] == "end" and body.is_sent,
            )
            if not surprise.code:
                self._keep(lost)
            replies = [lost if reply is None or reply.is_ok else reply for reply in replies]
        except BaseException:
            self._drop()
            raise
        return [
            RecipientReply(recipient, reply)
            for recipient, reply in zip(recipients, replies, strict=True)
            if reply is not None
        ]

    def close(self) -> None:
        """Say goodbye; never raises."""
        self._quit()

    # --- opening, step by step --------------------------------------------------------------------------

    def _ehlo(self) -> None:
        reply, lines = self._ask("ehlo", f"EHLO {self.ehlo_name}")
        if reply.code in (500, 502, 504, 550, 554):  # RFC 5321 §3.2: an old host; try as in 1982
            self.extensions = {}
            self._ask_for("ehlo", f"HELO {self.ehlo_name}", 250)
            return
        self._must_be(reply, 250)
        words = [line.split(None, 1) for line in lines[1:]]
        self.extensions = {word[0].upper(): (word[1] if len(word) > 1 else "") for word in words if word}

    def _start_tls(self) -> None:
        assert self._wire is not None
        if "STARTTLS" not in self.extensions:
            self.tls_failure = Result.STARTTLS_NOT_SUPPORTED
            if self.policy != "opportunistic":
                raise Failed(self._keep(Reply(0, "4.7.4", "TLS is required, and not offered", "starttls")))
            return
        try:
            reply, _ = self._ask("starttls", "STARTTLS")
            if reply.code != 220:
                self._without_tls(reply)
                return
            self.tls = self._wire.start_tls(
                self.names[0],
                self.timeouts.starttls,
                verify=self.policy == "verified",
                objection=self._objection if self.policy == "dane" else None,
            )
            # RFC 3207 §4.2: what was said before TLS counts for nothing. In TLS 1.3 the host's objection to
            # a handshake comes only now.
            self._ehlo()
        except Surprise as surprise:
            self.tls_failure = self._wire.tls_failure
            raise _TLSBroken(surprise.text) from surprise

    def _objection(self, chain: list[bytes]) -> str:
        return tlsa.objection(chain, self.records, self.names, clock.now())

    def _must_offer_requiretls(self) -> None:
        if self.requiretls and "REQUIRETLS" not in self.extensions:
            # RFC 8689 §4.2.1: that host will not, another one may.
            text = "The sender demands TLS all the way, which the host does not promise (REQUIRETLS)"
            raise Failed(self._keep(Reply(0, "5.7.30", text, "requiretls")))

    def _without_tls(self, reply: Reply) -> None:
        self.tls_failure = Result.STARTTLS_NOT_SUPPORTED
        if self.policy != "opportunistic":
            # Somebody's mistake, or somebody in between: it may pass. (RFC 8461 §5, RFC 7672 §2.2)
            raise Failed(replace(reply, status="4.7.4") if reply.is_permanent else as_refusal(reply))
        self._note(f"STARTTLS was offered and then refused: {reply.code}")

    def _authenticate(self, credentials: Credentials) -> None:
        if self.tls is None and not ip_address(self.address).is_loopback:
            raise Failed(self._keep(Reply(0, "4.7.11", "No password without TLS", "auth")))
        mechanisms = self.extensions.get("AUTH", "").upper().split()
        user, password = credentials.user.encode(), credentials.password.encode()
        if "PLAIN" in mechanisms:  # RFC 4616
            token = base64.b64encode(b"\0" + user + b"\0" + password).decode()
            reply, _ = self._ask("auth", f"AUTH PLAIN {token}")
        elif "LOGIN" in mechanisms:  # draft-murchison-sasl-login, which many hosts still have alone
            reply, _ = self._ask("auth", "AUTH LOGIN")
            for word in (user, password):
                if reply.code == 334:
                    reply, _ = self._ask("auth", base64.b64encode(word).decode())
        else:
            raise Failed(self._keep(Reply(0, "4.7.4", "No way to sign in that we know is offered", "auth")))
        if reply.code != 235:
            # A wrong password is the operator's to mend: keep the mail until then.
            raise Failed(replace(reply, status="4.7.8") if reply.is_permanent else reply)

    # --- one message ------------------------------------------------------------------------------------

    def _refusal(self, octets: int, *, smtputf8: bool) -> Reply | None:
        """Return the reply for what this host cannot take, without asking it."""
        if smtputf8 and "SMTPUTF8" not in self.extensions:  # RFC 6531 §3.5
            return self._keep(Reply(0, "5.6.7", "The host does not take internationalised addresses", "mail"))
        limit = self.extensions.get("SIZE", "")
        if re.fullmatch("[0-9]{1,15}", limit) and 0 < int(limit) < octets:  # RFC 1870 §6.1
            text = f"The message has {octets} octets, the host takes {int(limit)}"
            return self._keep(Reply(0, "5.3.4", text, "mail"))
        return None

    def _mail_command(self, sender: str, octets: int, *, smtputf8: bool, body8bit: bool) -> str:
        command = f"MAIL FROM:<{sender}>"
        if "SIZE" in self.extensions:
            command += f" SIZE={octets}"
        if body8bit and "8BITMIME" in self.extensions:
            command += " BODY=8BITMIME"
        elif body8bit:
            # RFC 6152 §3 wants a conversion; hosts without 8BITMIME that mind eight bits are gone since long,
            # and converting would break DKIM signatures.
            self._note("sent 8-bit text without 8BITMIME")
        # Only over TLS that was demanded, as _must_offer_requiretls() saw to.
        return command + (" SMTPUTF8" if smtputf8 else "") + (" REQUIRETLS" if self.requiretls else "")

    def _transaction(
        self,
        mail: str,
        paths: Sequence[str],
        body: "Body",
        replies: list[Reply | None],
        phase: list[str],
        before_end: Callable[[], None] | None,
    ) -> None:
        """Fill replies, one for each path; phase[0] says how far it came."""
        self._envelope(mail, paths, replies, phase)
        accepted = [number for number, reply in enumerate(replies) if reply is not None and reply.is_ok]
        if phase[0] != "data":  # nobody was accepted, and DATA was not pipelined
            return
        phase[0] = "data"
        go, _ = self._answer("data")
        if go.code == 354 and not accepted:
            # RFC 2920 §3.1: DATA went ahead of the refusals; an empty message ends it.
            self._say("end", ".")
            self._answer("end")
            return
        if go.code != 354:
            for number in accepted:
                replies[number] = as_refusal(go)
            return
        phase[0] = "end"
        final = self._send(body, before_end)
        self._must_reset = not final.is_ok
        self.transmitted += final.is_ok
        for number in accepted:
            replies[number] = final

    def _envelope(
        self, mail: str, paths: Sequence[str], replies: list[Reply | None], phase: list[str]
    ) -> None:
        """RSET if needed, MAIL, RCPT for each path, DATA; phase is "data" if its reply is to be read."""
        pipelining = "PIPELINING" in self.extensions
        first = (["RSET"] if self._must_reset else []) + [mail]
        self._must_reset = True
        if not pipelining:
            for command in first:
                mail_reply, _ = self._ask("mail", command)
        size = limits.REMOTE_PIPELINED if pipelining else 1
        for start in range(0, len(paths), size):
            batch = [f"RCPT TO:{path}" for path in paths[start : start + size]]
            is_last = start + size >= len(paths)
            if pipelining:
                # All in one write: the first batch carries MAIL, the last one DATA.
                ahead = first if start == 0 else []
                self._say("rcpt", *ahead, *batch, *(["DATA"] if is_last else []))
                for _ in ahead:
                    mail_reply, _ = self._answer("mail")
            elif mail_reply.is_ok:
                self._say("rcpt", *batch)
            phase[0] = "rcpt"
            for number in range(start, start + len(batch)):
                if pipelining or mail_reply.is_ok:
                    reply = as_recipient_reply(self._answer("rcpt")[0])
                    replies[number] = reply if mail_reply.is_ok else as_refusal(mail_reply)
                else:
                    replies[number] = as_refusal(mail_reply)
        if pipelining:
            phase[0] = "data"
        elif any(reply is not None and reply.is_ok for reply in replies):
            self._say("data", "DATA")
            phase[0] = "data"

    def _send(self, body: "Body", before_end: Callable[[], None] | None) -> Reply:
        """Send the message and return the last reply."""
        assert self._wire is not None
        try:
            for block in body.blocks():
                self._wire.write(block, self.timeouts.block)
            if before_end:
                before_end()
            body.is_sent = True
            self._wire.write(b".\r\n", self.timeouts.block)
        except Surprise:
            # A host may refuse half-way and hang up: then what it said before counts. (RFC 5321 §3.8)
            reply = self._last_words()
            if reply is None:
                raise
            return reply
        return self._answer("end")[0]

    def _last_words(self) -> Reply | None:
        assert self._wire is not None
        try:
            lines, took = self._wire.read_reply(1.0)
            reply = self._keep(parse(lines, "end", took))
        except Surprise:
            return None
        self._drop()
        return None if reply.is_ok else reply

    # --- saying and hearing -----------------------------------------------------------------------------

    def _say(self, phase: str, *commands: str) -> None:
        assert self._wire is not None
        octets = "".join(f"{command}\r\n" for command in commands).encode("utf-8")
        self._wire.write(octets, getattr(self.timeouts, phase))

    def _answer(self, phase: str) -> tuple[Reply, list[str]]:
        """Read one reply; return it with its lines. 421 ends the conversation. (RFC 5321 §3.8)"""
        assert self._wire is not None
        lines, took = self._wire.read_reply(getattr(self.timeouts, phase))
        reply = self._keep(parse(lines, phase, took))
        if reply.code == 421:
            raise Surprise(reply.text, reply.status, reply.code)
        return reply, [line[4:] for line in lines]

    def _ask(self, phase: str, command: str) -> tuple[Reply, list[str]]:
        self._say(phase, command)
        return self._answer(phase)

    def _ask_for(self, phase: str, command: str, code: int) -> None:
        self._must_be(self._ask(phase, command)[0], code)

    def _expect(self, phase: str, code: int) -> None:
        self._must_be(self._answer(phase)[0], code)

    def _must_be(self, reply: Reply, code: int) -> None:
        if reply.code != code:
            raise Failed(as_refusal(reply))

    def _keep(self, reply: Reply) -> Reply:
        if len(self.replies) < limits.REMOTE_REPLIES:
            self.replies.append(reply)
        return reply

    def _note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text[: limits.REMOTE_REPLY_TEXT])

    def _quit(self) -> None:
        if self._wire is not None:
            try:
                self._wire.write(b"QUIT\r\n", self.timeouts.quit)
                self._wire.read_reply(self.timeouts.quit)
            except Surprise:
                pass
            self._drop()

    def _drop(self) -> None:
        if self._wire is not None:
            self._wire.close()
            self._wire = None


class _TLSBroken(Exception):
    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text
