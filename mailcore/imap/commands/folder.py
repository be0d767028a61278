"""Changing folders: CREATE, DELETE, RENAME, SUBSCRIBE, UNSUBSCRIBE (RFC 9051 §6.3)."""

from __future__ import annotations

from mailcore.errors import BadSyntax
from mailcore.imap.session import Done, Handler, Session
from mailcore.imap.wire.values import Create, OnFolder, Rename
from mailcore.services import folders


def create(session: Session, command: Create) -> Handler:
    if command.special_uses:
        raise BadSyntax("CREATE takes no special use here")
    folders.create(session.mailbox_id, command.folder)
    return Done("CREATE completed")
    yield b""


def delete(session: Session, command: OnFolder) -> Handler:
    name = folders.normalise(command.folder)
    folders.delete(session.mailbox_id, name)
    if session.view is not None and session.folder_name == name:
        session.unselect()
    return Done("DELETE completed")
    yield b""


def rename(session: Session, command: Rename) -> Handler:
    folders.rename(session.mailbox_id, command.source, command.target)
    return Done("RENAME completed")
    yield b""


def subscribe(session: Session, command: OnFolder) -> Handler:
    verb = folders.subscribe if command.name == "SUBSCRIBE" else folders.unsubscribe
    verb(session.mailbox_id, command.folder)
    return Done(f"{command.name} completed")
    yield b""
