"""The parameters by which a sender says which reports it wants. Pure. (RFC 3461 §4)

MAIL takes RET and ENVID, RCPT takes NOTIFY and ORCPT. Values are kept as they came, in xtext: so they go on
to the next host, and are decoded where a report shows them. BODY is read here where it may be binary.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from typing import Final

from mailcore import limits
from mailcore.errors import BadParameter

MAIL: Final = frozenset({"RET", "ENVID"})
RCPT: Final = frozenset({"NOTIFY", "ORCPT"})
BODY: Final = frozenset({"BODY"})
# The path, whose quoted local part may look like anything, and the parameters behind it.
_PARTS = re.compile(r"((?:FROM|TO): *<(?:\"(?:[^\"\\]|\\.)*\"|[^\">])*>)(.*)\Z", re.IGNORECASE)
_XTEXT = re.compile(r"(?:[!-*,-<>-~]|\+[0-9A-F]{2})+")  # RFC 3461 §4
_KINDS: Final = ("SUCCESS", "FAILURE", "DELAY")


def take(
    arg: str, names: Collection[str], check: Callable[[str, str], str] | None = None
) -> tuple[str, dict[str, str]]:
    """arg without those parameters, and their values by name, as check gives them. Raises BadParameter."""
    match = _PARTS.match(arg)
    if match is None:
        return arg, {}
    found: dict[str, str] = {}
    others = []
    for word in match[2].split(" "):
        name, equals, value = word.partition("=")
        name = name.upper()
        if name not in names:
            others.append(word)
            continue
        if name in found or not equals:
            raise BadParameter(f"{name} stands once, with a value")
        found[name] = (check or _checked)(name, value)
    return match[1] + " ".join(others) if found else arg, found


def _checked(name: str, value: str) -> str:
    if name == "RET":  # §4.3
        if value.upper() in ("FULL", "HDRS"):
            return value.upper()
    elif name == "NOTIFY":  # §4.1
        words = value.upper().split(",")
        if words == ["NEVER"] or (set(words) <= set(_KINDS) and len(set(words)) == len(words)):
            return ",".join(words)
    elif name == "BODY":  # RFC 6152 §3, RFC 3030 §3
        if value.upper() in ("7BIT", "8BITMIME", "BINARYMIME"):
            return value.upper()
    elif name == "ENVID":  # §4.4
        if _XTEXT.fullmatch(value) and len(value) <= limits.DSN_ENVID_OCTETS:
            return value
    else:  # ORCPT, §4.2: what kind of address, and the address
        kind, semicolon, address = value.partition(";")
        is_kind = bool(semicolon) and re.fullmatch(r"[A-Za-z0-9-]{1,20}", kind) is not None
        if is_kind and _XTEXT.fullmatch(address) and len(value.encode()) <= limits.DSN_ORCPT_OCTETS:
            return value
    raise BadParameter(f"That is no value of {name} (RFC 3461)")
