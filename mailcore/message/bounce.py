"""Reports of others that mail did not arrive, read by programs: RFC 3464 and what is sent instead of it.

Many hosts still write a letter for people only (old Exim, qmail, Exchange, Yahoo). From such a letter we take
addresses that stand near words of failure. Whoever calls believes one only if mail to it went out under
the path that the report came to, so a wrong guess names nobody. Pure; total on any octets, in linear time.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from mailcore import limits
from mailcore.message import charsets, dsn, fields, transfer
from mailcore.message.dsn import FAILED, Reported
from mailcore.message.index import index
from mailcore.message.parts import Part, parse_table

_ADDRESS = re.compile(r"[\w.!#$%&'*+/=?^`{|}~-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}")
_ENHANCED = re.compile(r"(?<![\d.])([245]\.\d{1,3}\.\d{1,3})(?![\d.])")
_CODE = re.compile(r"(?<![\d.\w-])(5\d\d|4\d\d)(?=[ -])")
# Where a letter goes over to the mail it is about.
_ORIGINAL = re.compile(
    r"^[ \t>]*(?:-{2,}.{0,40}\b(?:copy|original|returned|below|unsent|follows)\b"
    r"|(?:the )?(?:original|returned) message (?:headers? )?follows"
    r"|(?:the )?(?:header|headers|text|first \d+ lines) of (?:the|your) (?:original )?(?:message|mail)"
    r"|return-path:|received: |message-id: )",
    re.IGNORECASE | re.MULTILINE,
)
_FAILURE = re.compile(
    r"undeliver|returned mail|delivery (?:status notification )?\(?fail|failure notice|mail delivery failed"
    r"|could not be (?:delivered|sent)|not be delivered|unable to deliver|wasn't able to deliver"
    r"|couldn't be delivered|did not reach|permanent (?:fatal )?error|delivery failed|failed to deliver"
    r"|delivery failure|cannot be delivered|no such (?:user|account|mailbox)|user (?:is )?unknown"
    r"|unknown user|does not exist|doesn't have a|not listed in|not known|not recogni[sz]ed"
    r"|invalid recipient|unrouteable|mailbox (?:unavailable|not found)|addresses? had permanent",
    re.IGNORECASE,
)
_LATER = re.compile(
    r"will be retried|still (?:being )?(?:tried|trying)|will (?:continue|keep) (?:to )?try|no need to resend"
    r"|not yet been delivered|warning message only|do not need to resend|delayed|has not been delivered yet",
    re.IGNORECASE,
)
_UNKNOWN_USER = re.compile(
    r"user (?:is )?unknown|unknown user|no such (?:user|account|mailbox|recipient|person|address)"
    r"|does not exist|doesn't (?:have|exist)|not listed in|not recogni[sz]ed|unknown (?:recipient|address|or)"
    r"|no mailbox here|invalid (?:recipient|address|mailbox|user)|unrouteable address|mailbox not found",
    re.IGNORECASE,
)


def read(raw: bytes) -> list[Reported] | None:
    """What a report says of each recipient, or None for what is no report."""
    return dsn.parse_dsn(raw) or _by_field(raw) or _by_letter(raw)


def _by_field(raw: bytes) -> list[Reported] | None:
    """Exim names those it gives up in a field of its own: X-Failed-Recipients: a@example.org"""
    named = fields.get(raw[: fields.body_start(raw)][: limits.DSN_HEADER_OCTETS], "x-failed-recipients")
    if not named:
        return None
    text = _letter(raw)
    found = dict.fromkeys(_ADDRESS.findall(named[: limits.DSN_HEADER_OCTETS]))
    return [_reported(address, text) for address in list(found)[: limits.DSN_RECIPIENTS]] or None


def _by_letter(raw: bytes) -> list[Reported] | None:
    header = raw[: fields.body_start(raw)][: limits.DSN_HEADER_OCTETS]
    text = _letter(raw)
    if not _FAILURE.search(f"{fields.get(header, 'subject') or ''}\n{text}") or _LATER.search(text):
        return None
    ours = {
        address.lower()
        for name in ("to", "from", "reply-to", "delivered-to")
        for address in _ADDRESS.findall(fields.get(header, name) or "")
    }
    found: dict[str, None] = {}
    for match in _ADDRESS.finditer(text):
        address = match[0].removeprefix("SMTP=").lstrip("'").rstrip(".")
        # "For further assistance, please write to postmaster".
        is_theirs = address.lower().startswith(("postmaster@", "mailer-daemon@"))
        if address.lower() not in ours and not is_theirs and len(found) < limits.DSN_RECIPIENTS:
            found.setdefault(address)
    return [_reported(address, text) for address in found] or None


def _reported(address: str, text: str) -> Reported:
    """What is said of an address in its own neighbourhood of the letter."""
    at = text.find(address)
    near = text[max(at, 0) : at + 600] if at >= 0 else text[:600]
    # What follows the next address is about that one.
    others = [match.start() for match in _ADDRESS.finditer(near) if match[0].lower() != address.lower()]
    near = near[: others[0]] if others else near
    return Reported(address[:320], FAILED, _status(near, text), " ".join(near.split())[:1000])


def _status(near: str, text: str) -> str:
    for said in (near, text):
        if (enhanced := _ENHANCED.search(said)) and enhanced[1][0] != "2":
            return enhanced[1]
        if _UNKNOWN_USER.search(said):
            return "5.1.1"
        if code := _CODE.search(said):
            return f"{code[1][0]}.0.0"
    return "5.0.0"


def _letter(raw: bytes) -> str:
    """The text for people, up to the mail it is about."""
    text = ""
    for part in _own_parts(parse_table(index(raw).parts).root):
        if part.content_type.startswith("text/") and part.content_type != "text/rfc822-headers":
            octets = raw[part.body_start : part.body_end][: limits.DSN_LETTER_OCTETS]
            text += charsets.decode(transfer.decode(octets, part.encoding), part.charset) + "\n"
        if len(text) > limits.DSN_LETTER_OCTETS:
            break
    text = re.sub(r"<[a-z/!][^<>@]{0,200}>", " ", text[: limits.DSN_LETTER_OCTETS], flags=re.IGNORECASE)
    original = _ORIGINAL.search(text)
    return text[: original.start()] if original else text


def _own_parts(part: Part) -> Iterator[Part]:
    """The parts of the report itself, without those of a mail it carries."""
    yield part
    if part.is_multipart:
        for child in part.children:
            yield from _own_parts(child)


_TRACE = re.compile(rb"\bby ([A-Za-z0-9.-]{1,253}) with [A-Z0-9]{1,12} id ([a-z2-7]{16})\b")


def traces(raw: bytes, hostname: str) -> list[str]:
    """The trace ids in our own Received fields of the mail that a report brings back, the newest first.

    hostname is the name we write there. Whoever knows such an id has had the mail in hand.
    """
    beyond = raw[fields.body_start(raw) :]
    wanted = hostname.lower().encode()
    found = {match[2]: None for match in _TRACE.finditer(beyond) if match[1].lower() == wanted}
    return [trace.decode() for trace in list(found)[: limits.DSN_TRACES]]
