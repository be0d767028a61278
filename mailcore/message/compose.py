"""Builds the mail that people here write, and completes the mail that their clients hand in.

RFC 5322 §3.6 rules the fields, RFC 2046 and 2387 the parts, RFC 6409 §8 what a submission server may add.
`build` is called by webmail and the API, `complete` by services/outbound for all of them. No clock and no
chance in here: the same draft gives the same octets. Nothing that a person types can become a field of its
own (threats.md, W21).
"""

from __future__ import annotations

import datetime as dt
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass

from mailcore import limits
from mailcore.errors import BadHeader, TooManyRecipients
from mailcore.message import encode, fields, trace
from mailcore.message.display import text_from_html
from mailcore.message.tidy import words

Person = tuple[str, str]  # name for display ("" for none), address

# Fields that have their own place in a draft, or that only others may write.
_NOT_EXTRA = words(
    "from to cc bcc subject date message-id in-reply-to references mime-version received return-path "
    "delivered-to dkim-signature authentication-results resent-bcc"
)


@dataclass(frozen=True, slots=True)
class Attachment:
    """One file. With content_id the HTML may show it in place: <img src="cid:...">."""

    filename: str
    content_type: str
    raw: bytes
    content_id: str | None = None


@dataclass(frozen=True, slots=True)
class Draft:
    """One mail before it is octets. Message ids with or without angle brackets, date aware.

    extra are (name, text) pairs of further fields.
    """

    author: Person
    subject: str
    text: str
    message_id: str
    date: dt.datetime
    to: Sequence[Person] = ()
    cc: Sequence[Person] = ()
    bcc: Sequence[Person] = ()
    reply_to: Sequence[Person] = ()
    html: str | None = None
    attachments: Sequence[Attachment] = ()
    in_reply_to: str | None = None
    references: Sequence[str] = ()
    extra: Sequence[tuple[str, str]] = ()


def build(draft: Draft) -> bytes:
    """The whole mail with CRLF line ends, all of it 7-bit save for addresses that cannot be. No Bcc field.

    Without text, the HTML's is used as its alternative.
    Raises BadHeader, BadAddress, TooManyRecipients.
    """
    if len(draft.to) + len(draft.cc) + len(draft.bcc) > limits.ADDRESSES:
        raise TooManyRecipients
    return b"".join([*_header(draft), b"MIME-Version: 1.0\r\n", _content(draft)])


def complete(raw: bytes, *, message_id_domain: str, now: dt.datetime) -> bytes:
    """What submission makes of a mail that a client handed in. (RFC 6409 §8, RFC 5322 §3.6)

    All line ends become CRLF, Bcc goes, Date and Message-ID come where they are missing; every other octet
    stays. Completing it again changes nothing.
    """
    raw = fields.drop(encode.crlf(raw), {"bcc", "resent-bcc"})
    names = {name for name, _, _ in fields.iter_fields(raw)}
    missing = b""
    if "date" not in names:
        missing += b"Date: " + trace.date(now).encode("ascii") + b"\r\n"
    if "message-id" not in names:
        missing += encode.id_field("Message-ID", [make_message_id(raw, domain=message_id_domain, now=now)])
    if not missing:
        return raw
    if fields.body_start(raw) == 0:  # a text that nobody put a header on
        missing += b"\r\n"
        return missing + raw
    return fields.prepend(raw, missing)


def make_message_id(seed: bytes, *, domain: str, now: dt.datetime) -> str:
    """A message id without angle brackets: the same for the same seed and moment, for others another."""
    digest = hashlib.sha256(seed + now.isoformat().encode("ascii")).hexdigest()
    return f"{now:%Y%m%d%H%M%S}.{digest[:24]}@{domain}"


