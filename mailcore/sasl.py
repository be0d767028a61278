"""SASL on the wire (RFC 4422): base64 answers, mechanisms, and the one that needs no conversation. Pure.

Called by the login commands of POP3 and by whoever else speaks AUTH. SCRAM's messages are in scram.py.
"""

from __future__ import annotations

import binascii

from mailcore import scram
from mailcore.errors import BadSyntax, LoginFailed


def scram_mechanisms(endpoint: bytes) -> tuple[str, ...]:
    """What is offered of SCRAM; endpoint is what the TLS channel can be bound by, b"" if it cannot."""
    return (scram.MECHANISM, scram.PLUS) if endpoint else (scram.MECHANISM,)


def decode(answer: bytes) -> bytes:
    """The octets of one base64 answer; "=" alone is an empty one (RFC 4954 §4). Raises BadSyntax."""
    if answer == b"=":
        return b""
    try:
        return binascii.a2b_base64(answer, strict_mode=True)
    except binascii.Error as error:
        raise BadSyntax("That is not base64") from error


def plain(octets: bytes) -> tuple[str, str]:
    """Name and password out of a PLAIN message: [authzid] NUL authcid NUL passwd (RFC 4616 §2).

    Acting for somebody else is not offered: an authzid must be the name itself.
    Raises BadSyntax, LoginFailed.
    """
    words = octets.split(b"\0")
    if len(words) != 3 or not words[1] or not words[2]:
        raise BadSyntax("That is no PLAIN message: two NULs are needed")
    try:
        acts_for, name, password = (word.decode() for word in words)
    except UnicodeDecodeError as error:
        raise LoginFailed from error
    if acts_for and acts_for.casefold() != name.casefold():
        raise LoginFailed("Signing in for somebody else is not possible")
    return name, password


def login(name: bytes, password: bytes) -> tuple[str, str]:
    """Name and password out of the answers to LOGIN's two questions. Raises LoginFailed."""
    try:
        return name.decode(), password.decode()
    except UnicodeDecodeError as error:
        raise LoginFailed from error
