"""What a mail must look like to leave, and whom it went to besides. (RFC 5322 §2.1.1, §3.6.3)"""

from __future__ import annotations

from mailcore import limits
from mailcore.errors import BadHeader, BadMessage, Loop
from mailcore.message import encode, fields


def blind_fields(raw: bytes) -> bytes:
    """The Bcc fields, as compose.complete takes them away."""
    header = encode.crlf(raw[: fields.body_start(raw)])
    return b"".join(header[start:end] for name, start, end in fields.iter_fields(header) if name == "bcc")


def check(raw: bytes) -> None:
    """Raise BadHeader, BadMessage or Loop for what no host should be handed."""
    header_octets = fields.body_start(raw)
    header = raw[:header_octets]
    if header_octets > limits.HEADER_OCTETS:
        raise BadHeader("The header section is too long")
    received = sum(name == "received" for name, _, _ in fields.iter_fields(header))
    if received > limits.RECEIVED_FIELDS:
        raise Loop
    position = 0
    while position + limits.LINE_OCTETS < len(raw):
        line_end = raw.rfind(b"\n", position, position + limits.LINE_OCTETS + 2)
        if line_end < 0:
            raise BadMessage(f"A line is longer than {limits.LINE_OCTETS} octets")
        position = line_end + 1
