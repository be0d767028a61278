"""Reports that mail has arrived, for senders who asked for them. (RFC 3461 §4.1, RFC 3464)"""

from __future__ import annotations

from collections.abc import Mapping

from django.conf import settings

from mailcore.message import dsn
from mailcore.outside import clock
from mailcore.secrets import random_id


def delivered(recipients: Mapping[str, str], *, to: str, header: bytes, envelope_id: str) -> bytes:
    """The report to the return path "to" that a mail was filed for these recipients.

    recipients maps each to its ORCPT or "", envelope_id is ENVID in xtext or "".
    """
    now = clock.now()
    return dsn.build_dsn(
        reporting_mta=settings.HOSTMAIL_HOSTNAME,
        sender=f"mailer-daemon@{settings.HOSTMAIL_HOSTNAME}",
        to=to,
        # RFC 3463 §3.2 X.1.5: the address was valid.
        failures=[dsn.Failure(name, "2.1.5", original=orcpt) for name, orcpt in recipients.items()],
        original=header,
        arrival=now,
        now=now,
        message_id=f"<{random_id()}.dsn@{settings.HOSTMAIL_HOSTNAME}>",
        action=dsn.DELIVERED,
        envelope_id=envelope_id,
    )
