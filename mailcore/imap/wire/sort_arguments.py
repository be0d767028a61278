"""What SORT and THREAD are asked (RFC 5256 §5, RFC 5267 §3, RFC 5957 §4), from bytes to values. Pure.

parser.py calls it.
"""

from __future__ import annotations

from typing import Final

from mailcore.errors import BadSyntax
from mailcore.imap.wire import search_keys
from mailcore.imap.wire.grammar import Cursor
from mailcore.imap.wire.options import ModifierTable
from mailcore.imap.wire.options import read as _options
from mailcore.imap.wire.values import Sort, Thread

CRITERIA: Final = {"ARRIVAL", "CC", "DATE", "FROM", "SIZE", "SUBJECT", "TO"} | {"DISPLAYFROM", "DISPLAYTO"}
RETURNS: Final[ModifierTable] = dict.fromkeys(("MIN", "MAX", "ALL", "COUNT"))
ALGORITHMS: Final = {"ORDEREDSUBJECT", "REFERENCES"}


def sort(tag: bytes, name: str, cursor: Cursor) -> Sort:
    cursor.space("sort criteria in parentheses")
    returns = None
    if cursor.text[cursor.pos : cursor.pos + 8].upper() == b"RETURN (":
        cursor.pos += 7
        returns = () if cursor.take(b"()") else _options(cursor, RETURNS, "return option")
        cursor.space("sort criteria in parentheses")
    criteria = cursor.several(lambda: _criterion(cursor), "a sort criterion")
    cursor.space("a charset")
    return Sort(tag, name, criteria, search_keys.parse_in_charset(cursor), returns)


def _criterion(cursor: Cursor) -> tuple[str, bool]:
    word = cursor.word("a sort criterion")
    is_reversed = word == "REVERSE"
    if is_reversed:
        cursor.space("what to sort by in reverse")
        word = cursor.word("what to sort by in reverse")
    if word not in CRITERIA:
        raise BadSyntax(f"Unknown sort criterion {word[:40]}")
    return word, is_reversed


def thread(tag: bytes, name: str, cursor: Cursor) -> Thread:
    cursor.space("an algorithm")
    algorithm = cursor.word("an algorithm")
    if algorithm not in ALGORITHMS:
        raise BadSyntax(f"Unknown threading algorithm {algorithm[:40]}")
    cursor.space("a charset")
    return Thread(tag, name, algorithm, search_keys.parse_in_charset(cursor))
