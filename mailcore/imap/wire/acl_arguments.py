"""The arguments of SETACL, DELETEACL and LISTRIGHTS (RFC 4314 §7). Pure."""

from __future__ import annotations

import re

from mailcore import limits
from mailcore.errors import BadSyntax
from mailcore.imap.wire.grammar import Cursor
from mailcore.imap.wire.values import OnIdentifier, SetAcl

_RIGHTS = re.compile(rb"([+-]?)([lrswipkxteacd]*)").fullmatch


def set_(tag: bytes, name: str, cursor: Cursor) -> SetAcl:
    folder, identifier = _folder_and_identifier(cursor)
    cursor.space("rights")
    match = _RIGHTS(cursor.astring("rights"))
    cursor.end()
    if match is None:
        # An unrecognised right is never ignored (RFC 4314 §3.1).
        raise BadSyntax("The rights are l r s w i p k x t e a, in lower case, perhaps after + or -")
    return SetAcl(tag, name, folder, identifier, match[1].decode(), match[2].decode())


def on_identifier(tag: bytes, name: str, cursor: Cursor) -> OnIdentifier:
    folder, identifier = _folder_and_identifier(cursor)
    cursor.end()
    return OnIdentifier(tag, name, folder, identifier)


def _folder_and_identifier(cursor: Cursor) -> tuple[str, str]:
    cursor.space("a folder name")
    folder = cursor.folder()
    cursor.space("an identifier")
    octets = cursor.astring("an identifier")
    try:
        identifier = octets.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadSyntax("An identifier is UTF-8") from error
    if not identifier.strip() or len(octets) > limits.ADDRESS_OCTETS or not identifier.isprintable():
        raise BadSyntax("An identifier is an address, $ and the name of a group, or anyone")
    return folder, identifier
