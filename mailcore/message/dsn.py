"""Delivery status notifications: what a sender reads when mail did not arrive, or not yet. (RFC 3464)

The first part is for people: what happened, to whom, why in plain words, what to do now, and the other
side's own words. The second is for programs, the third the header of what was sent. Pure.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass

from mailcore import limits
from mailcore.message import charsets, fields, transfer
from mailcore.message.address import encode_words
from mailcore.message.index import index
from mailcore.message.parts import parse_table
from mailcore.message.trace import date

FAILED, DELAYED, DELIVERED, RELAYED = "failed", "delayed", "delivered", "relayed"
_ACTIONS = frozenset({FAILED, DELAYED, DELIVERED, RELAYED, "expanded"})
_TITLES = {
    FAILED: "Not delivered", DELAYED: "Not delivered yet", DELIVERED: "Delivered", RELAYED: "Passed on",
}  # fmt: skip
_ENDS = {
    FAILED: "could not be delivered to",
    DELAYED: "has not been delivered yet to",
    DELIVERED: "has been delivered to",
    RELAYED: "has been passed on to the mail host of",
}


@dataclass(frozen=True, slots=True)
class Failure:
    """One recipient that was not reached, or whose sender wants to know that it was.

    status is an enhanced code ("5.1.1"), diagnostic the remote's last words, remote_mta its name or "".
    will_retry_until is for a delay only. original is ORCPT as it came: "rfc822;" and xtext (RFC 3461 §4.2).
    """

    recipient: str
    status: str
    diagnostic: str = ""
    remote_mta: str = ""
    last_attempt: dt.datetime | None = None
    will_retry_until: dt.datetime | None = None
    original: str = ""


@dataclass(frozen=True, slots=True)
class Reported:
    """What somebody else's report says of one recipient; original is as the sender had named it, or ""."""

    recipient: str
    action: str
    status: str
    diagnostic: str
    original: str = ""


# Why, and what to do about it, by enhanced code; the longest match wins. (RFC 3463, RFC 5248)
_REASONS: dict[str, tuple[str, str]] = {
    "5.1.1": (
        "The address does not exist there.",
        "Check the spelling of the address and send the message again.",
    ),
    "5.1.2": ("The domain after the @ does not exist.", "Check the spelling of the address."),
    "5.1.3": ("The address is not written in a valid way.", "Check the spelling of the address."),
    "5.1.6": ("The mailbox has moved.", "Ask the recipient for the new address."),
    "5.1.10": ("The domain does not accept mail at all.", "Ask the recipient for another address."),
    "5.2.1": ("The mailbox is disabled.", "Try to reach the recipient in another way."),
    "5.2.2": ("The recipient's mailbox is full.", "Try again later, or reach the recipient in another way."),
    "5.3.4": ("The message is too big for the other side.", "Send it without large attachments."),
    "5.2.3": ("The message is too big for the recipient.", "Send it without large attachments."),
    "5.4.4": ("No mail host could be found for the domain.", "Check the spelling of the address."),
    "5.4.6": ("The message went round in circles.", "Tell the recipient's mail administrator."),
    "5.4.7": (
        "The other side could not be reached in all the time we tried.",
        "Send the message again later, or reach the recipient in another way.",
    ),
    "5.6.7": (
        "The other side cannot take addresses like this one.",
        "Ask the recipient for another address.",
    ),
    "5.7.1": (
        "The other side refused the message by its rules.",
        "Its words below may say why. If you think it is a mistake, ask the recipient to allow your address.",
    ),
    "5.7": ("The other side refused the message by its rules.", "Its words below may say why."),
    "5.1": ("The other side does not take mail for this address.", "Check the spelling of the address."),
    "5": ("The other side refused the message for good.", "Its words below may say why."),
    "4": (
        "The other side could not take the message yet.",
        "You need not do anything: we keep trying.",
    ),
}


def explain(status: str) -> tuple[str, str]:
    """Why a delivery failed and what to do, in one sentence each, for an enhanced status code."""
    words = status
    while words:
        if words in _REASONS:
            return _REASONS[words]
        words = words.rpartition(".")[0]
    return _REASONS["5"]


