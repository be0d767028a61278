"""ACL (RFC 4314): who may do what in a folder, read and changed by who administers it.

An identifier is the address of a mailbox of the tenant, "$NAME" of a group, or "anyone", which is everybody
of the tenant. Negative rights are not offered.
"""

from __future__ import annotations

from mailcore.imap.session import Done, Handler, Session
from mailcore.imap.wire import responses
from mailcore.imap.wire.values import OnFolder, OnIdentifier, SetAcl
from mailcore.models import EVERY_RIGHT, LETTERS, Right, User
from mailcore.services import audit, rights, sharing


def _actor(session: Session) -> User:
    return User.objects.get(pk=session.user_id)


def set_acl(session: Session, command: SetAcl) -> Handler:
    found = session.find(command.folder, Right.ADMINISTER)
    meant = rights.from_letters(command.rights)
    with audit.coming_from(session.surroundings.peer):
        sharing.give(found, command.identifier, meant, mode=command.mode, actor=_actor(session))
    return Done("SETACL completed")
    yield b""


def delete_acl(session: Session, command: OnIdentifier) -> Handler:
    """An identifier that has no rights has none afterwards, too."""
    found = session.find(command.folder, Right.ADMINISTER)
    with audit.coming_from(session.surroundings.peer):
        sharing.give(found, command.identifier, Right(0), actor=_actor(session))
    return Done("DELETEACL completed")
    yield b""


def get_acl(session: Session, command: OnFolder) -> Handler:
    found = session.find(command.folder, Right.ADMINISTER)
    lines = [(entry.identifier, rights.letters(entry.rights)) for entry in sharing.entries(found)]
    yield responses.acl(found.state.name, lines, utf8=session.is_utf8)
    return Done("GETACL completed")


def list_rights(session: Session, command: OnIdentifier) -> Handler:
    """The owner has all rights, everybody else any of them: none is tied to another."""
    found = session.find(command.folder, Right.ADMINISTER)
    if sharing.is_owner(found, command.identifier):
        always, others = rights.letters(EVERY_RIGHT), ""
    else:
        always, others = "", f"{LETTERS}cd"
    yield responses.listrights(found.state.name, command.identifier, always, others, utf8=session.is_utf8)
    return Done("LISTRIGHTS completed")


def my_rights(session: Session, command: OnFolder) -> Handler:
    found = session.find(command.folder, Right(0))
    yield responses.myrights(found.state.name, rights.letters(found.rights), utf8=session.is_utf8)
    return Done("MYRIGHTS completed")
