"""FETCH and UID FETCH (RFC 3501 §6.4.5, §7.4.2).

What to read and how to write it is decided once for the command (_Plan), then rows are read page by page.
Flags come from the view's snapshot, everything else from rows; a page is read whole before any of it is told.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from operator import itemgetter

from mailcore import limits
from mailcore.errors import BadSyntax, NoSuchMessage
from mailcore.imap import pages, sections
from mailcore.imap.pages import Row, Slices
from mailcore.imap.session import Done, Handler, Session
from mailcore.imap.view import RECENT, View
from mailcore.imap.wire import responses
from mailcore.imap.wire.values import Fetch, FetchItem, Section
from mailcore.message import flags as system_flags
from mailcore.services import messages
from mailcore.snapshot import Snapshot

_COLUMNS = {
    "ENVELOPE": "c.envelope",
    "BODY": "c.body",
    "BODYSTRUCTURE": "c.bodystructure",
}
# Rows of ready columns are small; headers may be a hundred times as big.
_WIDE_ROWS = limits.IMAP_PAGE_ROWS // 5


def from_memory(session: Session, command: Fetch) -> bool:
    """Only UID and FLAGS are asked: the snapshot knows them."""
    return all(item.name in ("FLAGS", "UID") for item in command.items)


def fetch(session: Session, command: Fetch) -> Handler:
    """Answer what is still there. By sequence number, what is gone by now is a NO at the end (RFC 5530);
    a UID that is gone means nothing (RFC 3501 §6.4.8)."""
    if command.modifiers:
        raise BadSyntax("FETCH takes no modifiers here")
    view = session.selected
    slices = view.slices(command.numbers, uid=command.uid)
    if from_memory(session, command):
        missing = yield from _flags_and_uids(view, command, slices)
    else:
        snapshot, changed = view.snapshot, frozenset[int]()
        if not view.is_read_only and not all(item.peek for item in command.items):
            snapshot, changed = _set_seen(session, view, slices)
        plan = _Plan(_Flags(snapshot, view.first_recent), changed)
        if command.uid:
            plan.add(FetchItem("UID", b"UID"))
        for item in command.items:
            if item.name != "UID" or not command.uid:
                plan.add(item)
        missing = yield from _answers(view, plan, slices)
    if missing and not command.uid:
        raise NoSuchMessage("Some of those messages have been expunged")
    return Done("FETCH completed")


class _Flags(dict[tuple[int, int, bool], bytes]):
    """(flags, keywords, is recent) to their list on the wire; what a folder has of them is few."""

    def __init__(self, snapshot: Snapshot, first_recent: int) -> None:
        super().__init__()
        self.snapshot, self.first_recent = snapshot, first_recent

    def __missing__(self, key: tuple[int, int, bool]) -> bytes:
        flags, keywords, is_recent = key
        names = system_flags.names(flags)
        names += [name for number, name in enumerate(self.snapshot.names) if keywords >> number & 1]
        if is_recent:
            names.append(RECENT)
        self[key] = found = responses.flag_list(names)
        return found

    def of(self, uid: int) -> bytes:
        at = self.snapshot.index(uid)
        if at < 0:  # expunged since its row was read; the news tell
            return b"()"
        return self[self.snapshot.flags[at], self.snapshot.keywords[at], uid >= self.first_recent]


# --- From memory ----------------------------------------------------------------------------------------


def _flags_and_uids(view: View, command: Fetch, slices: Slices) -> Generator[bytes, None, bool]:
    """Returns whether something is gone. One tight loop: clients ask this of whole folders."""
    names = {item.name for item in command.items} | ({"UID"} if command.uid else set())
    # The value that is not wanted is formatted to nothing: %.0a takes whatever it is and writes no octet.
    uid_piece = b"UID %d" if "UID" in names else b"%.0a"
    flags_piece = b"FLAGS %b" if "FLAGS" in names else b"%.0a"
    line = b"* %%d FETCH (%b%b%b)\r\n" % (uid_piece, b" " if len(names) == 2 else b"", flags_piece)
    snapshot, shown, recent = view.snapshot, view.shown, view.first_recent
    lists = _Flags(snapshot, recent)
    missing = False
    out: list[bytes] = []
    for first, last in slices:
        for start in range(first, last, limits.IMAP_PAGE_ROWS):
            stop = min(start + limits.IMAP_PAGE_ROWS, last)
            uids = shown[start:stop]
            if shown is snapshot.uids:
                flags, keywords = snapshot.flags[start:stop], snapshot.keywords[start:stop]
                out += [
                    line % (seq, uid, lists[flag, keyword, uid >= recent])
                    for seq, uid, flag, keyword in zip(
                        range(start + 1, stop + 1), uids, flags, keywords, strict=True
                    )
                ]
            else:  # something is held back: the two arrays differ
                for seq, uid in enumerate(uids, start + 1):
                    at = snapshot.index(uid)
                    if at >= 0:
                        flag, keyword = snapshot.flags[at], snapshot.keywords[at]
                        out.append(line % (seq, uid, lists[flag, keyword, uid >= recent]))
                    else:
                        missing = True
            if len(out) >= 2 * limits.IMAP_PAGE_ROWS:  # some 50 octets each
                yield b"".join(out)
                out = []
    yield b"".join(out)
    return missing


# --- From rows ------------------------------------------------------------------------------------------


def _set_seen(session: Session, view: View, slices: Slices) -> tuple[Snapshot, frozenset[int]]:
    r"""Reading sets \Seen. The answers say so, so the news need not: the snapshot to answer from, and whose
    flags are to be told."""
    snapshot = session.snapshots.current(view.snapshot.folder_id)
    ranges: list[tuple[int, int]] = []
    previous = -1
    for start, stop in slices:
        for place in range(start, stop):
            uid = view.shown[place]
            at = snapshot.index(uid)
            if at < 0 or snapshot.flags[at] & system_flags.SEEN:
                continue
            # Neighbours are one range: nothing the client did not mean lies between them.
            if place == previous + 1 and ranges:
                ranges[-1] = (ranges[-1][0], uid)
            else:
                ranges.append((uid, uid))
            previous = place
    if not ranges:
        return snapshot, frozenset()
    done = messages.set_flags(snapshot.folder_id, ranges, add=system_flags.SEEN, via="imap")
    snapshot = session.snapshots.current(snapshot.folder_id)
    view.keep_silent(snapshot, done.uids, done.modseq)
    return snapshot, frozenset(done.uids)


class _Plan:
    """Which columns to read, and how each item's value is made of a row."""

    def __init__(self, flags: _Flags, changed: frozenset[int]) -> None:
        self.flags, self.changed = flags, changed
        self.columns = ["m.uid"]
        self.pieces: list[tuple[bytes, Callable[[Row], bytes]]] = []
        self.needs_octets = False
        self.page_rows = limits.IMAP_PAGE_ROWS
        self._tells_flags = False

    def add(self, item: FetchItem) -> None:
        label = b" %b " % item.label if self.pieces else b"%b " % item.label
        self.pieces.append((label, self._maker(item)))
        self._tells_flags |= item.name == "FLAGS"

    def column(self, name: str) -> int:
        """Where in a row a column is; it is read once, however often it is used."""
        if name not in self.columns:
            self.columns.append(name)
        return self.columns.index(name)

    def _maker(self, item: FetchItem) -> Callable[[Row], bytes]:
        if item.section is not None:
            return self._section_maker(item, item.section)
        if item.name == "UID":
            return lambda row: b"%d" % row[0]
        if item.name == "FLAGS":
            return lambda row: self.flags.of(row[0])
        if item.name == "RFC822.SIZE":
            size = self.column("m.size")
            return lambda row: b"%d" % row[size]
        if item.name == "INTERNALDATE":
            date, offset = self.column("m.internal_date"), self.column("m.internal_offset")
            return lambda row: responses.internal_date(row[date], row[offset])
        return itemgetter(self.column(_COLUMNS[item.name]))

    def _section_maker(self, item: FetchItem, section: Section) -> Callable[[Row], bytes]:
        if sections.is_of_header(section):
            self.page_rows = _WIDE_ROWS
            prefix, header = self.column("c.prefix"), self.column("c.header")

            def of_header(row: Row) -> bytes:
                found = sections.of_header(section, row[prefix] + row[header])
                return _literal(sections.cut(found, item.partial))

            return of_header
        self.needs_octets = True
        return lambda row: _literal(sections.cut(row[-1].octets(section), item.partial))

    def write(self, seq: int, row: Row) -> Iterator[bytes]:
        """One message's answer, in pieces, so that nobody holds a big mail once for each item."""
        yield b"* %d FETCH (" % seq
        for label, make in self.pieces:
            yield label
            yield make(row)
        if row[0] in self.changed and not self._tells_flags:
            yield b" FLAGS "
            yield self.flags.of(row[0])
        yield b")\r\n"


def _literal(octets: bytes | None) -> bytes:
    """Octets of a mail are always a literal, which no reader can misread."""
    return b"NIL" if octets is None else b"{%d}\r\n%b" % (len(octets), octets)


def _answers(view: View, plan: _Plan, slices: Slices) -> Generator[bytes, None, bool]:
    """Returns whether something is gone."""
    out: list[bytes] = []
    size, missing = 0, False
    for found, is_whole in _lots(view, plan, slices):
        missing |= not is_whole
        yield b""  # others may run
        for at, row in found:
            for piece in plan.write(at + 1, row):
                out.append(piece)
                size += len(piece)
                if size >= limits.IMAP_ANSWER_OCTETS:
                    yield b"".join(out)
                    out, size = [], 0
    yield b"".join(out)
    return missing


def _lots(view: View, plan: _Plan, slices: Slices) -> Iterator[tuple[list[pages.Found], bool]]:
    if not plan.needs_octets:
        yield from pages.rows(view, slices, plan.columns, plan.page_rows)
        return
    size, content = plan.column("m.size"), plan.column("m.content_id")
    for found, is_whole in pages.rows(view, slices, plan.columns, plan.page_rows):
        yield [], is_whole
        yield from pages.with_mails(found, size=size, content=content)
