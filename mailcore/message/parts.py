"""The part table: where each MIME part lies in the octets, packed into the row. (RFC 9051 §6.4.5)

`index` packs it; IMAP, POP3's TOP, webmail and the API slice with it. An entity of message/rfc822 is a child
of the part that carries it and has no number of its own unless it is no multipart.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

_FORMAT = 1
_HEAD = struct.Struct("<BBI")  # format, reserved, parts
_PART = struct.Struct("<IIIIB")  # header start, body start, body end, lines, depth
_TEXTS = 6  # content type, charset, encoding, disposition, content id, file name
_SECTION = re.compile(r"[1-9][0-9]{0,9}(?:\.[1-9][0-9]{0,9})*")


@dataclass(slots=True)
class Part:
    """One MIME entity. Offsets count from the first octet of the mail.

    The header section is raw[header_start:header_end] with the empty line that ends it, the body
    raw[body_start:body_end], still encoded. Types, charset, encoding and disposition are in lower case;
    content_id is without its angle brackets, filename decoded and as the sender wrote it: never a safe path.
    lines is counted for text and message/rfc822. number is what IMAP calls the part; a multipart that is a
    whole mail has none.
    """

    header_start: int
    body_start: int
    body_end: int
    lines: int
    content_type: str
    charset: str
    encoding: str
    disposition: str
    content_id: str
    filename: str
    number: str = ""
    children: list[Part] = field(default_factory=list)

    @property
    def header_end(self) -> int:
        return self.body_start

    @property
    def octets(self) -> int:
        """Size of the body as it lies there."""
        return self.body_end - self.body_start

    @property
    def is_multipart(self) -> bool:
        return self.content_type.startswith("multipart/")

    @property
    def message(self) -> Part | None:
        """The mail inside a message/rfc822 part: its HEADER, TEXT and structure."""
        if self.children and not self.is_multipart:
            return self.children[0]
        return None


@dataclass(slots=True, frozen=True)
class PartTable:
    """All parts of one mail. root is the mail itself: its header, its body."""

    root: Part

    def find(self, section: str) -> Part | None:
        """Return the part of a section number such as "4.2.1", or None. "" is the mail itself.

        The number of a mail that is no multipart is "1", alone or inside message/rfc822. For HEADER, TEXT and
        the like of "4" take find("4").message; for "4.MIME" the header of find("4") itself.
        """
        if not section:
            return self.root
        if not _SECTION.fullmatch(section):
            return None
        part = self.root
        is_mail = True  # part is a whole mail, so a number looks into it
        for number in section.split("."):
            entity: Part | None = part if is_mail else part.message or part
            assert entity is not None
            at = int(number) - 1
            if entity.is_multipart and entity.children:
                if at >= len(entity.children):
                    return None
                part = entity.children[at]
            elif at == 0 and (is_mail or entity is not part):
                part = entity
            else:
                return None
            is_mail = False
        return part

    def walk(self) -> Iterator[Part]:
        """Yield every entity, the mail first, each before its children."""
        stack = [self.root]
        while stack:
            part = stack.pop()
            yield part
            stack.extend(reversed(part.children))


def pack(rows: list[tuple[int, int, int, int, int]], texts: list[str]) -> bytes:
    """Pack parts in preorder. rows: header start, body start, body end, lines, depth; texts: six a part.

    The texts are content type, charset, encoding, disposition, content id and file name, without NUL.
    """
    out = [_HEAD.pack(_FORMAT, 0, len(rows))]
    out.extend(_PART.pack(*row) for row in rows)
    out.append("\0".join(texts).encode("utf-8", "replace"))
    return b"".join(out)


def parse_table(packed: bytes) -> PartTable:
    """Return the part table that `index` packed."""
    _, _, count = _HEAD.unpack_from(packed)
    end = _HEAD.size + count * _PART.size
    texts = packed[end:].decode("utf-8").split("\0")
    above: list[
        tuple[Part, str]
    ] = []  # the entities around this one, and what their children's numbers begin with
    root: Part | None = None
    for at, row in enumerate(_PART.iter_unpack(packed[_HEAD.size : end])):
        *place, depth = row
        part = Part(*place, *texts[at * _TEXTS : (at + 1) * _TEXTS])
        del above[depth:]
        if not above:
            root = part
            part.number = prefix = "" if part.is_multipart else "1"
        else:
            parent, prefix = above[-1]
            parent.children.append(part)
            if parent.is_multipart:
                part.number = prefix = f"{prefix}.{len(parent.children)}".lstrip(".")
            elif not part.is_multipart:  # the mail in a message/rfc822 part
                part.number = prefix = f"{prefix}.1"
        above.append((part, prefix))
    assert root is not None
    return PartTable(root)
