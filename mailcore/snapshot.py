"""A folder in use, kept in memory: uids, flags and modseqs as compact arrays, shared by all its sessions.

A Snapshot never changes. A newer state is a new Snapshot, which shares the arrays that stayed the same;
so a session holds what it has told its client by holding a reference, and an idle one costs nothing more.
Before an answer from memory a snapshot is proven current: see Snapshots.current.
"""

from __future__ import annotations

import gc
import threading
from array import array
from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from django.db import connection

from mailcore import limits
from mailcore.services import messages, sql


@dataclass(frozen=True, slots=True, eq=False)
class Snapshot:
    """One folder at one moment. The arrays run side by side, by rising uid."""

    folder_id: int
    mailbox_id: int
    uidvalidity: int
    uidnext: int
    # The mailbox's counter at this moment, and the highest one this folder was changed at.
    modseq: int
    highest: int
    uids: array[int]
    flags: array[int]
    keywords: array[int]
    modseqs: array[int]
    names: tuple[str, ...]
    # What the last refreshes touched: (the modseq before, the uids), oldest first.
    log: tuple[tuple[int, tuple[int, ...]], ...] = ()

    def index(self, uid: int) -> int:
        """Where uid is, or -1."""
        at = bisect_left(self.uids, uid)
        return at if at < len(self.uids) and self.uids[at] == uid else -1

    def touched_since(self, modseq: int) -> Iterator[int]:
        """Uids that are new or changed after modseq and still there; in any order, some perhaps twice."""
        if modseq >= self.modseq:
            return
        if self.log and self.log[0][0] <= modseq:
            for before, uids in self.log:
                if before >= modseq:
                    yield from uids
                elif before < modseq:
                    # A refresh that spans the moment: its uids tell for themselves.
                    for uid in uids:
                        at = self.index(uid)
                        if at >= 0 and self.modseqs[at] > modseq:
                            yield uid
        else:
            for uid, changed in zip(self.uids, self.modseqs, strict=True):
                if changed > modseq:
                    yield uid


class Snapshots:
    """The folders in use in this process. Safe to call from any thread."""

    def __init__(self) -> None:
        self._known: OrderedDict[int, Snapshot] = OrderedDict()
        self._locks: dict[int, threading.Lock] = {}
        self._lock = threading.Lock()
        # SQLite's counter of other connections' commits, as the event loop's connection sees it, and
        # the folders that were proven current at that count.
        self._loop_version = -1
        self._proven: set[int] = set()

    def current(self, folder_id: int) -> Snapshot:
        """The folder as it is now: one read to prove it, more only if it changed. Raises FolderGone."""
        with self._lock_of(folder_id):
            known = self._known.get(folder_id)
            state = messages.folder_state(folder_id)
            if known is None or known.uidvalidity != state.uidvalidity:
                known = load(state)
            elif known.modseq != state.modseq:
                known = refresh(known)
            self._keep(known)
            return known

    def current_on_loop(self, folder_id: int) -> Snapshot:
        """The same from the event loop's own connection, where an unchanged SQLite answers in microseconds.

        That connection never writes, so every commit by anybody moves its data_version.
        """
        if connection.vendor != "sqlite":
            return self.current(folder_id)
        (version,) = sql.rows("PRAGMA data_version")[0]
        if version != self._loop_version:
            self._loop_version = version
            self._proven.clear()
        elif folder_id in self._proven and (known := self._known.get(folder_id)):
            return known
        found = self.current(folder_id)
        self._proven.add(folder_id)
        return found

    def _lock_of(self, folder_id: int) -> threading.Lock:
        with self._lock:
            return self._locks.setdefault(folder_id, threading.Lock())

    def _keep(self, snapshot: Snapshot) -> None:
        with self._lock:
            self._known[snapshot.folder_id] = snapshot
            self._known.move_to_end(snapshot.folder_id)
            while len(self._known) > limits.SNAPSHOTS:
                folder_id, _ = self._known.popitem(last=False)
                self._locks.pop(folder_id, None)


def load(state: messages.FolderState) -> Snapshot:
    """Read a folder whole. Raises FolderGone."""
    collecting = gc.isenabled()
    # A hundred thousand tuples at once would make the collector run over and over for nothing.
    gc.disable()
    try:
        rows = messages.message_rows(state.folder_id)
        columns = list(zip(*rows, strict=True)) or [(), (), (), ()]
        del rows
    finally:
        if collecting:
            gc.enable()
    return Snapshot(
        state.folder_id,
        state.mailbox_id,
        state.uidvalidity,
        state.uidnext,
        state.modseq,
        max(state.folder_modseq, 1),
        array("I", columns[0]),
        array("H", columns[1]),
        array("q", columns[2]),
        array("q", columns[3]),
        tuple(messages.keyword_names(state.mailbox_id)),
    )


def refresh(known: Snapshot) -> Snapshot:
    """What became of a folder since. Raises FolderGone."""
    since = messages.changes_since(known.folder_id, known.modseq)
    names = known.names
    if since.rows:
        names = tuple(messages.keyword_names(known.mailbox_id))
    uids, flags, keywords, modseqs = known.uids, known.flags, known.keywords, known.modseqs
    if since.gone:
        kept = _kept(uids, since.gone)
        uids, flags, keywords, modseqs = (_pick(one, kept) for one in (uids, flags, keywords, modseqs))
    if since.rows:
        flags, keywords, modseqs = flags[:], keywords[:], modseqs[:]
        added = array("I")
        last = uids[-1] if uids else 0
        for uid, new_flags, new_keywords, modseq in since.rows:
            if uid > last:
                added.append(uid)
                flags.append(new_flags)
                keywords.append(new_keywords)
                modseqs.append(modseq)
            else:
                at = bisect_left(uids, uid)
                if at < len(uids) and uids[at] == uid:
                    flags[at], keywords[at], modseqs[at] = new_flags, new_keywords, modseq
        if added:
            uids = uids + added
    touched = tuple(row[0] for row in since.rows)
    log = known.log
    if touched:
        log = (*log[-limits.SNAPSHOT_LOG + 1 :], (known.modseq, touched))
    highest = known.highest
    if since.rows or since.gone:
        highest = since.modseq
    return Snapshot(
        known.folder_id,
        known.mailbox_id,
        known.uidvalidity,
        max(since.uidnext, known.uidnext),
        since.modseq,
        highest,
        uids,
        flags,
        keywords,
        modseqs,
        names,
        log,
    )


def _kept(uids: Sequence[int], gone: Sequence[int]) -> list[tuple[int, int]]:
    """Slices of uids that are left when gone (rising) is taken out."""
    slices = []
    start = 0
    for uid in gone:
        at = bisect_left(uids, uid, start)
        if at < len(uids) and uids[at] == uid:
            if at > start:
                slices.append((start, at))
            start = at + 1
    if start < len(uids):
        slices.append((start, len(uids)))
    return slices


def _pick(values: array[int], slices: Sequence[tuple[int, int]]) -> array[int]:
    picked = array(values.typecode)
    for start, stop in slices:
        picked.extend(values[start:stop])
    return picked
