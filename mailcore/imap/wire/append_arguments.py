"""The arguments of APPEND: flags, date and message, once or several times (RFC 9051 §6.3.12, RFC 3502)."""

from __future__ import annotations

from mailcore.imap.wire.grammar import Cursor
from mailcore.imap.wire.values import Append, NewMessage


def append(tag: bytes, name: str, cursor: Cursor) -> Append:
    cursor.space("a folder name")
    folder = cursor.folder()
    messages: list[NewMessage] = []
    while not messages or not cursor.at_end():
        flags: tuple[str, ...] = ()
        internal_date = None
        cursor.space("flags, a date or a literal")
        if cursor.sees(b"("):
            flags = cursor.flag_list()
            cursor.space("a date or a literal")
        if cursor.sees(b'"'):
            internal_date = cursor.date_time()
            cursor.space("a literal")
        raw, is_binary = _message(cursor)
        messages.append(NewMessage(flags, internal_date, raw, is_binary))
    return Append(tag, name, folder, tuple(messages))


def _message(cursor: Cursor) -> tuple[bytes, bool]:
    """One message, and whether it came as literal8: UTF8 (~{n}...) is the same (RFC 6855 §4)."""
    is_utf8 = cursor.text[cursor.pos : cursor.pos + 7].upper() == b"UTF8 (~"
    cursor.pos += 6 if is_utf8 else 0
    is_binary = cursor.take(b"~")
    raw = cursor.literal("the message as a literal")
    if is_utf8:
        cursor.expect(b")", "')'")
    return raw, is_binary
