"""Complaints about mail in the Abuse Reporting Format, read. RFC 5965, with the fields of RFC 6591. (pure)"""

from __future__ import annotations

from dataclasses import dataclass

from mailcore import limits
from mailcore.message import fields, transfer
from mailcore.message.index import index
from mailcore.message.parts import Part, parse_table


@dataclass(frozen=True, slots=True)
class Complaint:
    """One report. kind is its Feedback-Type in lower case: abuse, fraud, virus, not-spam, auth-failure.

    original is the mail it is about or its header section, as it came back, perhaps with names blackened.
    """

    kind: str
    user_agent: str
    source: str
    mail_from: str
    recipients: tuple[str, ...]
    reported_domains: tuple[str, ...]
    original: bytes

    @property
    def is_complaint(self) -> bool:
        """Whether somebody did not want the mail: the others tell of forgeries, or that it was wanted."""
        return self.kind in ("abuse", "fraud", "virus", "opt-out", "opt-out-list", "other")


def parse(raw: bytes) -> Complaint | None:
    """What a mail complains of, or None for what is no such report."""
    feedback: Part | None = None
    original: Part | None = None
    for part in _own_parts(parse_table(index(raw).parts).root):
        if part.content_type == "message/feedback-report" and feedback is None:
            feedback = part
        elif part.content_type in ("message/rfc822", "text/rfc822-headers") and original is None:
            original = part
    if feedback is None:
        return None
    block = _decoded(raw, feedback, limits.ARF_OCTETS).lstrip(b"\r\n")
    said = [(name, _value(line)) for name, line in fields.lines(block)]

    def every(wanted: str) -> tuple[str, ...]:
        found = [value for name, value in said if name == wanted and value]
        return tuple(dict.fromkeys(found))[: limits.ARF_NAMES]

    def first(wanted: str) -> str:
        return next(iter(every(wanted)), "")

    kind = first("feedback-type").lower()
    if not kind:
        return None  # RFC 5965 §3.1: it must be there
    return Complaint(
        kind=kind[:20],
        user_agent=first("user-agent")[:200],
        source=first("source-ip")[:45],
        mail_from=_address(first("original-mail-from")),
        recipients=tuple(filter(None, map(_address, every("original-rcpt-to")))),
        reported_domains=tuple(name.lower()[:253] for name in every("reported-domain")),
        original=_decoded(raw, original, limits.DSN_OCTETS) if original else b"",
    )


def _own_parts(part: Part) -> list[Part]:
    """The parts of the report itself: a mail it carries may be a report too."""
    found = [part]
    if part.is_multipart:
        for child in part.children:
            found += _own_parts(child)
    return found


def _decoded(raw: bytes, part: Part, most: int) -> bytes:
    return transfer.decode(raw[part.body_start : part.body_end][:most], part.encoding)


def _value(line: bytes) -> str:
    return " ".join(line.partition(b":")[2].decode("utf-8", "replace").split())[:1000]


def _address(text: str) -> str:
    address = text.removeprefix("rfc822;").strip().removeprefix("<").removesuffix(">")
    return address[:320] if "@" in address else ""
