"""Folder names on the wire: modified UTF-7 (RFC 3501 §5.1.3), or UTF-8 once enabled (RFC 6855).

Strict both ways: a name has exactly one spelling, so two spellings never name two folders. Only the spelling
is judged here; what makes a good name (depth, control characters) is decided by services/folders.py.
Pure; parser and responses call it.
"""

from __future__ import annotations

import re
from base64 import b64encode
from binascii import Error as Base64Error
from binascii import a2b_base64
from functools import lru_cache

from mailcore.errors import BadSyntax

_PLAIN = re.compile(rb"[ -%'-~]*").fullmatch  # printable ASCII without "&"
_SHIFTED = re.compile(rb"&([A-Za-z0-9+,]*)-|([^&]+)|(.)", re.DOTALL)
_RUNS = re.compile("[^ -~]+")


@lru_cache(maxsize=1024)
def decode(wire: bytes) -> str:
    """b"Entw&APw-rfe" -> "Entwürfe". Raises BadSyntax for what no encoder writes."""
    if _PLAIN(wire):
        return wire.decode("ascii")
    if not wire.isascii():
        raise BadSyntax("Folder names are in modified UTF-7, without octets above 127")
    pieces: list[str] = []
    for shifted, plain, _stray in _SHIFTED.findall(wire):
        if plain:
            pieces.append(plain.decode("ascii"))
        elif shifted:
            pieces.append(_decode_run(shifted))
        elif _stray:
            raise BadSyntax('"&" in a folder name begins modified UTF-7; write "&-" for itself')
        else:
            pieces.append("&")
    name = "".join(pieces)
    if encode(name) != wire:
        raise BadSyntax("The folder name is not spelled as modified UTF-7 wants it")
    return name


def _decode_run(run: bytes) -> str:
    try:
        return a2b_base64(run.replace(b",", b"/") + b"=" * (-len(run) % 4)).decode("utf-16-be")
    except (Base64Error, UnicodeDecodeError) as error:
        raise BadSyntax("The modified UTF-7 in the folder name is broken") from error


@lru_cache(maxsize=1024)
def encode(name: str) -> bytes:
    """ "Entwürfe" -> b"Entw&APw-rfe". Lone surrogates, which no decoder makes, become U+FFFD."""
    return _RUNS.sub(_encode_run, name.replace("&", "&-")).encode("ascii")


def _encode_run(run: re.Match[str]) -> str:
    octets = run[0].encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode("utf-16-be")
    return f"&{b64encode(octets, b'+,').rstrip(b'=').decode('ascii')}-"


def decode_utf8(wire: bytes) -> str:
    """A folder name of a client that enabled UTF8=ACCEPT (RFC 6855 §3)."""
    try:
        return wire.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadSyntax("The folder name is not valid UTF-8") from error
