"""STORE (RFC 9051 §6.4.6), on condition too (RFC 7162 §3.1.3)."""

from __future__ import annotations

from functools import partial
from typing import cast

from mailcore.errors import ReadOnly
from mailcore.imap.commands.append import split_flags
from mailcore.imap.session import Done, Handler, Session
from mailcore.imap.view import View
from mailcore.imap.wire import responses
from mailcore.imap.wire.values import Store
from mailcore.services import messages
from mailcore.services.messages import Unchanged


def writable(session: Session) -> View:
    """The selected folder, if it may be changed. Raises ReadOnly."""
    view = session.selected
    if view.is_read_only:
        raise ReadOnly
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
    removing = command.mode == "-"
    changed = messages.set_flags(
        view.snapshot.folder_id,
        ranges,
        add=0 if removing else flags,
        remove=flags if removing else 0,
        replace=command.mode == "",
        add_keywords=() if removing else keywords,
        remove_keywords=keywords if removing else (),
        condition=None if since is None else Unchanged(since, view.known_at),
        via="imap",
    )
    snapshot = session.snapshots.current(view.snapshot.folder_id)
    if command.silent:
        bits = snapshot.keyword_bits(keywords)
        view.assume(changed.uids, partial(_changed, command.mode, flags, bits))
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


def _changed(mode: str, flags: int, keywords: int, old_flags: int, old_keywords: int) -> tuple[int, int]:
    """What a client makes of flags it knew when its silent STORE is done."""
    if mode == "+":
        return old_flags | flags, old_keywords | keywords
    if mode == "-":
        return old_flags & ~flags, old_keywords & ~keywords
    return flags, keywords
