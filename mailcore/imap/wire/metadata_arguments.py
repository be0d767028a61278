"""The arguments of GETMETADATA and SETMETADATA (RFC 5464 §5), and of METADATA in LIST (RFC 9590 §3). Pure."""

from __future__ import annotations

from typing import Final, cast

from mailcore.errors import BadSyntax
from mailcore.imap.wire import options
from mailcore.imap.wire.grammar import Cursor
from mailcore.imap.wire.values import GetMetadata, SetMetadata


def _entry(cursor: Cursor) -> str:
    try:
        return cursor.astring("the name of an entry").decode("ascii")
    except UnicodeDecodeError as error:
        raise BadSyntax("The name of an entry is ASCII (RFC 5464 section 3.2)") from error


def list_option(cursor: Cursor) -> tuple[str, ...]:
    cursor.space("entries in parentheses")
    return cursor.several(lambda: _entry(cursor), "an entry")


def get(tag: bytes, name: str, cursor: Cursor) -> GetMetadata:
    cursor.space("a folder name")
    given: dict[str, object] = {}
    if cursor.sees(b"("):
        given = dict(options.read(cursor, _OPTIONS, "option of GETMETADATA"))
        cursor.space("a folder name")
    folder = cursor.folder()
    cursor.space("entries")
    if cursor.sees(b"("):
        entries = cursor.several(lambda: _entry(cursor), "an entry")
    else:
        entries = (_entry(cursor),)
    cursor.end()
    max_size = cast("int | None", given.get("MAXSIZE"))
    return GetMetadata(tag, name, folder, entries, max_size, cast("int | None", given.get("DEPTH", 0)))


def _max_size(cursor: Cursor) -> int:
    cursor.space("a size")
    return cursor.number("a size")


def _depth(cursor: Cursor) -> int | None:
    cursor.space("0, 1 or infinity")
    word = cursor.word("0, 1 or infinity")
    if word not in _DEPTHS:
        raise BadSyntax("DEPTH is 0, 1 or infinity")
    return _DEPTHS[word]


_OPTIONS: Final[options.ModifierTable] = {"MAXSIZE": _max_size, "DEPTH": _depth}
_DEPTHS: Final[dict[str, int | None]] = {"0": 0, "1": 1, "INFINITY": None}


def set_(tag: bytes, name: str, cursor: Cursor) -> SetMetadata:
    cursor.space("a folder name")
    folder = cursor.folder()
    cursor.space("entries and values in parentheses")
    entries = cursor.several(lambda: _entry_value(cursor), "an entry and its value")
    cursor.end()
    if len({entry.lower() for entry, _ in entries}) < len(entries):
        raise BadSyntax("The same entry twice")
    return SetMetadata(tag, name, folder, entries)


def _entry_value(cursor: Cursor) -> tuple[str, bytes | None]:
    entry = _entry(cursor)
    cursor.space("a value in quotes, or NIL")
    return entry, cursor.value("a value in quotes, or NIL")
