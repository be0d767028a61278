"""Options in parentheses: names of a table, each at most once, with their values (RFC 4466 §2). Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from mailcore.errors import BadSyntax
from mailcore.imap.wire.grammar import Cursor
from mailcore.imap.wire.values import Modifier

ModifierTable: TypeAlias = dict[str, Callable[[Cursor], object] | None]  # None: a name without value


def read(
    cursor: Cursor, table: ModifierTable, what: str, *, may_repeat: bool = False
) -> tuple[Modifier, ...]:
    """Names in parentheses, each in table and there once, with their values; of one that may repeat, the
    first."""
    options = cursor.several(lambda: _option(cursor, table, what), f"a {what}")
    if may_repeat:
        first: dict[str, object] = {}
        for option, value in options:
            first.setdefault(option, value)
        return tuple(first.items())
    if len({option for option, _ in options}) < len(options):
        raise BadSyntax(f"The same {what} twice")
    return options


def _option(cursor: Cursor, table: ModifierTable, what: str) -> Modifier:
    option = cursor.word(f"a {what}")
    if option not in table:
        raise BadSyntax(f"Unknown {what} {option[:40]}")
    read = table[option]
    return option, None if read is None else read(cursor)
