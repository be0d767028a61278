"""QUOTA (RFC 9208): one root for the whole mailbox, with STORAGE in KiB, and MESSAGE where that is limited.

What lies in another's folder counts against its owner, whose root is called as the level above the folder is.
"""

from __future__ import annotations

from mailcore.errors import Forbidden, NotFound
from mailcore.imap.session import Done, Handler, Session
from mailcore.imap.wire import responses
from mailcore.imap.wire.values import GetQuota, OnFolder, SetQuota
from mailcore.models import Mailbox, Right
from mailcore.services import sharing

ROOT = ""


def _line(mailbox_id: int, root: str) -> bytes:
    used, most, count, most_messages = Mailbox.objects.values_list(
        "used_octets", "quota_octets", "message_count", "quota_messages"
    ).get(pk=mailbox_id)
    resources = [("STORAGE", -(-used // 1024), most // 1024)]
    if most_messages is not None:
        resources.append(("MESSAGE", count, most_messages))
    return responses.quota(root, resources)


def get_quota(session: Session, command: GetQuota) -> Handler:
    mailbox_id = session.mailbox_id if command.root == ROOT else _of_another(session, command.root)
    yield _line(mailbox_id, command.root)
    return Done("GETQUOTA completed")


def _of_another(session: Session, root: str) -> int:
    """How full another's mailbox is concerns who may put something there. Raises NotFound."""
    for one in session.others():
        if sharing.place_of(one) == root and one.rights & Right.INSERT:
            return one.state.mailbox_id
    raise NotFound("There is no such quota root")


def get_quota_root(session: Session, command: OnFolder) -> Handler:
    found = session.find(command.folder, Right.READ)
    root = ROOT if found.is_own else sharing.place_of(found)
    answer = responses.quotaroot(found.state.name, [root], utf8=session.is_utf8)
    if found.is_own or found.rights & Right.INSERT:
        answer += _line(found.state.mailbox_id, root)
    yield answer
    return Done("GETQUOTAROOT completed")


def set_quota(session: Session, command: SetQuota) -> Handler:
    raise Forbidden("The quota is set by your administrator")
    yield b""
