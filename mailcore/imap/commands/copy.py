"""COPY and MOVE (RFC 9051 §6.4.7, RFC 6851, RFC 4315 COPYUID)."""

from __future__ import annotations

from mailcore.errors import NoSuchFolder, TryCreate
from mailcore.imap.commands.expunge import tell_what_went
from mailcore.imap.commands.store import writable
from mailcore.imap.session import Done, Handler, Session
from mailcore.imap.wire import responses
from mailcore.imap.wire.values import Copy
from mailcore.models import Right
from mailcore.services import messages
from mailcore.services.messages import Kept
from mailcore.services.rights import flags_of
from mailcore.services.sharing import Open


def copy(session: Session, command: Copy) -> Handler:
    view = session.selected
    ranges = view.uid_ranges(command.numbers, uid=command.uid)
    target = _target(session, command.folder)
    if not ranges:
        return Done("Nothing to copy")
    copied = messages.copy(
        view.snapshot.folder_id, ranges, target.state.folder_id, keep=_kept(target), via="imap"
    )
    if not copied.source_uids:
        return Done("Nothing to copy")
    session.put(target.state.folder_id, copied.target_uids)
    return Done(
        "COPY completed", responses.copyuid(copied.uidvalidity, copied.source_uids, copied.target_uids)
    )
    yield b""


def move(session: Session, command: Copy) -> Handler:
    """COPYUID comes untagged before the EXPUNGEs, which the news bring (RFC 6851 §4.3).

    Of others' messages it needs the rights of what it replaces: STORE \\Deleted and EXPUNGE (§4.1).
    """
    view = writable(session, Right.DELETE | Right.EXPUNGE)
    ranges = view.uid_ranges(command.numbers, uid=command.uid)
    target = _target(session, command.folder)
    if not ranges:
        return Done("Nothing to move")
    moved = messages.move(
        view.snapshot.folder_id, ranges, target.state.folder_id, keep=_kept(target), via="imap"
    )
    if moved.source_uids:
        code = responses.copyuid(moved.uidvalidity, moved.source_uids, moved.target_uids)
        yield responses.ok("Moved", code=code)
        return Done("MOVE completed", (yield from tell_what_went(session)))
    return Done("MOVE completed")


def _kept(target: Open) -> Kept:
    """Of the flags of what is copied, those that are the client's to set there (RFC 4314 §4)."""
    return Kept(flags_of(target.rights), bool(target.rights & Right.WRITE))


def _target(session: Session, name: str) -> Open:
    try:
        return session.find(name, Right.INSERT)
    except NoSuchFolder as error:
        raise TryCreate from error
