"""Hands a mail to the MX's service, as a host would."""

import pytest

from mailcore.errors import MailError
from mailcore.services import inbound, messages


def comes(to, raw, *, verdict=None, reverse_path="noreply@big.example"):
    """A mail for one recipient, filed; raises what the host would be told."""
    transaction = inbound.Transaction("192.0.2.7", "mx.big.example", "ESMTP", "", "", reverse_path)
    transaction.recipients.append(inbound.accept_recipient(transaction, to))
    transaction.verdict = verdict
    steps = inbound.receive(transaction, raw)
    (filed,) = messages.append_many([next(steps)])
    if isinstance(filed, MailError):
        raise filed
    with pytest.raises(StopIteration) as done:
        steps.send(filed)
    return str(done.value.value)
