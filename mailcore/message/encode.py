"""Header fields and MIME parts as octets, for mail that we write. (RFC 5322 §2.2, RFC 2045, 2047, 2231)

The opposite of words, params and transfer. Nothing that came from outside can end a line here: `checked`
refuses every line end, of ASCII and of Unicode, in whatever goes into a field. Called by compose and dsn.
"""

from __future__ import annotations

import base64
import binascii
import io
import re
from collections.abc import Iterable, Sequence
from urllib.parse import quote

from mailcore.errors import BadHeader
from mailcore.message.address import encode_words, format_address, parse_path

_LINE = 78  # RFC 5322 §2.1.1: "SHOULD be no more than"
_LINE_LIMIT = 998  # and "MUST be no more than"
_ENCODED_WORD = 75  # RFC 2047 §2
_ENCODED_LINE = 76

# NUL and all that str.splitlines() takes for a line end; surrogates, which no mail can carry.
_FORBIDDEN = re.compile("[\x00\r\n\x0b\x0c\x1c-\x1e\x85\u2028\u2029\ud800-\udfff]")
_NAME = re.compile(r"[!-9;-~]{1,76}")
_PLAIN = re.compile(r"[\t -~]*")
_WORD = re.compile(r"[ \t]*[^ \t]+")
_ID = re.compile(r"[^\s<>\x00-\x1f\x7f]{1,900}")
_ATOM = r"[A-Za-z0-9!#$&^_.+-]{1,100}"
_TYPE = re.compile(rf"({_ATOM}/{_ATOM})[ \t]*(?:;.*)?")
_CHARSET = re.compile(r';[ \t]*charset[ \t]*=[ \t]*"?([A-Za-z0-9_.:+-]{1,40})"?', re.IGNORECASE)
_Q_SAFE = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!*+-/")  # RFC 2047 §5 (3)
_LINE_ENDS = re.compile(rb"\r\n|\r|\n")


def checked(text: str) -> str:
    """text, if it may stand in a field. Raises BadHeader for NUL and for line ends of any kind."""
    if _FORBIDDEN.search(text):
        raise BadHeader("A line end or a forbidden character in a header field")
    return text


def text_field(name: str, value: str) -> bytes:
    """An unstructured field, such as Subject, with its CRLF; encoded when it is not plain ASCII."""
    value = checked(value).strip(" \t")
    if (
        not _PLAIN.fullmatch(value)
        or "=?" in value
        or any(len(word) > _LINE_LIMIT - 100 for word in value.split(" "))
    ):
        value = " ".join(_encoded_words(value, len(name) + 2))
    return _folded(name, value)


def address_field(name: str, people: Sequence[tuple[str, str]]) -> bytes:
    """A field of (name, address) pairs. Raises BadAddress for an address that is none, BadHeader."""
    listed = []
    for shown, mailbox in people:
        shown, path = checked(shown).strip(), str(parse_path(checked(mailbox)))
        # Many readers decode encoded words even where they are quoted: such a name hides in one of its own.
        listed.append(f"{encode_words(shown)} <{path}>" if "=?" in shown else format_address(shown, path))
    return _folded(name, ", ".join(listed))


def id_field(name: str, ids: Iterable[str]) -> bytes:
    """A field of message ids, given with or without their angle brackets."""
    return _folded(name, " ".join(f"<{message_id(one)}>" for one in ids))


def message_id(text: str) -> str:
    """A message id or content id without its angle brackets. Raises BadHeader when it is none."""
    text = checked(text).strip(" ").removeprefix("<").removesuffix(">")
    if not _ID.fullmatch(text):
        raise BadHeader("Not a message id")
    return text


def param_field(name: str, value: str, params: Sequence[tuple[str, str]] = ()) -> bytes:
    """A field such as Content-Type, with parameters quoted, or encoded and cut as RFC 2231 has it."""
    return _folded(
        name, "; ".join([checked(value), *(text for key, one in params for text in _param(key, one))])
    )


def is_field_name(name: str) -> bool:
    """Whether name may be the name of a field. (RFC 5322 §2.2)"""
    return _NAME.fullmatch(name) is not None


def media_type(text: str) -> tuple[str, str]:
    """The type/subtype of text in lower case and its charset ("" for none); what is no type is octets."""
    found = _TYPE.fullmatch(checked(text).strip(" "))
    if found is None:
        return "application/octet-stream", ""
    charset = _CHARSET.search(text)
    return found[1].lower(), charset[1].lower() if charset else ""


def has_only_crlf(raw: bytes) -> bool:
    """Whether CR and LF stand only together.

    Python's own reader of text notices which line ends it meets: one pass in C, four times as fast as
    counting either octet and their pairs.
    """
    seen = io.IncrementalNewlineDecoder(None, translate=False)
    seen.decode(raw.decode("latin-1"), final=True)
    return seen.newlines in (None, "\r\n")


