"""A folder in use, kept in memory: uids, flags and modseqs as compact arrays, shared by all its sessions.

A Snapshot never changes. A newer state is a new Snapshot, which shares the arrays that stayed the same;
so a session holds what it has told its client by holding a reference, and an idle one costs nothing more.
Before an answer from memory a snapshot is proven current: see Snapshots.
"""

from __future__ import annotations

import gc
import sqlite3
import threading
from array import array
from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from django.db import connection

from mailcore import limits
from mailcore.services import messages, sql


@dataclass(frozen=True, slots=True)
class Refresh:
    """What became new or changed up to and with the modseq until."""

    until: int
    uids: array[int]


@dataclass(frozen=True, slots=True, eq=False)
class Snapshot:
    """One folder at one moment. The arrays run side by side, by rising uid."""

    folder_id: int
    mailbox_id: int
    uidvalidity: int
    uidnext: int
    # The mailbox's counter at this moment, and the one this folder was last changed at: HIGHESTMODSEQ.
    modseq: int
    highest: int
    uids: array[int]
    flags: array[int]
    keywords: array[int]
    modseqs: array[int]
    names: tuple[str, ...]
    # What each refresh touched, oldest first, complete for everything after modseq log_from.
    log_from: int
    log: tuple[Refresh, ...] = ()

    def index(self, uid: int) -> int:
        """Where uid is, or -1."""
        at = bisect_left(self.uids, uid)
        return at if at < len(self.uids) and self.uids[at] == uid else -1

    def keyword_bits(self, names: Iterable[str]) -> int:
        """The bits of keywords by name; of those this mailbox does not know, none."""
        wanted = {name.casefold() for name in names}
        return sum(1 << number for number, name in enumerate(self.names) if name.casefold() in wanted)

    def touched_since(self, modseq: int) -> Iterator[int]:
        """Uids that are new or changed after modseq and still there; in any order, some perhaps twice."""
        if modseq >= self.modseq:
            return
        if modseq < self.log_from:
            for uid, changed in zip(self.uids, self.modseqs, strict=True):
                if changed > modseq:
                    yield uid
            return
        for refreshed in self.log:
            if refreshed.until <= modseq:
                continue
            for uid in refreshed.uids:
                at = self.index(uid)
                if at >= 0 and self.modseqs[at] > modseq:
                    yield uid


