"""EXPUNGE and UID EXPUNGE (RFC 9051 §6.4.3, RFC 4315 §2.1, RFC 7162 §3.2.7)."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from mailcore.imap.commands.store import writable
from mailcore.imap.session import Done, Handler, Output, Session
from mailcore.imap.wire.values import Simple, UidExpunge
from mailcore.models import Right
from mailcore.services import messages


def expunge(session: Session, command: Simple | UidExpunge) -> Handler:
    """The news that follow tell which messages went."""
    view = writable(session, Right.EXPUNGE)
    ranges = messages.ALL
    if isinstance(command, UidExpunge):
        ranges = view.uid_ranges(command.numbers, uid=True)
    done = messages.expunge(view.snapshot.folder_id, ranges, via="imap")
    code = (yield from tell_what_went(session)) if done.uids else b""
    return Done(f"{command.name} completed", code)


def tell_what_went(session: Session) -> Generator[Output, Any, bytes]:
    """To a client that has enabled QRESYNC the news come first: the tagged OK says where it may go on from.
    Returns that code (RFC 7162 §3.2.7)."""
    if not session.has_qresync:
        return b""
    yield from session.poll(is_own=True)
    return b"HIGHESTMODSEQ %d" % session.selected.whole
