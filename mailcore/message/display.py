"""A mail as people read it: who, when, the text, the HTML, what is attached. Total and linear.

Built on the part table, so that what webmail shows and what IMAP clients fetch are the same parts. What
comes out is still the sender's: HTML goes through `sanitize` before anybody sees it.
"""

from __future__ import annotations

import html as html_module
import re
import unicodedata
from dataclasses import dataclass

from resiliparse.extract.html2text import extract_plain_text

from mailcore import limits
from mailcore.message import charsets, fields, tidy, transfer
from mailcore.message.address import Mailbox, parse_list
from mailcore.message.index import index
from mailcore.message.parts import Part, PartTable, parse_table

_IDS = re.compile(r"<([^<>\s]{1,998})>")
# A name that turns the direction of writing can look as if it ended in something else ("exe.fdp").
_TURNING = dict.fromkeys(
    [0x61C, *range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2066, 0x206A), 0xFEFF]
)
_SHOWN_IMAGES = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})


@dataclass(frozen=True, slots=True)
class Attached:
    """One part that is no text of the message. section names it, for attachment() and in IMAP alike."""

    section: str
    filename: str
    content_type: str
    size: int
    content_id: str
    is_inline: bool

    @property
    def is_image(self) -> bool:
        """Whether a browser may show it in place: the formats that carry no script."""
        return self.content_type in _SHOWN_IMAGES


@dataclass(frozen=True, slots=True)
class Readable:
    """One mail. date is epoch seconds UTC or None; ids are without angle brackets."""

    subject: str
    authors: list[Mailbox]
    sender: list[Mailbox]
    to: list[Mailbox]
    cc: list[Mailbox]
    reply_to: list[Mailbox]
    date: int | None
    message_id: str
    in_reply_to: list[str]
    references: list[str]
    text: str
    html: str | None
    attachments: list[Attached]


def read(raw: bytes) -> Readable:
    """Read a whole mail."""
    found = index(raw)
    table = parse_table(found.parts)
    texts, html, attached = _sort(table)
    text = "\n".join(_text(raw, part) for part in texts)[: limits.SHOWN_CHARS]
    shown = "\n".join(_text(raw, part) for part in html)[: limits.SHOWN_CHARS] if html else None
    if shown and not text.strip():
        text = text_from_html(shown)
    elif shown and not any(part.content_type == "multipart/alternative" for part in table.walk()):
        # Not the same thing twice but one after the other, as when a list adds its footer to HTML.
        shown = f"{shown}<hr><pre>{html_module.escape(text)}</pre>"
    header = raw[: found.header_octets]
    return Readable(
        subject=found.subject,
        authors=_addresses(header, "from"),
        sender=_addresses(header, "sender"),
        to=_addresses(header, "to"),
        cc=_addresses(header, "cc"),
        reply_to=_addresses(header, "reply-to"),
        date=found.sent_at,
        message_id=found.message_id,
        in_reply_to=_ids(header, "in-reply-to"),
        references=_ids(header, "references"),
        text=text,
        html=shown,
        attachments=[_attached(raw, part, is_inline) for part, is_inline in attached],
    )


def attachment(raw: bytes, section: str) -> tuple[str, str, bytes] | None:
    """The clean file name, content type and decoded octets of one part; None when there is no such part."""
    part = parse_table(index(raw).parts).find(section) if section else None
    if part is None or part.is_multipart:
        return None
    return _filename(part), part.content_type, _octets(raw, part)


def text_from_html(html: str) -> str:
    """Plain text of HTML, for quoting, search and text alternatives. Of at most limits.HTML_OCTETS."""
    markup = tidy.lift(html[: limits.HTML_OCTETS]).html
    if markup.count("<") > limits.HTML_SIMPLE_TAGS:  # 700 kB of hostile nesting take the parser 18 s
        markup = tidy.balance(markup)
    text: str = extract_plain_text(
        markup, preserve_formatting=True, main_content=False, alt_texts=True, links=False
    )
    return text


def _sort(table: PartTable) -> tuple[list[Part], list[Part], list[tuple[Part, bool]]]:
    """Text parts, HTML parts and attachments, the last with whether they belong into the HTML.

    Of alternatives the plain text and the HTML are both kept. (RFC 2046 §5.1.4)
    """
    texts: list[Part] = []
    html: list[Part] = []
    attached: list[tuple[Part, bool]] = []
    stack: list[tuple[Part, str]] = [(table.root, "")]
    while stack:
        part, around = stack.pop()
        if part.is_multipart and part.children:
            kind = part.content_type if part.content_type != "multipart/digest" else ""
            # What stands in an alternative or a related stays so further down.
            inherited = around if kind not in ("multipart/alternative", "multipart/related") else kind
            stack.extend((child, inherited) for child in reversed(part.children))
        elif part.is_multipart:
            continue
        elif part.disposition == "attachment" or (part.filename and part.disposition != "inline"):
            attached.append((part, around == "multipart/related" and bool(part.content_id)))
        elif part.content_type == "text/html":
            html.append(part)
        elif part.content_type == "text/plain":
            texts.append(part)
        else:
            attached.append((part, around == "multipart/related" and bool(part.content_id)))
    return texts, html, attached


def _text(raw: bytes, part: Part) -> str:
    text = charsets.decode(_octets(raw, part, limits.SHOWN_OCTETS), part.charset)
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "")


def _octets(raw: bytes, part: Part, most: int | None = None) -> bytes:
    body = raw[
        part.body_start : part.body_end if most is None else min(part.body_end, part.body_start + most)
    ]
    return transfer.decode(body, part.encoding)


def _attached(raw: bytes, part: Part, is_inline: bool) -> Attached:
    size = part.octets if part.encoding != "base64" else part.octets * 3 // 4
    return Attached(
        section=part.number or "1",
        filename=_filename(part),
        content_type=part.content_type,
        size=size,
        content_id=part.content_id,
        is_inline=is_inline,
    )


def _filename(part: Part) -> str:
    """A name that is only a name: no path, no controls, no turned writing. (RFC 2183 §2.3)"""
    name = part.filename.replace("\\", "/").rpartition("/")[2].translate(_TURNING)
    name = "".join(char for char in name if unicodedata.category(char)[0] != "C").strip(" .")
    if name:
        stem, dot, ending = name.rpartition(".")
        return f"{stem[: 150 - len(ending)]}{dot}{ending}" if dot and len(ending) < 20 else name[:150]
    if part.content_type == "message/rfc822":
        return "message.eml"
    kind = part.content_type.rpartition("/")[2]
    return (
        f"attachment.{kind}" if kind in ("pdf", "png", "jpeg", "gif", "zip", "csv", "html") else "attachment"
    )


def _addresses(header: bytes, name: str) -> list[Mailbox]:
    found = fields.get_raw(header, name)
    return parse_list(found[0])[: limits.ADDRESSES] if found else []


def _ids(header: bytes, name: str) -> list[str]:
    found = fields.get_raw(header, name)
    return _IDS.findall(found[0].decode("utf-8", "replace"))[:100] if found else []
