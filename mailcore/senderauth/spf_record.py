"""An SPF record as text into terms: the grammar of RFC 7208 §4.6, §5, §6 and §12, and its macros (§7).

A record is judged whole before any of it is evaluated (§4.6), so everything that can be wrong with its form
is found here. Called by spf.py.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_network

_MACRO = r"%(?:\{[A-Za-z][0-9]*r?[-.+,/_=]*\}|[%_-])"
_MACRO_STRING = re.compile(rf"(?:{_MACRO}|[!-$&-~])*\Z", re.IGNORECASE)
_DOMAIN_END = re.compile(
    rf"(?:{_MACRO}|\.(?![0-9]+\.?\Z)[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?\.?)\Z", re.IGNORECASE
)
_EXPAND = re.compile(r"%(?:\{([A-Za-z])([0-9]*)(r?)([-.+,/_=]*)\}|([%_-]))", re.IGNORECASE)
_MODIFIER = re.compile(r"([A-Za-z][A-Za-z0-9._-]*)=(.*)\Z", re.DOTALL)
_MECHANISM = re.compile(
    r"([-+?~]?)(all|include|a|mx|ptr|ip4|ip6|exists)(?=[:/]|\Z)(.*)\Z", re.IGNORECASE | re.DOTALL
)
_WITH_LENGTHS = re.compile(r"(?::(.+?))?(?:/(0|[1-9][0-9]{0,2}))?(?://(0|[1-9][0-9]{0,2}))?\Z", re.DOTALL)
_NETWORK = re.compile(r":([0-9A-Fa-f:.]+)(?:/(0|[1-9][0-9]{0,2}))?\Z")
_DOTTED = re.compile(r"(?:(?:0|[1-9][0-9]{0,2})\.){3}(?:0|[1-9][0-9]{0,2})\Z")
RESULTS = {"": "pass", "+": "pass", "-": "fail", "~": "softfail", "?": "neutral"}


class Malformed(Exception):
    """The record breaks the grammar; the text says where, for people who look after it."""


@dataclass(frozen=True, slots=True)
class Mechanism:
    """One mechanism. spec is the domain-spec, "" when it is left out; lengths are of IPv4 and IPv6."""

    result: str
    name: str
    spec: str = ""
    lengths: tuple[int, int] = (32, 128)
    network: IPv4Network | IPv6Network | None = None


@dataclass(frozen=True, slots=True)
class Record:
    mechanisms: tuple[Mechanism, ...]
    redirect: str = ""
    explanation: str = ""


@lru_cache(maxsize=1024)
def parse(text: str) -> Record:
    """Read a record that begins with v=spf1. Raises Malformed.

    Records are kept, as their answers are: reading one costs as much as verifying a signature.
    """
    mechanisms: list[Mechanism] = []
    modifiers: dict[str, str] = {}
    if not text.isascii():
        raise Malformed("not ASCII")
    for term in filter(None, text.split(" ")[1:]):
        if found := _MECHANISM.match(term):
            mechanisms.append(_mechanism(found[1], found[2].lower(), found[3], term))
        elif found := _MODIFIER.match(term):
            name, value = found[1].lower(), found[2]
            if name in ("redirect", "exp"):
                if name in modifiers:
                    raise Malformed(f"{name}= twice")
                modifiers[name] = _domain_spec(value, term)
            elif not _MACRO_STRING.match(value):
                raise Malformed(f"bad macro in {term[:100]}")
        else:
            raise Malformed(f"unknown term {term[:100]}")
    return Record(tuple(mechanisms), modifiers.get("redirect", ""), modifiers.get("exp", ""))


def _mechanism(qualifier: str, name: str, rest: str, term: str) -> Mechanism:
    result = RESULTS[qualifier]
    if name == "all":
        if rest:
            raise Malformed(f"unknown term {term[:100]}")
        return Mechanism(result, name)
    if name in ("ip4", "ip6"):
        return Mechanism(result, name, network=_network(name, rest, term))
    if name in ("a", "mx"):
        found = _WITH_LENGTHS.match(rest)
        if not found:
            raise Malformed(f"bad {term[:100]}")
        lengths = int(found[2] or 32), int(found[3] or 128)
        if found[2] == "0":
            lengths = 0, lengths[1]
        if lengths[0] > 32 or lengths[1] > 128:
            raise Malformed(f"bad prefix length in {term[:100]}")
        spec = _domain_spec(found[1], term) if found[1] is not None else ""
        return Mechanism(result, name, spec, lengths)
    if not rest and name == "ptr":
        return Mechanism(result, name)
    if not rest.startswith(":"):
        raise Malformed(f"{name} needs a domain in {term[:100]}")
    return Mechanism(result, name, _domain_spec(rest[1:], term))


def _network(name: str, rest: str, term: str) -> IPv4Network | IPv6Network:
    found = _NETWORK.match(rest)
    if not found or (name == "ip4") != bool(_DOTTED.match(found[1])):
        raise Malformed(f"bad address in {term[:100]}")
    widest = 32 if name == "ip4" else 128
    try:
        return ip_network(f"{found[1]}/{found[2] or widest}", strict=False)
    except ValueError as error:
        raise Malformed(f"bad address in {term[:100]}") from error


def _domain_spec(text: str, term: str) -> str:
    if not _MACRO_STRING.match(text) or not _DOMAIN_END.search(text):
        raise Malformed(f"bad domain in {term[:100]}")
    for found in _EXPAND.finditer(text):
        if found[1]:
            check_macro(found[1], found[2], "slodiphv", term)
    return text


def check_macro(letter: str, digits: str, allowed: str, term: str) -> None:
    """Raise Malformed for a macro letter that may not stand here, or zero labels. (RFC 7208 §7.2)"""
    if letter.lower() not in allowed or (digits and not digits.strip("0")):
        raise Malformed(f"bad macro in {term[:100]}")


def letters(text: str) -> set[str]:
    """Return the macro letters that text uses, in lower case."""
    return {found[1].lower() for found in _EXPAND.finditer(text) if found[1]}


def expand(text: str, values: dict[str, str]) -> str:
    """Replace the macros of text by what values has for their letters. (RFC 7208 §7.3)

    Raises Malformed for a letter that values does not have, and for a stray percent sign.
    """
    if not re.fullmatch(rf"(?:{_MACRO}|[^%])*", text, re.IGNORECASE | re.DOTALL):
        raise Malformed("stray %")

    def one(found: re.Match[str]) -> str:
        if found[5]:
            return {"%": "%", "_": " ", "-": "%20"}[found[5]]
        letter, digits, reverse, delimiters = found[1], found[2], found[3], found[4]
        check_macro(letter, digits, "".join(values), text)
        parts = re.split(f"[{re.escape(delimiters or '.')}]", values[letter.lower()])
        if reverse:
            parts.reverse()
        if digits:
            parts = parts[-int(digits.lstrip("0")[:9]) :]
        value = ".".join(parts)
        return _escaped(value) if letter.isupper() else value

    return _EXPAND.sub(one, text)


def _escaped(value: str) -> str:
    """Escape value as for a URL, all but its unreserved characters (§7.3)."""
    return "".join(
        chr(octet) if (chr(octet).isalnum() and octet < 128) or chr(octet) in "-._~" else f"%{octet:02X}"
        for octet in value.encode("utf-8", "replace")
    )
