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
from typing import TYPE_CHECKING, TypeAlias

from mailcore import limits
from mailcore.errors import BadSyntax, NotSaved
from mailcore.imap.wire import responses, seqset
from mailcore.imap.wire.seqset import Ranges
from mailcore.message import flags as system_flags

if TYPE_CHECKING:  # it knows the database, this does not
    from mailcore.snapshot import Snapshot

RECENT = "\\Recent"
NONE_RECENT = 1 << 32  # above every uid
# What a client believes of a message: flags, keywords, and the modseq it was told with them, 0 if none.
Belief: TypeAlias = tuple[int, int, int]
_NOTHING: Mapping[int, Belief] = {}
_NONE_SAVED = array("I")
_UNKNOWN: Belief = (-1, -1, -1)


@dataclass(frozen=True, slots=True)
class Picked:
    """One message a command is about: its sequence number and uid, as the client knows them."""

    seq: int
    uid: int


class View:
    """One selected folder of one session."""

    __slots__ = (
        "claimed", "first_recent", "flags_told", "is_read_only", "is_uid_only", "saved", "shown", "silent",
        "snapshot", "tells_modseqs", "tells_recent", "tells_uids", "tells_vanished", "told", "whole",
    )  # fmt: skip

    def __init__(
        self,
        snapshot: Snapshot,
        *,
        is_read_only: bool,
        first_recent: int,
        tells_modseqs: bool = False,
        tells_vanished: bool = False,
        is_uid_only: bool = False,
        is_rev2: bool = False,
    ) -> None:
        self.snapshot = snapshot
        self.shown: array[int] = snapshot.uids
        # Changes up to this modseq have been told, but for what is held back.
        self.told = snapshot.modseq
        # The same of flags; less while the client does not want to hear of them (RFC 5465 §5.1).
        self.flags_told = snapshot.modseq
        # All up to this one: where a client that loses its connection now may go on from (RFC 7162 §3.2).
        self.whole = snapshot.highest
        # The client wants uid and modseq with all news (RFC 7162 §3.2.4).
        self.tells_modseqs = tells_modseqs
        # It hears VANISHED, not EXPUNGE (RFC 7162 §3.2.10).
        self.tells_vanished = tells_vanished
        # It hears of messages by uid, as UIDFETCH (RFC 9586 §3.3).
        self.is_uid_only = is_uid_only
        # RFC 9051 appendix E: \Recent is no more (12), and all news of a message have its uid (21).
        self.tells_recent, self.tells_uids = not is_rev2, is_rev2
        self.is_read_only = is_read_only
        # Messages from this uid on are \Recent in this session.
        self.first_recent = NONE_RECENT if is_rev2 else first_recent
        # No later session finds those below this uid recent.
        self.claimed = snapshot.uidnext
        # "$": first and last uid of messages that stand side by side, one pair after the other.
        self.saved = _NONE_SAVED
        # What this client believes since it was told last, by uid; not to be told back.
        self.silent: Mapping[int, Belief] = _NOTHING

    # --- numbers ------------------------------------------------------------------------------------

    def slices(self, numbers: Ranges, *, uid: bool) -> list[tuple[int, int]]:
        """The places of the messages that numbers mean, as slices of shown (stop excluded).

        Sequence numbers beyond the last are the client's mistake (RFC 9051 §9): BadSyntax. Unknown
        uids mean nothing, and so does "*" where there is no message: RFC 9051 §9 would have us refuse
        that, but clients say FETCH 1:* before they know the folder is empty.
        """
        if numbers and numbers[0] == seqset.SAVED:
            both = [*self.saved_slices(), *self.slices(numbers[1:], uid=uid)]
            merged = seqset.ranges_of((start + 1, stop) for start, stop in both)
            return [(first - 1, last) for first, last in merged]
        if uid:
            return seqset.indexes(numbers, self.shown)
        count = len(self.shown)
        resolved = seqset.resolve(numbers, count)
        if resolved and resolved[-1][1] > count:
            raise BadSyntax("There is no message of that number")
        return [(first - 1, last) for first, last in resolved]

    def keep_found(self, places: Iterable[int]) -> None:
        """Keep the messages at places, rising, for "$" (RFC 5182). Raises NotSaved, and keeps none."""
        self.saved = _NONE_SAVED
        ranges = seqset.collect(places)
        if len(ranges) > limits.IMAP_SAVED_RANGES:
            raise NotSaved
        if ranges:
            self.saved = array("I", [self.shown[at] for pair in ranges for at in pair])

    def saved_slices(self) -> list[tuple[int, int]]:
        """Where what was saved is, as slices of shown: what the client was told has gone is in none."""
        return seqset.indexes(tuple(zip(self.saved[::2], self.saved[1::2], strict=True)), self.shown)

    def pick(self, numbers: Ranges, *, uid: bool) -> Iterator[Picked]:
        """The messages that numbers mean, in order; those gone but not yet told are among them."""
        for start, stop in self.slices(numbers, uid=uid):
            for at in range(start, stop):
                yield Picked(at + 1, self.shown[at])

    def uid_ranges(self, numbers: Ranges, *, uid: bool) -> list[tuple[int, int]]:
        """The same as ranges of uids, for the services; only what is meant lies between their ends."""
        return [(self.shown[start], self.shown[stop - 1]) for start, stop in self.slices(numbers, uid=uid)]

    def changed_since(self, slices: list[tuple[int, int]], modseq: int) -> list[tuple[int, int]]:
        """What of slices is new or changed after modseq, and still there."""
        snapshot, shown = self.snapshot, self.shown
        if modseq >= snapshot.highest:
            return []
        places: list[int] = []
        for start, stop in slices:
            if shown is snapshot.uids:
                places += [at for at, own in enumerate(snapshot.modseqs[start:stop], start) if own > modseq]
            else:
                places += [at for at in range(start, stop) if self.modseq_of(shown[at]) > modseq]
        return [(first, last + 1) for first, last in seqset.collect(places)]

    def modseq_of(self, uid: int) -> int:
        """The modseq this client was told of for a message, 0 when it is gone."""
        at = self.snapshot.index(uid)
        return self.snapshot.modseqs[at] if at >= 0 else 0

    def seq(self, uid: int) -> int:
        """The sequence number of a uid, 0 if the client does not know it."""
        at = bisect_left(self.shown, uid)
        return at + 1 if at < len(self.shown) and self.shown[at] == uid else 0

    def assume(self, uids: Iterable[int], change: Callable[[int, int], tuple[int, int]]) -> None:
        """This client changed flags silently: it believes change(flags, keywords) of what it was told before.

        Where somebody else changed them first, that is not the truth, and the next update tells.
        """
        if self.flags_told < self.told:
            return  # nobody knows what it believes: it is told
        silent = dict(self.silent)
        for uid in uids:
            believed = silent.get(uid) or self._known(uid)
            if believed is not None:
                silent[uid] = (*change(*believed[:2]), 0)
        self.silent = silent

    def _known(self, uid: int) -> Belief | None:
        snapshot = self.snapshot
        at = snapshot.index(uid)
        return (snapshot.flags[at], snapshot.keywords[at], snapshot.modseqs[at]) if at >= 0 else None

    def known_at(self, uid: int, modseq: int) -> tuple[int, int] | None:
        """Flags and keywords that this client was told of and that were so at modseq, if there are any."""
        known = self._known(uid)
        return known[:2] if known is not None and known[2] <= modseq else None

    def keep_silent(self, snapshot: Snapshot, uids: Iterable[int], modseq: int) -> None:
        """This client is told what it changed at modseq: the next update need not, if it stays so."""
        silent = dict(self.silent)
        for uid in uids:
            at = snapshot.index(uid)
            if at >= 0 and snapshot.modseqs[at] == modseq:
                silent[uid] = (snapshot.flags[at], snapshot.keywords[at], modseq)
        self.silent = silent

    # --- flags --------------------------------------------------------------------------------------

    def news_of(self, uid: int, *, with_uid: bool, with_flags: bool = True) -> bytes | None:
        """A FETCH answer that nobody asked for in so many words, None when the message is gone."""
        at = self.snapshot.index(uid)
        return self._fetch(self.snapshot, at, with_uid=with_uid, with_flags=with_flags) if at >= 0 else None

    def _fetch(self, snapshot: Snapshot, at: int, *, with_uid: bool, with_flags: bool = True) -> bytes:
        uid = snapshot.uids[at]
        pieces = []
        if with_flags:
            flags = self.flag_list(snapshot.flags[at], snapshot.keywords[at], uid >= self.first_recent)
            pieces.append(b"FLAGS " + flags)
        if (with_uid or self.tells_modseqs or self.tells_uids) and not self.is_uid_only:
            pieces.append(b"UID %d" % uid)
        if self.tells_modseqs:
            pieces.append(b"MODSEQ (%d)" % snapshot.modseqs[at])
        if self.is_uid_only:
            return responses.uid_fetch(uid, pieces)
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
        return self.tells_recent and not self.is_read_only and self.snapshot.uidnext > self.claimed

    @property
    def recent_count(self) -> int:
        return len(self.shown) - bisect_left(self.shown, self.first_recent)

    # --- news ---------------------------------------------------------------------------------------

    def update(
        self, new: Snapshot, *, may_expunge: bool, with_uids: bool = False, with_flags: bool = True
    ) -> list[bytes]:
        """What to tell the client about a newer snapshot.

        Without may_expunge what went is held back; without with_flags, what became of the flags.
        """
        old = self.shown
        owes_flags = with_flags and self.flags_told < self.told
        if new is self.snapshot and not owes_flags and (old is new.uids or not may_expunge):
            return [] if old is new.uids else self._whole()
        out: list[bytes] = []
        if new.names is not self.snapshot.names and new.names != self.snapshot.names:
            # Before the first FETCH that has a new keyword (RFC 9051 §7.3.5).
            out.append(responses.flags([*system_flags.NAMES.values(), *new.names]))
        gone = [] if new.uids is old else _gone(old, new.uids)
        last = old[-1] if old else 0
        self.snapshot, self.told = new, new.modseq
        if with_flags:
            since, self.flags_told = self.flags_told, new.modseq
            out += self._changed_flags(since, last, with_uids=with_uids)
            self.silent = _NOTHING
        if not gone:
            grew = len(new.uids) > len(old)
            self.shown = new.uids
        elif may_expunge:
            out += self._expunges([old[at] for at in gone], gone)
            grew = len(new.uids) > len(old) - len(gone)
            self.shown = new.uids
        else:
            added = _added(new.uids, last)
            grew = bool(added)
            self.shown = old + added if added else old
        if grew:
            out.append(responses.exists(len(self.shown)))
            if self.tells_recent:
                out.append(responses.recent(self.recent_count))
        if self.shown is new.uids and self.flags_told == self.told:
            self.whole = new.highest
        if gone:
            out += self._whole()
        return out

    def _changed_flags(self, since: int, last: int, *, with_uids: bool) -> Iterator[bytes]:
        """What this client does not know of the messages up to uid last that have changed after a modseq."""
        new = self.snapshot
        for uid in sorted(set(new.touched_since(since))):
            at = new.index(uid)
            if uid > last or at < 0:
                continue
            believed = self.silent.get(uid, _UNKNOWN)
            is_known = believed[:2] == (new.flags[at], new.keywords[at])
            if not is_known or (self.tells_modseqs and believed[2] != new.modseqs[at]):
                yield self._fetch(new, at, with_uid=with_uids, with_flags=not is_known)

    def _expunges(self, uids: list[int], places: list[int]) -> list[bytes]:
        if self.tells_vanished:
            return [responses.vanished(seqset.collect(uids))]
        # From the end, so that each number is right at its moment.
        return [responses.expunge(at + 1) for at in reversed(places)]

    def _whole(self) -> list[bytes]:
        """Said when messages go, and while that is held back: the modseqs a client hears of are higher then
        than where it may go on from (RFC 7162 §3.2, §6)."""
        return [responses.highest_modseq(self.whole)] if self.tells_modseqs else []

    def tell_modseqs(self) -> bytes:
        """From here on the client wants modseqs: what it is told about them first."""
        self.tells_modseqs = True
        return responses.highest_modseq(self.whole)


def _gone(old: array[int], new: array[int]) -> list[int]:
    """Places in old whose uids are no longer in new."""
    if len(new) >= len(old) and new[: len(old)] == old:
        return []
    left = set(new)
    return [at for at, uid in enumerate(old) if uid not in left]


def _added(new: array[int], last: int) -> array[int]:
    """What of new lies above last."""
    return new[bisect_right(new, last) :]
