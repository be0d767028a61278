"""What one client has been told of its folder: the only home of sequence numbers. Pure.

The view shows an array of uids; a message's sequence number is its place in it. While nothing is held
back this is the snapshot's own array, so an idle client keeps no copy. Messages that are gone stay in
it until the client may be told (RFC 9051 §7.5.1), and then leave one EXPUNGE each.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mailcore.errors import BadSyntax
from mailcore.imap.wire import responses, seqset
from mailcore.imap.wire.seqset import Ranges
from mailcore.message import flags as system_flags

if TYPE_CHECKING:  # it knows the database, this does not
    from mailcore.snapshot import Snapshot

RECENT = "\\Recent"
_NOTHING: Mapping[int, tuple[int, int]] = {}


@dataclass(frozen=True, slots=True)
class Picked:
    """One message a command is about: its sequence number and uid, as the client knows them."""

    seq: int
    uid: int


class View:
    """One selected folder of one session."""

    __slots__ = ("claimed", "first_recent", "is_read_only", "shown", "silent", "snapshot", "told")

    def __init__(self, snapshot: Snapshot, *, is_read_only: bool, first_recent: int) -> None:
        self.snapshot = snapshot
        self.shown: array[int] = snapshot.uids
        # Changes up to this modseq have been told.
        self.told = snapshot.modseq
        self.is_read_only = is_read_only
        # Messages from this uid on are \Recent in this session.
        self.first_recent = first_recent
        # No later session finds those below this uid recent.
        self.claimed = snapshot.uidnext
        # What this client believes since it was told last: uid to (flags, keywords); not to be told back.
        self.silent: Mapping[int, tuple[int, int]] = _NOTHING

    # --- numbers ------------------------------------------------------------------------------------

    def slices(self, numbers: Ranges, *, uid: bool) -> list[tuple[int, int]]:
        """The places of the messages that numbers mean, as slices of shown (stop excluded).

        Sequence numbers beyond the last are the client's mistake (RFC 9051 §9): BadSyntax. Unknown
        uids mean nothing, and so does "*" where there is no message: RFC 9051 §9 would have us refuse
        that, but clients say FETCH 1:* before they know the folder is empty.
        """
        if uid:
            return seqset.indexes(numbers, self.shown)
        count = len(self.shown)
        resolved = seqset.resolve(numbers, count)
        if resolved and resolved[-1][1] > count:
            raise BadSyntax("There is no message of that number")
        return [(first - 1, last) for first, last in resolved]

    def pick(self, numbers: Ranges, *, uid: bool) -> Iterator[Picked]:
        """The messages that numbers mean, in order; those gone but not yet told are among them."""
        for start, stop in self.slices(numbers, uid=uid):
            for at in range(start, stop):
                yield Picked(at + 1, self.shown[at])

    def uid_ranges(self, numbers: Ranges, *, uid: bool) -> list[tuple[int, int]]:
        """The same as ranges of uids, for the services; only what is meant lies between their ends."""
        return [(self.shown[start], self.shown[stop - 1]) for start, stop in self.slices(numbers, uid=uid)]

    def seq(self, uid: int) -> int:
        """The sequence number of a uid, 0 if the client does not know it."""
        at = bisect_left(self.shown, uid)
        return at + 1 if at < len(self.shown) and self.shown[at] == uid else 0

    def assume(self, uids: Iterable[int], change: Callable[[int, int], tuple[int, int]]) -> None:
        """This client changed flags silently: it believes change(flags, keywords) of what it was told before.

        Where somebody else changed them first, that is not the truth, and the next update tells.
        """
        silent = dict(self.silent)
        for uid in uids:
            believed = silent.get(uid)
            if believed is None and (at := self.snapshot.index(uid)) >= 0:
                believed = self.snapshot.flags[at], self.snapshot.keywords[at]
            if believed is not None:
                silent[uid] = change(*believed)
        self.silent = silent

    def keep_silent(self, snapshot: Snapshot, uids: Iterable[int], modseq: int) -> None:
        """This client is told what it changed at modseq: the next update need not, if it stays so."""
        silent = dict(self.silent)
        for uid in uids:
            at = snapshot.index(uid)
            if at >= 0 and snapshot.modseqs[at] == modseq:
                silent[uid] = (snapshot.flags[at], snapshot.keywords[at])
        self.silent = silent

    # --- flags --------------------------------------------------------------------------------------

    def flags_of(self, uid: int) -> bytes | None:
        """The flag list of a message, None when it is gone."""
        at = self.snapshot.index(uid)
        if at < 0:
            return None
        return self.flag_list(self.snapshot.flags[at], self.snapshot.keywords[at], uid >= self.first_recent)

    def fetch_flags(self, uid: int, *, with_uid: bool) -> bytes | None:
        """A FETCH answer with the flags of a message, None when it is gone."""
        flags = self.flags_of(uid)
        if flags is None:
            return None
        pieces = [b"FLAGS " + flags]
        if with_uid:
            pieces.append(b"UID %d" % uid)
        return responses.fetch(self.seq(uid), pieces)

    def flag_list(self, flags: int, keywords: int, is_recent: bool) -> bytes:
        names = system_flags.names(flags)
        if keywords:
            names += [name for number, name in enumerate(self.snapshot.names) if keywords >> number & 1]
        if is_recent:
            names = [*names, RECENT]
        return responses.flag_list(names)

    @property
    def is_claiming(self) -> bool:
        """Whether messages came that this session may have been the first to be told about."""
        return not self.is_read_only and self.snapshot.uidnext > self.claimed

    @property
    def recent_count(self) -> int:
        return len(self.shown) - bisect_left(self.shown, self.first_recent)

    # --- news ---------------------------------------------------------------------------------------

    def update(self, new: Snapshot, *, may_expunge: bool, with_uids: bool = False) -> list[bytes]:
        """What to tell the client about a newer snapshot. Without may_expunge what went is held back."""
        old = self.shown
        if new is self.snapshot and (old is new.uids or not may_expunge):
            return []
        out: list[bytes] = []
        if new.names is not self.snapshot.names and new.names != self.snapshot.names:
            # Before the first FETCH that has a new keyword (RFC 9051 §7.3.5).
            out.append(responses.flags([*system_flags.NAMES.values(), *new.names]))
        gone = [] if new.uids is old else _gone(old, new.uids)
        last = old[-1] if old else 0
        for uid in sorted(set(new.touched_since(self.told))):
            if uid > last:
                continue
            at = new.index(uid)
            if at < 0:
                continue
            value = (new.flags[at], new.keywords[at])
            if self.silent.get(uid) == value:
                continue
            self.snapshot = new
            pieces = [b"FLAGS " + self.flag_list(*value, uid >= self.first_recent)]
            if with_uids:
                pieces.append(b"UID %d" % uid)
            out.append(responses.fetch(self.seq(uid), pieces))
        self.silent = _NOTHING
        self.snapshot = new
        self.told = new.modseq
        if not gone:
            grew = len(new.uids) > len(old)
            self.shown = new.uids
        elif may_expunge:
            # From the end, so that each number is right at its moment.
            out += [responses.expunge(at + 1) for at in reversed(gone)]
            grew = len(new.uids) > len(old) - len(gone)
            self.shown = new.uids
        else:
            added = _added(new.uids, last)
            grew = bool(added)
            self.shown = old + added if added else old
        if grew:
            out += [responses.exists(len(self.shown)), responses.recent(self.recent_count)]
        return out


def _gone(old: array[int], new: array[int]) -> list[int]:
    """Places in old whose uids are no longer in new."""
    if len(new) >= len(old) and new[: len(old)] == old:
        return []
    left = set(new)
    return [at for at, uid in enumerate(old) if uid not in left]


def _added(new: array[int], last: int) -> array[int]:
    """What of new lies above last."""
    return new[bisect_right(new, last) :]
