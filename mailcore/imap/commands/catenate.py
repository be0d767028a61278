"""CATENATE: a message put together of texts and of what is stored already (RFC 4469)."""

from __future__ import annotations

from collections.abc import Generator

from django.conf import settings

from mailcore.errors import BadSyntax, BadUrl, MailError, MessageTooBig
from mailcore.imap import sections
from mailcore.imap.session import Session
from mailcore.imap.wire import urls
from mailcore.imap.wire.values import NewMessage, Url
from mailcore.models import Right
from mailcore.services import messages


def whole(session: Session, new: NewMessage) -> Generator[bytes, None, NewMessage]:
    """The message with its pieces put together. Raises BadUrl, MessageTooBig."""
    if not new.pieces:
        return new
    out: list[bytes] = []
    size = 0
    for piece in new.pieces:
        octets = piece if isinstance(piece, bytes) else _octets(session, piece)
        size += len(octets)
        if size > session.surroundings.max_message:
            raise MessageTooBig
        out.append(octets)
        yield b""
    return new._replace(raw=b"".join(out), pieces=())


def _octets(session: Session, url: Url) -> bytes:
    try:
        octets = _found(session, urls.parse(url.text.decode("ascii")))
    except BadSyntax as error:
        raise BadUrl(url.text) from error
    except MailError as error:  # no such folder, none that may be read, gone meanwhile
        raise BadUrl(url.text) from error
    if octets is None:
        raise BadUrl(url.text)
    return octets


def _found(session: Session, named: urls.Message) -> bytes | None:
    """The octets; None when there are none of that name. Raises MailError."""
    assert session.login is not None
    if named.host not in ("", settings.HOSTMAIL_HOSTNAME.lower()):
        return None
    if named.user.casefold() not in ("", session.login.address.casefold()):
        return None
    if named.folder:
        state = session.find(named.folder, Right.READ).state
        folder_id, uidvalidity = state.folder_id, state.uidvalidity
    elif session.view is not None and not named.host:
        folder_id, uidvalidity = session.view.snapshot.folder_id, 0
    else:
        return None
    if named.uidvalidity not in (0, uidvalidity):
        return None
    rows = messages.contents(folder_id, named.uid, named.uid, ("m.uid", "m.content_id"))
    if not rows:
        return None
    mail = messages.raw_of(rows[0][1])
    assert named.item.section is not None
    return sections.cut(sections.octets(mail, named.item.section), named.item.partial)
