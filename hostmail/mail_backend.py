"""System mail: what Django and allauth send (password resets, confirmations, invitations).

Named by settings.EMAIL_BACKEND. Recipients here are filed at once. For others there is no queue yet that
belongs to no tenant: their mail is not sent and the log says so. Without a recipient left, nothing is counted
as sent.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

from django.core.mail import EmailMessage
from django.core.mail.backends.base import BaseEmailBackend

from mailcore.errors import MailError
from mailcore.secrets import random_id
from mailcore.services import addresses, delivery, messages
from mailcore.services.messages import Mail, Unit

logger = logging.getLogger(__name__)


class SystemMail(BaseEmailBackend):
    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        return sum(self._send(message) for message in email_messages)

    def _send(self, message: EmailMessage) -> bool:
        hops = []
        for recipient in message.recipients():
            try:
                route = addresses.route(recipient)
                if not route.is_ours:
                    logger.warning("system_mail_not_sent: recipient is not local")
                    continue
                addresses.judge(route)
                hops += [(hop, recipient) for hop in route.hops if hop.mailbox_id]
            except MailError as error:
                logger.warning("system_mail_not_sent: %s", error.code)
        filings = delivery.filings(hops)
        if not filings:
            return False
        prepared = messages.prepare(message.message().as_bytes(linesep="\r\n"))  # type: ignore[call-arg]
        unit = Unit([Mail(prepared, filings)], trace=random_id(), sender="", data={"source": "system"})
        try:
            delivery.deliver(unit)
        except MailError:
            if not self.fail_silently:
                raise
            return False
        return True
