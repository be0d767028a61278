"""The index of one mail: all that listing, searching, sorting and fetching ask of it later, made once.

RFC 9051 §7.5.2 rules envelope and structures, RFC 5256 the sort keys, RFC 8970 the preview. Called before a
mail is filed; whatever the octets are, it answers, in time linear in their number. Raise INDEX_VERSION when
an answer changes: rows keep the version that made them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from mailcore import limits
from mailcore.message import dates, mime, params, parts, words
from mailcore.message import subject as subjects
from mailcore.message.address import Scanned, as_mailbox
from mailcore.message.envelope import envelope
from mailcore.message.mime import Entity
from mailcore.message.preview import preview
from mailcore.message.structure import structures

INDEX_VERSION = 1


class Index(NamedTuple):
    """What one mail's octets say.

    envelope, body and bodystructure are wire bytes, parts is for `parts.parse_table`. Message ids are without
    angle brackets; references are those of References, then of In-Reply-To. The keys are local parts of the
    first address as `subject.casemap` compares; base_subject keeps its case. sent_at is seconds since 1970,
    sent_day the ordinal of the day as the author wrote it. No text has NUL or lone surrogates in it.
    """

    octets: int
    header_octets: int
    envelope: bytes
    body: bytes
    bodystructure: bytes
    parts: bytes
    message_id: str
    references: tuple[str, ...]
    subject: str
    base_subject: str
    from_key: str
    to_key: str
    cc_key: str
    from_text: str
    to_text: str
    cc_text: str
    sent_at: int | None
    sent_day: int | None
    preview: str
    has_attachments: bool


def index(raw: bytes) -> Index:
    """Return the index of one mail. Total: any octets have one."""
    mail = mime.scan(raw)
    fields = mail.fields
    wire, addresses = envelope(fields)
    body, bodystructure = structures(mail, wire)
    sent_at, sent_day = dates.parse(fields.get(b"date", b""))
    subject = words.decode(fields.get(b"subject", b""))[: limits.SUBJECT_CHARS]
    from_key, from_text = _people(addresses.get(b"from"))
    to_key, to_text = _people(addresses.get(b"to"))
    cc_key, cc_text = _people(addresses.get(b"cc"))
    table, text, has_attachments = _table(mail)
    return Index(
        len(raw),
        mail.body_start,
        wire,
        body,
        bodystructure,
        table,
        _message_id(fields.get(b"message-id")),
        _references(fields),
        subject,
        subjects.base(subject),
        from_key,
        to_key,
        cc_key,
        from_text,
        to_text,
        cc_text,
        sent_at,
        sent_day,
        _preview(raw, text),
        has_attachments,
    )


_ID = re.compile(rb"<([^<>\s]{1,998})>")


def _message_id(value: bytes | None) -> str:
    if value is None:
        return ""
    found = _ID.search(value)
    if found:
        return found[1].decode("utf-8", "replace")
    bare = words.unfold(value)
    if len(bare) > limits.MESSAGE_ID_OCTETS or b" " in bare:
        return ""
    return bare.strip(b"<>").decode("utf-8", "replace")


def _references(fields: Mapping[bytes, bytes]) -> tuple[str, ...]:
    """Return the ids this mail answers to, oldest first, each once. (RFC 5256 §3, REFERENCES)"""
    value = fields.get(b"references", b"")
    found = _ID.findall(value)
    answered = fields.get(b"in-reply-to")
    if answered is not None:
        found += _ID.findall(answered)
    if not found:
        return ()
    ids = list(dict.fromkeys(found))
    if len(ids) > limits.REFERENCES:
        ids = ids[:1] + ids[1 - limits.REFERENCES :]
    return tuple([each.decode("utf-8", "replace") for each in ids])


def _people(found: list[Scanned] | None) -> tuple[str, str]:
    """Return the sort key of an address list and its text."""
    if not found:
        return "", ""
    # RFC 5256 §2.2: the mailbox of the first address structure, a group's name included.
    first = found[0].local or b""
    if first.isascii() and b"=?" not in first:
        key = first.decode("ascii").upper()
    else:
        key = subjects.casemap(words.decode(first))
    out: list[str] = []
    room = limits.ADDRESS_TEXT_CHARS
    for name, _, local, domain in found:
        if local is None:
            continue
        if domain is None:
            text = words.decode(local) + ":"
        elif b"=?" in (name or b"") or not (local + domain).isascii() or not (name or b"").isascii():
            text = str(as_mailbox(Scanned(name, None, local, domain)))
        else:
            address = local + b"@" + domain if domain else local
            text = (b"%b <%b>" % (name, address) if name else address).decode("ascii")
        out.append(text)
        room -= len(text) + 2
        if room < 0:
            break
    return key, ", ".join(out)[: limits.ADDRESS_TEXT_CHARS]


# Parts that carry signatures and reports, not files.
_MACHINERY = frozenset(
    {
        b"application/pgp-signature",
        b"application/pgp-encrypted",
        b"application/pkcs7-signature",
        b"application/x-pkcs7-signature",
        b"message/delivery-status",
        b"message/disposition-notification",
        b"message/feedback-report",
        b"text/rfc822-headers",
    }
)


class _Text(NamedTuple):
    """The part whose text is the preview."""

    start: int
    end: int
    encoding: str
    charset: str
    is_html: bool


def _table(mail: Entity) -> tuple[bytes, list[_Text], bool]:
    """Return the packed part table, the parts to take a preview from, and whether a file is attached."""
    rows: list[tuple[int, int, int, int, int]] = []
    texts: list[str] = []
    plain: _Text | None = None
    rich: _Text | None = None
    has_attachments = False
    stack: list[tuple[Entity, int, bool]] = [(mail, 0, True)]
    while stack:
        entity, depth, is_own = stack.pop()
        rows.append((entity.header_start, entity.body_start, entity.body_end, entity.lines, depth))
        main = entity.type.main
        fields = entity.fields
        value = fields.get(b"content-disposition")
        disposition = params.parse(value) if value is not None else params.EMPTY
        value = fields.get(b"content-id")
        content_id = words.unfold(value).strip(b"<>").decode("utf-8", "replace") if value is not None else ""
        filename = disposition.text(b"filename") or entity.type.text(b"name")
        charset = entity.type.get(b"charset").decode("utf-8", "replace").lower()
        encoding = entity.encoding.decode("ascii")
        texts += (main.decode("ascii"), charset, encoding, disposition.main.decode("utf-8", "replace"))
        texts += (content_id, filename.replace("\0", ""))
        if entity.is_multipart:
            stack.extend([(child, depth + 1, is_own) for child in reversed(entity.children)])
            continue
        if is_own:
            if not has_attachments:
                has_attachments = _is_file(main, disposition.main, filename, content_id)
            if main.startswith(b"text/") and disposition.main != b"attachment":
                text = _Text(entity.body_start, entity.body_end, encoding, charset, main == b"text/html")
                if main == b"text/plain" and plain is None:
                    plain = text
                elif main == b"text/html" and rich is None:
                    rich = text
        if entity.children:
            stack.append((entity.children[0], depth + 1, False))
    return parts.pack(rows, texts), [each for each in (plain, rich) if each], has_attachments


def _is_file(main: bytes, disposition: bytes, filename: str, content_id: str) -> bool:
    """Say whether a person would call this part an attachment."""
    if disposition == b"attachment":
        return True
    if main in _MACHINERY:
        return False
    if main.startswith(b"text/"):
        return bool(filename) and disposition != b"inline"
    if disposition == b"inline" or content_id:
        # Pictures inside the text; but some programs send every file as inline.
        return bool(filename) and not main.startswith(b"image/") and not content_id
    return True


def _preview(raw: bytes, texts: list[_Text]) -> str:
    for start, end, encoding, charset, is_html in texts:
        end = min(end, start + limits.PREVIEW_HTML_OCTETS)
        found = preview(raw[start:end], encoding, charset, is_html=is_html)
        if found:
            return found
    return ""
