"""Mail addresses: of SMTP commands, strictly, and of header fields, whatever stands there.

RFC 5321 §4.1.2 rules paths, RFC 5322 §3.4 and §4.4 address lists with their groups, comments and obsolete
routes, RFC 5890 domain names. `index` builds ENVELOPE from `scan`; everybody else uses the functions on text.
"""

from __future__ import annotations

import base64
import re
import unicodedata
from typing import NamedTuple

import idna

from mailcore import limits
from mailcore.errors import BadAddress
from mailcore.message import words


class Path(NamedTuple):
    """One address of the SMTP envelope. The local part is without quotes, the domain an A-label name."""

    local: str
    domain: str

    def __str__(self) -> str:
        return f"{quote_local(self.local)}@{self.domain}"


class Mailbox(NamedTuple):
    """One address of a header field, for people: the name is decoded, the rest as written."""

    name: str
    local: str
    domain: str

    @property
    def address(self) -> str:
        """local@domain, or what stood in place of it."""
        return f"{quote_local(self.local)}@{self.domain}" if self.domain else self.local

    def __str__(self) -> str:
        if not self.name:
            return self.address
        return f"{self.name} <{self.address}>" if self.address else self.name


class Scanned(NamedTuple):
    """One address as octets, without quotes and comments.

    A group is three kinds of entries, as in ENVELOPE: its start has a local part (the group's name) and the
    domain None, its end has None for both. (RFC 9051 §7.5.2)
    """

    name: bytes | None
    route: bytes | None
    local: bytes | None
    domain: bytes | None


GROUP_END = Scanned(None, None, None, None)

# --- Header fields --------------------------------------------------------------------------------------

_WORD = rb'[^\x00-\x20"(),:;<>@\[\\\]\x7f]'
# "Name" <local@domain> or Name <local@domain> or local@domain, then a comma or the end: nearly all there is.
_SIMPLE = re.compile(
    rb'[ \t\r\n]*+(?:(?:"([^"\\]*+)"|([^\x00-\x08\x0b\x0c\x0e-\x1f"(),:;<>@\[\\\]\x7f]*+))[ \t\r\n]*+'
    rb"<(" + _WORD + rb"++)@(" + _WORD + rb"++)>|(" + _WORD + rb"++)@(" + _WORD + rb"++))[ \t\r\n]*+(?:,|\Z)"
)
_TOKEN = re.compile(
    rb"[ \t\r\n]*+(?:"
    rb'(?P<quoted>"(?:[^"\\]++|\\.)*+"?)'
    rb"|(?P<comment>\()"
    rb"|(?P<literal>\[[^\[\]\\]*+\]?)"
    rb"|(?P<special>[<>@,:;])"
    rb"|(?P<encoded>=\?[^?\s]{1,80}\?[BbQq]\?[^?\s]*+\?=)"  # with commas or dots that it should not have
    rb"|(?P<word>(?:" + _WORD + rb"|\\.)++)"
    rb"|(?P<junk>.))",
    re.DOTALL,
)
_COMMENT_PART = re.compile(rb"([^()\\]*+)(\\.|[()\\])?", re.DOTALL)
_PAIR = re.compile(rb"\\(.)", re.DOTALL)
_BLANKS = re.compile(rb"[ \t\r\n]+")


def scan(value: bytes, limit: int = limits.ADDRESSES) -> list[Scanned]:
    """Return the addresses of one field body, in order, at most limit. Total and linear."""
    found: list[Scanned] = []
    position, end = 0, len(value)
    match = _SIMPLE.match
    while position < end:
        simple = match(value, position)
        if simple is None:
            return _scan_hard(value, position, found, limit) if value[position:].strip(b" \t\r\n,") else found
        quoted, plain, local, domain, bare_local, bare_domain = simple.groups()
        if bare_local is not None:
            found.append(Scanned(None, None, bare_local, bare_domain))
        else:
            name = plain if quoted is None else quoted
            if b"  " in name or b"\n" in name or b"\t" in name:
                name = _BLANKS.sub(b" ", name) if quoted is None else words.unfold(name)
            found.append(Scanned(name.strip(b" \t\r\n") or None, None, local, domain))
        position = simple.end()
        if len(found) >= limit:
            break
    return found


