"""GETMETADATA and SETMETADATA (RFC 5464), and what LIST returns of the same (RFC 9590)."""

from __future__ import annotations

from mailcore.imap.session import Done, Handler, Session
from mailcore.imap.wire import responses
from mailcore.imap.wire.values import GetMetadata, SetMetadata
from mailcore.services import folders, metadata


def _place(session: Session, name: str) -> tuple[int, str]:
    """Folder id and name; "" is the server, which to a client is its mailbox."""
    if not name:
        return 0, ""
    state = folders.find(session.mailbox_id, name)
    return state.folder_id, state.name


def get_metadata(session: Session, command: GetMetadata) -> Handler:
    folder_id, name = _place(session, command.folder)
    found = metadata.values(session.mailbox_id, session.user_id, folder_id=folder_id).get(folder_id, {})
    chosen = metadata.chosen(found, command.entries, command.depth)
    too_long = 0
    if command.max_size is not None:
        # RFC 5464 §4.2.1: left out, and how long the longest of them is.
        too_long = max((len(v) for v in chosen.values() if v and len(v) > command.max_size), default=0)
        chosen = {e: v for e, v in chosen.items() if v is None or len(v) <= command.max_size}
    if chosen:
        yield responses.metadata(name, chosen, utf8=session.is_utf8)
    return Done("GETMETADATA completed", b"METADATA LONGENTRIES %d" % too_long if too_long else b"")


def set_metadata(session: Session, command: SetMetadata) -> Handler:
    folder_id, _ = _place(session, command.folder)
    metadata.change(session.mailbox_id, session.user_id, folder_id, dict(command.entries))
    return Done("SETMETADATA completed")
    yield b""