def build_dsn(
    *,
    reporting_mta: str,
    sender: str,
    to: str,
    failures: Sequence[Failure],
    original: bytes,
    arrival: dt.datetime,
    now: dt.datetime,
    message_id: str,
    action: str = FAILED,
    envelope_id: str = "",
    full: bytes = b"",
) -> bytes:
    """The report on failures to the author of original, as one mail from sender with the null path in mind.

    action is FAILED, DELAYED, DELIVERED or RELAYED; message_id comes with its angle brackets; all moments are
    aware. envelope_id is ENVID in xtext; full is the whole mail where the sender wants it back.
    """
    header = original[: fields.body_start(original)][: limits.DSN_HEADER_OCTETS]
    subject = fields.get(header, "subject") or ""
    boundary = f"report-{hashlib.sha256(message_id.encode() + original[:1000]).hexdigest()[:32]}"
    title = _TITLES[action]
    lines = [
        f"From: Mail delivery <{sender}>",
        f"To: <{_line(to)}>",
        f"Subject: {_subject(f'{title}: {subject}' if subject else title)}",
        f"Date: {date(now)}",
        f"Message-ID: {message_id}",
        *_references(header),
        "Auto-Submitted: auto-replied",
        "MIME-Version: 1.0",
        f'Content-Type: multipart/report; report-type=delivery-status;\r\n\tboundary="{boundary}"',
        "",
    ]
    human = _for_people(failures, subject, action, arrival)
    machine = _for_programs(reporting_mta, failures, action, arrival, envelope_id)
    utf8 = not machine.isascii()
    parts = [
        b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
        + human.encode(),
        b"Content-Type: message/" + (b"global-" if utf8 else b"") + b"delivery-status\r\n"
        b"Content-Transfer-Encoding: " + (b"8bit" if utf8 else b"7bit") + b"\r\n\r\n" + machine.encode(),
        b"Content-Type: message/rfc822\r\nContent-Transfer-Encoding: 8bit\r\n\r\n" + full
        if full
        else b"Content-Type: text/rfc822-headers\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
        + _whole_lines(header),
    ]
    separator = f"\r\n--{boundary}\r\n".encode()
    body = separator + separator.join(parts) + f"\r\n--{boundary}--\r\n".encode()
    return "\r\n".join(lines).encode() + body


def _for_people(failures: Sequence[Failure], subject: str, action: str, arrival: dt.datetime) -> str:
    named = f"“{_line(subject)[:150]}”" if subject else "without a subject"
    whom = "these recipients" if len(failures) != 1 else _line(failures[0].recipient)
    paragraphs = [f"Your message {named} of {date(arrival)} {_ENDS[action]} {whom}."]
    if action in (DELIVERED, RELAYED):
        paragraphs += [f"<{_line(each.recipient)}>" for each in failures]
    if action == RELAYED:
        paragraphs.append("That host does not tell when it has been delivered, so this is the last you hear.")
    for failure in failures if action in (FAILED, DELAYED) else ():
        why, then = explain(failure.status)
        said = [f"<{_line(failure.recipient)}>", why, then]
        if failure.will_retry_until:
            said.append(f"We try again until {date(failure.will_retry_until)}.")
        if failure.diagnostic:
            host = f" {_line(failure.remote_mta)}" if failure.remote_mta else ""
            said.append(f"What the other side{host} said:\r\n    {_line(failure.diagnostic)[:1000]}")
        paragraphs.append("\r\n".join(said))
    if action == FAILED:
        paragraphs.append("The message will not be tried again. Its header is attached to this report.")
    return "\r\n\r\n".join(paragraphs) + "\r\n"


def _for_programs(
    reporting_mta: str, failures: Sequence[Failure], action: str, arrival: dt.datetime, envelope_id: str
) -> str:
    about = f"Original-Envelope-Id: {_line(from_xtext(envelope_id))}\r\n" if envelope_id else ""
    blocks = [f"{about}Reporting-MTA: dns; {reporting_mta}\r\nArrival-Date: {date(arrival)}\r\n"]
    for failure in failures:
        kind = "rfc822" if failure.recipient.isascii() else "utf-8"
        lines = []
        if failure.original:
            original, _, name = failure.original.partition(";")
            lines.append(f"Original-Recipient: {original};{_line(from_xtext(name))}")
        lines += [
            f"Final-Recipient: {kind}; {_line(failure.recipient)}",
            f"Action: {action}",
            f"Status: {failure.status}",
        ]
        if failure.remote_mta:
            lines.append(f"Remote-MTA: dns; {_line(failure.remote_mta)}")
        if failure.diagnostic:
            words = _line(failure.diagnostic).encode("ascii", "replace").decode()
            lines.append(f"Diagnostic-Code: smtp; {_folded(words[:900])}")
        if failure.last_attempt:
            lines.append(f"Last-Attempt-Date: {date(failure.last_attempt)}")
        if failure.will_retry_until:
            lines.append(f"Will-Retry-Until: {date(failure.will_retry_until)}")
        blocks.append("\r\n".join(lines) + "\r\n")
    return "\r\n".join(blocks)


