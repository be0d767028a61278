"""One SMTP transaction in: is each recipient ours, and what becomes of the message.

receive() is a generator, because it must wait in the middle: it yields a unit for the clerk and is
sent what was filed. Later it will yield DNS lookups too, and stay as easy to test.
"""

from __future__ import annotations

import re
from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from django.conf import settings

from mailcore import limits
from mailcore.errors import BadHeader, Loop, MailError, RefusedByAuthor, Rejected, TooManyRecipients
from mailcore.filters import status
from mailcore.filters.spam import Action, Decision, Thresholds
from mailcore.message import fields, trace
from mailcore.message.address import parse_path
from mailcore.models import Submission
from mailcore.outside import clock
from mailcore.secrets import random_id
from mailcore.senderauth import authres
from mailcore.senderauth.sender import Verdict
from mailcore.services import (
    addresses,
    delivery,
    events,
    messages,
    outbound,
    quarantine,
    queue,
    reports,
    sealing,
    sender_rules,
    senders,
    sorting,
    spam,
    suppressions,
)
from mailcore.services.messages import Filed, Filing, Mail, Unit
from mailcore.services.spam import Place
from mailcore.tlspolicy import wishes

_WISHES = {True: "the mailbox wants this sender", False: "the mailbox does not want this sender", None: ""}
Steps: TypeAlias = Generator[Unit, list[Filed], str]

