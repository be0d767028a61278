"""Changing folders: CREATE, DELETE, RENAME, SUBSCRIBE, UNSUBSCRIBE (RFC 9051 §6.3, RFC 8474 §4.1)."""

from __future__ import annotations

from mailcore.errors import BadFolderUse
from mailcore.imap.commands.listing import USES
from mailcore.imap.commands.status import folder_object_id
from mailcore.imap.session import Done, Handler, Session
from mailcore.imap.wire import responses
from mailcore.imap.wire.values import Create, OnFolder, Rename
from mailcore.services import folders, messages, sharing

_ROLES = {use: role for role, use in USES.items()}


def create(session: Session, command: Create) -> Handler:
    """A folder has one use, and a use one folder (RFC 6154 §3: else NO [USEATTR], and nothing is made)."""
    role = ""
    if command.special_uses:
        if len(command.special_uses) > 1 or command.special_uses[0] not in _ROLES:
            raise BadFolderUse
        role = _ROLES[command.special_uses[0]]
    state = messages.folder_state(sharing.create(session.who, command.folder, role=role))
    return Done("CREATE completed", responses.mailbox_id(folder_object_id(state)))
    yield b""


def delete(session: Session, command: OnFolder) -> Handler:
    folder_id = sharing.delete(session.who, command.folder)
    # By its number: it may have been renamed since it was selected.
    if session.view is not None and session.view.snapshot.folder_id == folder_id:
        session.unselect()
    return Done("DELETE completed")
    yield b""


def rename(session: Session, command: Rename) -> Handler:
    sharing.rename(session.who, command.source, command.target)
    return Done("RENAME completed")
    yield b""


def subscribe(session: Session, command: OnFolder) -> Handler:
    verb = folders.subscribe if command.name == "SUBSCRIBE" else folders.unsubscribe
    verb(session.mailbox_id, sharing.normalise(command.folder))
    return Done(f"{command.name} completed")
    yield b""