def from_xtext(text: str) -> str:
    """What xtext stands for: "+2B" is "+" (RFC 3461 §4)."""
    return re.sub(r"\+([0-9A-F]{2})", lambda match: chr(int(match[1], 16)), text)


def to_xtext(text: str) -> str:
    """ASCII text as xtext."""
    return re.sub(r"[^!-*,-<>-~]", lambda match: f"+{ord(match[0]):02X}", text)


def _references(header: bytes) -> list[str]:
    found = re.search(rb"<[^<>\s]{1,900}>", b" ".join(fields.get_raw(header, "message-id")[:1]))
    if not found:
        return []
    return [f"In-Reply-To: {found[0].decode('ascii', 'replace')}"]


def _line(text: str) -> str:
    """One line of text: whatever a remote host says cannot begin a field of ours."""
    return "".join(char if char.isprintable() else " " for char in text).strip()


def _folded(text: str) -> str:
    return re.sub(r"(.{60,70}) ", "\\1\r\n\t", text)


def _subject(text: str) -> str:
    line = _line(text)[:200]
    return line if line.isascii() else encode_words(line).replace(" ", "\r\n ")


def _whole_lines(header: bytes) -> bytes:
    """The header section with CRLF ends, cut at a line end."""
    text = re.sub(rb"\r\n|\r|\n", b"\r\n", header)
    return text[: text.rfind(b"\r\n") + 2].rstrip(b"\r\n") + b"\r\n"


_BLANK = re.compile(rb"\r?\n[ \t]*\r?\n")


def parse_dsn(raw: bytes) -> list[Reported] | None:
    """What a report from outside says of each recipient, or None when raw is no report. Total and bounded."""
    scanned = index(raw)
    for part in parse_table(scanned.parts).walk():
        if part.content_type in ("message/delivery-status", "message/global-delivery-status"):
            body = transfer.decode(raw[part.body_start : part.body_end][: limits.DSN_OCTETS], part.encoding)
            blocks = _BLANK.split(body, limits.DSN_RECIPIENTS + 1)
            found = [
                reported for block in blocks[1 : limits.DSN_RECIPIENTS + 1] if (reported := _reported(block))
            ]
            return found or None
    return None


def _reported(block: bytes) -> Reported | None:
    values = {
        name: charsets.decode(block[start:end].partition(b":")[2]).strip(" \t\r\n")
        for name, start, end in fields.iter_fields(block.strip(b"\r\n") + b"\r\n")
    }
    original = _address(values.get("original-recipient", ""))
    address = _address(values.get("final-recipient", ""))
    if "@" not in address:  # a name of their own system, as X.400 and some gateways put there
        address = original or address
    status = re.search(r"[245]\.\d{1,3}\.\d{1,3}", values.get("status", ""))
    # RFC 3464 §2.3.3; some write a comment behind it, or words of their own.
    action = values.get("action", "").lower().partition("(")[0].strip()[:20]
    # Old hosts leave the status out; the action says enough.
    code = status[0] if status else {"failed": "5.0.0", "delayed": "4.0.0"}.get(action)
    if not address or code is None:
        return None
    if action not in _ACTIONS:
        action = FAILED if code[0] == "5" else DELAYED if code[0] == "4" else action
    return Reported(
        address[:320],
        action,
        code,
        " ".join(values.get("diagnostic-code", "").partition(";")[2].split())[:1000],
        original[:320],
    )


def _address(value: str) -> str:
    """The address behind "rfc822;"; hosts that leave the type out mean that one."""
    kind, semicolon, rest = value.partition(";")
    return (rest if semicolon else kind).strip(" \t<>").removeprefix("smtp:")
