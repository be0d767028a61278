"""Encoded words in header fields, decoded. (RFC 2047, RFC 2231 §5)

Encoding them is compose.py's.
"""

from __future__ import annotations

import binascii
import re

from mailcore.message import charsets, transfer

# Spaces inside the encoded text are forbidden (§2) and common; "?" never stands there, so each attempt ends
# at the next "?" and a search through a whole value is linear.
_WORD = re.compile(rb"=\?([!-)+->@-~]{1,60})(?:\*[^?*\s]{0,40})?\?([BbQq])\?([^?]*+)\?=")

# A decoded line end would be a forged one.
_NO_LINE_ENDS = {0: None, 10: " ", 13: None, 0x85: " ", 0x2028: " ", 0x2029: " "}


def unfold(value: bytes) -> bytes:
    """Take the line ends out of a field body and its spaces off both ends. (RFC 5322 §2.2.3)"""
    if b"\n" in value:
        value = value.replace(b"\r\n", b"").replace(b"\n", b"")
    return value.strip(b" \t\r\n")


def decode(value: bytes) -> str:
    """Return a field body as text: unfolded, encoded words decoded, 8-bit octets as UTF-8 or windows-1252.

    Octets of neighbouring words in one charset are put together before they become text, because many
    senders cut words inside a character. What is no valid word stays as it is (§6.3). Linear and total.
    """
    value = unfold(value)
    if b"=?" not in value:
        return charsets.decode(value)
    out: list[str] = []
    run: list[bytes] = []  # octets of neighbouring words so far
    charset = b""
    position = 0
    for match in _WORD.finditer(value):
        between = value[position : match.start()]
        is_neighbour = position > 0 and not between.strip(b" \t")  # §6.2: such space is not displayed
        name, encoding, text = match.groups()
        name = name.lower()
        if run and (name != charset or not is_neighbour):
            out.append(_text(run, charset))
            run = []
        if between and not is_neighbour:
            out.append(charsets.decode(between))
        run.append(transfer.base64(text) if encoding in b"Bb" else binascii.a2b_qp(text, header=True))
        charset = name
        position = match.end()
    if run:
        out.append(_text(run, charset))
    out.append(charsets.decode(value[position:]))
    return "".join(out)


def _text(run: list[bytes], charset: bytes) -> str:
    text = charsets.decode(b"".join(run), charset.decode("ascii"))
    return text.translate(_NO_LINE_ENDS)
