"""SEARCH and UID SEARCH (RFC 3501 §6.4.4, §7.2.5), with RETURN (RFC 4731), "$" (RFC 5182), MODSEQ (RFC 7162).

To who speaks IMAP4rev2 every answer is ESEARCH (RFC 9051 §6.4.4).

What flags and numbers say is decided first, for all messages at once, from memory, then what stands in rows,
read page by page. Texts are left to services.textindex, asked about the messages that still may match.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from enum import IntEnum
from typing import Any, NamedTuple, TypeAlias

from mailcore import limits
from mailcore.imap import pages
from mailcore.imap.commands import matching, results
from mailcore.imap.session import Done, Handler, Session
from mailcore.imap.view import RECENT, View
from mailcore.imap.wire import responses, seqset
from mailcore.imap.wire.keys import (
    All,
    And,
    ChangedFrom,
    Contains,
    HasFlag,
    HeaderContains,
    Key,
    Not,
    Numbered,
    Or,
)
from mailcore.imap.wire.values import MultiSearch, Search, Sort, Thread
from mailcore.message import flags as system_flags
from mailcore.outside import clock
from mailcore.services import textindex


class _Cost(IntEnum):
    """What must be read to know whether a key finds a message."""

    MEMORY = 0
    ROW = 1
    TEXT = 2


def from_memory(session: Session, command: Search) -> bool:
    """Only flags and numbers are asked, and not so much of it that others on the event loop would notice."""
    if session.view is None or _cost(command.key) > _Cost.MEMORY:
        return False
    return _steps(command.key) * len(session.view.shown) <= limits.IMAP_SEARCH_ON_LOOP


def search(session: Session, command: Search) -> Handler:
    """Messages that are gone are found by their number only: the client still counts them."""
    view = session.selected
    if asks_modseq(command.key):
        yield from session.tell_modseqs()
    saved, saves = view.saved_slices(), ("SAVE", None) in (command.returns or ())
    if saves:
        view.keep_found(())  # what fails leaves nothing (RFC 5182 §2.1)
    found = yield from find(view, command.key, saved)
    numbers = [view.shown[at] for at in found] if command.uid else [at + 1 for at in found]
    returned = results.returned(command.returns, found)
    modseq = youngest(view, command.key, returned)
    if saves:
        view.keep_found(returned)
    if command.returns is None and not session.is_rev2:
        yield responses.search(numbers, modseq)
    elif command.returns != (("SAVE", None),):  # who only wants it kept is told nothing
        yield results.answer(command.tag, command.returns or (), numbers, uid=command.uid, modseq=modseq)
    return Done("SEARCH completed")


def find(view: View, key: Key, saved: pages.Slices | None = None) -> Generator[bytes, None, Sequence[int]]:
    """The places in view.shown of what key finds, rising. SORT asks the same. saved: what "$" means, if not
    what it means now."""
    return (yield from _Searching(view, view.saved_slices() if saved is None else saved).run(key))


def asks_modseq(key: Key) -> bool:
    return any(isinstance(leaf, ChangedFrom) for leaf in _leaves(key))


def youngest(view: View, key: Key, places: Sequence[int]) -> int:
    """The highest modseq at places, if key asks about modseqs and there are any; else 0."""
    return max([view.modseq_of(view.shown[at]) for at in places], default=0) if asks_modseq(key) else 0


def names_seqs(command: Search | MultiSearch | Sort | Thread) -> bool:
    """Whether messages are searched for by sequence number: then none may go before the answer is whole."""
    return any(isinstance(leaf, Numbered) and not leaf.uid for leaf in _leaves(command.key))


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
        case Contains() | HeaderContains():
            return _Cost.TEXT
    return _Cost.ROW if isinstance(key, matching.KEYS) else _Cost.MEMORY


# --- One message ----------------------------------------------------------------------------------------


class _Message(NamedTuple):
    """A row, by names of columns."""

    at: int
    values: dict[str, Any]


_Test: TypeAlias = Callable[[_Message], bool]


# --- Searching ------------------------------------------------------------------------------------------


class _Searching:
    """One search in what a view shows. Messages are meant by their place in it."""

    def __init__(self, view: View, saved: pages.Slices) -> None:
        self.view = view
        self.saved = saved
        self.now = int(clock.now().timestamp())
        self.uids = view.shown
        snapshot = view.snapshot
        self.flags: Sequence[int] = snapshot.flags
        self.keywords: Sequence[int] = snapshot.keywords
        self.modseqs: Sequence[int] = snapshot.modseqs
        # The uids that a text was found in, for each key that asks for one.
        self.texts: dict[Key, set[int]] = {}
        self.gone: set[int] = set()
        if self.uids is not snapshot.uids:
            # Something is held back: bring the arrays beside the uids the client knows.
            places = [snapshot.index(uid) for uid in self.uids]
            self.gone = {at for at, place in enumerate(places) if place < 0}
            self.flags = [snapshot.flags[place] if place >= 0 else 0 for place in places]
            self.keywords = [snapshot.keywords[place] if place >= 0 else 0 for place in places]
            self.modseqs = [snapshot.modseqs[place] if place >= 0 else 0 for place in places]

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
            if cost is _Cost.TEXT:
                yield from self._look_up(keys, places)
            if cost is _Cost.MEMORY or not any(
                _cost(leaf) is _Cost.ROW for key in keys for leaf in _leaves(key)
            ):
                for each in keys:
                    places = self._in_memory(each, places)
                    yield b""
            else:
                places = yield from self._in_rows(keys, places)
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
            case Not(key=HasFlag(flag=flag)) if bit := system_flags.bit(flag):
                values = self.flags
                return [at for at in places if not values[at] & bit]
            case Not(key=inner):
                without = set(self._in_memory(inner, places))
                return [at for at in places if at not in without]
            case Numbered():
                return self._numbered(key, places)
            case ChangedFrom(modseq=modseq):
                modseqs = self.modseqs
                return [at for at in places if modseqs[at] >= modseq]
            case HasFlag(flag=flag):
                return self._flagged(flag, places)
            case Contains() | HeaderContains():
                uids, found_in = self.uids, self.texts[key]
                return [at for at in places if uids[at] in found_in]
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
            numbers = seqset.resolve(key.numbers, len(self.uids))
            slices = [(first - 1, last) for first, last in numbers if first]
        if key.numbers[0] == seqset.SAVED:
            slices = _union(slices, self.saved)
        found: list[int] = []
        low = 0
        for start, stop in slices:
            low = bisect_left(places, start, low)
            high = bisect_left(places, stop, low)
            found += places[low:high]
            low = high
        return found

    # --- from the text index

    def _look_up(self, keys: Sequence[Key], places: Sequence[int]) -> Generator[bytes, None, None]:
        """Find out what texts the messages at places hold, for all keys that ask for one."""
        snapshot = self.view.snapshot
        within = None if len(places) == len(self.uids) else [self.uids[at] for at in places]
        for leaf in [leaf for key in keys for leaf in _leaves(key)]:
            if leaf in self.texts or not isinstance(leaf, Contains | HeaderContains):
                continue
            wanted = (
                textindex.Wanted(leaf.field, leaf.needle)
                if isinstance(leaf, Contains)
                else textindex.Wanted("HEADER", leaf.needle, leaf.field)
            )
            steps = textindex.find(snapshot.mailbox_id, snapshot.folder_id, wanted, within)
            while True:
                try:
                    next(steps)
                except StopIteration as stop:
                    self.texts[leaf] = stop.value
                    break
                yield b""
            yield b""

    # --- from rows

    def _in_rows(self, keys: Sequence[Key], places: Sequence[int]) -> Generator[bytes, None, Sequence[int]]:
        test = self._all(keys)
        needed = set().union(*[matching.columns(leaf) for key in keys for leaf in _leaves(key)])
        columns = ["m.uid", *sorted(needed)]
        found: list[int] = []
        for page, _ in pages.rows(self.view, _slices(places), columns):
            found += [at for at, row in page if test(_Message(at, dict(zip(columns, row, strict=True))))]
            yield b""
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
            case Contains() | HeaderContains():
                uids, found_in = self.uids, self.texts[key]
                return lambda message: uids[message.at] in found_in
        test_values = matching.test(key, self.now, self.view.snapshot.mailbox_id)
        return lambda message: test_values(message.values)


def _union(one: pages.Slices, other: pages.Slices) -> pages.Slices:
    merged = seqset.ranges_of((start + 1, stop) for start, stop in (*one, *other))
    return [(first - 1, last) for first, last in merged]


def _slices(places: Sequence[int]) -> pages.Slices:
    return [(first, last + 1) for first, last in seqset.collect(places)]
