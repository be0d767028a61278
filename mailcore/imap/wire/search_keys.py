"""What SEARCH can look for (RFC 3501 §6.4.4, §9 search-key), from bytes to a tree of values.

Nesting is kept on a list of ours, not on Python's stack, so ten thousand parentheses are an error message and
nothing worse. AND in AND and OR in OR are flattened: clients write "OR a OR b OR c d" for a list of four, and
that is no depth. An extension's key is a row in KEYS. parser.py calls it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from mailcore import limits
from mailcore.errors import BadCharset, BadSyntax
from mailcore.imap.wire import modseqs, objectids, search_charsets, seqset
from mailcore.imap.wire.grammar import SYSTEM_FLAGS, Cursor
from mailcore.imap.wire.keys import (
    All,
    And,
    ChangedFrom,
    Contains,
    Dated,
    HasFlag,
    HasObjectId,
    HeaderContains,
    Key,
    Larger,
    Not,
    Numbered,
    Or,
    Smaller,
    Within,
)

_OBJECT_ID = re.compile(rb"[A-Za-z0-9_-]{1,255}(?![A-Za-z0-9_-])").match
_WORD = re.compile(rb"[A-Za-z]+").match
_TOP, _LIST, _OR, _NOT = range(4)


class Reader:
    """A cursor, and the charset of the strings it reads."""

    __slots__ = ("charset", "cursor")

    def __init__(self, cursor: Cursor, charset: str) -> None:
        self.cursor, self.charset = cursor, charset

    def text(self, expected: str = "the text to look for") -> str:
        self.cursor.space(expected)
        octets = self.cursor.astring(expected)
        try:
            return octets.decode(self.charset)
        except UnicodeDecodeError as error:
            raise BadSyntax("The text to look for is not in the charset that was named") from error

    def octets(self) -> int:
        self.cursor.space("a number of octets")
        return self.cursor.number("a number of octets")

    def keyword(self) -> HasFlag:
        self.cursor.space("a keyword")
        return HasFlag(self.cursor.atom("a keyword"))

    def uids(self) -> Numbered:
        self.cursor.space("a set of UIDs")
        return Numbered(self.cursor.numbers(), uid=True)

    def dated(self, test: str, of: str) -> Dated:
        self.cursor.space("a date")
        return Dated(test, of, self.cursor.date())

    def object_id(self, kind: str) -> HasObjectId:
        self.cursor.space("an object id")
        return HasObjectId(kind, self.cursor.match(_OBJECT_ID, "an object id")[0].decode("ascii"))

    def within(self, *, is_younger: bool) -> Within:
        self.cursor.space("a number of seconds")
        seconds = self.cursor.number("a number of seconds")
        if not 0 < seconds < seqset.STAR:
            raise BadSyntax("That is no number of seconds")
        return Within(seconds, is_younger)


def _fixed(key: Key) -> Callable[[Reader], Key]:
    return lambda reader: key


def _contains(field: str) -> Callable[[Reader], Key]:
    return lambda reader: Contains(field, reader.text())


def _dated(test: str, of: str) -> Callable[[Reader], Key]:
    return lambda reader: reader.dated(test, of)


_RECENT, _SEEN = HasFlag("\\Recent"), HasFlag("\\Seen")
KEYS: Final[dict[str, Callable[[Reader], Key]]] = {
    "ALL": _fixed(All()),
    "NEW": _fixed(And((_RECENT, Not(_SEEN)))),
    "OLD": _fixed(Not(_RECENT)),
    "RECENT": _fixed(_RECENT),
    **{flag[1:].upper(): _fixed(HasFlag(flag)) for flag in SYSTEM_FLAGS},
    **{"UN" + flag[1:].upper(): _fixed(Not(HasFlag(flag))) for flag in SYSTEM_FLAGS},
    **{field: _contains(field) for field in ("BCC", "BODY", "CC", "FROM", "SUBJECT", "TEXT", "TO")},
    **{test: _dated(test, "internal") for test in ("BEFORE", "ON", "SINCE")},
    **{"SENT" + test: _dated(test, "sent") for test in ("BEFORE", "ON", "SINCE")},
    **{"SAVED" + test: _dated(test, "saved") for test in ("BEFORE", "ON", "SINCE")},
    "SAVEDATESUPPORTED": _fixed(All()),
    "EMAILID": lambda reader: reader.object_id(objectids.EMAIL),
    "THREADID": lambda reader: reader.object_id(objectids.THREAD),
    "OLDER": lambda reader: reader.within(is_younger=False),
    "YOUNGER": lambda reader: reader.within(is_younger=True),
    "HEADER": lambda reader: HeaderContains(reader.text("a header field name"), reader.text()),
    "KEYWORD": lambda reader: reader.keyword(),
    "UNKEYWORD": lambda reader: Not(reader.keyword()),
    "LARGER": lambda reader: Larger(reader.octets()),
    "SMALLER": lambda reader: Smaller(reader.octets()),
    "UID": lambda reader: reader.uids(),
    "MODSEQ": lambda reader: ChangedFrom(modseqs.search_modseq(reader.cursor)),
}


def parse(cursor: Cursor) -> Key:
    """[CHARSET name SP] keys, to the end of the command. Raises BadSyntax, BadCharset."""
    charset = "utf-8"  # unnamed it is US-ASCII; UTF-8 is a superset that clients send without saying so
    if cursor.text[cursor.pos : cursor.pos + 8].upper() == b"CHARSET ":
        if not cursor.charsets:
            raise BadSyntax("After ENABLE UTF8=ACCEPT a SEARCH names no charset")  # RFC 9755 §3
        cursor.pos += 8
        return parse_in_charset(cursor)
    return _keys(Reader(cursor, charset))


def parse_in_charset(cursor: Cursor) -> Key:
    """name SP keys, as SORT and THREAD have them (RFC 5256 §5). Raises BadSyntax, BadCharset."""
    codec = search_charsets.codec(cursor.astring("a charset").decode("ascii", "replace"))
    if codec is None:
        raise BadCharset
    cursor.space("what to search for")
    return _keys(Reader(cursor, codec))


class _Frame:
    """An operator or a parenthesis that is still open, and what came of it: keys with the depth of each."""

    __slots__ = ("depths", "keys", "kind")

    def __init__(self, kind: int) -> None:
        self.kind = kind
        self.keys: list[Key] = []
        self.depths: list[int] = []

    def is_whole(self, cursor: Cursor) -> bool:
        """Has it all it needs? Passes the parenthesis that ends a list."""
        if self.kind == _LIST:
            return cursor.take(b")")
        return len(self.keys) == (1 if self.kind == _NOT else 2) and self.kind != _TOP

    def close(self) -> tuple[Key, int]:
        """The key it makes, and how deep that is."""
        first, depth = self.keys[0], self.depths[0]
        if self.kind == _NOT:
            return (first.key, depth - 1) if isinstance(first, Not) else (Not(first), depth + 1)
        if len(self.keys) == 1:
            return first, depth
        same = Or if self.kind == _OR else And
        flat: list[Key] = []
        deepest = 0
        for key, depth in zip(self.keys, self.depths, strict=True):
            if isinstance(key, same):
                flat.extend(key.keys)
                deepest = max(deepest, depth)
            else:
                flat.append(key)
                deepest = max(deepest, depth + 1)
        return same(tuple(flat)), deepest


def _keys(reader: Reader) -> Key:
    cursor = reader.cursor
    frames = [_Frame(_TOP)]
    for _ in range(limits.IMAP_SEARCH_KEYS):
        key = _open_or_read(reader, frames)
        if key is None:
            continue
        depth = 0
        while True:
            frame = frames[-1]
            frame.keys.append(key)
            frame.depths.append(depth)
            if not frame.is_whole(cursor):
                break
            key, depth = frames.pop().close()
            if depth > limits.IMAP_SEARCH_DEPTH:
                raise BadSyntax("The search is nested too deep")
        if frame.kind == _TOP and cursor.at_end():
            return frame.close()[0]
        cursor.space("another search key" + (", or ')'" if frame.kind == _LIST else ""))
    raise BadSyntax("Too many search keys")


def _open_or_read(reader: Reader, frames: list[_Frame]) -> Key | None:
    """Read one key, or open a frame for an operator or a parenthesis."""
    cursor = reader.cursor
    if cursor.take(b"("):
        frames.append(_Frame(_LIST))
        return None
    found = _WORD(cursor.text, cursor.pos)
    if found is None:
        numbers = cursor.numbers("a search key")
        return Numbered(numbers, uid=numbers == (seqset.SAVED,))
    name = found[0].decode("ascii").upper()
    if name in ("NOT", "OR"):
        cursor.pos = found.end()
        frames.append(_Frame(_NOT if name == "NOT" else _OR))
        cursor.space("a search key")
        return None
    read = KEYS.get(name)
    if read is None:
        raise cursor.wrong("a search key")
    cursor.pos = found.end()
    return read(reader)
