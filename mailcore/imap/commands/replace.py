"""REPLACE and UID REPLACE: APPEND and EXPUNGE at once (RFC 8508)."""

from __future__ import annotations

from mailcore.errors import NoSuchMessage
from mailcore.imap.commands.append import mail_of, target
from mailcore.imap.commands.catenate import whole
from mailcore.imap.commands.expunge import tell_what_went
from mailcore.imap.commands.store import writable
from mailcore.imap.session import Done, Handler, Session
from mailcore.imap.wire import responses
from mailcore.imap.wire.values import Replace
from mailcore.models import Right
from mailcore.services import messages
from mailcore.services.messages import Unit


def replace(session: Session, command: Replace) -> Handler:
    """APPENDUID comes untagged before the EXPUNGE, which the news bring (§3.4).

    Of others' messages it needs the rights of what it replaces: STORE \\Deleted, EXPUNGE and APPEND.
    """
    view = writable(session, Right.DELETE | Right.EXPUNGE)
    ranges = view.uid_ranges(command.numbers, uid=command.uid)
    if not ranges:
        raise NoSuchMessage
    found = target(session, command.folder)
    new = yield from whole(session, command.message)
    unit = Unit([mail_of(session, new, found)], enforce_quota=True)
    filed = messages.replace(unit, view.snapshot.folder_id, ranges[0][0], via="imap")
    session.put(found.state.folder_id, (filed.uid,))
    code = responses.appenduid(filed.uidvalidity, ((filed.uid, filed.uid),))
    yield responses.ok("Replacement message ready", code=code)
    return Done(f"{command.name} completed", (yield from tell_what_went(session)))
