"""The header section as octets: find, take out, put in front, select and decode fields. (RFC 5322 §2.2, §3.6)

The header section ends at the first empty line, whatever its lines look like; every part of the product
(index, DKIM, IMAP) holds to that. Only a section without any colon is none: it has no field, so it is text
that nobody put a header on. Lines end with CRLF or LF; CR alone is no line end.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator
from functools import lru_cache

from mailcore.message.words import decode

__all__ = [
    "body_start",
    "decode",
    "drop",
    "get",
    "get_all",
    "get_raw",
    "iter_fields",
    "lines",
    "prepend",
    "select",
    "selector",
    "split",
]

_NAME = re.compile(rb"[!-9;-~]+")
_EMPTY_LINE = re.compile(rb"\n\r?\n")
# One field with its folded lines; possessive, so never tried twice.
FIELD = re.compile(rb"^([!-9;-~]++)[ \t]*+:([^\n]*+\n?(?:[ \t][^\n]*+\n?)*+)", re.MULTILINE)
# One field, or any other line together with its folded lines.
_LINE = re.compile(rb"(?:([!-9;-~]++)[ \t]*+:)?[^\n]*+\n?(?:[ \t][^\n]*+\n?)*+")


def body_start(raw: bytes, start: int = 0, end: int | None = None) -> int:
    """Return where the body begins: after the first empty line, or at end when there is none."""
    end = len(raw) if end is None else end
    if raw.startswith((b"\r\n", b"\n"), start, end):
        return start + (2 if raw[start] == 13 else 1)
    found = _EMPTY_LINE.search(raw, start, end)
    at = found.end() if found else end
    return at if raw.find(b":", start, at) >= 0 else start


def split(raw: bytes) -> tuple[bytes, bytes]:
    """Return header section, with the empty line that ends it, and body."""
    at = body_start(raw)
    return raw[:at], raw[at:]


def iter_fields(header: bytes) -> Iterator[tuple[str, int, int]]:
    """Yield name in lower case, start and end of each field; the end is after its last line end.

    Takes a header section or a whole message. Lines that are no fields are passed over.
    """
    end = body_start(header)
    for match in FIELD.finditer(header, 0, end):
        yield match[1].decode("ascii").lower(), match.start(), match.end()


def lines(header: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield every octet of a header section once: name in lower case and field with its line ends, folded as
    it is. What is no field, the empty line too, has the name ""."""
    for match in _LINE.finditer(header):
        if match[0]:
            yield (match[1] or b"").decode("ascii").lower(), match[0]


def get_raw(raw: bytes, name: str) -> list[bytes]:
    """Return the bodies of all fields of that name, in order, folded and encoded as they are."""
    key = name.encode("ascii").lower()
    return [m[2] for m in FIELD.finditer(raw, 0, body_start(raw)) if m[1].lower() == key]


def get(raw: bytes, name: str) -> str | None:
    """Return the first field of that name as text, or None."""
    found = get_raw(raw, name)
    return decode(found[0]) if found else None


def get_all(raw: bytes, name: str) -> list[str]:
    """Return all fields of that name as text."""
    return [decode(value) for value in get_raw(raw, name)]


def drop(raw: bytes, names: Collection[str] | Callable[[str], bool]) -> bytes:
    """Return raw without the fields of these names, or whose lower-case name the predicate picks."""
    is_dropped = names if callable(names) else frozenset(name.lower() for name in names).__contains__
    out: list[bytes] = []
    kept = 0
    for name, start, end in iter_fields(raw):
        if is_dropped(name):
            out.append(raw[kept:start])
            kept = end
    return b"".join([*out, raw[kept:]]) if out else raw


def prepend(raw: bytes, field: bytes) -> bytes:
    """Put one or more whole fields, folded as they shall be, in front of raw.

    A mail that begins with a folded line would otherwise continue our field with words of its sender; such a
    line becomes a field of its own.
    """
    if not field.endswith(b"\n"):
        field += b"\r\n"
    return field + b"X-Stray:" + raw if raw[:1] in (b" ", b"\t") else field + raw


def select(header: bytes, names: Collection[str], *, negate: bool = False) -> bytes:
    """Return the fields of these names and an empty line, or with negate all others.

    The answer to BODY[HEADER.FIELDS (...)] and BODY[HEADER.FIELDS.NOT (...)]. (RFC 9051 §6.4.5.1)
    """
    return selector(tuple(names), negate=negate)(header)


@lru_cache(maxsize=256)
def selector(names: tuple[str, ...], *, negate: bool = False) -> Callable[[bytes], bytes]:
    """Return what selects these fields of one header section after the other."""
    wanted = frozenset(name.encode("utf-8", "replace").lower() for name in names)

    def all_others(header: bytes) -> bytes:
        return _ended(
            m[0]
            for m in _LINE.finditer(header, 0, body_start(header))
            if m[0] not in (b"", b"\r\n", b"\n") and (m[1] or b"").lower() not in wanted
        )

    def one_by_one(header: bytes) -> bytes:
        return _ended(m[0] for m in FIELD.finditer(header, 0, body_start(header)) if m[1].lower() in wanted)

    if negate:
        return all_others
    find_all = _finder(wanted)

    def at_once(header: bytes) -> bytes:
        # Is it a whole header section, with the empty line at its end and nowhere before?
        empty = header.find(b"\n\r\n")
        if empty < 0 or empty + 3 != len(header) or b"\n\n" in header or header.startswith(b"\r\n"):
            return one_by_one(header)
        found: list[bytes] = find_all(b"\n" + header)
        found.append(b"\r\n")
        return b"\n".join(found)

    return at_once


def _ended(found: Iterable[bytes]) -> bytes:
    out = list(found)
    if out and not out[-1].endswith(b"\n"):
        out.append(b"\r\n")
    return b"".join([*out, b"\r\n"])


def _finder(names: Collection[bytes]) -> Callable[[bytes], list[bytes]]:
    """Return what finds the fields of these names, in lower case, each without the LF at its end.

    Clients ask this of whole folders. A line end in front, which the engine looks for as fast as memory is
    read, and the first letter in both cases, by which it rules a line out at once: a third of the time of
    looking at every field.
    """
    by_first: dict[bytes, list[bytes]] = {}
    for name in sorted(names):
        if _NAME.fullmatch(name):
            by_first.setdefault(name[:1], []).append(re.escape(name[1:]))
    if not by_first:
        return lambda header: []
    choices = [
        b"[%b%b](?i:%b)" % (re.escape(first), re.escape(first.upper()), b"|".join(rest))
        for first, rest in by_first.items()
    ]
    return re.compile(rb"\n((?:%b)[ \t]*+:[^\n]*+(?:\n[ \t][^\n]*+)*+)" % b"|".join(choices)).findall
