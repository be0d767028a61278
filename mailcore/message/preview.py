"""The first words of a mail, for lists of mails. (RFC 8970 §3.1)"""

from __future__ import annotations

import html
import re

from mailcore import limits
from mailcore.message import charsets, transfer

_TAG = re.compile(r"<(?:!--|(/?)([A-Za-z][A-Za-z0-9:-]{0,30})[^>]*+>?|[!?/][^>]*+>?)")
_HIDDEN = frozenset({"head", "script", "style", "title", "noscript", "template", "svg", "math"})
_INLINE = frozenset(
    {"a", "b", "i", "u", "s", "em", "strong", "span", "font", "small", "big", "sub", "sup", "code"}
)
_HUGE_REFERENCE = re.compile(r"&#[xX]?[0-9A-Fa-f]{9,}+;?")  # int() refuses thousands of digits
# Controls, and what newsletters fill the preview with: soft hyphens, joiners, zero-width spaces.
_NOTHING = dict.fromkeys(
    [
        *(*range(32), *range(127, 160)),
        *(0xAD, 0x34F, 0x61C, *range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2060, 0x2070), 0xFEFF),
    ]
)


def preview(raw: bytes, encoding: str, charset: str, *, is_html: bool) -> str:
    """Return the first words of a still encoded text body, at most PREVIEW_CHARS. Total.

    Only the first octets are read, so a style sheet longer than those leaves nothing.
    """
    piece = raw[: limits.PREVIEW_HTML_OCTETS if is_html else limits.PREVIEW_TEXT_OCTETS]
    text = charsets.decode(transfer.decode(piece, encoding), charset)
    if is_html:
        text = strip_tags(text)
    return collapse(text)


def collapse(text: str) -> str:
    """Return the first PREVIEW_CHARS of text in one line, without controls and invisible filling."""
    line = " ".join(text[: limits.PREVIEW_CHARS + 50].split())
    if len(line) < limits.PREVIEW_CHARS:  # mostly blanks, or short
        line = " ".join(text.split(None, limits.PREVIEW_CHARS)[: limits.PREVIEW_CHARS])
        line = line[: limits.PREVIEW_CHARS * 5]
    if not line.isprintable() or "\u034f" in line:
        line = " ".join(line.translate(_NOTHING).split())
    return line[: limits.PREVIEW_CHARS].rstrip(" ")


def strip_tags(text: str) -> str:
    """Return the text of HTML, roughly: for a preview, never for display. Linear."""
    out: list[str] = []
    position = 0
    while True:
        tag = _TAG.search(text, position)
        if tag is None:
            out.append(text[position:])
            break
        out.append(text[position : tag.start()])
        name = (tag[2] or "").lower()
        position = tag.end()
        if tag[0] == "<!--":
            end = text.find("-->", position)
            if end < 0:
                break
            position = end + 3
        elif name in _HIDDEN and not tag[1]:
            end = _end_of(text, name, position)
            if end < 0:
                break
            position = end
        if name not in _INLINE:
            out.append(" ")
    joined = "".join(out)
    if "&" not in joined:
        return joined
    return html.unescape(_HUGE_REFERENCE.sub("", joined))


_CLOSING = {name: re.compile(rf"</{name}[^>]*+>?", re.IGNORECASE) for name in _HIDDEN}


def _end_of(text: str, name: str, position: int) -> int:
    closing = _CLOSING[name].search(text, position)
    return closing.end() if closing else -1
