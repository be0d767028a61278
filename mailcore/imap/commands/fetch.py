"""FETCH and UID FETCH (RFC 3501 §6.4.5, §7.4.2; CHANGEDSINCE and MODSEQ: RFC 7162 §3.1.4).

What to read and how to write it is decided once for the command (_Plan), then rows are read page by page.
Flags come from the view's snapshot, everything else from rows; a page is read whole before any of it is told.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Sequence
from itertools import chain
from operator import itemgetter
from typing import cast

from mailcore import limits
from mailcore.errors import BadSyntax, NoSuchMessage, UnknownCTE
from mailcore.imap import pages, sections
from mailcore.imap.commands import resync
from mailcore.imap.pages import Row, Slices
from mailcore.imap.session import Done, Handler, Session
from mailcore.imap.view import RECENT, View
from mailcore.imap.wire import fetch_items, objectids, responses, seqset
from mailcore.imap.wire.values import Fetch, FetchItem, Partial, Section
from mailcore.message import downgrade
from mailcore.message import flags as system_flags
from mailcore.models import Right
from mailcore.services import messages
from mailcore.snapshot import Snapshot

_COLUMNS = {
    "ENVELOPE": "c.envelope",
    "BODY": "c.body",
    "BODYSTRUCTURE": "c.bodystructure",
}
_IDS = {"EMAILID": (objectids.EMAIL, "m.email_id"), "THREADID": (objectids.THREAD, "m.thread_id")}
_UID, _MODSEQ = fetch_items.PLAIN["UID"], fetch_items.PLAIN["MODSEQ"]
# Rows of ready columns are small; headers may be a hundred times as big.
_WIDE_ROWS = limits.IMAP_PAGE_ROWS // 5


def from_memory(session: Session, command: Fetch) -> bool:
    """Only UID, FLAGS and MODSEQ are asked, of what is there: the snapshot knows them."""
    return is_in_memory(command.items) and ("VANISHED", None) not in command.modifiers


def is_in_memory(items: Iterable[FetchItem]) -> bool:
    """Whether a snapshot knows all of these."""
    return all(item.name in ("FLAGS", "UID", "MODSEQ") for item in items)


def _items(session: Session, command: Fetch) -> list[FetchItem]:
    """All that is to be answered, each once: UID FETCH has the UID, unless it stands in front
    (RFC 9586 §3.3), CHANGEDSINCE the modseq."""
    is_implied = command.uid and not session.is_uid_only
    items = [_UID, *command.items] if is_implied else list(command.items)
    if "CHANGEDSINCE" in dict(command.modifiers):
        items.append(_MODSEQ)
    return list(dict.fromkeys(items))


def fetch(session: Session, command: Fetch) -> Handler:
    """Answer what is still there. By sequence number, what is gone by now is a NO at the end (RFC 5530);
    a UID that is gone means nothing (RFC 3501 §6.4.8)."""
    view, items = session.selected, _items(session, command)
    modifiers = dict(command.modifiers)
    since = cast("int | None", modifiers.get("CHANGEDSINCE"))
    if "VANISHED" in modifiers and not (since is not None and command.uid and session.has_qresync):
        raise BadSyntax("VANISHED is for UID FETCH with CHANGEDSINCE, after ENABLE QRESYNC")
    part = cast("Partial | None", modifiers.get("PARTIAL"))
    if part is not None and not command.uid:
        raise BadSyntax("PARTIAL is for UID FETCH")
    slices = view.slices(command.numbers, uid=command.uid)
    if part is not None:
        slices = pages.part(slices, *part.within(sum(stop - start for start, stop in slices)))
    if _MODSEQ in items:
        yield from session.tell_modseqs()
    if since is not None and "VANISHED" in modifiers:
        # The last message may be what went: "*" is the last there ever was.
        uids = seqset.resolve(command.numbers, view.snapshot.uidnext - 1)
        yield from resync.vanished(view, since, uids)
    if since is not None:
        slices = view.changed_since(slices, since)
    missing = yield from told(session, items, slices)
    if missing and not command.uid:
        raise NoSuchMessage("Some of those messages have been expunged")
    return Done("FETCH completed")


def told(session: Session, items: Sequence[FetchItem], slices: Slices) -> Generator[bytes, None, bool]:
    """The answers for messages of the selected folder; whether some are gone. Raises UnknownCTE last."""
    view = session.selected
    if is_in_memory(items):
        return (yield from flags_and_uids(view, {item.name for item in items}, slices))
    snapshot, changed = view.snapshot, frozenset[int]()
    if not view.is_read_only and session.rights & Right.SEEN and not all(item.peek for item in items):
        snapshot, changed = _set_seen(session, view, slices)
    plan = _Plan(_Flags(snapshot, view.first_recent), changed, view, is_utf8=session.is_utf8)
    for item in items:
        plan.add(item)
    missing = yield from _answers(view, plan, slices)
    if plan.is_undecoded:
        raise UnknownCTE
    return missing


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

    def modseq_of(self, uid: int) -> int:
        at = self.snapshot.index(uid)
        return self.snapshot.modseqs[at] if at >= 0 else self.snapshot.highest


# --- From memory ----------------------------------------------------------------------------------------


def _line(names: Collection[str], word: bytes) -> bytes:
    """The form of an answer with these of UID, FLAGS and MODSEQ, in this order. It always takes the number in
    front, uid and flags: what is not wanted is formatted to nothing, as %.0a takes whatever it is and writes
    no octet."""
    form = b" UID %d" if "UID" in names else b"%.0a"
    form += b" FLAGS %b" if "FLAGS" in names else b"%.0a"
    form += b" MODSEQ (%d)" if "MODSEQ" in names else b""
    return b"* %%d %b (%b)\r\n" % (word, form.replace(b" ", b"", 1))


def flags_and_uids(view: View, names: Collection[str], slices: Slices) -> Generator[bytes, None, bool]:
    """Returns whether something is gone. Tight loops: clients ask this of whole folders."""
    is_uid_only, tells_modseqs = view.is_uid_only, "MODSEQ" in names
    line = _line(names, b"UIDFETCH" if is_uid_only else b"FETCH")
    snapshot, shown, recent = view.snapshot, view.shown, view.first_recent
    lists = _Flags(snapshot, recent)
    missing = False
    out: list[bytes] = []
    for first, last in slices:
        for start in range(first, last, limits.IMAP_PAGE_ROWS):
            stop = min(start + limits.IMAP_PAGE_ROWS, last)
            uids = shown[start:stop]
            numbers = uids if is_uid_only else range(start + 1, stop + 1)
            if shown is snapshot.uids:
                flags, keywords = snapshot.flags[start:stop], snapshot.keywords[start:stop]
                if tells_modseqs:
                    modseqs = snapshot.modseqs[start:stop]
                    out += [
                        line % (seq, uid, lists[flag, keyword, uid >= recent], modseq)
                        for seq, uid, flag, keyword, modseq in zip(
                            numbers, uids, flags, keywords, modseqs, strict=True
                        )
                    ]
                else:
                    out += [
                        line % (seq, uid, lists[flag, keyword, uid >= recent])
                        for seq, uid, flag, keyword in zip(numbers, uids, flags, keywords, strict=True)
                    ]
            else:  # something is held back: the two arrays differ
                for seq, uid in zip(numbers, uids, strict=True):
                    at = snapshot.index(uid)
                    if at >= 0:
                        flag, keyword = snapshot.flags[at], snapshot.keywords[at]
                        values = (seq, uid, lists[flag, keyword, uid >= recent])
                        out.append(line % ((*values, snapshot.modseqs[at]) if tells_modseqs else values))
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

    def __init__(self, flags: _Flags, changed: frozenset[int], view: View, *, is_utf8: bool) -> None:
        self.flags, self.changed = flags, changed
        self.is_utf8 = is_utf8  # header fields may have UTF-8 in them (RFC 9755 §8)
        # What else is told of a message that this very FETCH has marked as seen (RFC 7162 §3.2.4).
        self.is_uid_only = view.is_uid_only
        names = ["FLAGS"]
        if (view.tells_modseqs or view.tells_uids) and not self.is_uid_only:
            names.append("UID")
        if view.tells_modseqs:
            names.append("MODSEQ")
        self.news = {name: self._maker(fetch_items.PLAIN[name]) for name in names}
        self.columns = ["m.uid"]
        self.pieces: list[tuple[bytes, Callable[[Row], bytes | None]]] = []
        self.needs_octets = False
        self.page_rows = limits.IMAP_PAGE_ROWS
        self.is_undecoded = False  # whether a part was left out of an answer for its unknown encoding

    def add(self, item: FetchItem) -> None:
        self.pieces.append((b"%b " % item.label, self._maker(item)))
        self.news.pop(item.name, None)

    def column(self, name: str) -> int:
        """Where in a row a column is; it is read once, however often it is used."""
        if name not in self.columns:
            self.columns.append(name)
        return self.columns.index(name)

    def _maker(self, item: FetchItem) -> Callable[[Row], bytes | None]:
        if item.section is not None:
            return self._section_maker(item, item.section)
        if item.name == "UID":
            return lambda row: b"%d" % row[0]
        if item.name == "FLAGS":
            return lambda row: self.flags.of(row[0])
        if item.name == "MODSEQ":
            return lambda row: b"(%d)" % self.flags.modseq_of(row[0])
        if item.name == "RFC822.SIZE":
            size = self.column("m.size")
            return lambda row: b"%d" % row[size]
        if item.name == "INTERNALDATE":
            date, offset = self.column("m.internal_date"), self.column("m.internal_offset")
            return lambda row: responses.internal_date(row[date], row[offset])
        if item.name == "SAVEDATE":
            saved = self.column("m.saved_date")
            return lambda row: responses.internal_date(row[saved])
        if item.name == "PREVIEW":
            preview = self.column("c.preview")
            return lambda row: responses.string(row[preview].encode())
        if item.name in ("EMAILID", "THREADID"):
            kind, column = _IDS[item.name]
            serial, mailbox_id = self.column(column), self.flags.snapshot.mailbox_id
            return lambda row: f"({objectids.encode(kind, mailbox_id, row[serial])})".encode()
        return self._structure_maker(item.name)

    def _structure_maker(self, name: str) -> Callable[[Row], bytes | None]:
        """ENVELOPE, BODY or BODYSTRUCTURE; of a surrogate where this one is not for the client."""
        place = self.column(_COLUMNS[name])
        if self.is_utf8:
            return itemgetter(place)
        content = self.column("m.content_id")

        def in_ascii(row: Row) -> bytes | None:
            found: bytes = row[place]
            if found.isascii():
                return found
            mail = pages.mail(row[content])
            if mail is None:
                return None
            index = mail.for_ascii().index
            return found if index is None else getattr(index, name.lower())

        return in_ascii

    def _section_maker(self, item: FetchItem, section: Section) -> Callable[[Row], bytes | None]:
        if sections.is_of_header(section):
            self.page_rows = _WIDE_ROWS
            prefix, header = self.column("c.prefix"), self.column("c.header")
            is_utf8, partial, wanted = self.is_utf8, item.partial, sections.of_header(section)

            def of_header(row: Row) -> bytes:
                whole = row[prefix] + row[header]
                if not is_utf8 and downgrade.is_international(whole):
                    whole = downgrade.header(whole)
                return _literal(sections.cut(wanted(whole), partial))

            return of_header
        self.needs_octets = True
        if item.name in ("BINARY", "BINARY.SIZE"):
            return lambda row: self._decoded(item, section, row)
        return lambda row: _literal(sections.cut(self._mail(row).octets(section), item.partial))

    def _mail(self, row: Row) -> sections.Sections:
        mail: sections.Sections = row[-1]
        return mail if self.is_utf8 else mail.for_ascii()

    def _decoded(self, item: FetchItem, section: Section, row: Row) -> bytes | None:
        """None when we cannot decode it: others have their answer, and the command is refused at its end."""
        try:
            octets = self._mail(row).decoded(section)
        except UnknownCTE:
            self.is_undecoded = True
            return None
        if item.name == "BINARY.SIZE":
            return b"%d" % len(octets or b"")
        found = _literal(sections.cut(octets, item.partial))
        # RFC 3516 §4.2: without NUL a string is due, so that clients need not look for NUL themselves.
        return b"~" + found if b"\0" in found else found

    def lines(self, found: list[pages.Found]) -> Iterator[bytes]:
        """The answers of a page, each at once: for what is small, which is asked of whole folders."""
        word = b"UIDFETCH" if self.is_uid_only else b"FETCH"
        form = b"* %%d %b (%b)\r\n" % (
            word,
            b" ".join([label.replace(b"%", b"%%") + b"%b" for label, _ in self.pieces]),
        )
        makers = [make for _, make in self.pieces]
        for at, row in found:
            values = [make(row) for make in makers]
            if None in values or row[0] in self.changed:
                yield from self.write(at + 1, row)
            else:
                yield form % (row[0] if self.is_uid_only else at + 1, *values)

    def write(self, seq: int, row: Row) -> Iterator[bytes]:
        """One message's answer, in pieces, so that nobody holds a big mail once for each item."""
        before = b"* %d UIDFETCH (" % row[0] if self.is_uid_only else b"* %d FETCH (" % seq
        pieces = self.pieces
        if row[0] in self.changed:
            pieces = [*pieces, *((b"%b " % name.encode(), make) for name, make in self.news.items())]
        for label, make in pieces:
            piece = make(row)
            if piece is not None:
                yield before + label
                yield piece
                before = b" "
        if before == b" ":
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
        pieces = chain.from_iterable(plan.write(at + 1, row) for at, row in found)
        for piece in pieces if plan.needs_octets else plan.lines(found):
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
