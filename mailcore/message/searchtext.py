"""The text of a mail that searches look through, and how texts are compared. Pure and total.

Header fields as people read them (RFC 2047 decoded, unfolded), a line a field; of the body all text/* parts
decoded from transfer encoding and charset, HTML without its tags, the names of files, and the headers of
mails in it. RFC 9051 §6.4.4 asks for substrings, compared as i;unicode-casemap does (RFC 5051): texts and
needles are folded by fold(), so a search is one `in`. Raise TEXT_VERSION when an answer changes: what was
made by another version is made again.
"""

from __future__ import annotations

import re
import unicodedata
from typing import NamedTuple

from mailcore import limits
from mailcore.message import charsets, fields, transfer
from mailcore.message.parts import Part, parse_table
from mailcore.message.preview import strip_tags

TEXT_VERSION = 1
# The fields that have a search key of their own, in the order in which Texts.fields has them.
FIELDS = ("SUBJECT", "FROM", "TO", "CC", "BCC")

_FOLD = re.compile(rb"\r?\n(?=[ \t])")
_MOST = {"SUBJECT": limits.SUBJECT_CHARS, "FROM": limits.ADDRESS_TEXT_CHARS, "TO": limits.ADDRESS_TEXT_CHARS}


class Source(NamedTuple):
    """One mail as it is stored: our fields before it, its octets, its part table and the decoded columns."""

    prefix: bytes
    header: bytes
    body: bytes
    parts: bytes
    subject: str
    from_text: str
    to_text: str


class Texts(NamedTuple):
    """Folded texts without NUL. is_cut says that head and body are only the first SEARCH_TEXT_CHARS."""

    head: str
    body: str
    fields: tuple[str, ...]
    is_cut: bool


def fold(text: str) -> str:
    """text as it is compared: without case, compatible forms the same, accents after their letters."""
    if text.isascii():
        return text.lower()
    once = unicodedata.normalize("NFKD", text).casefold()
    return unicodedata.normalize("NFKD", once)


def needle(text: str) -> str:
    """What to look for, folded, with line ends as texts have them."""
    return fold(text.replace("\r\n", "\n"))


def texts(source: Source, most: int | None = limits.SEARCH_TEXT_CHARS) -> Texts:
    """All that is searched in one mail; most None: however long it is."""
    head, body = head_of(source), body_of(source)
    named = tuple(field_of(source, name) for name in FIELDS)
    if most is None or (len(head) <= most and len(body) <= most):
        return Texts(head, body, named, False)
    return Texts(head[:most], body[:most], named, True)


def head_of(source: Source) -> str:
    """The header as it is searched, whole."""
    return _clean(header_text(source.prefix + source.header))


def body_of(source: Source) -> str:
    """The body as it is searched, whole."""
    return _clean(body_text(source))


def field_of(source: Source, name: str) -> str:
    """What SUBJECT, FROM and the like look through: the decoded column, and the field where it was cut."""
    column = {"SUBJECT": source.subject, "FROM": source.from_text, "TO": source.to_text}.get(name)
    if column is not None and len(column) < _MOST[name]:
        return _clean(column)
    return _clean("\n".join([column or "", *fields.get_all(source.prefix + source.header, name)]))


def has_field(header: bytes, name: str, wanted: str) -> bool:
    """Is there a field of that name with wanted, folded, in its text? (HEADER of RFC 9051 §6.4.4)"""
    if not name.isascii():
        return False
    return any(wanted in _clean(text) for text in fields.get_all(header, name))


def header_text(header: bytes) -> str:
    """A header section as people read it, a line a field."""
    header = _FOLD.sub(b"", header)
    if b"=?" not in header:
        return charsets.decode(header)
    return "\n".join(map(fields.decode, header.split(b"\n")))


def body_text(source: Source) -> str:
    """The texts of the body, the names of its files, and the headers of mails in it."""
    found = []
    for part in parse_table(source.parts).walk():
        if part.filename:
            found.append(part.filename)
        if part.message is not None:
            inner = part.message
            found.append(header_text(_slice(source, inner.header_start, inner.header_end)))
        if part.content_type.startswith("text/"):
            found.append(_part_text(source, part))
    return "\n".join(found)


def _part_text(source: Source, part: Part) -> str:
    octets = transfer.decode(_slice(source, part.body_start, part.body_end), part.encoding)
    text = charsets.decode(octets, part.charset)
    return strip_tags(text) if part.content_type == "text/html" else text


def _clean(text: str) -> str:
    if "\r" in text:
        text = text.replace("\r\n", "\n")
    if "\0" in text:
        text = text.replace("\0", "\ufffd")
    return fold(text)


def _slice(source: Source, start: int, end: int) -> bytes:
    split = len(source.header)
    if start >= split:
        return source.body[start - split : end - split]
    return source.header[start:end] if end <= split else source.header[start:] + source.body[: end - split]
