"""Content-Transfer-Encoding, undone. (RFC 2045 §6)"""

from __future__ import annotations

import binascii
import re

_NOT_BASE64 = re.compile(rb"[^A-Za-z0-9+/]+")


def base64(raw: bytes) -> bytes:
    """Decode base64, skipping what is none, up to the first padding or the end. Total. (RFC 2045 §6.8)

    A piece that was cut anywhere gives all whole octets in it.
    """
    end = raw.find(b"=")
    data = _NOT_BASE64.sub(b"", raw if end < 0 else raw[:end])
    left = len(data) % 4
    if left == 1:
        data = data[:-1]
    elif left:
        data += b"=" * (4 - left)
    return binascii.a2b_base64(data)


def quoted_printable(raw: bytes) -> bytes:
    """Decode quoted-printable. Total: what is malformed stays as it is. (RFC 2045 §6.7)"""
    return binascii.a2b_qp(raw)


def decode(raw: bytes, encoding: str) -> bytes:
    """Undo a Content-Transfer-Encoding given in lower case; what we do not know stays as it is."""
    if encoding == "base64":
        return base64(raw)
    if encoding == "quoted-printable":
        return quoted_printable(raw)
    return raw
