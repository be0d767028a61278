"""Whether a mail says plainly, and truly, that it is from the mailbox that submits it. (RFC 6409 §6.1)

Readers, filters and DKIM each read From in their own way, so what could be read in two ways is refused:
several From fields, several authors, groups, routes, addresses in encoded words, comments or names that show
an address which is not the sender's own. RFC 5322 §3.6.2 rules From and Sender, §3.4 the form of addresses.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from mailcore.errors import BadAddress, BadHeader, NotYours
from mailcore.message import fields
from mailcore.message.address import Path, parse_path

May = Callable[[str], bool]

# In one line, after unfolding: a name and <address>, or the address alone, then at most one plain comment.
_ATEXT = r"[^\x00-\x20\x7f()<>\[\]:;@\\,\"]"
_QUOTED = r'"(?:[^"\\\x00-\x1f\x7f]|\\[ -~])*+"'
_LOCAL = rf"(?:{_ATEXT}++|{_QUOTED})"
_ADDRESS = rf"{_LOCAL}@{_ATEXT}++"
_COMMENT = r"\([^()\\<>\x00-\x1f\x7f]*+\)"
_NAME = rf"(?:(?:{_QUOTED}|{_ATEXT}++|{_COMMENT})[ \t]*+)*+"
_AUTHOR = re.compile(
    rf"(?:(?P<name>{_NAME})<(?P<angle>{_ADDRESS})>|(?P<bare>{_ADDRESS}))[ \t]*+(?P<comment>(?:{_COMMENT})?)\Z"
)
# What stands around an address that people see in a name, and its @ with the wide ones of Unicode.
_AROUND = re.compile(r"[\s<>()\[\]:;,\"'|]+")
_AT = re.compile("[@\uff20\ufe6b]")
# After a line of the header that is neither a field nor its continuation, readers disagree on what follows.
_LINE = re.compile(rb"[!-9;-~]+[ \t]*:|[ \t]")


def check(raw: bytes, may: May) -> Path:
    """The author of a completed mail, who may(address) send; raises BadHeader, NotYours.

    raw has CRLF line ends. Sender, and the Resent fields of a mail sent on, are held to the same.
    """
    header = raw[: fields.body_start(raw)]
    for line in header.split(b"\r\n"):
        if line and not _LINE.match(line):
            raise BadHeader("A line of the header is no field")
    author = _only(header, "from", may)
    if author is None:
        raise BadHeader("From is missing")
    _only(header, "sender", may)
    for name in ("resent-from", "resent-sender"):
        for value in fields.get_raw(header, name):
            _own(value, name, may)
    return author


def _only(header: bytes, name: str, may: May) -> Path | None:
    found = fields.get_raw(header, name)
    if len(found) > 1:
        raise BadHeader(f"There may be only one {name.capitalize()} field")
    return _own(found[0], name, may) if found else None


def _own(value: bytes, name: str, may: May) -> Path:
    shown = name.title()
    try:
        text = re.sub(r"\r\n(?=[ \t])", "", value.decode("utf-8")).strip(" \t\r\n")
    except UnicodeDecodeError as error:
        raise BadHeader(f"{shown} is neither ASCII nor UTF-8") from error
    match = _AUTHOR.match(text)
    if match is None:
        raise BadHeader(f"{shown} must be one address, plainly written")
    try:
        path = parse_path(match["angle"] or match["bare"])
    except BadAddress as error:
        raise BadHeader(f"{shown} must be one address, plainly written") from error
    if "=?" in path.local or not may(str(path)):
        raise NotYours(f"You may not send as the address in {shown}")
    beside = fields.decode((match["name"] or "").encode()) + " " + fields.decode(match["comment"].encode())
    for word in _AROUND.split(beside):
        if _AT.search(word, 1, len(word) - 1) and not may(_AT.sub("@", word).strip(".")):
            raise NotYours(f"The name in {shown} shows an address that is not yours")
    return path