_RECEIVED = re.compile(rb"^(?:received|delivered-to)[ \t]*:", re.IGNORECASE | re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Recipient:
    """One RCPT we said 250 to: the address as given, and where it leads."""

    address: str
    route: addresses.Route
    # A return path of ours: the mail that a report here is about.
    sent: outbound.Sent | None = None
    # An address for reports: whose.
    box: reports.Box | None = None


@dataclass(slots=True)
class Transaction:
    """What SMTP told us before DATA. reverse_path is "" for reports."""

    peer: str
    helo: str
    protocol: str
    tls_version: str
    tls_cipher: str
    reverse_path: str
    smtputf8: bool = False
    # REQUIRETLS (RFC 8689).
    requires_tls: bool = False
    recipients: list[Recipient] = field(default_factory=list)
    trace: str = field(default_factory=random_id)
    # What was found out about the sender; None when nobody looked.
    verdict: Verdict | None = None
    disposition: senders.Disposition | None = None
    spam: Decision | None = None
    # From which scores on what happens, for each place it reaches.
    thresholds: dict[Place, Thresholds] = field(default_factory=dict)
    # The mailboxes whose people said that they want, or do not want, mail of this sender.
    wishes: dict[int, bool] = field(default_factory=dict)
    # Who seals, for each tenant that passes it on to outside addresses.
    sealers: dict[int, sealing.Sealer] = field(default_factory=dict)

    @property
    def reached(self) -> list[sorting.Reached]:
        """The mailboxes, and None for a tenant that passes it on."""
        found = []
        for one in self.recipients:
            found += [sorting.Reached((hop.tenant_id, hop.mailbox_id), one.address) for hop in one.route.hops]
            if one.route.outside and one.route.tenant_id is not None:
                found.append(sorting.Reached((one.route.tenant_id, None), one.address))
        return found

    @property
    def is_report(self) -> bool:
        """Whether it goes to an address that only reports come to."""
        return any(one.sent or one.box for one in self.recipients)

    @property
    def passed_on_by(self) -> dict[int, str]:
        """The domain in whose name each tenant passes it on: the sender's SPF does not allow us."""
        return {
            one.route.tenant_id: one.address.rpartition("@")[2].lower()
            for one in self.recipients
            if one.route.outside and one.route.tenant_id is not None
        }


def accept_recipient(transaction: Transaction, address: str) -> Recipient:
    """Where mail for address goes, judged at RCPT so that we never bounce what we took.

    Raises NoSuchAddress, NotHere, MailboxSuspended, TenantSuspended, OverQuota, BadAddress.
    """
    path = parse_path(address)
    sent = outbound.expected(path)
    box = None if sent else reports.expected(path)
    if transaction.recipients and (sent or box or transaction.is_report):
        raise TooManyRecipients("A return path comes alone, please send to it separately")
    if box is not None:
        return Recipient(address, addresses.Route(addresses.Kind.MAILBOXES, address, box.tenant_id), box=box)
    if sent is not None:
        return Recipient(address, addresses.Route(addresses.Kind.MAILBOXES, address, sent.tenant_id), sent)
    route = addresses.route(path)
    addresses.judge(route)
    return Recipient(address, suppressions.spared(route))


def receive(transaction: Transaction, raw: bytes) -> Steps:
    """File a message for all accepted recipients as one unit; returns the reply to DATA.

    Raises Loop, BadHeader, and what filing raises: then nothing was kept.
    """
    raw = _without_forged_verdicts(transaction, raw, header_of(raw))
    if transaction.recipients and (sent := transaction.recipients[0].sent) is not None:
        yield outbound.report(
            sent, raw, recipient=transaction.recipients[0].address, prefix=_prefix(transaction, raw),
            trace_id=transaction.trace, peer=transaction.helo or transaction.peer,
        )  # fmt: skip
        return f"250 2.0.0 OK: filed as {transaction.trace}"
    if transaction.recipients and (box := transaction.recipients[0].box) is not None:
        yield reports.unit(
            box, raw, peer=transaction.helo or transaction.peer, sender=_author(transaction)
        )  # fmt: skip
        return f"250 2.0.0 OK: read as {transaction.trace}"
    refusal = _refusal(transaction)
    if refusal is not None:
        yield Unit([], within=lambda _contents: _record_refusal(transaction, raw))
        raise refusal
    hops = [(hop, one.address) for one in transaction.recipients for hop in one.route.hops]
    outside = {
        (one.route.tenant_id, target): None
        for one in transaction.recipients
        for target in one.route.outside
        if one.route.tenant_id is not None
    }
    prepared = messages.prepare(raw)
    mail = Mail(prepared, delivery.filings(hops), _prefix(transaction, raw))
    _number_recipients(mail)
    kept = _sort(transaction, mail.filings)
    mail.filings = [filing for filing in mail.filings if filing not in kept]
    mails = [mail]
    tenants = list(dict.fromkeys(tenant for tenant, _ in outside))
    domains = transaction.passed_on_by
    tenants_filed = {filing.tenant_id for filing in mail.filings}
    facts = _facts(transaction, prepared.octets, prepared.index.subject)
    mails += [
        Mail(prepared, [], _sealed(transaction, tenant, raw, mail.prefix), keep_for=(tenant, None))
        for tenant in tenants
    ]
    keepers = list(dict.fromkeys(filing.tenant_id for filing in kept))
    mails += [Mail(prepared, [], mail.prefix, keep_for=(tenant, None)) for tenant in keepers]

    def write(content_ids: list[dict[int, int]]) -> None:
        if not transaction.reverse_path:
            mailbox_ids = [filing.mailbox_id for filing in mail.filings]
            outbound.note_returned(raw, mailbox_ids, transaction.helo or transaction.peer)
        if kept:
            contents = {
                tenant: ids[tenant]
                for tenant, ids in zip(keepers, content_ids[len(mails) - len(keepers) :], strict=True)
            }
            quarantine.keep(_kept(transaction, kept, raw, facts, prepared.index.message_id), contents)
        for tenant, contents in zip(tenants, content_ids[1 : len(tenants) + 1], strict=True):
            if tenant not in tenants_filed:
                _record_accepted(transaction, tenant, facts, prepared.index.message_id)
            queue.enqueue(
                tenant_id=tenant,
                mailbox_id=None,
                content_id=contents[tenant],
                trace=transaction.trace,
                source=Submission.Source.FORWARD,
                reverse_path=transaction.reverse_path,
                recipients=[target for owner, target in outside if owner == tenant],
                needs_smtputf8=transaction.smtputf8,
                return_domain=domains[tenant],
                tls_wish=wishes.wish(header_of(raw), requires=transaction.requires_tls),
            )

    yield Unit(
        mails,
        trace=transaction.trace,
        sender=transaction.reverse_path,
        data=facts,
        within=write if tenants or kept or not transaction.reverse_path else None,
    )
    return f"250 2.0.0 OK: filed as {transaction.trace}"


def _author(transaction: Transaction) -> str:
    """The domain in From, if it was found to stand behind the mail."""
    found = transaction.verdict.dmarc if transaction.verdict else None
    return found.domain if found is not None and found.result == "pass" else ""


def header_of(raw: bytes) -> bytes:
    """The header section. Raises Loop and BadHeader for one that no mail should have."""
    header = raw[: fields.body_start(raw)]
    if len(header) > limits.HEADER_OCTETS:
        raise BadHeader("The header section is too long")
    if (
        header.count(b":") > limits.RECEIVED_FIELDS
        and len(_RECEIVED.findall(header)) > limits.RECEIVED_FIELDS
    ):
        raise Loop
    return header


def is_good(transaction: Transaction) -> bool:
    """Whether the sender is proven and the mail does not look like spam."""
    is_spam = transaction.spam is not None and transaction.spam.action is not Action.INBOX
    return transaction.verdict is not None and senders.is_proven(transaction.verdict) and not is_spam


def _refusal(transaction: Transaction) -> MailError | None:
    """Why a mail is not taken at all, if it is not."""
    if transaction.disposition is not None and transaction.disposition.is_refused:
        return RefusedByAuthor()
    if transaction.spam is not None and sorting.is_refused(_actions(transaction, transaction.spam)):
        return Rejected("This message looks like spam and was refused")
    return None


def _actions(transaction: Transaction, decision: Decision) -> dict[Place, Action]:
    return sorting.actions(transaction.reached, decision, transaction.thresholds, transaction.wishes)


def _worst(transaction: Transaction, decision: Decision) -> Action:
    """The severest that anybody's threshold makes of it."""
    found = sorting.actions(transaction.reached, decision, transaction.thresholds, {})
    return max(found.values(), default=decision.action)


def _sort(transaction: Transaction, filings: list[Filing]) -> list[Filing]:
    """Send to Junk what belongs there, and return what goes to quarantine instead."""
    if transaction.disposition is not None:
        transaction.disposition.sort(filings)
    if transaction.spam is None:
        return []
    for filing in filings:
        if transaction.wishes.get(filing.mailbox_id):
            filing.folder = "inbox"
    return sorting.sort(filings, _actions(transaction, transaction.spam), transaction.thresholds)


def _kept(
    transaction: Transaction, filings: list[Filing], raw: bytes, facts: dict[str, Any], message_id: str
) -> quarantine.Kept:
    assert transaction.spam is not None
    authors = sender_rules.authors_of(raw[: fields.body_start(raw)])
    data = {**facts, "spam": {**facts["spam"], "action": "quarantine"}}
    return quarantine.Kept(
        filings, transaction.spam, transaction.trace, transaction.reverse_path, next(iter(authors), ""),
        facts["subject"], facts["octets"], message_id, data,
    )  # fmt: skip


def _without_forged_verdicts(transaction: Transaction, raw: bytes, header: bytes) -> bytes:
    """Nobody but us writes Authentication-Results under our name (RFC 8601 §5), or X-Spam fields beside ours.

    Those of a relay that we trust, whose mail we do not judge, stay.
    """
    is_judged = transaction.spam is not None
    lowered = header.lower()
    if b"authentication-" not in lowered and not (is_judged and b"x-spam-" in lowered):
        return raw
    name = settings.HOSTMAIL_HOSTNAME.lower()
    out, kept = [], 0
    for field_name, start, end in fields.iter_fields(header):
        if (field_name == "authentication-results" and authres.names(header[start:end], name)) or (
            is_judged and status.is_ours(field_name)
        ):
            out.append(raw[kept:start])
            kept = end
    return b"".join([*out, raw[kept:]]) if out else raw


def _prefix(transaction: Transaction, raw: bytes) -> bytes:
    """Our fields in front of what arrived. A recipient is named only when there is one: Bcc stays blind."""
    only = transaction.recipients[0].address if len(transaction.recipients) == 1 else None
    prefix = trace.return_path(transaction.reverse_path)
    if only:
        prefix += trace.delivered_to(only)
    if transaction.spam:
        prefix += status.fields(transaction.spam)
    if transaction.verdict:
        # Above our Received, which tells readers whose it is (RFC 8601 §5).
        prefix += authres.field(settings.HOSTMAIL_HOSTNAME, transaction.verdict)
    prefix += trace.received(
        helo=transaction.helo,
        peer=transaction.peer,
        host=settings.HOSTMAIL_HOSTNAME,
        protocol=transaction.protocol,
        trace=transaction.trace,
        recipient=only,
        now=clock.now(),
        tls=" ".join(filter(None, (transaction.tls_version, transaction.tls_cipher))),
    )
    # A message that begins with a folded line must not continue our field (see fields.prepend).
    return prefix + b"X-Stray:" if raw[:1] in (b" ", b"\t") else prefix


def _sealed(transaction: Transaction, tenant: int, raw: bytes, prefix: bytes) -> bytes:
    """Our fields in front of what is passed on, with what we found out under seal."""
    if transaction.verdict is None:
        return prefix
    return sealing.sealed(raw, prefix, transaction.verdict, transaction.sealers.get(tenant))


def _number_recipients(mail: Mail) -> None:
    if len(mail.filings) > 1:
        for number, filing in enumerate(mail.filings, 1):
            filing.trace_suffix = f"/{number}"


def _facts(transaction: Transaction, octets: int, subject: str) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "peer": transaction.peer,
        "helo": transaction.helo[:255],
        "tls": transaction.tls_version,
        "octets": octets,
        "subject": subject[:200],
    }
    if transaction.verdict:
        facts["sender"] = senders.facts(transaction.verdict)
    if transaction.spam:
        facts["spam"] = spam.facts(transaction.spam)
    hops = [hop for one in transaction.recipients for hop in one.route.hops]
    reasons = [
        transaction.disposition.reason if transaction.disposition else "",
        spam.reason(transaction.spam, _worst(transaction, transaction.spam)) if transaction.spam else "",
        # Of several mailboxes none learns what another one thinks.
        _WISHES.get(transaction.wishes.get(hops[0].mailbox_id), "") if len(hops) == 1 else "",
    ]
    if any(reasons):
        facts["reason"] = "; ".join(filter(None, reasons))[:1000]
    return facts


def _record_accepted(transaction: Transaction, tenant: int, facts: dict[str, Any], message_id: str) -> None:
    """How a mail came that is only passed on: what is filed says so itself."""
    mine = [one.address for one in transaction.recipients if one.route.tenant_id == tenant]
    events.record(
        "accepted",
        tenant_id=tenant,
        trace=transaction.trace,
        sender=transaction.reverse_path,
        recipient=mine[0] if len(mine) == 1 else "",
        data=facts,
        message_id=message_id,
    )


def _record_refusal(transaction: Transaction, raw: bytes) -> None:
    """One event for each organisation that did not get the mail."""
    data = _facts(transaction, len(raw), fields.get(raw, "subject") or "")
    by_tenant: dict[int, list[str]] = {}
    for one in transaction.recipients:
        if one.route.tenant_id is not None:
            by_tenant.setdefault(one.route.tenant_id, []).append(one.address)
    events.record_many(
        events.Fact(
            "refused",
            tenant,
            trace=transaction.trace,
            sender=transaction.reverse_path,
            recipient=addresses_[0] if len(addresses_) == 1 else "",
            data=data,
            message_id=fields.get(raw, "message-id") or "",
        )
        for tenant, addresses_ in by_tenant.items()
    )
