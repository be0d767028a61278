"""EXPUNGE and UID EXPUNGE (RFC 9051 §6.4.3, RFC 4315 §2.1)."""

from __future__ import annotations

from mailcore.imap.commands.store import writable
from mailcore.imap.session import Done, Handler, Session
from mailcore.imap.wire.values import Simple, UidExpunge
from mailcore.services import messages


def expunge(session: Session, command: Simple | UidExpunge) -> Handler:
    """The news that follow tell which messages went."""
    view = writable(session)
    ranges = messages.ALL
    if isinstance(command, UidExpunge):
        ranges = view.uid_ranges(command.numbers, uid=True)
    messages.expunge(view.snapshot.folder_id, ranges, via="imap")
    return Done(f"{command.name} completed")
    yield b""
