"""APPEND (RFC 9051 §6.3.12, RFC 4315 APPENDUID), of several messages at once too (RFC 3502 MULTIAPPEND).

What comes as a literal8 may have NUL in its binary parts; they are kept in base64 (RFC 3516 §4.4).
"""

from __future__ import annotations

from collections.abc import Sequence

from mailcore.errors import BadMessage, MessageTooBig, NoSuchFolder, TryCreate
from mailcore.imap.commands.catenate import whole
from mailcore.imap.session import Done, File, Handler, Session
from mailcore.imap.wire import responses
from mailcore.imap.wire.values import Append, NewMessage
from mailcore.message import flags as system_flags
from mailcore.message.binary import without_nul
from mailcore.message.parts import parse_table
from mailcore.models import Right
from mailcore.services import messages
from mailcore.services.messages import Filing, Mail, Unit
from mailcore.services.rights import flags_of
from mailcore.services.sharing import Open


def split_flags(names: Sequence[str]) -> tuple[int, tuple[str, ...]]:
    """System flags as bits, and the keywords."""
    bits = 0
    keywords = []
    for name in names:
        if bit := system_flags.bit(name):
            bits |= bit
        else:
            keywords.append(name)
    return bits, tuple(keywords)


def append(session: Session, command: Append) -> Handler:
    """One unit whatever their number: all are filed by one commit, or none is (RFC 3502 §6.3.11)."""
    found = target(session, command.folder)
    for new in command.messages:
        if not new.pieces:
            check(session, new)
    mails = []
    for new in command.messages:
        mails.append(mail_of(session, (yield from whole(session, new)), found))
        yield b""
    unit = Unit(mails, enforce_quota=True)
    messages.store_bodies(unit)  # here, so that the clerk need not let others wait for it
    filed = yield File(unit)
    session.put(found.state.folder_id, (one.uid for one in filed))
    # One transaction under the mailbox's lock numbers them: there are no gaps.
    code = responses.appenduid(filed[0].uidvalidity, ((filed[0].uid, filed[-1].uid),))
    return Done("APPEND completed", code)


def target(session: Session, name: str) -> Open:
    """The folder to file in. Raises TryCreate, Forbidden."""
    try:
        return session.find(name, Right.INSERT)
    except NoSuchFolder as error:
        raise TryCreate from error


def check(session: Session, new: NewMessage) -> None:
    """Everything that can be wrong with a message, before work is put into any. Raises MailError.

    Octets above 127 in the header pass, whatever was enabled: RFC 9755 §4 would have us refuse them, and who
    moves old mail here would lose it.
    """
    if not new.raw:
        raise BadMessage("An empty message cannot be kept")
    if len(new.raw) > session.surroundings.max_message:
        raise MessageTooBig
    if b"\0" in new.raw and not new.is_binary:
        raise BadMessage("NUL is not allowed in a message (RFC 9051 section 6.3.12)")


def mail_of(session: Session, new: NewMessage, found: Open) -> Mail:
    """Raises what check() does, and UnknownCTE."""
    check(session, new)
    flags, keywords = split_flags(new.flags)
    date, offset = None, 0
    if new.internal_date is not None:
        date = int(new.internal_date.timestamp())
        east = new.internal_date.utcoffset()
        offset = int(east.total_seconds()) // 60 if east is not None else 0
    filing = Filing(
        session.tenant_id,
        found.state.mailbox_id,
        found.state.folder_id,
        # RFC 4314 §4: flags that are not the client's to set are left out, and the message is filed.
        flags=flags & flags_of(found.rights),
        keywords=keywords if found.rights & Right.WRITE else (),
        internal_date=date,
        internal_offset=offset,
    )
    prepared = messages.prepare(new.raw)
    if new.is_binary and b"\0" in new.raw:
        raw = without_nul(new.raw, parse_table(prepared.index.parts))
        if len(raw) > session.surroundings.max_message:
            raise MessageTooBig
        prepared = messages.prepare(raw)
    return Mail(prepared, [filing])
