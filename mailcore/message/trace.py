"""The trace fields we put in front of a message: Return-Path, Delivered-To, Received (RFC 5321 §4.4).

Everything a peer said of itself is cleaned before it stands in a field: it may not end the line, open a
comment or pretend to be another clause. Pure; services.inbound and services.outbound call it.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import re
from functools import lru_cache

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_UNFIT = re.compile(r"[^A-Za-z0-9.:_\[\]-]")


def date(moment: dt.datetime) -> str:
    """RFC 5322 §3.3 date-time of an aware moment; English whatever the locale."""
    return _date(moment.replace(microsecond=0))


@lru_cache(maxsize=64)
def _date(moment: dt.datetime) -> str:
    offset = moment.strftime("%z")[:5]
    return (
        f"{_DAYS[moment.weekday()]}, {moment.day} {_MONTHS[moment.month - 1]} {moment.year}"
        f" {moment:%H:%M:%S} {offset}"
    )


def return_path(reverse_path: str) -> bytes:
    """The envelope's sender as the final delivery writes it; "" is the null path."""
    return b"Return-Path: <" + _clean_path(reverse_path) + b">\r\n"


def delivered_to(recipient: str) -> bytes:
    """The address a message was delivered by."""
    return b"Delivered-To: " + _clean_path(recipient) + b"\r\n"


def received(
    *,
    helo: str,
    peer: str,
    host: str,
    protocol: str,
    trace: str,
    now: dt.datetime,
    recipient: str | None = None,
    tls: str = "",
) -> bytes:
    """One Received field, folded. protocol is a word of RFC 3848; tls goes into a comment.

    recipient is named only when it is the one: a list would show who else got a blind copy (RFC 5321 §7.2).
    """
    literal = f"[IPv6:{peer}]" if ":" in peer else f"[{peer}]"
    lines = [
        f"Received: from {_clean_word(helo) or 'unknown'} ({literal})",
        f"\tby {host} with {protocol} id {trace}" + (f" (using {_clean_word(tls)})" if tls else ""),
    ]
    if recipient:
        lines.append(f"\tfor <{_clean_path(recipient).decode()}>")
    lines[-1] += ";"
    lines.append(f"\t{date(now)}")
    return "\r\n".join(lines).encode() + b"\r\n"


def key_of(message_id: str) -> int | None:
    """63 bits by which a Message-ID is found again, with or without its angle brackets; None without one."""
    bare = message_id.strip().strip("<>").strip()
    if not bare:
        return None
    digest = hashlib.blake2b(bare.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1


def _clean_word(text: str) -> str:
    return _UNFIT.sub("?", text)[:255]


def _clean_path(path: str) -> bytes:
    return re.sub(r"[\x00-\x20\x7f<>]", "?", path).encode("utf-8", "replace")