def _header(draft: Draft) -> list[bytes]:
    out = [encode.address_field("From", [draft.author])]
    for name, people in (("Reply-To", draft.reply_to), ("To", draft.to), ("Cc", draft.cc)):
        if people:
            out.append(encode.address_field(name, people))
    for person in draft.bcc:  # in the envelope only, but no less an address
        encode.address_field("Bcc", [person])
    if not draft.to and not draft.cc:
        out.append(b"To: undisclosed-recipients:;\r\n")  # RFC 5322 §3.4: a group may be empty
    out.append(encode.text_field("Subject", draft.subject))
    if draft.date.tzinfo is None:
        raise ValueError("a draft's date is aware")
    out.append(b"Date: " + trace.date(draft.date).encode("ascii") + b"\r\n")
    out.append(encode.id_field("Message-ID", [draft.message_id]))
    if draft.in_reply_to:
        out.append(encode.id_field("In-Reply-To", [draft.in_reply_to]))
    if draft.references:
        out.append(encode.id_field("References", draft.references))
    for name, value in draft.extra:
        lower = name.lower()
        if not encode.is_field_name(name) or lower in _NOT_EXTRA or lower.startswith("content-"):
            raise BadHeader("Not a field that a draft may add")
        out.append(encode.text_field(name, value))
    return out


def _content(draft: Draft) -> bytes:
    """The body as one entity: its Content fields, an empty line, its octets.

    mixed( alternative( text, related( html, pictures ) ), files ), each layer only where it is needed.
    """
    text, html = draft.text, draft.html
    if html is not None and not text.strip():
        text = text_from_html(html)
    shown = [one for one in draft.attachments if html is not None and one.content_id and _is_shown(one, html)]
    files = [one for one in draft.attachments if one not in shown]
    boundaries = _Boundaries(draft)
    entity = _text_part("plain", text)
    if html is not None:
        rich = _text_part("html", html)
        if shown:
            rich = boundaries.multipart("related", [rich, *map(_inline_part, shown)])
        entity = boundaries.multipart("alternative", [entity, rich])
    if files:
        entity = boundaries.multipart("mixed", [entity, *map(_file_part, files)])
    return entity


def _is_shown(attachment: Attachment, html: str) -> bool:
    assert attachment.content_id is not None
    return f"cid:{encode.message_id(attachment.content_id)}" in html


class _Boundaries:
    """Makes boundaries from the draft itself, each tried against what it shall part. (RFC 2046 §5.1.1)"""

    def __init__(self, draft: Draft) -> None:
        self.seed = hashlib.sha256(
            repr((draft.message_id, draft.date, draft.text, draft.html)).encode("utf-8", "replace")
        )
        self.count = 0

    def multipart(self, subtype: str, parts: Sequence[bytes]) -> bytes:
        while True:
            self.count += 1
            self.seed.update(b"%d" % self.count)
            boundary = f"=_{self.seed.hexdigest()[:32]}"  # "=_" cannot stand in quoted-printable or base64
            if not any(boundary.encode("ascii") in part for part in parts):
                return encode.multipart(subtype, parts, boundary)


def _text_part(subtype: str, text: str) -> bytes:
    encoding, body = encode.text_body(text)
    return (
        encode.param_field("Content-Type", f"text/{subtype}", [("charset", "utf-8")])
        + f"Content-Transfer-Encoding: {encoding}\r\n\r\n".encode("ascii")
        + body
    )


def _file_part(attachment: Attachment) -> bytes:
    return _part(attachment, "attachment")


def _inline_part(attachment: Attachment) -> bytes:
    return _part(attachment, "inline")


def _part(attachment: Attachment, disposition: str) -> bytes:
    kind, charset = encode.media_type(attachment.content_type)
    encoding, body = "base64", b""
    if kind == "message/rfc822" and encode.is_7bit(attachment.raw):
        encoding, body = "7bit", attachment.raw
    else:
        # RFC 2046 §5.2.1 lets no message be encoded, and not every host takes 8 bits: then it goes as a file.
        if kind.startswith(("message/", "multipart/")):
            kind = "application/octet-stream"
        body = encode.base64_body(attachment.raw)
    name = re.split(r"[/\\]", encode.checked(attachment.filename))[-1].strip(" ")
    named = [("name", name)] if name else []
    out = encode.param_field("Content-Type", kind, [*([("charset", charset)] if charset else []), *named])
    out += encode.param_field("Content-Disposition", disposition, [("filename", name)] if name else [])
    if attachment.content_id:
        out += encode.id_field("Content-ID", [attachment.content_id])
    return out + f"Content-Transfer-Encoding: {encoding}\r\n\r\n".encode("ascii") + body
