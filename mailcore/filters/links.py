"""The domains that a mail names: in its links, and as who wrote and sent it. (pure)"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from mailcore import limits
from mailcore.errors import BadAddress
from mailcore.message.address import normalise_domain

# What programs make links of, whatever stands around it: with a scheme, or beginning with www.
# Userinfo before the host hides it from people (https://bank.example@evil.example/), not from us.
_LINK = re.compile(
    r"(?:https?:/{1,8}(?:[^\s/?#\\\"'<>@]{0,256}@)?|\bwww(?=\.))([\w.-]{1,253})", re.IGNORECASE | re.ASCII
)
_INTERNATIONAL = re.compile(r"https?://(?:[^\s/?#\\\"'<>@]{0,256}@)?([\w.-]{1,253})", re.IGNORECASE)


def domains(text: str, also: Iterable[str] = ()) -> tuple[str, ...]:
    """The domains to ask lists about, each once, at most LINK_DOMAINS: those of also, then those of links.

    text is a body, plain or HTML. Of each name its last three labels and its last two are asked: lists hold
    what is registered, and which of them that is only registries know. IPv4 addresses are no names.
    """
    found: dict[str, None] = {}
    for name in (*also, *_hosts(text[: limits.LINK_CHARS])):
        for one in _registered(name):
            found[one] = None
        if len(found) >= limits.LINK_DOMAINS:
            break
    return tuple(found)[: limits.LINK_DOMAINS]


def _hosts(text: str) -> Iterator[str]:
    for match in (_LINK if text.isascii() else _INTERNATIONAL).finditer(text):
        whole = match[0].lower()
        yield f"www{match[1]}" if whole.startswith("www") else match[1]


def _registered(name: str) -> list[str]:
    try:
        labels = normalise_domain(name.strip(".")).encode("idna").decode("ascii").split(".")
    except (BadAddress, UnicodeError):
        return []
    if len(labels) < 2 or labels[-1].isdigit():
        return []
    return [".".join(labels[-count:]) for count in (3, 2) if len(labels) >= count]
