"""QUOTA (RFC 9208): one root for the whole mailbox, STORAGE in units of 1024 octets."""

from __future__ import annotations

from mailcore.errors import Forbidden, NotFound
from mailcore.imap.session import Done, Handler, Session
from mailcore.imap.wire import responses
from mailcore.imap.wire.values import GetQuota, OnFolder, SetQuota
from mailcore.models import Mailbox
from mailcore.services import folders

ROOT = ""


def _line(session: Session) -> bytes:
    used, most = Mailbox.objects.values_list("used_octets", "quota_octets").get(pk=session.mailbox_id)
    return responses.quota(ROOT, [("STORAGE", -(-used // 1024), most // 1024)])


def get_quota(session: Session, command: GetQuota) -> Handler:
    if command.root != ROOT:
        raise NotFound("There is no such quota root")
    yield _line(session)
    return Done("GETQUOTA completed")


def get_quota_root(session: Session, command: OnFolder) -> Handler:
    name = folders.find(session.mailbox_id, command.folder).name
    yield responses.quotaroot(name, [ROOT]) + _line(session)
    return Done("GETQUOTAROOT completed")


def set_quota(session: Session, command: SetQuota) -> Handler:
    raise Forbidden("The quota is set by your administrator")
    yield b""
