"""One Send, whoever asks: judge the sender, complete and sign the mail, file and queue it in one transaction.

steps() is a generator, as inbound.receive() is: it yields a unit to be filed, once, and returns the
submission when that is durable. maild gives the unit to its clerk; submit() files it at once, for web, API
and worker. Rules: RFC 6409 (what a submission server checks and adds), RFC 6376 (DKIM).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import TypeAlias

from django.conf import settings
from django.db import IntegrityError

from mailcore import limits
from mailcore.errors import (
    BadMessage,
    BadValue,
    DomainUnverified,
    MailError,
    MessageTooBig,
    NotYours,
    TooManyRecipients,
)
from mailcore.message import compose, fields, flags, trace
from mailcore.message.address import Path
from mailcore.models import Mailbox, Submission
from mailcore.outside import clock
from mailcore.senderauth import dkim
from mailcore.services import (
    addresses,
    allowances,
    delivery,
    domains,
    events,
    messages,
    queue,
    sql,
    stops,
)
from mailcore.services.events import Fact
from mailcore.services.messages import Filed, Filing, Mail, Prepared, Unit
from mailcore.services.outbound import author, form, receipts, return_path
from mailcore.services.outbound.parties import (
    Origin,
    Recipient,
    Sender,
    accept_recipient,
    accept_sender,
    not_yours,
)
from mailcore.tlspolicy import wishes

Steps: TypeAlias = Generator[Unit, list[Filed], Submission]
Source = Submission.Source

# What Received says of how a mail came in (RFC 3848; the web has no word there).
PROTOCOLS = {Source.WEBMAIL: "HTTP", Source.API: "HTTP", Source.SMTP: "ESMTPSA"}
# Fields that only the last host may write (RFC 5321 §4.4, RFC 8601 §5): none of a client's is believed.
_NOT_A_CLIENTS = frozenset({"return-path", "authentication-results"})


def submit(
    mailbox: Mailbox,
    raw: bytes,
    recipients: Sequence[str],
    *,
    user_id: int | None,
    source: str,
    reverse_path: str,
    key: str | None = None,
    file_sent: bool | None = None,
    hold_until: dt.datetime | None = None,
    tags: str = "",
) -> Submission:
    """Send raw from mailbox to recipients, filed and queued when it returns; with a key it happens once.

    hold_until, if given, is when it leaves. Raises BadValue for a moment that is none, and what
    accept_sender, accept_recipient (the text names the recipient) and steps raise; then nothing is kept.
    """
    if key and (before := _submitted(mailbox.pk, key)):
        return before
    accepted = []
    for recipient in recipients:
        try:
            accepted.append(accept_recipient(recipient, mailbox.tenant_id))
        except MailError as error:
            raise type(error)(f"{recipient}: {error.public}") from error
    if hold_until is not None:
        check_hold(hold_until)
    origin = Origin(
        mailbox.pk, user_id, source, reverse_path, key=key, file_sent=file_sent, hold_until=hold_until,
        tags=tags,
    )  # fmt: skip
    try:
        return drive(steps(origin, raw, accepted))
    except IntegrityError:
        # The same key at the same moment: the other one was first.
        if key and (before := _submitted(mailbox.pk, key)):
            return before
        raise


def check_hold(until: dt.datetime) -> None:
    """Raise BadValue for a moment that is over, or too far ahead."""
    now = clock.now()
    if not now < until <= now + dt.timedelta(seconds=limits.SUBMISSION_AHEAD_SECONDS):
        days = limits.SUBMISSION_AHEAD_SECONDS // (24 * 3600)
        raise BadValue(f"A mail may be sent at a moment in the next {days} days")


def drive(steps: Steps) -> Submission:
    """Run steps to their end in this thread, where there is no clerk."""
    unit = next(steps)
    try:
        while True:
            try:
                filed = delivery.deliver(unit)
            except MailError as error:
                unit = steps.throw(error)
            else:
                unit = steps.send(filed)
    except StopIteration as done:
        submission: Submission = done.value
        return submission


def _submitted(mailbox_id: int, key: str) -> Submission | None:
    return Submission.objects.filter(mailbox_id=mailbox_id, idempotency_key=key).first()


def steps(origin: Origin, raw: bytes, recipients: Sequence[Recipient]) -> Steps:
    """Judge, complete, sign; yield the one unit; return the submission.

    Raises BadHeader, BadMessage, NotYours, DomainUnverified, MessageTooBig, TooManyRecipients, Loop,
    MailboxSuspended, TenantSuspended, and what filing raises.
    """
    # The return path is nearly always the author, too.
    may = cache(partial(addresses.may_send_as, origin.mailbox_id, origin.user_id))
    sender = accept_sender(origin.mailbox_id, origin.user_id, origin.reverse_path, may)
    if not recipients:
        raise BadMessage("The message has no recipients")
    if len(recipients) > limits.SMTP_RECIPIENTS:
        raise TooManyRecipients
    ready = _prepare(origin, sender, raw, may)
    prepared = ready.mail
    plan = _Plan(origin, sender, ready, recipients)
    yield Unit(
        plan.mails,
        trace=origin.trace,
        sender=origin.reverse_path,
        data={"octets": prepared.octets, "subject": prepared.index.subject[:200], "author": ready.author},
        within=plan.write,
        turn=sender.tenant_id,
    )
    assert plan.submission is not None
    return plan.submission


# --- The octets ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Prepared:
    """The mail as it leaves: complete, plainly from its sender, signed; its author's address; who keeps the
    copy of it, and that copy, which alone says whom else it went to (RFC 5322 §3.6.3)."""

    mail: Prepared
    author: str
    keeper: Sender
    copy: Prepared


def _prepare(origin: Origin, sender: Sender, raw: bytes, may: author.May) -> _Prepared:
    if len(raw) > settings.HOSTMAIL_MAX_MESSAGE:
        raise MessageTooBig
    if b"\0" in raw:
        raise BadMessage("NUL is not allowed in a message (RFC 5322 section 3.5)")
    given = raw
    fallback = origin.reverse_path or _own_address(sender)
    domain = fallback.rpartition("@")[2] or settings.HOSTMAIL_HOSTNAME
    raw = compose.complete(raw, message_id_domain=domain, now=clock.now())
    raw = fields.drop(raw, _NOT_A_CLIENTS)
    form.check(raw)
    if not fields.get_raw(raw, "from") and fallback:
        # Scripts leave it out, and it cannot be anybody else (RFC 6409 §8 lets us add what is missing).
        raw = fields.prepend(raw, b"From: " + fallback.encode() + b"\r\n")
    try:
        path = author.check(raw, may)
    except NotYours as error:
        unproven = not_yours(sender.tenant_id, _first_address(raw))
        raise unproven if isinstance(unproven, DomainUnverified) else error from error
    raw = _sign(raw, sender.tenant_id, path)
    prepared = messages.prepare(raw)
    keeper = sender.keeper(str(path))
    blind = form.blind_fields(given) if keeper.files_sent(origin) else b""
    return _Prepared(
        prepared, str(path), keeper, messages.prepare(fields.prepend(raw, blind)) if blind else prepared
    )


def _own_address(sender: Sender) -> str:
    mailbox = Mailbox.objects.get(pk=sender.mailbox_id)
    return next(iter(addresses.own_addresses(mailbox)), "")


def _first_address(raw: bytes) -> str:
    return (fields.get(raw, "from") or "").strip("<> \t").rpartition("<")[2]


def _sign(raw: bytes, tenant_id: int, path: Path) -> bytes:
    """raw with a signature of each active key of its author's domain in front."""
    row = sql.row(
        "SELECT id FROM domain WHERE name = %s AND tenant_id = %s AND state = 'verified'",
        (path.domain, tenant_id),
    )
    if row is None:
        raise DomainUnverified
    keys = [(one.selector, one.key) for one in domains.signing_keys(row[0])]
    if not keys:
        return raw
    return fields.prepend(raw, dkim.sign(raw, domain=path.domain, keys=keys, timestamp=clock.epoch()))