class _Scanner:
    """Collects the pieces of one address until its comma."""

    __slots__ = ("angle", "comments", "found", "in_group", "pieces", "route")

    def __init__(self, found: list[Scanned]) -> None:
        self.found = found
        self.in_group = False
        self.clear()

    def clear(self) -> None:
        self.pieces: list[tuple[str, bytes]] = []  # outside of angle brackets: the phrase or a bare address
        self.angle: list[tuple[str, bytes]] | None = None
        self.route: bytes | None = None
        self.comments: list[bytes] = []

    def flush(self) -> None:
        """End an address at a comma, a semicolon or the end."""
        if self.angle is not None:
            local, domain, _ = _split_bare(self.angle)
            name = _phrase(self.pieces) or _comment(self.comments)
            if local or domain or name:
                self.found.append(Scanned(name, self.route, local, domain))
        elif self.pieces:
            local, domain, rest = _split_bare(self.pieces)
            self.found.append(Scanned(_phrase(rest) or _comment(self.comments), None, local, domain))
        self.clear()

    def special(self, char: bytes) -> None:
        if char == b"," and not self.is_in_route():
            self.flush()
        elif char == b"<":
            # A second "<" in one address: what was in the first was no address.
            self.angle, self.route = [], None
        elif char == b">":
            pass
        elif char == b":" and self.angle is not None:
            # RFC 5322 §4.4: what stands before a colon in angle brackets is a route.
            self.route = b"".join(text for _, text in self.angle)
            self.angle = []
        elif char == b":" and not self.in_group and not any(text == b"@" for _, text in self.pieces):
            self.found.append(Scanned(None, None, _phrase(self.pieces) or b"", None))
            self.in_group = True
            self.clear()
        elif char == b";":
            self.flush()
            if self.in_group:
                self.found.append(GROUP_END)
                self.in_group = False
        else:
            self.add("special", char)

    def is_in_route(self) -> bool:
        return bool(self.angle) and self.angle is not None and self.angle[0] == ("special", b"@")

    def add(self, kind: str, text: bytes) -> None:
        (self.pieces if self.angle is None else self.angle).append((kind, text))


def _scan_hard(value: bytes, position: int, found: list[Scanned], limit: int) -> list[Scanned]:
    scanner = _Scanner(found)
    end = len(value)
    is_closed = False  # after ">" only comments belong to the address
    while position < end and len(found) < limit:
        token = _TOKEN.match(value, position)
        if token is None:  # only blanks are left
            break
        position = token.end()
        kind = token.lastgroup
        text = token[kind] if kind else b""
        if kind == "comment":
            text, position = _skip_comment(value, position)
            scanner.comments.append(text)
        elif kind == "special" and (not is_closed or text in b",;<"):
            is_closed = text == b">" and scanner.angle is not None
            scanner.special(text)
        elif kind in ("quoted", "literal", "encoded", "word") and not is_closed:
            scanner.add(kind, text)
    if len(found) < limit:
        scanner.flush()
    if scanner.in_group:
        found.append(GROUP_END)
    return found


def _skip_comment(value: bytes, position: int) -> tuple[bytes, int]:
    """Return the text of the comment whose "(" is before position, and where it ends."""
    depth = 1
    out: list[bytes] = []
    end = len(value)
    while position < end:
        part = _COMMENT_PART.match(value, position)
        assert part is not None
        position = part.end()
        text, mark = part.groups()
        out.append(text)
        if mark is None:
            break
        if mark == b")":
            depth -= 1
            if not depth:
                break
        depth += mark == b"("
        out.append(mark[1:] if len(mark) == 2 else mark)
    return b"".join(out), position


