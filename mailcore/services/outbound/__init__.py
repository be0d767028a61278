"""Mail out: submit what our people send, try what the queue holds, tell them what became of it."""

from mailcore.services.outbound import dead, held, later, sts_policies, tlsrpt
from mailcore.services.outbound.attempt import (
    Courier,
    LeaseLost,
    Outcome,
    Way,
    by_submission,
    refused,
    way,
)
from mailcore.services.outbound.bounces import Sent, expected, note_returned
from mailcore.services.outbound.bounces import unit as report
from mailcore.services.outbound.outcome import settle
from mailcore.services.outbound.parties import (
    Origin,
    Recipient,
    Sender,
    accept_recipient,
    accept_sender,
)
from mailcore.services.outbound.probing import Probe, probe, probe_for
from mailcore.services.outbound.service import signed, signer_of
from mailcore.services.outbound.submission import Steps, steps, submit

__all__ = [
    "Courier",
    "LeaseLost",
    "Origin",
    "Outcome",
    "Probe",
    "Recipient",
    "Sender",
    "Sent",
    "Steps",
    "Way",
    "accept_recipient",
    "accept_sender",
    "by_submission",
    "dead",
    "expected",
    "held",
    "later",
    "note_returned",
    "probe",
    "probe_for",
    "refused",
    "report",
    "settle",
    "signed",
    "signer_of",
    "steps",
    "sts_policies",
    "submit",
    "tlsrpt",
    "way",
]
