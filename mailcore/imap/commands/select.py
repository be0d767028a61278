"""Opening and leaving a folder: SELECT, EXAMINE, CLOSE, UNSELECT, CHECK (RFC 9051 §6.3, §6.4)."""

from __future__ import annotations

from collections.abc import Generator
from typing import cast

from mailcore.errors import BadSyntax
from mailcore.imap.commands import listing, resync
from mailcore.imap.commands.fetch import flags_and_uids
from mailcore.imap.commands.status import folder_object_id
from mailcore.imap.session import Done, Handler, Session
from mailcore.imap.view import View
from mailcore.imap.wire import responses
from mailcore.imap.wire.values import Resync, Select, Simple
from mailcore.message import flags as system_flags
from mailcore.models import Right
from mailcore.services import messages, rights


def select(session: Session, command: Select) -> Handler:
    """Leaves the old folder first, whatever becomes of the new one (RFC 9051 §6.3.2)."""
    parameters = dict(command.parameters)
    known = cast("Resync | None", parameters.get("QRESYNC"))
    if known is not None and not session.has_qresync:
        raise BadSyntax("ENABLE QRESYNC comes first")
    if session.view is not None:
        session.unselect()
        yield responses.ok("Closed", code=b"CLOSED")  # what follows is about the new one (RFC 7162 §3.2.11)
    if "CONDSTORE" in parameters:
        session.tell_modseqs()
    found = session.find(command.folder, Right.READ)
    state = found.state
    is_read_only = command.name == "EXAMINE" or not found.rights & rights.CHANGING
    snapshot = session.snapshots.current(state.folder_id)
    first_recent = state.recent_uid
    if not is_read_only and not session.is_rev2:
        first_recent = messages.claim_recent(state.folder_id, snapshot.uidnext)
    view = View(
        snapshot,
        is_read_only=is_read_only,
        first_recent=first_recent,
        tells_modseqs=session.knows_modseqs,
        tells_vanished=session.has_qresync or session.is_uid_only,
        is_uid_only=session.is_uid_only,
        is_rev2=session.is_rev2,
    )
    session.select(view, state.name, found.rights, is_abroad=not found.is_own)

    system = list(system_flags.NAMES.values())
    lines = [
        responses.flags([*system, *snapshot.names]),
        responses.exists(len(snapshot.uids)),
        listing.line_of(session, state.name, command.folder) if session.is_rev2 else b"",
        b"" if session.is_rev2 else responses.recent(view.recent_count),
        responses.ok("UIDs valid", code=b"UIDVALIDITY %d" % snapshot.uidvalidity),
        responses.ok("Predicted next UID", code=b"UIDNEXT %d" % snapshot.uidnext),
        b"" if "CONDSTORE" in session.withheld else responses.highest_modseq(snapshot.highest),
        responses.ok("Stays with the folder", code=responses.mailbox_id(folder_object_id(state))),
    ]
    lines.append(session.flags_kept())
    if not (view.is_uid_only or session.is_rev2) and (unseen := _first_unseen(view)) is not None:
        lines.append(responses.ok("First unseen", code=b"UNSEEN %d" % unseen))
    yield b"".join(lines)
    if known is not None and known.uidvalidity == snapshot.uidvalidity:
        yield from _resynchronise(view, known)
    return Done(f"{command.name} completed", b"READ-ONLY" if is_read_only else b"READ-WRITE")


def _resynchronise(view: View, known: Resync) -> Generator[bytes, None, None]:
    """What went, and what is new or changed, of what the client knows (RFC 7162 §3.2.5.1)."""
    uids = known.known or ((1, view.snapshot.uidnext - 1),)
    yield from resync.vanished(view, known.modseq, uids, known.matches)
    slices = view.changed_since(view.slices(uids, uid=True), known.modseq)
    names = {"FLAGS", "MODSEQ"} if view.is_uid_only else {"UID", "FLAGS", "MODSEQ"}
    yield from flags_and_uids(view, names, slices)


def names_seqs(command: Select) -> bool:
    """Whether the client tells which sequence numbers it knows."""
    known = cast("Resync | None", dict(command.parameters).get("QRESYNC"))
    return known is not None and known.matches is not None


def _first_unseen(view: View) -> int | None:
    for at, flags in enumerate(view.snapshot.flags):
        if not flags & system_flags.SEEN:
            return at + 1
    return None


def close(session: Session, command: Simple) -> Handler:
    """CLOSE expunges silently what is \\Deleted, where that is allowed; UNSELECT does not (RFC 3691)."""
    view = session.selected
    if command.name == "CLOSE" and not view.is_read_only and session.rights_now() & Right.EXPUNGE:
        messages.expunge(view.snapshot.folder_id, via="imap")
    session.unselect()
    return Done(f"{command.name} completed")
    yield b""