def _comment(comments: list[bytes]) -> bytes | None:
    """user@example.org (Full Name): the name of mail programs before RFC 822, still met."""
    return _BLANKS.sub(b" ", comments[-1]).strip(b" ") or None if comments else None


def _phrase(pieces: list[tuple[str, bytes]]) -> bytes | None:
    return b" ".join(_unquote(kind, text) for kind, text in pieces).strip(b" ") or None


def _unquote(kind: str, text: bytes) -> bytes:
    if kind == "quoted":
        # Found by its first quote; the last may be missing, or be a quoted one.
        body = _PAIR.sub(rb"\1", text[1:-1]) if _is_whole(text) else _PAIR.sub(rb"\1", text[1:])
        return body.replace(b"\r\n", b"").replace(b"\n", b"")
    return text


def _is_whole(text: bytes) -> bool:
    if len(text) < 2 or not text.endswith(b'"'):
        return False
    return (len(text) - 1 - len(text[:-1].rstrip(b"\\"))) % 2 == 0


def _split_bare(pieces: list[tuple[str, bytes]]) -> tuple[bytes, bytes, list[tuple[str, bytes]]]:
    """Return local part and domain around the last "@", and what stands before them.

    Words belong together where a dot joins them (obs-local-part, obs-domain); without an "@" all is local.
    """
    at = max((i for i, (kind, text) in enumerate(pieces) if kind == "special" and text == b"@"), default=-1)
    if at < 0:
        return b" ".join(_unquote(kind, text) for kind, text in pieces), b"", []
    start = max(at - 1, 0)
    while start > 0 and (pieces[start][1].startswith(b".") or pieces[start - 1][1].endswith(b".")):
        start -= 1
    end = min(at + 2, len(pieces))
    while end < len(pieces) and (pieces[end][1].startswith(b".") or pieces[end - 1][1].endswith(b".")):
        end += 1
    local = b"".join(_unquote(kind, text) for kind, text in pieces[start:at])
    return local, b"".join(text for _, text in pieces[at + 1 : end]), pieces[:start]


def parse_list(value: bytes | str) -> list[Mailbox]:
    """Return the mailboxes of an address list, those of groups too, with decoded names. Total.

    Give it the field body as it stands in the mail (`fields.get_raw`) or what a person typed; a body that is
    already decoded may show commas that were inside encoded words.
    """
    raw = value.encode("utf-8", "replace") if isinstance(value, str) else value
    return [as_mailbox(each) for each in scan(raw) if each.domain is not None]


def as_mailbox(scanned: Scanned) -> Mailbox:
    """Return a scanned address (no group mark) as text."""
    return Mailbox(
        words.decode(scanned.name) if scanned.name else "",
        words.decode(scanned.local) if scanned.local else "",
        words.decode(scanned.domain) if scanned.domain else "",
    )


_ATOMS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?: [A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_CONTROLS = re.compile("[\x00-\x1f\x7f\x80-\x9f\u2028\u2029\ud800-\udfff]+")
_DOT_ATOM = re.compile(
    r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~\u0080-\U0010ffff-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~\u0080-\U0010ffff-]+)*"
)


def display_key(value: bytes) -> str:
    """How the first address of a field is shown: its name, that of its group, or itself. (RFC 5957 §3)"""
    found = scan(value, 1)
    if not found:
        return ""
    name, _, local, domain = found[0]
    if name:
        return words.decode(name)
    return words.decode(local or b"") if domain is None else as_mailbox(found[0]).address


def format_address(name: str, address: str) -> str:
    """Return one address for a header field, in ASCII but for a local part that is not: Name <address>.

    Names are quoted or encoded as they need (RFC 2047 §5); line ends and control characters are dropped.
    """
    name = " ".join(piece for piece in _CONTROLS.sub(" ", name).split(" ") if piece)
    address = _CONTROLS.sub("", address)
    if not name:
        return address
    if not name.isascii():
        return f"{encode_words(name)} <{address}>"
    if not _ATOMS.fullmatch(name) or "=?" in name:
        name = '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return f"{name} <{address}>"


