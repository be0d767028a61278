"""Mail with UTF-8 in its header fields, as somebody who expects ASCII there can read it. (RFC 6858)

Addresses beyond ASCII become one that is invalid and says in its name what it stands for (§2.1), parameters
beyond ASCII go (§2.2), texts are encoded (§2.3, RFC 2047), every other such field goes (§2.4). Bodies stay as
they are. What it answers is in ASCII wherever a field stands; total and linear.

Only mail that needs SMTPUTF8 is shown so (is_international). Other mail with octets beyond ASCII in its
header is older than that standard, or careless: clients know such mail, and get it as it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from mailcore.message import address, fields, params, words
from mailcore.message.encode import text_field
from mailcore.message.index import Index, index
from mailcore.message.parts import Part, PartTable

# RFC 6858 §2.1.
INVALID = "invalid@internationalized-address.invalid"

_ADDRESSES = frozenset(
    {
        *("bcc", "cc", "from", "reply-to", "return-path", "sender", "to"),
        *("resent-bcc", "resent-cc", "resent-from", "resent-reply-to", "resent-sender", "resent-to"),
    }
)
_TEXTS = frozenset({"comments", "content-description", "subject"})
_VALUES = frozenset({"content-disposition", "content-type"})
_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")
_TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+").fullmatch
_SPECIALS = re.compile(rb'(["\\])')


def is_international(section: bytes) -> bool:
    """Whether an address of these fields is beyond ASCII, and in UTF-8. (RFC 6532 §3.2)"""
    if section.isascii():
        return False
    for name, octets in fields.lines(section):
        if name in _ADDRESSES and not octets.isascii():
            for each in address.scan(words.unfold(octets.partition(b":")[2])):
                written = (each.local or b"") + (each.domain or b"")
                if each.domain and not written.isascii() and _is_utf8(written):
                    return True
    return False


def _is_utf8(octets: bytes) -> bool:
    try:
        octets.decode()
    except UnicodeDecodeError:
        return False
    return True


def header(section: bytes) -> bytes:
    """A header section of which every field is in ASCII; section itself if it is."""
    if section.isascii():
        return section
    out = []
    for name, octets in fields.lines(section):
        out.append(octets if octets.isascii() else _field(name, octets))
    return b"".join(out)


def surrogate(raw: bytes, table: PartTable) -> tuple[bytes, Index] | None:
    """The whole mail with such header sections, its parts' and those of mails in it too, and its index.

    None when the mail has no other already. table is of raw.
    """
    if raw.isascii():
        return None
    out: list[bytes] = []
    done = 0
    for part in _with_header(table):
        section = raw[part.header_start : part.header_end]
        if not section.isascii():
            out += [raw[done : part.header_start], header(section)]
            done = part.header_end
    if not done:
        return None
    whole = b"".join([*out, raw[done:]])
    return whole, index(whole)


def _with_header(table: PartTable) -> Iterator[Part]:
    """Every entity, in the order of their header sections; none overlaps the one before."""
    end = 0
    for part in table.walk():
        if part.header_start >= end and part.header_end > part.header_start:
            yield part
            end = part.header_end


def _field(name: str, octets: bytes) -> bytes:
    """One field that is not in ASCII, as it is shown; nothing where there is no such form."""
    shown, colon, value = octets.partition(b":")
    if not colon:
        return b""
    if name in _ADDRESSES:
        return _addresses(shown, value)
    if name in _TEXTS:
        text = _CONTROLS.sub(" ", words.decode(value))
        return text_field(shown.strip().decode("ascii"), text)
    return _value(shown, value) if name in _VALUES else b""


def _addresses(shown: bytes, value: bytes) -> bytes:
    """An address field, one address a line."""
    out: list[str] = []
    before = ""  # the name of a group, until something is in it
    for each in address.scan(words.unfold(value)):
        if each.domain is None and each.local is not None:
            name = _CONTROLS.sub(" ", words.decode(each.local)).strip()
            before = f"{_phrase(name)}: "
            continue
        if each == address.GROUP_END:
            if before:
                out.append(f"{before};")
            elif out:
                out[-1] += ";"
            before = ""
            continue
        mailbox = address.as_mailbox(each)
        if mailbox.address.isascii():
            text = address.format_address(mailbox.name, mailbox.address)
        else:
            text = address.format_address(str(mailbox).strip(), INVALID)
        out.append(before + text)
        before = ""
    if not out:
        return b""
    # Encoded words are apart by one space each, where a line may break.
    listed = ",\r\n ".join(out).replace("?= =?", "?=\r\n =?")
    return shown + b": " + listed.encode("ascii", "replace") + b"\r\n"


def _phrase(name: str) -> str:
    if not name.isascii():
        return address.encode_words(name)
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _value(shown: bytes, value: bytes) -> bytes:
    """Content-Type or Content-Disposition without the parameters that are not in ASCII."""
    parsed = params.parse(value)
    if not parsed.main or not parsed.main.isascii():
        return b""
    out = [shown + b": " + parsed.main]
    for name, text in parsed.params:
        if not text.isascii() or b"\n" in text or b"\r" in text or b"\0" in text:
            continue
        is_token = _TOKEN(text) or name.endswith(b"*")
        quoted = text if is_token else b'"%b"' % _SPECIALS.sub(rb"\\\1", text)
        out.append(b"%b=%b" % (name, quoted))
    return b";\r\n ".join(out) + b"\r\n"
