"""STORE (RFC 9051 §6.4.6)."""

from __future__ import annotations

from functools import partial

from mailcore.errors import BadSyntax, ReadOnly
from mailcore.imap.commands.append import split_flags
from mailcore.imap.session import Done, Handler, Session
from mailcore.imap.view import View
from mailcore.imap.wire.values import Store
from mailcore.services import messages


def writable(session: Session) -> View:
    """The selected folder, if it may be changed. Raises ReadOnly."""
    view = session.selected
    if view.is_read_only:
        raise ReadOnly
    return view


def store(session: Session, command: Store) -> Handler:
    """What changed is told by the news, to this client like to all others; .SILENT keeps it from this one."""
    view = writable(session)
    if command.modifiers:
        raise BadSyntax("STORE takes no modifiers here")
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
        via="imap",
    )
    snapshot = session.snapshots.current(view.snapshot.folder_id)
    if command.silent:
        bits = snapshot.keyword_bits(keywords)
        view.assume(changed.uids, partial(_changed, command.mode, flags, bits))
        return Done("STORE completed")
    # Messages that were so already are answered too: the client asked for their value.
    yield from view.update(snapshot, may_expunge=False, with_uids=command.uid)
    told = set(changed.uids)
    for start, stop in view.slices(command.numbers, uid=command.uid):
        for uid in view.shown[start:stop]:
            if uid not in told and (line := view.fetch_flags(uid, with_uid=command.uid)):
                yield line
    return Done("STORE completed")


def _changed(mode: str, flags: int, keywords: int, old_flags: int, old_keywords: int) -> tuple[int, int]:
    """What a client makes of flags it knew when its silent STORE is done."""
    if mode == "+":
        return old_flags | flags, old_keywords | keywords
    if mode == "-":
        return old_flags & ~flags, old_keywords & ~keywords
    return flags, keywords