def crlf(raw: bytes) -> bytes:
    """raw with CRLF for every line end: CR alone and LF alone become one, too."""
    if has_only_crlf(raw):
        return raw
    return _LINE_ENDS.sub(b"\r\n", raw)


def text_body(text: str) -> tuple[str, bytes]:
    """The Content-Transfer-Encoding for text and its octets in UTF-8, which end in CRLF. (RFC 2045 §6)"""
    octets = crlf(text.encode("utf-8", "replace"))
    if octets and not octets.endswith(b"\r\n"):
        octets += b"\r\n"
    if is_7bit(octets):
        return "7bit", octets
    # With CRLF in it, b2a_qp takes CRLF for its line ends, and a text here always has one.
    printable = binascii.b2a_qp(octets, istext=True, quotetabs=False)
    if len(printable) <= len(octets) * 1.7:  # base64 is 1.35, and no one reads it in a source view
        return "quoted-printable", printable
    return "base64", base64_body(octets)


def base64_body(octets: bytes) -> bytes:
    """octets in base64, in lines of 76 with CRLF."""
    return base64.encodebytes(octets).replace(b"\n", b"\r\n")


def is_7bit(octets: bytes) -> bool:
    """Whether octets may go as they are: ASCII, no NUL, CRLF line ends, no long line. (RFC 2045 §2.7)"""
    return (
        octets.isascii()
        and b"\0" not in octets
        and octets.count(b"\r\n") == octets.count(b"\r") == octets.count(b"\n")
        and max(map(len, octets.split(b"\r\n"))) <= _LINE_LIMIT
    )


def multipart(subtype: str, parts: Sequence[bytes], boundary: str) -> bytes:
    """A multipart entity, its Content-Type first. parts are whole entities; none may have boundary in it."""
    mark = b"--" + boundary.encode("ascii")
    out = [param_field("Content-Type", f"multipart/{subtype}", [("boundary", boundary)]), b"\r\n"]
    for part in parts:
        out += [mark, b"\r\n", part, b"\r\n"]  # RFC 2046 §5.1.1: this CRLF is the boundary's, not the part's
    return b"".join([*out, mark, b"--\r\n"])


def _folded(name: str, value: str) -> bytes:
    """Name: value, broken before spaces where lines would be too long. Raises BadHeader when that fails."""
    lines = [f"{name}:"]
    for word in _WORD.findall(f" {value}"):
        if len(lines[-1]) + len(word) > _LINE and lines[-1] != f"{name}:":
            lines.append(word)
        else:
            lines[-1] += word
    octets = [line.encode("utf-8") for line in lines]
    if max(map(len, octets)) > _LINE_LIMIT:
        raise BadHeader("A header field has a word too long for any line")
    return b"\r\n".join(octets) + b"\r\n"


def _encoded_words(text: str, column: int) -> list[str]:
    """text as words of RFC 2047, none cut inside a character, the first to start at column."""
    octets = text.encode("utf-8")
    quoted = sum(1 if octet in _Q_SAFE or octet == 0x20 else 3 for octet in octets)
    is_q = quoted <= (len(octets) + 2) // 3 * 4
    out: list[str] = []
    piece, room = bytearray(), 0
    left = _ENCODED_LINE - column - 12
    for char in text:
        raw = char.encode("utf-8")
        if is_q:
            cost = sum(1 if octet in _Q_SAFE or octet == 0x20 else 3 for octet in raw)
            is_full = room + cost > left
        else:
            cost = len(raw)
            is_full = (room + cost + 2) // 3 * 4 > left
        if piece and is_full:
            out.append(_encoded_word(bytes(piece), is_q))
            piece.clear()
            room, left = 0, _ENCODED_WORD - 12
        piece += raw
        room += cost
    out.append(_encoded_word(bytes(piece), is_q))
    return out


def _encoded_word(octets: bytes, is_q: bool) -> str:
    if not is_q:
        return f"=?utf-8?b?{base64.b64encode(octets).decode('ascii')}?="
    text = "".join(
        "_" if octet == 0x20 else chr(octet) if octet in _Q_SAFE else f"={octet:02X}" for octet in octets
    )
    return f"=?utf-8?q?{text}?="


def _param(name: str, value: str) -> list[str]:
    """One parameter, in as many pieces as it needs."""
    value = checked(value)
    if _PLAIN.fullmatch(value) and "\t" not in value and "=?" not in value and len(value) <= 60:
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        return [f'{name}="{escaped}"']
    octets = [quote(char, safe="!#$&+-.^_`|~") for char in value]  # RFC 2231 §7: attribute-char
    pieces, piece = [], "utf-8''"
    for octet in octets:
        if len(piece) + len(octet) > 60:
            pieces.append(piece)
            piece = ""
        piece += octet
    pieces.append(piece)
    if len(pieces) == 1:
        return [f"{name}*={pieces[0]}"]
    return [f"{name}*{number}*={piece}" for number, piece in enumerate(pieces)]
