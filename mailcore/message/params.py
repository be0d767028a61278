"""Values with parameters: Content-Type, Content-Disposition. (RFC 2045 §5.1, RFC 2183, RFC 2231)"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

from mailcore import limits
from mailcore.message import charsets, words
from mailcore.message.envelope import string


class Value(NamedTuple):
    """What stands before the first semicolon, in lower case, and the parameters; wire is their IMAP list.

    Names are in lower case and come once. RFC 2231 pieces are put together: to one plain parameter, or to one
    with "*" at the end of its name and charset'language'%XX as its value where any piece was encoded so.
    """

    main: bytes
    params: tuple[tuple[bytes, bytes], ...]
    wire: bytes

    def get(self, name: bytes) -> bytes:
        """Return a parameter as octets, b"" if it is not there."""
        for key, value in self.params:
            if key == name:
                return value
        return b""

    def text(self, name: bytes) -> str:
        """Return a parameter as text: RFC 2231 first, else with the RFC 2047 words it should not have."""
        extended = self.get(name + b"*")
        if extended:
            parts = extended.split(b"'", 2)
            if len(parts) == 3:
                return charsets.decode(unquote_to_bytes(parts[2]), parts[0].decode("ascii", "replace"))
            return charsets.decode(unquote_to_bytes(extended))
        plain = self.get(name)
        return words.decode(plain) if plain else ""


EMPTY = Value(b"", (), b"NIL")

_MAIN = re.compile(rb"[^;]*+")
# A name begins after ";", or after a blank where the ";" was forgotten, so that no name is tried twice.
_PARAM = re.compile(
    rb'(?<=[;\s])([^\x00-\x20\x7f-\xff=;()<>@,:\\"/\[\]?*]{1,60})(?:\*([0-9]{1,4}))?(\*?)[ \t]*+=[ \t]*+'
    rb'(?:"((?:[^"\\]++|\\.)*+)"?|([^;]*+))',
    re.DOTALL,
)
_PAIR = re.compile(rb"\\(.)", re.DOTALL)
_COMMENT = re.compile(rb"\([^()]*+\)")
_PLAIN_OCTET = re.compile(rb"[^A-Za-z0-9!#$&+.^_`{|}~-]")

_CACHED_OCTETS = 120  # nearly all values without a boundary or a file name


def parse(value: bytes) -> Value:
    """Return a field body as Value. Total and linear."""
    if len(value) <= _CACHED_OCTETS and b"oundary" not in value:
        return _parse_cached(value)
    return _parse(value)


def _parse(value: bytes) -> Value:
    value = words.unfold(value)
    main = value.partition(b";")[0]
    if b"(" in main:
        main = _COMMENT.sub(b"", main)
    main = main.strip(b" \t\r\n").lower()
    start = len(main)
    if b" " in main:  # the forgotten semicolon again
        main = main.partition(b" ")[0]
    plain: dict[bytes, bytes] = {}
    pieces: dict[bytes, dict[int, tuple[bytes, bool]]] = {}
    for count, match in enumerate(_PARAM.finditer(value, min(start, len(main)))):
        if count == limits.MIME_PARAMETERS:
            break
        name, number, star, quoted, bare = match.groups()
        name = name.lower()
        text = (
            _bare(name, bare) if quoted is None else _PAIR.sub(rb"\1", quoted) if b"\\" in quoted else quoted
        )
        if number is None and not star:
            plain.setdefault(name, text)
        else:
            pieces.setdefault(name, {}).setdefault(int(number or b"0"), (text, bool(star)))
    if pieces:
        for name, numbered in pieces.items():
            key, text = _join(name, numbered)
            plain.setdefault(key, text)
    wire = b"NIL"
    if plain:
        wire = b"(" + b" ".join([b'"%b" %b' % (name, string(text)) for name, text in plain.items()]) + b")"
    return Value(main, tuple(plain.items()), wire)


_parse_cached = lru_cache(maxsize=2048)(_parse)


def _bare(name: bytes, text: bytes) -> bytes:
    """Return a value without quotes. It ends at a blank, but file names are forgiven theirs."""
    text = text.strip(b" \t\r\n")
    if b" " not in text and b"\t" not in text:
        return text
    if name in (b"name", b"filename"):
        return text
    return text.replace(b"\t", b" ").partition(b" ")[0]


def _join(name: bytes, numbered: dict[int, tuple[bytes, bool]]) -> tuple[bytes, bytes]:
    """Put the pieces of one parameter together, from 0 up to the first gap. (RFC 2231 §3, §4.1)"""
    run: list[tuple[bytes, bool]] = []
    while len(run) in numbered:
        run.append(numbered[len(run)])
    if not run or not run[0][1]:
        # Without charset'language' in front nothing says how the rest was encoded.
        return name, b"".join(unquote_to_bytes(text) if star else text for text, star in run)
    out = [text if star else _PLAIN_OCTET.sub(_percent, text) for text, star in run]
    return name + b"*", b"".join(out)


def _percent(match: re.Match[bytes]) -> bytes:
    return b"%%%02X" % match[0][0]
