"""What a header section shows that honest programs do not write. (pure)"""

from __future__ import annotations

import re
from dataclasses import dataclass

from mailcore import limits
from mailcore.message import fields
from mailcore.message.address import parse_list

_ADDRESS_IN_NAME = re.compile(r"[^\s<>()\[\]:;,\"'|@]{1,64}[@\uff20\ufe6b]([\w-]{1,63}(?:\.[\w-]{1,63})+)")


@dataclass(frozen=True, slots=True)
class Oddities:
    """from_fields should be one, and so should authors. shown is a domain that a name in From pretends to."""

    from_fields: int = 1
    authors: int = 1
    shown: str = ""
    has_date: bool = True
    has_message_id: bool = True


def oddities(header: bytes) -> Oddities:
    """Read what header has of the fields that RFC 5322 §3.6 wants."""
    names = [name for name, _, _ in fields.iter_fields(header)]
    values = fields.get_raw(header, "from")
    authors = [author for value in values for author in parse_list(value)[: limits.DMARC_AUTHORS + 1]]
    domains = {author.domain.lower() for author in authors}
    shown = (
        match[1].lower()
        for author in authors
        if (match := _ADDRESS_IN_NAME.search(author.name[: limits.SUBJECT_CHARS]))
    )
    return Oddities(
        len(values),
        len(authors),
        next((domain for domain in shown if domain not in domains), ""),
        "date" in names,
        "message-id" in names,
    )
