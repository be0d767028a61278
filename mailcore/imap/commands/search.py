"""SEARCH and UID SEARCH (RFC 3501 §6.4.4, §7.2.5), with RETURN (RFC 4731).

What flags and numbers say is decided first, for all messages at once, from memory. What is left is read
page by page, the cheap columns before headers and headers before whole mails, each only of the messages that
still may match. Texts are compared casefolded (RFC 3501 asks for no more than that).
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from enum import IntEnum
from functools import cached_property
from typing import Any, TypeAlias

from mailcore import limits
from mailcore.imap import pages
from mailcore.imap.commands import results
from mailcore.imap.sections import Sections
from mailcore.imap.session import Done, Handler, Session
from mailcore.imap.view import RECENT, View
from mailcore.imap.wire import responses, seqset
from mailcore.imap.wire.values import (
    All,
    And,
    Contains,
    Dated,
    HasFlag,
    HeaderContains,
    Key,
    Larger,
    Not,
    Numbered,
    Or,
    Search,
    Smaller,
)
from mailcore.message import charsets, fields, transfer
from mailcore.message import flags as system_flags
from mailcore.services import messages

_EPOCH = 719_163  # the ordinal of 1 January 1970
_HEADER = ("c.prefix", "c.header")
# Ready columns for a field, and how long they may get: beyond, the header itself is asked.
_TEXTS = {
    "SUBJECT": ("c.subject", limits.SUBJECT_CHARS),
    "FROM": ("c.from_text", limits.ADDRESS_TEXT_CHARS),
    "TO": ("c.to_text", limits.ADDRESS_TEXT_CHARS),
}
_FOLD = re.compile(rb"\r?\n(?=[ \t])")


class _Cost(IntEnum):
    """What must be read to know whether a key finds a message."""

    MEMORY = 0
    ROW = 1
    HEADER = 2
    MAIL = 3


def from_memory(session: Session, command: Search) -> bool:
    """Only flags and numbers are asked, and not so much of it that others on the event loop would notice."""
    if session.view is None or _cost(command.key) > _Cost.MEMORY:
        return False
    return _steps(command.key) * len(session.view.shown) <= limits.IMAP_SEARCH_ON_LOOP


def search(session: Session, command: Search) -> Handler:
    """Messages that are gone are found by their number only: the client still counts them."""
    view = session.selected
    found = yield from _Searching(view).run(command.key)
    numbers = [view.shown[at] for at in found] if command.uid else [at + 1 for at in found]
    if command.returns is None:
        yield responses.search(numbers)
    else:
        yield results.answer(command.tag, command.returns, numbers, uid=command.uid)
    return Done("SEARCH completed")


# --- Keys -----------------------------------------------------------------------------------------------


def _parts(key: Key) -> tuple[Key, ...]:
    """The keys directly below an operator."""
    if isinstance(key, And | Or):
        return key.keys
    return (key.key,) if isinstance(key, Not) else ()


def _leaves(key: Key) -> Iterator[Key]:
    below = _parts(key)
    if not below:
        yield key
    for each in below:
        yield from _leaves(each)


def _steps(key: Key) -> int:
    return sum(len(leaf.numbers) if isinstance(leaf, Numbered) else 1 for leaf in _leaves(key))


def _cost(key: Key) -> _Cost:
    match key:
        case And() | Or() | Not():
            return max(map(_cost, _parts(key)))
        case Dated() | Larger() | Smaller():
            return _Cost.ROW
        case Contains(field="BODY" | "TEXT"):
            return _Cost.MAIL
        case Contains(field=field):
            return _Cost.ROW if field in _TEXTS else _Cost.HEADER
        case HeaderContains():
            return _Cost.HEADER
    return _Cost.MEMORY


def _columns(key: Key) -> set[str]:
    """What to read of a row for one leaf."""
    match key:
        case Dated(sent=True):
            return {"c.sent_day"}
        case Dated():
            return {"m.internal_date", "m.internal_offset"}
        case Larger() | Smaller():
            return {"m.size"}
        case Contains(field="BODY" | "TEXT"):
            return {"m.size", "m.content_id"}
        case Contains(field=field) if field in _TEXTS:
            return {_TEXTS[field][0]}
        case Contains() | HeaderContains():
            return set(_HEADER)
    return set()


# --- One message ----------------------------------------------------------------------------------------


class _Message:
    """A row, by names of columns, and what is made of it on demand and remembered."""

    def __init__(self, view: View, at: int, values: dict[str, Any], mail: Sections | None) -> None:
        self.at = at
        self.values = values
        self._view, self._mail = view, mail

    @cached_property
    def header(self) -> bytes:
        if self._mail is not None:
            return self._mail.header
        if "c.header" not in self.values:
            uid = self._view.shown[self.at]
            found = messages.contents(self._view.snapshot.folder_id, uid, uid, _HEADER)
            return b"".join(found[0]) if found else b""
        return bytes(self.values["c.prefix"] + self.values["c.header"])

    @cached_property
    def lower_header(self) -> bytes:
        """In ASCII lower case when nothing in it is encoded, else empty: to say no in a hurry."""
        header = self.header
        return header.lower() if header.isascii() and b"=?" not in header else b""

    @cached_property
    def header_text(self) -> str:
        return _header_text(self.header).casefold()

    @cached_property
    def body_text(self) -> str:
        """The texts of the body, the names of its files, and the headers of mails in it."""
        assert self._mail is not None
        found = []
        for part in self._mail.table.walk():
            if part.filename:
                found.append(part.filename)
            if part.message is not None:
                inner = part.message
                found.append(_header_text(self._mail.slice(inner.header_start, inner.header_end)))
            if part.content_type.startswith("text/"):
                octets = transfer.decode(self._mail.slice(part.body_start, part.body_end), part.encoding)
                found.append(charsets.decode(octets, part.charset))
        return "\n".join(found).casefold()

    def has_field(self, name: str, needle: str) -> bool:
        """Is there a field of that name with needle, casefolded, in its text?"""
        if not name.isascii():
            return False
        # Unfolding makes no words that were not there, if white space is left out of it.
        if (
            needle.isascii()
            and " " not in needle
            and self.lower_header
            and needle.encode() not in self.lower_header
        ):
            return False
        return any(needle in text.casefold() for text in fields.get_all(self.header, name))


def _header_text(header: bytes) -> str:
    """A header section as people read it, a line a field."""
    header = _FOLD.sub(b"", header)
    if b"=?" not in header:
        return charsets.decode(header)
    return "\n".join(map(fields.decode, header.split(b"\n")))


_Test: TypeAlias = Callable[[_Message], bool]


# --- Searching ------------------------------------------------------------------------------------------


class _Searching:
    """One search in what a view shows. Messages are meant by their place in it."""

    def __init__(self, view: View) -> None:
        self.view = view
        self.uids = view.shown
        snapshot = view.snapshot
        self.flags: Sequence[int] = snapshot.flags
        self.keywords: Sequence[int] = snapshot.keywords
        self.gone: set[int] = set()
        if self.uids is not snapshot.uids:
            # Something is held back: bring the arrays beside the uids the client knows.
            places = [snapshot.index(uid) for uid in self.uids]
            self.gone = {at for at, place in enumerate(places) if place < 0}
            self.flags = [snapshot.flags[place] if place >= 0 else 0 for place in places]
            self.keywords = [snapshot.keywords[place] if place >= 0 else 0 for place in places]

    def run(self, key: Key) -> Generator[bytes, None, Sequence[int]]:
        """The places of what key finds, rising. Yields nothing, now and then, for others to run."""
        places: Sequence[int] = range(len(self.uids))
        if self.gone and not all(isinstance(leaf, Numbered) for leaf in _leaves(key)):
            places = [at for at in places if at not in self.gone]
        wanted = key.keys if isinstance(key, And) else (key,)
        for cost in _Cost:
            keys = [each for each in wanted if _cost(each) == cost]
            if not keys or not places:
                continue
            if cost is _Cost.MEMORY:
                for each in keys:
                    places = self._in_memory(each, places)
                    yield b""
            else:
                places = yield from self._in_rows(keys, places, cost)
        return places

    # --- from memory

    def _in_memory(self, key: Key, places: Sequence[int]) -> Sequence[int]:
        """Which of places key finds, rising."""
        match key:
            case All():
                return places
            case And(keys=keys):
                for each in keys:
                    places = self._in_memory(each, places)
                return places
            case Or(keys=keys):
                found: set[int] = set()
                for each in keys:
                    found.update(self._in_memory(each, places))
                return sorted(found)
            case Not(key=inner):
                without = set(self._in_memory(inner, places))
                return [at for at in places if at not in without]
            case Numbered():
                return self._numbered(key, places)
            case HasFlag(flag=flag):
                return self._flagged(flag, places)
        raise AssertionError(key)

    def _flagged(self, flag: str, places: Sequence[int]) -> Sequence[int]:
        if flag == RECENT:
            return places[bisect_left(places, bisect_left(self.uids, self.view.first_recent)) :]
        bit, values = system_flags.bit(flag), self.flags
        if not bit:
            folded = flag.casefold()
            values = self.keywords
            for number, name in enumerate(self.view.snapshot.names):
                if name.casefold() == folded:
                    bit = 1 << number
        return [at for at in places if values[at] & bit] if bit else ()

    def _numbered(self, key: Numbered, places: Sequence[int]) -> Sequence[int]:
        if key.uid:
            slices = seqset.indexes(key.numbers, self.uids)
        else:
            # Numbers beyond the last find nothing: searching for what is not there is no mistake.
            slices = [(first - 1, last) for first, last in seqset.resolve(key.numbers, len(self.uids))]
        found: list[int] = []
        low = 0
        for start, stop in slices:
            low = bisect_left(places, start, low)
            high = bisect_left(places, stop, low)
            found += places[low:high]
            low = high
        return found

    # --- from rows

    def _in_rows(
        self, keys: Sequence[Key], places: Sequence[int], cost: _Cost
    ) -> Generator[bytes, None, Sequence[int]]:
        test = self._all(keys)
        needed = set().union(*[_columns(leaf) for key in keys for leaf in _leaves(key)])
        if cost is _Cost.MAIL:
            needed -= set(_HEADER)  # the mail brings it
        columns = ["m.uid", *sorted(needed)]
        slices = _slices(places)
        found: list[int] = []
        most = limits.IMAP_PAGE_ROWS if cost is _Cost.ROW else limits.IMAP_PAGE_ROWS // 5
        for page, _ in pages.rows(self.view, slices, columns, most):
            if cost is _Cost.MAIL:
                size, content = columns.index("m.size"), columns.index("m.content_id")
                for lot, _ in pages.with_mails(page, size=size, content=content):
                    found += self._matching(test, lot, columns, has_mail=True)
                    yield b""
            else:
                found += self._matching(test, page, columns, has_mail=False)
                yield b""
        return found

    def _matching(
        self, test: _Test, lot: Iterable[pages.Found], columns: Sequence[str], *, has_mail: bool
    ) -> list[int]:
        found = []
        for at, row in lot:
            mail = row[-1] if has_mail else None
            if test(_Message(self.view, at, dict(zip(columns, row, strict=False)), mail)):
                found.append(at)
        return found

    def _all(self, keys: Sequence[Key]) -> _Test:
        tests = self._tests(keys)
        return tests[0] if len(tests) == 1 else lambda message: all(test(message) for test in tests)

    def _tests(self, keys: Iterable[Key]) -> list[_Test]:
        """Tests of keys, those that cost least first."""
        return [self._test(key) for key in sorted(keys, key=_cost)]

    def _test(self, key: Key) -> _Test:
        if _cost(key) is _Cost.MEMORY:
            found = set(self._in_memory(key, range(len(self.uids))))
            return lambda message: message.at in found
        match key:
            case And(keys=keys):
                return self._all(keys)
            case Or(keys=keys):
                tests = self._tests(keys)
                return lambda message: any(test(message) for test in tests)
            case Not(key=inner):
                test = self._test(inner)
                return lambda message: not test(message)
            case Larger(octets=octets):
                return lambda message: bool(message.values["m.size"] > octets)
            case Smaller(octets=octets):
                return lambda message: bool(message.values["m.size"] < octets)
            case Dated():
                return _dated(key)
            case HeaderContains(field=field, needle=needle):
                folded = needle.casefold()
                return lambda message: message.has_field(field, folded)
            case Contains():
                return _contains(key)
        raise AssertionError(key)


def _dated(key: Dated) -> _Test:
    day = key.day.toordinal()
    compare: Callable[[int], bool] = {
        "BEFORE": lambda found: found < day,
        "ON": lambda found: found == day,
        "SINCE": lambda found: found >= day,
    }[key.test]
    if key.sent:

        def sent(message: _Message) -> bool:
            found = message.values["c.sent_day"]
            return found is not None and compare(found)

        return sent

    def internal(message: _Message) -> bool:
        seconds = message.values["m.internal_date"] + 60 * message.values["m.internal_offset"]
        return compare(seconds // 86_400 + _EPOCH)

    return internal


def _contains(key: Contains) -> _Test:
    needle, field = key.needle.casefold(), key.field
    if not needle:
        return lambda message: True
    if field == "BODY":
        return lambda message: needle in message.body_text
    if field == "TEXT":
        return lambda message: needle in message.header_text or needle in message.body_text
    if field not in _TEXTS:
        return lambda message: message.has_field(field, needle)
    column, most = _TEXTS[field]

    def contains(message: _Message) -> bool:
        text: str = message.values[column]
        return needle in text.casefold() or (len(text) >= most and message.has_field(field, needle))

    return contains


def _slices(places: Sequence[int]) -> pages.Slices:
    return [(first, last + 1) for first, last in seqset.collect(places)]
