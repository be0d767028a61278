"""The words IMAP commands are made of (RFC 3501 §9): a cursor over one command, and what it can read there.

Every method takes what it reads and moves on, or raises BadSyntax saying what it expected and what it found.
No method recurses, and none looks at an octet more than a few times.
parser, fetch_items and search_keys use it.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Iterator
from typing import Final, TypeVar

from mailcore import limits
from mailcore.errors import BadSyntax
from mailcore.imap.wire import seqset, utf7
from mailcore.imap.wire.responses import MONTHS
from mailcore.imap.wire.seqset import Ranges

T = TypeVar("T")

# ATOM-CHAR: no CTL, SP, ( ) { % * " \ ]; ASTRING-CHAR adds ], list-char adds ] % *.
ATOM_CHARS: Final = rb"!#$&'+,\-./0-9:;<=>?@A-Z\[^_`a-z|}~"
_ATOM = re.compile(rb"[%b]+" % ATOM_CHARS).match
_ASTRING = re.compile(rb"[%b\]]+" % ATOM_CHARS).match
_LIST_CHARS = re.compile(rb"[%b\]%%*]+" % ATOM_CHARS).match
_QUOTED = re.compile(rb'"((?:[^"\\\r\n\0]++|\\["\\])*+)"').match
_ESCAPE = re.compile(rb"\\(.)")
_LITERAL = re.compile(rb"\{[0-9]+\+?\}\r\n").match
_NUMBER = re.compile(rb"[0-9]{1,19}").match
_SET = re.compile(rb"\$|[0-9*][0-9*:,]*+(?:(?<=,)\$)?").match
_FLAG = rb"\\?[%b]+" % ATOM_CHARS
_FLAGS = re.compile(rb"%b(?: %b)*" % (_FLAG, _FLAG)).match
_DATE = re.compile(rb'("?)([0-9]{1,2})-([A-Za-z]{3})-([0-9]{4})\1').match
_DATE_TIME = re.compile(
    rb'"([ 0-9][0-9])-([A-Za-z]{3})-([0-9]{4}) ([0-9]{2}):([0-9]{2}):([0-9]{2}) ([+-])([0-9]{2})([0-9]{2})"'
).match

_MONTH: Final = {name.lower(): number for number, name in enumerate(MONTHS, 1)}
SYSTEM_FLAGS: Final = ("\\Answered", "\\Flagged", "\\Deleted", "\\Seen", "\\Draft")
_SYSTEM_FLAG: Final = {flag.lower(): flag for flag in SYSTEM_FLAGS}


class Cursor:
    """A place in one command. The words for errors come from the caller: what it hoped to find here."""

    __slots__ = ("_literals", "charsets", "pos", "secret", "text", "utf8")

    def __init__(
        self,
        text: bytes,
        literals: tuple[bytes, ...] = (),
        pos: int = 0,
        *,
        utf8: bool = False,
        charsets: bool = True,
    ) -> None:
        self.text = text
        self.pos = pos
        self.utf8 = utf8  # the client enabled UTF8=ACCEPT or IMAP4rev2
        self.charsets = charsets  # and not the former
        self.secret = False  # never quote this command in an error
        self._literals: Iterator[bytes] = iter(literals)

    # --- Moving on --------------------------------------------------------------------------------------

    def wrong(self, expected: str) -> BadSyntax:
        """The error to raise here."""
        if self.secret:
            return BadSyntax(f"Expected {expected}")
        rest = self.text[self.pos : self.pos + 21].partition(b"\r\n")[0]
        shown = "".join(chr(octet) if 32 <= octet < 127 else "?" for octet in rest[:20])
        found = f"'{shown}{'...' if len(rest) > 20 else ''}'" if shown else "the end"
        return BadSyntax(f"Expected {expected}, found {found}")

    def sees(self, token: bytes) -> bool:
        return self.text.startswith(token, self.pos)

    def take(self, token: bytes) -> bool:
        """Pass token if it is next."""
        if self.text.startswith(token, self.pos):
            self.pos += len(token)
            return True
        return False

    def expect(self, token: bytes, expected: str) -> None:
        if not self.take(token):
            raise self.wrong(expected)

    def space(self, before: str) -> None:
        """The one space that separates arguments; before names what comes after it."""
        if not self.take(b" "):
            raise self.wrong(f"one space and {before}")

    def at_end(self) -> bool:
        return self.pos >= len(self.text)

    def end(self) -> None:
        if not self.at_end():
            raise self.wrong("the end of the command")

    def match(
        self, pattern: Callable[[bytes, int], re.Match[bytes] | None], expected: str
    ) -> re.Match[bytes]:
        found = pattern(self.text, self.pos)
        if found is None:
            raise self.wrong(expected)
        self.pos = found.end()
        return found

    # --- Words ------------------------------------------------------------------------------------------

    def atom(self, expected: str) -> str:
        return self.match(_ATOM, expected)[0].decode("ascii")

    def word(self, expected: str) -> str:
        """An atom that is a name of the protocol, in upper case."""
        return self.atom(expected).upper()

    def literal(self, expected: str) -> bytes:
        self.match(_LITERAL, expected)
        return next(self._literals)

    def string(self, expected: str) -> bytes:
        """quoted or literal. Octets above 127 pass in both, in quotes only as UTF-8; NUL in neither."""
        if self.sees(b"{"):
            octets = self.literal(expected)
            if b"\0" in octets:
                raise BadSyntax(f"NUL in {expected}")
            return octets
        octets = self.match(_QUOTED, expected)[1]
        if not octets.isascii() and not _is_utf8(octets):
            raise BadSyntax(f"Octets above 127 in quotes are UTF-8, and not so in {expected}")  # RFC 9755 §3
        return _ESCAPE.sub(rb"\1", octets) if b"\\" in octets else octets

    def value(self, expected: str) -> bytes | None:
        """nstring or literal8, in which NUL may stand (RFC 5464 §5)."""
        if self.sees(b"~{"):
            self.pos += 1
            return self.literal(expected)
        return self.nstring(expected)

    def astring(self, expected: str) -> bytes:
        found = _ASTRING(self.text, self.pos)
        if found is None:
            return self.string(expected)
        self.pos = found.end()
        return found[0]

    def nstring(self, expected: str) -> bytes | None:
        if self.text[self.pos : self.pos + 3].upper() == b"NIL":
            self.pos += 3
            return None
        return self.string(expected)

    def number(self, expected: str) -> int:
        """number64 of RFC 9051: 0 to 2^63 - 1."""
        number = int(self.match(_NUMBER, expected)[0])
        if number >= 1 << 63:
            raise BadSyntax(f"{expected} is too large")
        return number

    def numbers(self, expected: str = "a sequence set") -> Ranges:
        return seqset.parse(self.match(_SET, expected)[0])

    def folder(self, expected: str = "a folder name") -> str:
        return self._name(self.astring(expected))

    def pattern(self) -> str:
        """LIST's list-mailbox: as a folder name, with % and *."""
        found = _LIST_CHARS(self.text, self.pos)
        if found is None:
            return self._decoded(self.string("a pattern"))
        self.pos = found.end()
        return self._decoded(found[0])

    def _decoded(self, wire: bytes) -> str:
        if len(wire) > limits.IMAP_NAME_OCTETS:
            raise BadSyntax("The folder name is too long")
        # RFC 9755 §3: a name in quotes may be in UTF-8 whether or not that is enabled. Modified UTF-7 has
        # no octets above 127, so the two are never mistaken for one another.
        return utf7.decode_utf8(wire) if self.utf8 or not wire.isascii() else utf7.decode(wire)

    def _name(self, wire: bytes) -> str:
        name = self._decoded(wire)
        # RFC 3501 §5.1: INBOX in any case of letters; what lies below it belongs to it too.
        if name[:5].upper() == "INBOX" and name[5:6] in ("", "/"):
            return "INBOX" + name[5:]
        return name

    def flags(self, expected: str = "flags") -> tuple[str, ...]:
        """One or more flags, without parentheses, each once."""
        named = self.match(_FLAGS, expected)[0].decode("ascii").split(" ")
        if len(named) > limits.IMAP_FLAGS:
            raise BadSyntax("Too many flags")
        return tuple(dict.fromkeys(map(_flag, named)))

    def flag_list(self) -> tuple[str, ...]:
        """Flags in parentheses, perhaps none."""
        self.expect(b"(", "flags in parentheses")
        flags = () if self.sees(b")") else self.flags()
        self.expect(b")", "a flag or ')'")
        return flags

    def date(self) -> dt.date:
        found = self.match(_DATE, "a date like 1-Feb-2026")
        try:
            return dt.date(int(found[4]), _MONTH[found[3].lower()], int(found[2]))
        except (KeyError, ValueError) as error:
            raise BadSyntax("There is no such day") from error

    def date_time(self) -> dt.datetime:
        """Aware, with the offset as written. A leap second is the second before it."""
        found = self.match(_DATE_TIME, 'a date like "01-Feb-2026 12:00:00 +0100"')
        day, month, year, hour, minute, second, sign, zone_hours, zone_minutes = found.groups()
        try:
            offset = dt.timedelta(hours=int(zone_hours), minutes=int(zone_minutes))
            zone = dt.timezone(offset if sign == b"+" else -offset)
            seconds = min(int(second), 59) if int(second) <= 60 else int(second)
            when = dt.datetime(
                int(year), _MONTH[month.lower()], int(day), int(hour), int(minute), seconds, tzinfo=zone
            )
            when.astimezone(dt.UTC)  # the first and last day of the calendar have times without a UTC
        except (KeyError, ValueError, OverflowError) as error:
            raise BadSyntax("There is no such date and time") from error
        return when

    def several(
        self, item: Callable[[], T], expected: str, *, limit: int = limits.IMAP_LIST_ITEMS
    ) -> tuple[T, ...]:
        """One or more items in parentheses, a space between."""
        self.expect(b"(", f"'(' and {expected}")
        items = [item()]
        while not self.take(b")"):
            self.space(f"{expected}, or ')'")
            items.append(item())
            if len(items) > limit:
                raise BadSyntax(f"Too many: {expected}")
        return tuple(items)


def _is_utf8(octets: bytes) -> bool:
    try:
        octets.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _flag(named: str) -> str:
    if named[0] != "\\":
        return named
    known = _SYSTEM_FLAG.get(named.lower())
    if known is None:
        why = "is the server's to set" if named.lower() == "\\recent" else "is not a flag that can be kept"
        raise BadSyntax(f"{named[:40]} {why}")
    return known
