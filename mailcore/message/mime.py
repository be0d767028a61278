"""Finds the MIME entities of a mail in one pass over its octets. (RFC 2045, RFC 2046 §5.1, §5.2)

No recursion and no line loop: open boundaries are looked up by `bytes.find`, each only ever forward and never
beyond the delimiter that ends the part around. Every octet is looked at once for each multipart it lies in,
and the depth is bounded. What is beyond a limit stays inside the part that was open then; nothing is dropped.

A delimiter is a whole line: "--", the boundary, "--" if it closes, blanks. (RFC 2046 §5.1.1 also allows to
take any line that begins so, and its own grammar does not; boundaries that are prefixes of one another settle
it.)
"""

from __future__ import annotations

import re
from bisect import bisect_left
from itertools import pairwise

from mailcore import limits
from mailcore.message import params
from mailcore.message.fields import body_start

_ADDRESSES = frozenset({b"from", b"sender", b"reply-to", b"to", b"cc", b"bcc"})
_WANTED = _ADDRESSES | {
    b"date",
    b"subject",
    b"in-reply-to",
    b"message-id",
    b"references",
    b"content-type",
    b"content-transfer-encoding",
    b"content-id",
    b"content-description",
    b"content-disposition",
    b"content-md5",
    b"content-language",
    b"content-location",
}
# fields.FIELD without the line end, as we need no place here but the value alone.
_FIELD = re.compile(rb"^([!-9;-~]++)[ \t]*+:([^\n]*+(?:\n[ \t][^\n]*+)*+)", re.MULTILINE)
_TYPE = re.compile(rb"[!#$%&'*+.^_`|~0-9a-z-]{1,127}/[!#$%&'*+.^_`|~0-9a-z-]{1,127}")
_TOKEN = re.compile(rb"[ \t\r\n]*+([!#$%&'*+.^_`|~0-9a-z-]{1,40})(?![^ \t\r\n;(])")
_REST_OF_LINE = re.compile(rb"(--)?[ \t]*+\r?(?:\n|\Z)")
_PLAIN = params.Value(b"text/plain", (), b"NIL")
_DIGEST = params.Value(b"message/rfc822", (), b"NIL")
_OPAQUE = params.Value(b"application/octet-stream", (), b"NIL")
_MESSAGES = (b"message/rfc822", b"message/global")
_IDENTITY = (b"7bit", b"8bit", b"binary")


class Entity:
    """A mail or a part of one: header section, body, and what is inside."""

    __slots__ = (
        "body_end",
        "body_start",
        "children",
        "encoding",
        "fields",
        "header_start",
        "is_message",
        "is_multipart",
        "lines",
        "type",
    )

    def __init__(self, header_start: int) -> None:
        self.header_start = header_start
        self.body_start = self.body_end = header_start
        self.lines = 0
        self.children: list[Entity] = []
        self.fields: dict[bytes, bytes] = {}  # raw bodies; several of one address field are one list
        self.encoding = b"7bit"
        self.is_multipart = self.is_message = False
        self.type = _PLAIN  # set by be(), so that the two before agree with it

    def read_header(self, raw: bytes, end: int, default: params.Value) -> None:
        """Find where the header section ends, before end, and read the fields that structure needs."""
        self.body_start = at = body_start(raw, self.header_start, end)
        if (
            self.header_start
            and at > self.header_start
            and not raw.startswith((b"\r\n", b"\n"), self.header_start)
        ):
            # A part whose first line is no field has no header, or people could not read it. The mail itself
            # is not judged so: whoever looks for its author skips such a line, and so must we.
            line_end = raw.find(b"\n", self.header_start, at)
            if raw.find(b":", self.header_start, at if line_end < 0 else line_end) < 0:
                self.body_start = at = self.header_start
        self.fields = fields = read_fields(raw, self.header_start, at)
        value = fields.get(b"content-type")
        if value is None:
            self.be(default)
        else:
            kind = params.parse(value)
            # RFC 2045 §5.2: what is no type is text/plain.
            self.be(kind if _TYPE.fullmatch(kind.main) else _PLAIN)
        value = fields.get(b"content-transfer-encoding")
        if value is not None:
            token = _TOKEN.match(value.lower())
            self.encoding = token[1] if token else b"7bit"

    def be(self, kind: params.Value) -> None:
        """Set the media type."""
        self.type = kind
        self.is_multipart = kind.main.startswith(b"multipart/")
        self.is_message = kind.main in _MESSAGES


