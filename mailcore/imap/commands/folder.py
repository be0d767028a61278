"""Changing folders: CREATE, DELETE, RENAME, SUBSCRIBE, UNSUBSCRIBE (RFC 9051 §6.3, RFC 8474 §4.1)."""

from __future__ import annotations

from mailcore.errors import BadFolderUse
from mailcore.imap.commands import listing, notify
from mailcore.imap.commands.listing import USES
from mailcore.imap.commands.status import folder_object_id
from mailcore.imap.session import Done, Handler, Session
from mailcore.imap.wire import responses
from mailcore.imap.wire.values import Create, OnFolder, Rename
from mailcore.models import Right
from mailcore.services import folders, messages, sharing

_ROLES = {use: role for role, use in USES.items()}


def _normalised(session: Session, supplied: str) -> str:
    """What the client of IMAP4rev2 must hear that a name of its is really called (RFC 9051 §6.3.4 to 6.3.6);
    "" when it called it so."""
    name = sharing.normalise(supplied)
    return name if session.is_rev2 and name != supplied.rstrip("/") else ""


def create(session: Session, command: Create) -> Handler:
    """A folder has one use, and a use one folder (RFC 6154 §3: else NO [USEATTR], and nothing is made)."""
    role = ""
    if command.special_uses:
        if len(command.special_uses) > 1 or command.special_uses[0] not in _ROLES:
            raise BadFolderUse
        role = _ROLES[command.special_uses[0]]
    state = messages.folder_state(sharing.create(session.who, command.folder, role=role))
    if session.watch is not None and state.mailbox_id == session.mailbox_id:
        may_read = bool(session.who.most & Right.READ)
        session.watch.made(state.folder_id, notify.known(state, is_own=True, may_read=may_read))
    if name := _normalised(session, command.folder):
        yield listing.line_of(session, name, command.folder)
    return Done("CREATE completed", responses.mailbox_id(folder_object_id(state)))
    yield b""


def delete(session: Session, command: OnFolder) -> Handler:
    folder_id = sharing.delete(session.who, command.folder)
    if session.watch is not None:
        session.watch.removed(folder_id)
    # By its number: it may have been renamed since it was selected.
    if session.view is not None and session.view.snapshot.folder_id == folder_id:
        session.unselect()
    if name := _normalised(session, command.folder):
        yield listing.line_of(session, name, command.folder)
    return Done("DELETE completed")
    yield b""


def rename(session: Session, command: Rename) -> Handler:
    sharing.rename(session.who, command.source, command.target)
    if session.watch is not None:
        session.watch.renamed(sharing.normalise(command.source), sharing.normalise(command.target))
    if _normalised(session, command.source) or _normalised(session, command.target):
        yield listing.line_of(session, sharing.normalise(command.target), command.source)
    return Done("RENAME completed")
    yield b""


def subscribe(session: Session, command: OnFolder) -> Handler:
    verb = folders.subscribe if command.name == "SUBSCRIBE" else folders.unsubscribe
    name = sharing.normalise(command.folder)
    verb(session.mailbox_id, name)
    if session.watch is not None:
        session.watch.subscribed(name, is_so=command.name == "SUBSCRIBE")
    return Done(f"{command.name} completed")
    yield b""