def received(*, source: str, protocol: str, trace_id: str, recipient: str | None, now: object) -> bytes:
    """Our Received field for a mail of our own sender.

    It names no client: where a person sits, and what they run there, is nobody's business outside.
    """
    return trace.received(
        helo="authenticated" if source == Source.SMTP else str(source),
        peer="127.0.0.1",
        host=settings.HOSTMAIL_HOSTNAME,
        protocol=protocol or PROTOCOLS.get(Source(source), "ESMTP"),
        trace=trace_id,
        recipient=recipient,
        now=now,  # type: ignore[arg-type]
    )


# --- What is filed and queued ----------------------------------------------------------------------------


class _Plan:
    """The unit of one submission: which mails for whom, and the rows beside them."""

    def __init__(
        self,
        origin: Origin,
        sender: Sender,
        ready: _Prepared,
        recipients: Sequence[Recipient],
    ) -> None:
        self.origin, self.sender, self.prepared, self.copy = origin, sender, ready.mail, ready.copy
        self.keeper = ready.keeper
        self.submission: Submission | None = None
        recipients = list({one.address: one for one in recipients}.values())
        here = [one for one in recipients if one.route.is_ours]
        # Whoever is here, too, gets a mail for later only then (outbound/later.py).
        self.later = [one.address for one in here] if origin.hold_until else []
        here = [] if origin.hold_until else here
        self.delivered = [one.address for one in here if one.route.hops]
        # An alias of the sender's own organisation that leads outside: as if they had written to its targets.
        mine = [one for one in here if one.route.tenant_id == sender.tenant_id]
        self.remote = list(
            dict.fromkeys(
                [one.address for one in recipients if not one.route.is_ours]
                + [target for one in mine for target in one.route.outside]
            )
        )
        self.forwards: dict[int, list[str]] = {}
        self.forwarded_by: dict[int, str] = {}
        for one in here:
            tenant = one.route.tenant_id
            if one not in mine and tenant is not None and one.route.outside:
                self.forwards.setdefault(tenant, []).extend(one.route.outside)
                self.forwarded_by.setdefault(tenant, one.address.rpartition("@")[2])
        # Where an alias of the sender's own leads, their wishes go along (RFC 3461 §5.2.7.3).
        self.wishes = {
            address: one.wish
            for one in recipients
            if one.wish != queue.NO_WISH
            for address in (one.address, *one.route.outside)
        }
        self.only = recipients[0].address if len(recipients) == 1 else None
        self.subject = self.prepared.index.subject
        self.tls_wish = wishes.wish(self.prepared.header, requires=origin.requires_tls)
        self.return_domain = return_path.domain_for(origin.source, origin.reverse_path)
        self.mails = self._mails(here)

    def _mails(self, here: Sequence[Recipient]) -> list[Mail]:
        """The mail that the submission refers to first, then one for each other tenant that sends it on."""
        local = delivery.filings((hop, one.address) for one in here for hop in one.route.hops)
        if len(local) > 1:
            for number, filing in enumerate(local, 1):
                filing.trace_suffix = f"/{number}"
        prefix = self._prefix(is_local=bool(local))
        keep_for = (self.sender.tenant_id, self.sender.mailbox_id)
        if self.keeper.files_sent(self.origin):
            copy = Filing(self.keeper.tenant_id, self.keeper.mailbox_id, "sent", flags=flags.SEEN)
            # The sender's own copy is what they wrote, without our trace in front.
            if self.copy is self.prepared:
                mails = [Mail(self.prepared, [copy], keep_for=keep_for)]
            else:
                mails = [Mail(self.prepared, [], keep_for=keep_for), Mail(self.copy, [copy])]
            if local:
                mails.append(Mail(self.prepared, local, prefix))
        else:
            mails = [Mail(self.prepared, local, prefix, keep_for=keep_for)]
        self.main = len(mails)
        mails += [Mail(self.prepared, [], prefix, keep_for=(tenant, None)) for tenant in self.forwards]
        return mails + self._receipts()

    def _receipts(self) -> list[Mail]:
        """The report on those delivered here whose sender asked for one (RFC 3461 §4.1)."""
        wishes = {one: self.wishes[one] for one in self.delivered if one in self.wishes}
        asked = {one: wish.orcpt for one, wish in wishes.items() if "SUCCESS" in wish.notify}
        origin = self.origin
        if not asked or not origin.reverse_path:
            return []
        raw = receipts.delivered(
            asked, to=origin.reverse_path, header=self.prepared.header, envelope_id=origin.envid
        )
        to = Filing(self.sender.tenant_id, origin.mailbox_id, "inbox", recipient=origin.reverse_path)
        return [Mail(messages.prepare(raw), [to], trace.return_path(""))]

    def _prefix(self, *, is_local: bool) -> bytes:
        prefix = trace.return_path(self.origin.reverse_path) if is_local else b""
        return prefix + received(
            source=self.origin.source,
            protocol=self.origin.protocol,
            trace_id=self.origin.trace,
            recipient=self.only,
            now=clock.now(),
        )

    def write(self, content_ids: list[dict[int, int]]) -> None:
        """The rows beside the mails, inside their transaction."""
        origin, tenant_id, sender = self.origin, self.sender.tenant_id, self.sender
        held = ""
        if self.remote:
            charge = allowances.charge(tenant_id, origin.mailbox_id, self.remote, sender.allowed)
            held = "" if charge.fits else allowances.LIMIT
            if charge.fits and stops.is_burst(tenant_id, origin.mailbox_id, charge):
                held = allowances.STOPPED
        self.submission = queue.enqueue(
            tenant_id=tenant_id,
            mailbox_id=origin.mailbox_id,
            content_id=content_ids[0][tenant_id],
            trace=origin.trace,
            source=origin.source,
            reverse_path=origin.reverse_path,
            recipients=self.remote,
            needs_smtputf8=self._needs_smtputf8(self.remote),
            key=origin.key,
            delivered=self.delivered,
            later=self.later,
            return_domain=self.return_domain,
            wishes=self.wishes,
            ret=origin.ret,
            hold_until=origin.hold_until,
            tags=origin.tags,
            priority=origin.priority,
            envid=origin.envid,
            held_because=held,
            tls_wish=self.tls_wish,
        )
        for contents, (tenant, targets) in zip(
            content_ids[self.main : self.main + len(self.forwards)], self.forwards.items(), strict=True
        ):
            targets = list(dict.fromkeys(targets))
            queue.enqueue(
                tenant_id=tenant,
                mailbox_id=None,
                content_id=contents[tenant],
                trace=origin.trace,
                source=Source.FORWARD,
                reverse_path=origin.reverse_path,
                recipients=targets,
                needs_smtputf8=self._needs_smtputf8(targets),
                return_domain=self.forwarded_by[tenant],
                tls_wish=self.tls_wish,
            )
        recipients = [*self.delivered, *self.later, *self.remote]
        events.record(
            "submitted",
            tenant_id=tenant_id,
            mailbox_id=origin.mailbox_id,
            trace=origin.trace,
            sender=origin.reverse_path,
            recipient=recipients[0] if len(recipients) == 1 else "",
            message_id=self.prepared.index.message_id,
            data={
                "source": str(origin.source),
                **({"peer": origin.peer} if origin.peer else {}),
                "subject": self.subject[:200],
                "octets": self.prepared.octets,
                "recipients": recipients[:50],
                "recipient_count": len(recipients),
            },
        )
        if held:
            events.record_many(
                Fact(
                    "held", tenant_id, origin.mailbox_id, origin.trace,
                    sender=origin.reverse_path, recipient=one, data={"reason": held},
                )
                for one in self.remote
            )  # fmt: skip

    def _needs_smtputf8(self, recipients: Sequence[str]) -> bool:
        """RFC 6531 §3.2: for addresses that are not ASCII, and for such a header where the client said so."""
        if not all(address.isascii() for address in (self.origin.reverse_path, *recipients)):
            return True
        return self.origin.smtputf8 and not self.prepared.header.isascii()