def read_fields(raw: bytes, start: int, end: int) -> dict[bytes, bytes]:
    """Return the raw bodies of the fields we use, by lower-case name, of at most HEADER_OCTETS.

    The first of a name counts. Several address fields of a name are read as one list, so that nobody can have
    the first checked and the second shown.
    """
    if end - start > limits.HEADER_OCTETS:
        end = raw.rfind(b"\n", start, start + limits.HEADER_OCTETS) + 1 or start + limits.HEADER_OCTETS
    fields: dict[bytes, bytes] = {}
    more: dict[bytes, list[bytes]] = {}
    wanted = _WANTED
    for name, value in _FIELD.findall(raw, start, end):
        key = name.lower()
        if key in wanted:
            if key not in fields:
                fields[key] = value
            elif key in _ADDRESSES:
                more.setdefault(key, []).append(value)
    for key, values in more.items():
        fields[key] = b",".join([fields[key], *values])
    if raw.find(b"\0", start, end) >= 0:
        fields = {key: value.replace(b"\0", b"") for key, value in fields.items()}
    return fields


class _Boundary:
    """An open multipart's delimiter and where it stands next."""

    __slots__ = ("at", "closes", "end", "needle", "owner")

    def __init__(self, owner: Entity, boundary: bytes) -> None:
        self.owner = owner
        self.needle = b"\n--" + boundary
        self.at = -1  # of the line end before it; -1: not looked for yet
        self.end = 0  # after its line
        self.closes = False


