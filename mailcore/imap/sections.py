"""The octets that BODY[section] means, cut out of a mail by its part table. Pure. (RFC 3501 §6.4.5)"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from mailcore.imap.wire.values import Section
from mailcore.message import binary, downgrade, fields
from mailcore.message.index import Index
from mailcore.message.parts import PartTable, parse_table

if TYPE_CHECKING:
    from mailcore.services.messages import Octets


def is_of_header(section: Section) -> bool:
    """Whether the mail's own header says it all, so that nobody need read the body."""
    return not section.part and section.text.startswith("HEADER")


def of_header(section: Section) -> Callable[[bytes], bytes]:
    """What makes HEADER, HEADER.FIELDS or HEADER.FIELDS.NOT of a header section."""
    if section.text == "HEADER":
        return bytes
    names = tuple(name.decode("utf-8", "replace") for name in section.fields)
    return fields.selector(names, negate=section.text == "HEADER.FIELDS.NOT")


def cut(octets: bytes | None, partial: tuple[int, int] | None) -> bytes | None:
    """<first.count> of octets; empty beyond their end, and nothing of nothing."""
    if octets is None or partial is None:
        return octets
    first, count = partial
    return octets[first : first + count]


class Sections:
    """One mail, ready to be cut. The fields before it belong to its own header, and to no part's."""

    __slots__ = ("_ascii", "_mail", "_table", "index")

    def __init__(self, mail: Octets, index: Index | None = None) -> None:
        self._mail = mail
        self._table: PartTable | None = None
        self._ascii: Sections | None = None
        self.index = index  # of a surrogate

    def for_ascii(self) -> Sections:
        """The same mail for a client that expects ASCII in header fields: itself, or its surrogate.

        (RFC 9755 §7, §8, RFC 6858.)
        """
        if self._ascii is None:
            self._ascii = self
            if not downgrade.is_international(self._mail.prefix + self._mail.header):
                return self
            found = downgrade.surrogate(self._mail.header + self._mail.body, self.table)
            prefix = downgrade.header(self._mail.prefix)
            if found is not None:
                raw, index = found
                split = index.header_octets
                self._ascii = Sections(
                    replace(
                        self._mail, prefix=prefix, header=raw[:split], body=raw[split:], parts=index.parts
                    ),
                    index,
                )
            elif prefix is not self._mail.prefix:
                self._ascii = Sections(replace(self._mail, prefix=prefix))
        return self._ascii

    @property
    def table(self) -> PartTable:
        if self._table is None:
            self._table = parse_table(self._mail.parts)
        return self._table

    @property
    def header(self) -> bytes:
        """The mail's own header section, with the fields before it."""
        return self._mail.prefix + self._mail.header

    def octets(self, section: Section) -> bytes | None:
        """What the section means, None when the mail has no such part."""
        mail = self._mail
        if not section.part:
            if is_of_header(section):
                return of_header(section)(self.header)
            return mail.body if section.text == "TEXT" else mail.raw
        part = self.table.find(section.part)
        if part is None:
            return None
        if not section.text:
            return self.slice(part.body_start, part.body_end)
        if section.text == "MIME":
            return self.slice(part.header_start, part.header_end)
        # HEADER and TEXT of a part are those of the mail in it.
        inner = part.message
        if inner is None:
            return None
        if section.text == "TEXT":
            return self.slice(inner.body_start, inner.body_end)
        return of_header(section)(self.slice(inner.header_start, inner.header_end))

    def decoded(self, section: Section) -> bytes | None:
        """A part without its transfer encoding, None when there is none such (RFC 3516 §4.2).

        The whole mail, a multipart and a mail in a mail have none to undo. Raises UnknownCTE.
        """
        part = self.table.find(section.part)
        if part is None:
            return None
        octets = self.octets(section)
        if octets is None or not section.part or part.children:
            return octets
        return binary.decoded(octets, part.content_type, part.encoding)

    def slice(self, start: int, end: int) -> bytes:
        """raw[start:end] of the mail as it arrived, without joining header and body for it."""
        header, body = self._mail.header, self._mail.body
        split = len(header)
        if start >= split:
            return body[start - split : end - split]
        return header[start:end] if end <= split else header[start:] + body[: end - split]


def octets(mail: Octets, section: Section) -> bytes | None:
    """The same for one section of a mail."""
    return Sections(mail).octets(section)
