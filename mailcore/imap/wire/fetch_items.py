"""What FETCH can be asked for (RFC 3501 §6.4.5, §9 fetch-att), from bytes to FetchItem.

An extension's plain item is a row in PLAIN; one with a section (BINARY[], RFC 3516) is a branch in _item.
parser.py calls it, and remembers what came of short lists: clients ask for the same few all day.
"""

from __future__ import annotations

import re
from typing import Final

from mailcore import limits
from mailcore.errors import BadSyntax
from mailcore.imap.wire.grammar import Cursor
from mailcore.imap.wire.responses import astring
from mailcore.imap.wire.values import FetchItem, Section

PLAIN: Final = {
    name: FetchItem(name, name.encode())
    for name in (
        "FLAGS",
        "UID",
        "ENVELOPE",
        "INTERNALDATE",
        "RFC822.SIZE",
        "BODY",
        "BODYSTRUCTURE",
        "MODSEQ",
        "SAVEDATE",
        "PREVIEW",
        "EMAILID",
        "THREADID",
    )
} | {
    "RFC822": FetchItem("RFC822", b"RFC822", Section("", ""), peek=False),
    "RFC822.HEADER": FetchItem("RFC822.HEADER", b"RFC822.HEADER", Section("", "HEADER")),
    "RFC822.TEXT": FetchItem("RFC822.TEXT", b"RFC822.TEXT", Section("", "TEXT"), peek=False),
}
_FAST: Final = tuple(PLAIN[name] for name in ("FLAGS", "INTERNALDATE", "RFC822.SIZE"))
MACROS: Final = {
    "FAST": _FAST,
    "ALL": (*_FAST, PLAIN["ENVELOPE"]),
    "FULL": (*_FAST, PLAIN["ENVELOPE"], PLAIN["BODY"]),
}

_NAME = re.compile(rb"[A-Za-z0-9.]+").match
_PART = re.compile(rb"[1-9][0-9]{0,9}(?:\.[1-9][0-9]{0,9})*+").match
_TEXT = re.compile(rb"(?:HEADER(?:\.FIELDS(?:\.NOT)?)?|TEXT|MIME)(?=[\] ])", re.IGNORECASE).match
_LAZY = re.compile(rb" \(LAZY(?: LAZY)*+\)", re.IGNORECASE).match
_PARTIAL = re.compile(rb"<([0-9]{1,19})\.([1-9][0-9]{0,18})>").match


def parse(cursor: Cursor) -> tuple[FetchItem, ...]:
    """A macro, one item, or items in parentheses; each item once."""
    if cursor.sees(b"("):
        items = cursor.several(lambda: _item(cursor), "things to fetch", limit=limits.IMAP_FETCH_ITEMS)
        return tuple(dict.fromkeys(items))
    found = _NAME(cursor.text, cursor.pos)
    macro = MACROS.get(found[0].decode("ascii").upper()) if found else None
    if found and macro:
        cursor.pos = found.end()
        return macro
    return (_item(cursor),)


def _item(cursor: Cursor) -> FetchItem:
    start = cursor.pos
    name = cursor.match(_NAME, "something to fetch, like FLAGS or BODY[]")[0].decode("ascii").upper()
    if name in ("BODY", "BODY.PEEK") and cursor.take(b"["):
        return _body(cursor, peek=name == "BODY.PEEK")
    if name in ("BINARY", "BINARY.PEEK", "BINARY.SIZE") and cursor.take(b"["):
        return _binary(cursor, name)
    item = PLAIN.get(name)
    if name == "PREVIEW" and (found := _LAZY(cursor.text, cursor.pos)):
        cursor.pos = found.end()  # ours are ready (RFC 8970 §4)
    if item is None:
        cursor.pos = start
        raise cursor.wrong("something to fetch, like FLAGS or BODY[]")
    return item


def _body(cursor: Cursor, *, peek: bool) -> FetchItem:
    part, text = _part(cursor), b""
    if not cursor.sees(b"]"):
        if part:
            cursor.expect(b".", "']' or '.' and a part of the section")
        text = cursor.match(_TEXT, "HEADER, HEADER.FIELDS, TEXT, MIME or a part number")[0].upper()
        if text == b"MIME" and not part:
            raise BadSyntax("MIME stands after a part number: BODY[1.MIME]")
    fields: tuple[bytes, ...] = ()
    label = [b"BODY[", part, b"." if part and text else b"", text]
    if text.startswith(b"HEADER.FIELDS"):
        cursor.space("header field names in parentheses")
        fields = cursor.several(
            lambda: cursor.astring("a header field name"),
            "header field names",
            limit=limits.IMAP_FETCH_FIELDS,
        )
        label += [b" (", b" ".join(map(astring, fields)), b")"]
    cursor.expect(b"]", "']'")
    partial = _partial(cursor)
    label += [b"]<%d>" % partial[0] if partial else b"]"]
    return FetchItem("BODY", b"".join(label), Section(part.decode(), text.decode(), fields), peek, partial)


def _part(cursor: Cursor) -> bytes:
    """A part number, empty if none stands here."""
    found = _PART(cursor.text, cursor.pos)
    if found is None:
        return b""
    cursor.pos = found.end()
    if found[0].count(b".") >= limits.IMAP_PART_DEPTH:
        raise BadSyntax("No message has a part so deep")
    return found[0]


def _partial(cursor: Cursor) -> tuple[int, int] | None:
    if not cursor.sees(b"<"):
        return None
    range_ = cursor.match(_PARTIAL, "a range of octets like <0.1024>")
    return int(range_[1]), int(range_[2])


def _binary(cursor: Cursor, name: str) -> FetchItem:
    """RFC 3516 §6: a part number or nothing in brackets; a range of what is decoded, but not of its size."""
    part = _part(cursor)
    cursor.expect(b"]", "a part number and ']'")
    if name == "BINARY.SIZE":
        return FetchItem(name, b"BINARY.SIZE[%b]" % part, Section(part.decode(), ""))
    partial = _partial(cursor)
    label = b"BINARY[%b]<%d>" % (part, partial[0]) if partial else b"BINARY[%b]" % part
    return FetchItem("BINARY", label, Section(part.decode(), ""), name == "BINARY.PEEK", partial)