class _Scan:
    """The state of one pass: what is open, innermost last."""

    __slots__ = ("boundaries", "count", "misses", "open", "raw", "size")

    def __init__(self, raw: bytes) -> None:
        self.raw = raw
        self.size = len(raw)
        self.open: list[Entity] = []  # containers around the current entity
        self.boundaries: list[_Boundary] = []  # of those that are multiparts not yet closed
        self.count = 1
        self.misses = 0

    def next(self, position: int) -> _Boundary | None:
        """Return the open boundary that stands next at or after position, the innermost if several do."""
        best: _Boundary | None = None
        for each in self.boundaries:
            if each.at < position:
                self.find(each, position, self.size if best is None else best.at)
            if each.at < self.size and (best is None or each.at <= best.at):
                best = each
        return best

    def find(self, boundary: _Boundary, position: int, last: int) -> None:
        """Look from position to last, where a delimiter around ends this one, too."""
        raw, needle = self.raw, boundary.needle
        end = last + len(needle)
        while self.misses < limits.MIME_NEAR_MISSES:
            at = raw.find(needle, position, end)
            if at < 0:
                break
            rest = _REST_OF_LINE.match(raw, at + len(needle))
            if rest:
                boundary.at, boundary.end, boundary.closes = at, rest.end(), rest[1] is not None
                return
            self.misses += 1
            position = at + 1
        boundary.at = self.size  # stands nowhere

    def close(self, entity: Entity, end: int) -> None:
        entity.body_end = max(entity.body_start, end)
        if entity.children:  # one without an empty line keeps the line end before the delimiter in its header
            entity.body_end = max(entity.body_end, entity.children[-1].body_end)
        if not entity.is_multipart or entity.children:
            return
        # Nothing began or ended in it: the lines are text to whoever reads it.
        entity.be(_PLAIN)

    def may_divide(self) -> bool:
        """Say whether one more boundary may be looked for."""
        levels = max(limits.MIME_MULTIPART_DEPTH, limits.MIME_SCANNED_OCTETS // (self.size or 1))
        return self.may_open() and len(self.boundaries) < levels

    def may_open(self) -> bool:
        return len(self.open) < limits.MIME_DEPTH and self.count < limits.MIME_PARTS


def scan(raw: bytes) -> Entity:
    """Return the mail as a tree of entities. Total."""
    mail = entity = Entity(0)
    mail.read_header(raw, len(raw), _PLAIN)
    if not mail.is_multipart and not mail.is_message:
        mail.body_end = len(raw)
        count_lines(raw, mail)
        return mail
    state = _Scan(raw)
    while True:
        position = max(entity.body_start - 1, 0)
        if entity.is_multipart:
            _open_multipart(state, entity)
        following = _open_message(state, entity)
        if following is not None:
            default = _PLAIN
        else:
            following = _follow(state, entity, position)
            if following is None:
                break
            default = _DIGEST if state.open[-1].type.main == b"multipart/digest" else _PLAIN
        entity = following
        ahead = state.next(entity.header_start - 1)
        entity.read_header(
            raw, state.size if ahead is None else max(ahead.at + 1, entity.header_start), default
        )
    count_lines(raw, mail)
    return mail


def _open_message(state: _Scan, entity: Entity) -> Entity | None:
    """Return the mail inside entity, or None if it holds none that we may open."""
    if not entity.is_message or entity.encoding not in _IDENTITY or not state.may_open():
        return None
    state.count += 1
    state.open.append(entity)
    inner = Entity(entity.body_start)
    entity.children.append(inner)
    return inner


def _open_multipart(state: _Scan, entity: Entity) -> None:
    boundary = entity.type.get(b"boundary").rstrip(b" \t")
    if not boundary or b"\n" in boundary:
        entity.be(_PLAIN)
    elif state.may_divide():
        state.open.append(entity)
        state.boundaries.append(_Boundary(entity, boundary))
    else:
        entity.be(_OPAQUE)


def _follow(state: _Scan, entity: Entity, position: int) -> Entity | None:
    """End what the next delimiters end and return the part they begin, or None when nothing follows."""
    raw = state.raw
    current: Entity | None = entity
    while True:
        hit = state.next(position)
        if hit is None or (state.count >= limits.MIME_PARTS and not hit.closes):
            if current is not None:
                state.close(current, state.size)
            for each in state.open:
                state.close(each, state.size)
            return None
        end = hit.at - 1 if hit.at and raw[hit.at - 1] == 13 else hit.at
        owner = hit.owner
        if current is not None and current is not owner:
            state.close(current, end)
        while state.open[-1] is not owner:
            state.close(state.open.pop(), end)
        while state.boundaries[-1] is not hit:
            state.boundaries.pop()
        if not hit.closes:
            state.count += 1
            part = Entity(hit.end)
            owner.children.append(part)
            return part
        state.boundaries.pop()
        if not owner.children and not raw[owner.body_start : end].strip(b" \t\r\n"):
            owner.children.append(Entity(owner.body_start))  # IMAP knows no multipart without a part
        current = None
        position = hit.end - 1


def count_lines(raw: bytes, mail: Entity) -> None:
    """Set lines where structure tells them: in text and in message/rfc822. Every octet is counted once."""
    if not mail.children:
        if mail.type.main.startswith(b"text/"):
            mail.lines = raw.count(b"\n", mail.body_start, mail.body_end)
        return
    counted: list[Entity] = []
    stack = [mail]
    is_nested = False
    while stack:
        entity = stack.pop()
        stack.extend(entity.children)
        if entity.type.main.startswith(b"text/"):
            counted.append(entity)
        elif entity.is_message:
            counted.append(entity)
            is_nested = True
    if not is_nested:
        for entity in counted:
            entity.lines = raw.count(b"\n", entity.body_start, entity.body_end)
        return
    points = sorted({point for each in counted for point in (each.body_start, each.body_end)})
    before = [0]
    for start, end in pairwise(points):
        before.append(before[-1] + raw.count(b"\n", start, end))
    for each in counted:
        each.lines = before[bisect_left(points, each.body_end)] - before[bisect_left(points, each.body_start)]
