"""IMAP strings, and the ENVELOPE of a header section as wire bytes. (RFC 9051 §7.5.2, RFC 3501 §7.4.2)"""

from __future__ import annotations

import re
from collections.abc import Mapping

from mailcore.message import address, words
from mailcore.message.address import Scanned

_QUOTABLE = re.compile(rb'[^\x00\r\n"\\\x80-\xff]{0,1024}')
_ESCAPABLE = re.compile(rb"[^\x00\r\n\x80-\xff]{0,1024}")
_ESCAPED = re.compile(rb'(["\\])')


def string(value: bytes) -> bytes:
    """Return value as an IMAP string: quoted where safe, else a literal. NUL, which has no form, goes."""
    if _QUOTABLE.fullmatch(value):
        return b'"%b"' % value
    if _ESCAPABLE.fullmatch(value):
        return b'"%b"' % _ESCAPED.sub(rb"\\\1", value)
    value = value.replace(b"\0", b"")
    return b"{%d}\r\n%b" % (len(value), value)


def nstring(value: bytes | None) -> bytes:
    """Return value as an IMAP string, or NIL."""
    return b"NIL" if value is None else string(value)


def address_list(value: bytes) -> tuple[bytes, list[Scanned]]:
    """Return the address structures of one field body, and what they were made from."""
    value = words.unfold(value)
    found = address.scan(value)
    if not found:
        return b"NIL", found
    # Nothing in such a value needs more than quotes around it.
    is_plain = value.isascii() and len(value) < 1024 and b"\\" not in value and b"\r" not in value
    out = [b"("]
    for each in found:
        name, route, local, domain = each
        if is_plain and local and domain and route is None:
            if name is None:
                out.append(b'(NIL NIL "%b" "%b")' % (local, domain))
            elif b'"' not in name:
                out.append(b'("%b" NIL "%b" "%b")' % (name, local, domain))
            else:
                out.append(_structure(each))
        else:
            out.append(_structure(each))
    out.append(b")")
    return b"".join(out), found


def _structure(each: Scanned) -> bytes:
    name, route, local, domain = each
    if domain is not None:
        # An empty host would be well-formed, but NIL and "" are one to many clients, and NIL marks a group.
        local = local or b"MISSING_MAILBOX"
        domain = domain or b"MISSING_DOMAIN"
    return b"(%b %b %b %b)" % (nstring(name), nstring(route), nstring(local), nstring(domain))


def envelope(fields: Mapping[bytes, bytes]) -> tuple[bytes, dict[bytes, list[Scanned]]]:
    """Return ENVELOPE for the raw bodies of the fields by lower-case name, and the address lists it found.

    Sender and Reply-To that are missing or empty are From.
    """
    lists: dict[bytes, bytes] = {}
    found: dict[bytes, list[Scanned]] = {}
    for name in (b"from", b"sender", b"reply-to", b"to", b"cc", b"bcc"):
        value = fields.get(name)
        if value is None:
            lists[name] = b"NIL"
        else:
            lists[name], found[name] = address_list(value)
    author = lists[b"from"]
    sender, reply_to = lists[b"sender"], lists[b"reply-to"]
    wire = b"(%b %b %b %b %b %b %b %b %b %b)" % (
        _text(fields.get(b"date")),
        _text(fields.get(b"subject")),
        author,
        author if sender == b"NIL" else sender,
        author if reply_to == b"NIL" else reply_to,
        lists[b"to"],
        lists[b"cc"],
        lists[b"bcc"],
        _text(fields.get(b"in-reply-to")),
        _text(fields.get(b"message-id")),
    )
    return wire, found


def _text(value: bytes | None) -> bytes:
    return b"NIL" if value is None else string(words.unfold(value))