def encode_words(text: str) -> str:
    """Encode text as words of at most 75 octets, none cut inside a character. (RFC 2047 §2, §5)"""
    out: list[str] = []
    piece = bytearray()
    for char in text:
        octets = char.encode("utf-8")
        if len(piece) + len(octets) > 45:  # 60 of base64 and 12 around it
            out.append(_encode_word(piece))
            piece.clear()
        piece += octets
    out.append(_encode_word(piece))
    return " ".join(out)


def _encode_word(piece: bytearray) -> str:
    return f"=?utf-8?b?{base64.b64encode(piece).decode('ascii')}?="


# --- SMTP paths and names -------------------------------------------------------------------------------

_LDH = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*")
_QUOTED_LOCAL = re.compile(r'"(?:[ !#-\[\]-~\u00a0-\U0010ffff]|\\[ -~])*+"')
_TEXT_PAIR = re.compile(r"\\(.)")


def parse_path(text: str) -> Path:
    """Return the path of MAIL or RCPT, with or without its angle brackets. (RFC 5321 §4.1.2)

    Raises BadAddress, also for the null path, source routes and address literals.
    """
    if text.startswith("<") and text.endswith(">"):
        text = text[1:-1]
    if not 3 <= len(text) <= limits.ADDRESS_OCTETS or _CONTROLS.search(text):
        raise BadAddress
    local, at, domain = text.rpartition("@")
    if not at or not local:
        raise BadAddress
    if _DOT_ATOM.fullmatch(local) is None:
        if _QUOTED_LOCAL.fullmatch(local) is None or len(local) == 2:
            raise BadAddress
        local = _TEXT_PAIR.sub(r"\1", local[1:-1])
    if len(local.encode("utf-8")) > limits.LOCAL_PART_OCTETS:
        raise BadAddress
    path = Path(local, normalise_domain(domain))
    if len(str(path).encode("utf-8")) > limits.ADDRESS_OCTETS:
        raise BadAddress
    return path


def quote_local(local: str) -> str:
    """Return a local part as it is written in an address, quoted where it must be. (RFC 5321 §4.1.2)"""
    if _DOT_ATOM.fullmatch(local):
        return local
    return '"' + local.replace("\\", "\\\\").replace('"', '\\"') + '"'


def normalise_domain(name: str) -> str:
    """Return a domain name in A-labels, lower case, without the root's dot. (RFC 5890 §2.3, UTS 46)

    Raises BadAddress for what is no host name: empty or long labels, literals, underscores, numbers only.
    """
    name = name.removesuffix(".")
    if not name or len(name) > limits.DOMAIN_OCTETS:
        raise BadAddress
    if name.isascii() and "xn--" not in (name := name.lower()):
        ascii_name = name
    else:
        try:
            ascii_name = idna.encode(name, uts46=True, std3_rules=True).decode("ascii").lower()
        except UnicodeError as error:  # idna.IDNAError is one
            raise BadAddress from error
    if len(ascii_name) > limits.DOMAIN_OCTETS or _LDH.fullmatch(ascii_name) is None:
        raise BadAddress
    if ascii_name.rpartition(".")[2].isdigit():  # RFC 3696 §2: a top-level name is never all digits
        raise BadAddress
    return ascii_name


def normalise_local(local: str) -> str:
    """Return a local part as our own addresses compare it: NFC, without case."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", local).casefold())


def split_tag(local: str) -> tuple[str, str]:
    """Split "anna+lists" into ("anna", "lists"); without a tag the second is empty. (RFC 5233 §4)"""
    user, plus, tag = local.partition("+")
    return (user, tag) if plus and user else (local, "")
