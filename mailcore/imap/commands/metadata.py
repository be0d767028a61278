"""GETMETADATA and SETMETADATA (RFC 5464), and what LIST returns of the same (RFC 9590)."""

from __future__ import annotations

from mailcore.imap.session import Done, Handler, Session
from mailcore.imap.wire import responses
from mailcore.imap.wire.values import GetMetadata, SetMetadata
from mailcore.models import Right
from mailcore.services import metadata


def _place(session: Session, name: str, needs: Right) -> tuple[int, int, str]:
    """Mailbox, folder id and name; "" is the server, which to a client is its mailbox."""
    if not name:
        return session.mailbox_id, 0, ""
    state = session.find(name, needs).state
    return state.mailbox_id, state.folder_id, state.name


def get_metadata(session: Session, command: GetMetadata) -> Handler:
    box, folder_id, name = _place(session, command.folder, Right.READ)
    found = metadata.values(box, session.user_id, folder_id=folder_id).get(folder_id, {})
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
    is_shared = any(entry.lower().startswith("/shared/") for entry, _ in command.entries)
    needs = Right.READ | Right.WRITE if is_shared else Right.READ
    box, folder_id, _ = _place(session, command.folder, needs)
    metadata.change(box, session.user_id, folder_id, dict(command.entries))
    if session.watch is not None:
        values = {metadata.normalise(entry): value for entry, value in command.entries}
        session.watch.noted(folder_id, {e: None if v is None else hash(v) for e, v in values.items()})
    return Done("SETMETADATA completed")
    yield b""
