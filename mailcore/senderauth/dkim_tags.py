"""The tags of DKIM and ARC fields and of key records: RFC 6376 §3.2. (pure)"""

from __future__ import annotations

import base64
import binascii
import re

OWN_B = re.compile(rb"((?:\A|;)[ \t\r\n]*b[ \t\r\n]*=)[^;]*")
WHITE = re.compile(r"[ \t\r\n]+")
NAME = re.compile(
    r"(?=.{1,253}\Z)[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,62})(?:\.[A-Za-z0-9_][A-Za-z0-9_-]{0,62})*\Z"
)
_NUMBER = re.compile(r"[0-9]{1,12}\Z")
_TAG = re.compile(r"[A-Za-z][A-Za-z0-9_]*\Z")


class Broken(Exception):
    """The signature or its key cannot be used; the text says why."""


def read_tags(text: str) -> dict[str, str]:
    tags: dict[str, str] = {}
    pieces = text.split(";")
    if not pieces[-1].strip(" \t\r\n"):
        pieces.pop()
    for piece in pieces:
        name, equals, value = piece.partition("=")
        name = name.strip(" \t\r\n")
        if not equals or not _TAG.match(name) or name in tags:
            raise Broken("its tags cannot be read")
        tags[name] = value.strip(" \t\r\n")
    return tags


def number(tags: dict[str, str], name: str) -> int | None:
    if name not in tags:
        return None
    if not _NUMBER.match(tags[name]):
        raise Broken(f"{name}= is no number")
    return int(tags[name])


def octets(text: str) -> bytes:
    try:
        return base64.b64decode(WHITE.sub("", text), validate=True)
    except (binascii.Error, ValueError) as error:
        raise Broken("it is not base64") from error
