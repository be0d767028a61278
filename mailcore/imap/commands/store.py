"""STORE (RFC 9051 §6.4.6), on condition too (RFC 7162 §3.1.3)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import cast

from mailcore.errors import Forbidden, ReadOnly
from mailcore.imap.commands.append import split_flags
from mailcore.imap.session import Done, Handler, Session
from mailcore.imap.view import View
from mailcore.imap.wire import responses
from mailcore.imap.wire.values import Store
from mailcore.message import flags as system_flags
from mailcore.models import Right
from mailcore.services import messages
from mailcore.services.messages import Unchanged
from mailcore.snapshot import Snapshot

_NOTHING = Right(0)


def writable(session: Session, needs: Right = _NOTHING) -> View:
    """The selected folder, if it may be changed, with all these rights. Raises ReadOnly, Forbidden."""
    view = session.selected
    if view.is_read_only:
        raise ReadOnly
    if session.rights & needs != needs:
        raise Forbidden
    return view


def store(session: Session, command: Store) -> Handler:
    """What changed is told by the news, to this client like to all others; .SILENT keeps it from this one.

    Who stores on condition hears the modseq of all that it meant, and the flags of what it may not change.
    """
    view = writable(session)
    since = cast("int | None", dict(command.modifiers).get("UNCHANGEDSINCE"))
    if since is not None:
        yield from session.tell_modseqs()
    ranges = view.uid_ranges(command.numbers, uid=command.uid)
    flags, keywords = split_flags(command.flags)
    change = _Change.meant(session, command.mode, flags, keywords)
    changed = messages.set_flags(
        view.snapshot.folder_id,
        ranges,
        add=change.add,
        remove=change.remove,
        replace=change.replace,
        add_keywords=change.add_keywords,
        remove_keywords=change.remove_keywords,
        condition=None if since is None else Unchanged(since, view.known_at),
        via="imap",
    )
    snapshot = session.snapshots.current(view.snapshot.folder_id)
    if command.silent:
        view.assume(changed.uids, partial(change.made, snapshot))
    if not command.silent or since is not None:
        # Messages that were so already are answered too: the client asked for their value, or their modseq.
        before = view.told
        yield from view.update(snapshot, may_expunge=False, with_uids=command.uid)
        refused = set(changed.refused)
        for start, stop in view.slices(command.numbers, uid=command.uid):
            for uid in view.shown[start:stop]:
                if view.modseq_of(uid) <= before:
                    with_flags = not command.silent or uid in refused
                    if line := view.news_of(uid, with_uid=command.uid, with_flags=with_flags):
                        yield line
    if not changed.refused:
        return Done("STORE completed")
    numbers = changed.refused if command.uid else map(view.seq, changed.refused)
    return Done("Some had changed already", responses.modified(numbers))


@dataclass(frozen=True, slots=True)
class _Change:
    """What a STORE changes: of what it names, that which the client may change."""

    add: int = 0
    remove: int = 0
    replace: bool = False
    add_keywords: Sequence[str] = ()
    remove_keywords: Sequence[str] = ()

    @classmethod
    def meant(cls, session: Session, mode: str, flags: int, keywords: Sequence[str]) -> _Change:
        """Raises Forbidden when nothing of it may be changed (RFC 4314 §4)."""
        mine = session.changeable_flags
        names_others = bool(flags & ~mine)
        flags &= mine
        if not session.rights & Right.WRITE:
            names_others, keywords = names_others or bool(keywords), ()
        if not (flags or keywords) and (names_others or not mine):
            raise Forbidden
        if mode == "-":
            return cls(remove=flags, remove_keywords=keywords)
        if mode == "+":
            return cls(flags, add_keywords=keywords)
        if mine == system_flags.ALL:
            return cls(flags, replace=True, add_keywords=keywords)
        if not session.rights & Right.WRITE:
            return cls(flags, mine & ~flags)
        kept = {name.casefold() for name in keywords}
        gone = [name for name in session.selected.snapshot.names if name.casefold() not in kept]
        return cls(flags, mine & ~flags, add_keywords=keywords, remove_keywords=gone)

    def made(self, snapshot: Snapshot, flags: int, keywords: int) -> tuple[int, int]:
        """What a client makes of flags it knew when its silent STORE is done."""
        added = snapshot.keyword_bits(self.add_keywords)
        if self.replace:
            return self.add, added
        removed = snapshot.keyword_bits(self.remove_keywords)
        return (flags | self.add) & ~self.remove, (keywords | added) & ~removed
