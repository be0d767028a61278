"""What APPEND and REPLACE file: options and a literal, or pieces to be put together. Pure.

RFC 9051 §6.3.12, RFC 3502 (several), RFC 3516 (literal8), RFC 8508 §5 (REPLACE), RFC 4469 §5 (CATENATE).
parser.py calls it.
"""

from __future__ import annotations

import re

from mailcore import limits
from mailcore.errors import BadSyntax
from mailcore.imap.wire.grammar import Cursor
from mailcore.imap.wire.values import Append, NewMessage, Replace, Url

_UTF8 = b"UTF8 (~"
_ONE = re.compile(rb"[1-9][0-9]{0,9}|\*").match
_URL = re.compile(rb"[!-~]{1,%d}" % limits.IMAP_URL_OCTETS).fullmatch


def append(tag: bytes, name: str, cursor: Cursor) -> Append:
    cursor.space("a folder name")
    folder = cursor.folder()
    messages: list[NewMessage] = []
    while not messages or not cursor.at_end():
        messages.append(_message(cursor))
    return Append(tag, name, folder, tuple(messages))


def replace(tag: bytes, name: str, cursor: Cursor) -> Replace:
    cursor.space("the number of one message")
    if _ONE(cursor.text, cursor.pos) is None:
        raise cursor.wrong("the number of one message")
    numbers = cursor.numbers("the number of one message")
    if len(numbers) != 1 or numbers[0][0] != numbers[0][1]:
        raise BadSyntax(f"{name} takes one message")
    cursor.space("a folder name")
    folder = cursor.folder()
    message = _message(cursor)
    cursor.end()
    return Replace(tag, name, numbers, folder, message)


def _message(cursor: Cursor) -> NewMessage:
    flags: tuple[str, ...] = ()
    internal_date = None
    cursor.space("flags, a date or a literal")
    if cursor.sees(b"("):
        flags = cursor.flag_list()
        cursor.space("a date or a literal")
    if cursor.sees(b'"'):
        internal_date = cursor.date_time()
        cursor.space("a literal")
    if cursor.text[cursor.pos : cursor.pos + 9].upper() == b"CATENATE ":
        cursor.pos += 9
        pieces = cursor.several(lambda: _piece(cursor), "TEXT or URL", limit=limits.IMAP_CATENATE_PIECES)
        return NewMessage(flags, internal_date, b"", pieces=pieces)
    return NewMessage(flags, internal_date, *_raw(cursor))


def _raw(cursor: Cursor) -> tuple[bytes, bool]:
    """One message, and whether it came as literal8: UTF8 (~{n}...) is the same (RFC 6855 §4)."""
    is_utf8 = cursor.text[cursor.pos : cursor.pos + 7].upper() == _UTF8
    cursor.pos += 6 if is_utf8 else 0
    is_binary = cursor.take(b"~")
    raw = cursor.literal("the message as a literal")
    if is_utf8:
        cursor.expect(b")", "')'")
    return raw, is_binary


def _piece(cursor: Cursor) -> bytes | Url:
    """A literal, said to be in UTF-8 or not (RFC 6855 §4), or what a URL names."""
    if cursor.text[cursor.pos : cursor.pos + 7].upper() == _UTF8:
        return _raw(cursor)[0]
    word = cursor.word("TEXT or URL")
    if word == "TEXT":
        cursor.space("a literal")
        return cursor.literal("a literal")
    if word != "URL":
        raise BadSyntax("CATENATE takes TEXT and URL")
    cursor.space("a URL")
    url = cursor.astring("a URL")
    if not _URL(url):
        raise BadSyntax("That is no URL")
    return Url(url)