class Snapshots:
    """The folders in use in this process. Safe to call from any thread, the *_on_loop from the loop's."""

    def __init__(self) -> None:
        self._known: OrderedDict[int, Snapshot] = OrderedDict()
        self._messages = 0  # in all of them
        self._locks: dict[int, threading.Lock] = {}
        self._lock = threading.Lock()
        # SQLite's counter of other connections' commits, as the event loop's own connection sees it, and
        # the folders that were proven current at that count.
        self._loop_connection: sqlite3.Connection | None = None
        self._loop_version = -1
        self._is_asked = False
        self._proven: set[int] = set()

    def current(self, folder_id: int) -> Snapshot:
        """The folder as it is now: one read to prove it, more only if it changed. Raises FolderGone."""
        with self._lock_of(folder_id):
            known = self._known.get(folder_id)
            state = messages.folder_state(folder_id)
            if known is None or known.uidvalidity != state.uidvalidity:
                known = load(state)
            elif known.modseq != state.modseq:
                known = refresh(known, state)
            self._keep(known)
            return known

    def new_turn(self) -> None:
        """Commands that came in meanwhile are answered now: what was proven before does not hold for them."""
        self._is_asked = False

    def current_on_loop(self, folder_id: int) -> Snapshot | None:
        """The same where waiting is not allowed; None: ask current() in a thread.

        On SQLite one read of microseconds proves all folders for one turn of the event loop, as long as
        nobody commits. The loop's connection never writes, so every commit moves its data_version.
        """
        if not self._is_asked:
            version = self._data_version()
            if version is None:
                return None
            if version != self._loop_version:
                self._loop_version = version
                self._proven.clear()
            self._is_asked = True
        known = self._known.get(folder_id)
        if known is not None and folder_id in self._proven:
            return known
        found = self._brought_up_to_date(folder_id) if known is not None else None
        if found is not None:
            self._proven.add(folder_id)
        return found

    def _data_version(self) -> int | None:
        if self._loop_connection is None:
            if not sql.is_sqlite():
                return None
            connection.ensure_connection()
            self._loop_connection = connection.connection
        (version,) = self._loop_connection.execute("PRAGMA data_version").fetchone()
        return int(version)

    def _brought_up_to_date(self, folder_id: int) -> Snapshot | None:
        """current() if it takes little: None when somebody else is at it or when much has changed."""
        lock = self._lock_of(folder_id)
        if not lock.acquire(blocking=False):
            return None
        try:
            known = self._known.get(folder_id)
            state = messages.folder_state(folder_id)
            if known is None or known.uidvalidity != state.uidvalidity:
                return None
            if known.modseq != state.modseq:
                if messages.changed_count(folder_id, known.modseq) > limits.SNAPSHOT_CHANGES_ON_LOOP:
                    return None
                known = refresh(known, state)
            self._keep(known)
            return known
        finally:
            lock.release()

    def _lock_of(self, folder_id: int) -> threading.Lock:
        with self._lock:
            return self._locks.setdefault(folder_id, threading.Lock())

    def _keep(self, snapshot: Snapshot) -> None:
        with self._lock:
            before = self._known.get(snapshot.folder_id)
            if before is not None:
                if before.uidvalidity == snapshot.uidvalidity and before.modseq > snapshot.modseq:
                    return  # somebody else was quicker
                self._messages -= len(before.uids)
            self._known[snapshot.folder_id] = snapshot
            self._known.move_to_end(snapshot.folder_id)
            self._messages += len(snapshot.uids)
            while len(self._known) > 1 and (
                len(self._known) > limits.SNAPSHOTS or self._messages > limits.SNAPSHOT_MESSAGES
            ):
                folder_id, gone = self._known.popitem(last=False)
                self._messages -= len(gone.uids)
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
    # Who changes the folder meanwhile has the lock on its mailbox: a row of that change means that all before
    # it are here too, and the snapshot is as young as its youngest row.
    youngest = max(columns[3], default=0)
    modseq = max(state.modseq, youngest)
    return Snapshot(
        state.folder_id,
        state.mailbox_id,
        state.uidvalidity,
        max(state.uidnext, max(columns[0], default=0) + 1),
        modseq,
        max(state.folder_modseq, youngest, 1),
        array("I", columns[0]),
        array("H", columns[1]),
        array("q", columns[2]),
        array("q", columns[3]),
        tuple(messages.keyword_names(state.mailbox_id)),
        modseq,
    )


def refresh(known: Snapshot, state: messages.FolderState) -> Snapshot:
    """What became of a folder that stands at state by now. Raises FolderGone."""
    if state.folder_modseq <= known.modseq:
        # Only other folders of the mailbox have changed.
        return replace(known, modseq=state.modseq, uidnext=state.uidnext)
    since = messages.changes_since(known.folder_id, known.modseq)
    if not since.is_whole:  # it has been in memory for longer than changes are remembered
        return load(state)
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
    log_from, log = _logged(known, since)
    return Snapshot(
        known.folder_id,
        known.mailbox_id,
        known.uidvalidity,
        max(since.uidnext, known.uidnext),
        since.modseq,
        max(since.folder_modseq, known.highest),
        uids,
        flags,
        keywords,
        modseqs,
        names,
        log_from,
        log,
    )


def _logged(known: Snapshot, since: messages.ChangesSince) -> tuple[int, tuple[Refresh, ...]]:
    """Where the log begins, and the log, after what happened since."""
    if len(since.rows) > limits.SNAPSHOT_LOG_UIDS:
        return since.modseq, ()
    log = known.log
    if since.rows:
        log = (*log, Refresh(since.modseq, array("I", [row[0] for row in since.rows])))
    if len(log) > limits.SNAPSHOT_LOG:
        return log[0].until, log[1:]
    return known.log_from, log


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
