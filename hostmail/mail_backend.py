"""System mail: what Django and allauth send (password resets, confirmations, invitations).

Named by settings.EMAIL_BACKEND. Recipients here are filed at once, others wait in the outbound queue, whose
every entry belongs to an organisation: the one the person is a member of, or is invited to, or that of the
service for people who have an account and none. To strangers nothing is sent, and the log says so. Signed by
the service's domain. What cannot be delivered is answered by no report (RFC 5321 §6.1).
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from email.utils import parseaddr

from django.core.mail import EmailMessage
from django.core.mail.backends.base import BaseEmailBackend
from django.db.models import Q

from mailcore.errors import MailError
from mailcore.models import Submission, Tenant, User
from mailcore.secrets import random_id
from mailcore.services import addresses, delivery, messages, outbound, queue, tenants
from mailcore.services.messages import Mail, Unit
from mailcore.services.routing import Hop

logger = logging.getLogger(__name__)


def on_behalf_of(user: User, message: EmailMessage) -> EmailMessage:
    """message, which user asked for, to an address that nobody here is known to have yet."""
    message.asked_by = user  # type: ignore[attr-defined]
    return message


class SystemMail(BaseEmailBackend):
    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        return sum(self._send(message) for message in email_messages)

    def _send(self, message: EmailMessage) -> bool:
        hops: list[tuple[Hop, str]] = []
        outside: dict[int, list[str]] = {}
        for recipient in message.recipients():
            try:
                route = addresses.route(recipient)
                if route.is_ours:
                    addresses.judge(route)
                    hops += [(hop, recipient) for hop in route.hops if hop.mailbox_id]
                elif (tenant_id := _tenant_of(recipient, getattr(message, "asked_by", None))) is not None:
                    outside.setdefault(tenant_id, []).append(recipient)
                else:
                    logger.warning("system_mail_not_sent: nobody here has that address")
            except MailError as error:
                logger.warning("system_mail_not_sent: %s", error.code)
        filings = delivery.filings(hops)
        if not filings and not outside:
            return False
        raw: bytes = message.message().as_bytes(linesep="\r\n")  # type: ignore[call-arg]
        prepared = messages.prepare(outbound.signed(raw, parseaddr(message.from_email)[1]))
        mails = [Mail(prepared, filings)] if filings else []
        first = len(mails)
        mails += [Mail(prepared, [], keep_for=(tenant_id, None)) for tenant_id in outside]
        trace = random_id()

        def enqueue(content_ids: list[dict[int, int]]) -> None:
            for contents, (tenant_id, recipients) in zip(content_ids[first:], outside.items(), strict=True):
                queue.enqueue(
                    tenant_id=tenant_id,
                    mailbox_id=None,
                    content_id=contents[tenant_id],
                    trace=trace,
                    source=Submission.Source.SYSTEM,
                    reverse_path="",
                    recipients=recipients,
                    needs_smtputf8=not all(recipient.isascii() for recipient in recipients),
                )

        try:
            delivery.deliver(Unit(mails, trace=trace, sender="", data={"source": "system"}, within=enqueue))
        except MailError:
            if not self.fail_silently:
                raise
            return False
        return True


def _tenant_of(recipient: str, asked_by: User | None) -> int | None:
    """The organisation on whose behalf somebody outside is written to."""
    email = asked_by.email if asked_by is not None else recipient.casefold()
    person = Q(memberships__user__email=email) | Q(memberships__user__recovery_email=email)
    invited = Q(invitations__email=email, invitations__accepted_at=None)
    active = Tenant.objects.filter(state=Tenant.State.ACTIVE)
    found = active.filter(person | invited).order_by("pk").values_list("pk", flat=True).first()
    if (
        found is None
        and User.objects.filter(Q(email=email) | Q(recovery_email=email), is_active=True).exists()
    ):
        service = tenants.of_service()
        found = None if service.is_suspended else service.pk
    return found
