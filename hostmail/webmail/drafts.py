"""A letter being written: what the form holds, as octets and back, and kept in Drafts between the two."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _

from hostmail.webmail.place import Place
from hostmail.webmail.place import message as find
from mailcore import limits
from mailcore.errors import BadAddress, BadValue, MailError, MessageTooBig, NotFound
from mailcore.message import compose, display, encode, fields, flags, sanitize
from mailcore.message.address import Mailbox as Shown
from mailcore.message.address import format_address, parse_list, parse_path
from mailcore.outside import clock
from mailcore.services import delivery, folders, messages
from mailcore.services.messages import Filing, Mail, Unit

# In drafts only: which message an answer is to, so that it is marked when the draft is sent.
ABOUT = "X-Hostmail-About"


@dataclass
class Letter:
    """The form's values as typed. source is (folder serial, uid) of the message that keep names parts of."""

    author: str = ""
    to: str = ""
    cc: str = ""
    bcc: str = ""
    subject: str = ""
    text: str = ""
    html: str = ""  # the same with formatting, as the editor gives it; "" for a letter in plain text
    key: str = ""
    about: str = ""
    in_reply_to: str = ""
    references: list[str] = field(default_factory=list)
    draft: tuple[int, int] | None = None
    source: tuple[int, int] | None = None
    keep: list[str] = field(default_factory=list)
    files: list[compose.Attachment] = field(default_factory=list)


def people(typed: str) -> list[compose.Person]:
    """The addresses of one line. Raises BadAddress."""
    if any(char in typed for char in "\r\n\0"):
        raise BadAddress("An address line is one line.")
    found = []
    for one in parse_list(typed):
        try:
            parse_path(one.address)
        except BadAddress as error:
            raise BadAddress(f"{one.address or typed}: {error.public}") from error
        found.append((one.name, one.address))
    if typed.strip(" ,;") and not found:
        raise BadAddress(f"{typed[:100]}: this is no address.")
    return found


def kept(place: Place, letter: Letter) -> list[compose.Attachment]:
    """Attachments that the letter takes over from its draft or from the mail it forwards. Raises NotFound."""
    if not letter.source or not letter.keep:
        return []
    _state, row = find(place, *letter.source)
    raw = messages.raw_of(row.content_id).raw
    found = [display.attachment(raw, section) for section in letter.keep]
    if None in found:
        raise BadValue
    return [compose.Attachment(one[0], one[1], one[2]) for one in found if one]


def _clean(html: str) -> str:
    """What of a letter's HTML may leave, or come back into the editor: no scripts, no remote pictures."""
    if not html.strip():
        return ""
    return sanitize.clean(html, allow_remote=False, cid_url=lambda cid: None).html


def build(place: Place, letter: Letter, name: str) -> tuple[bytes, list[str]]:
    """The mail and its recipients. Raises BadAddress, BadHeader, MessageTooBig, NotFound."""
    attachments = [*kept(place, letter), *letter.files]
    if len(attachments) > limits.DRAFT_FILES:
        raise MessageTooBig(_("%d files are the most that one message takes.") % limits.DRAFT_FILES)
    if max(len(letter.text), len(letter.html)) > limits.DRAFT_CHARS:
        raise MessageTooBig
    if sum(len(one.raw) for one in attachments) * 4 // 3 > settings.HOSTMAIL_MAX_MESSAGE:
        raise MessageTooBig
    now = clock.now()
    to, cc, bcc = people(letter.to), people(letter.cc), people(letter.bcc)
    domain = letter.author.rpartition("@")[2] or settings.HOSTMAIL_HOSTNAME
    draft = compose.Draft(
        author=(name, letter.author),
        subject=letter.subject,
        text=letter.text,
        html=_clean(letter.html) or None,
        message_id=compose.make_message_id(letter.key.encode(), domain=domain, now=now),
        date=now,
        to=to,
        cc=cc,
        bcc=bcc,
        attachments=attachments,
        in_reply_to=letter.in_reply_to or None,
        references=letter.references,
    )
    raw = compose.build(draft)
    if bcc:  # for the draft, and for the sender's own copy: submission takes it from what leaves
        raw = fields.prepend(raw, encode.address_field("Bcc", bcc))
    return raw, [address for _name, address in (*to, *cc, *bcc)]


def store(place: Place, letter: Letter, name: str) -> tuple[int, int]:
    """File the letter in Drafts in place of its earlier state; (folder serial, uid) of the new one.

    Raises what build raises, OverQuota.
    """
    raw, _recipients = build(place, letter, name)
    if letter.about:
        raw = fields.prepend(raw, encode.text_field(ABOUT, letter.about))
    box = place.mailbox
    filing = Filing(box.tenant_id, box.pk, "drafts", flags=flags.DRAFT | flags.SEEN)
    (filed,) = delivery.deliver(Unit([Mail(messages.prepare(raw), [filing])], enforce_quota=True))
    discard(place, letter)
    place.folders = messages.folder_rows(box.pk)
    return messages.folder_state(filed.folder_id).object_serial, filed.uid


def discard(place: Place, letter: Letter) -> None:
    """Remove the letter's draft, if it has one."""
    if letter.draft is None:
        return
    state = place.folder(letter.draft[0])
    if state.folder_id == folders.by_role(place.mailbox.pk, "drafts"):
        uid = letter.draft[1]
        messages.expunge(state.folder_id, [(uid, uid)], only_deleted=False, via="webmail")


def exists(place: Place, draft: tuple[int, int]) -> bool:
    """Whether a draft still lies where a form thinks it does."""
    try:
        _state, row = find(place, *draft)
    except NotFound:
        return False
    return row.has(flags.DRAFT)


def without_half_addresses(letter: Letter) -> tuple[Letter, bool]:
    """The letter with those addresses that are whole, and whether one was not: somebody is typing it."""
    lines: dict[str, Any] = {}
    for name in ("to", "cc", "bcc"):
        try:
            people(getattr(letter, name))
        except BadAddress:
            lines[name] = ", ".join(format_address(*one) for one in _whole(getattr(letter, name)))
    return replace(letter, **lines), bool(lines)


def _whole(typed: str) -> list[compose.Person]:
    found = []
    for part in parse_list(" ".join(typed.split()).replace("\0", "")):
        try:
            parse_path(part.address)
        except BadAddress:
            continue
        found.append((part.name, part.address))
    return found


def _line(people: Iterable[Shown]) -> str:
    """People as they stand in an address line: a name with a comma keeps its quotes."""
    return ", ".join(format_address(one.name, one.address) for one in people)


def load(place: Place, serial: int, uid: int, key: str) -> Letter:
    """The letter that a draft holds. Raises NotFound."""
    _state, row = find(place, serial, uid)
    raw = messages.raw_of(row.content_id).raw
    mail = display.read(raw)
    return Letter(
        author=mail.authors[0].address if mail.authors else "",
        to=_line(mail.to),
        cc=_line(mail.cc),
        bcc=_line(parse_list(fields.get(raw, "bcc") or "")),
        subject=mail.subject,
        text=mail.text.removesuffix("\n"),  # the end of the last line, which every mail has
        html=_clean(mail.html or ""),
        key=key,
        about=fields.get(raw, ABOUT.lower()) or "",
        in_reply_to=mail.in_reply_to[0] if mail.in_reply_to else "",
        references=mail.references,
        draft=(serial, uid),
        source=(serial, uid),
        keep=[one.section for one in mail.attachments],
    )


def rescue(place: Place, letter: Letter, name: str) -> Letter:
    """After an error: chosen files cannot stay in a form, so they go to the draft with what is in order."""
    if not letter.files:
        return letter
    for tried in (
        letter,
        replace(letter, to="", cc="", bcc=""),
        replace(letter, to="", cc="", bcc="", subject=""),
    ):
        try:
            at = store(place, tried, name)
        except MailError:
            continue
        _state, row = find(place, *at)
        mail = display.read(messages.raw_of(row.content_id).raw)
        return replace(letter, draft=at, source=at, files=[], keep=[one.section for one in mail.attachments])
    return letter
