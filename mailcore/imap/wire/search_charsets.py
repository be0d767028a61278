"""In which charsets SEARCH, SORT and THREAD may be asked: all of Python's that are for text. Pure.

RFC 3501 §6.4.4. Python's registry also knows codecs that decompress or run away, so what a client names is
looked up here, never there.
"""

from __future__ import annotations

import re
from encodings.aliases import aliases

from mailcore.message import charsets

# Read to the letter; mail is read more kindly (message/charsets.py).
_STRICT = {"us-ascii": "ascii", "ascii": "ascii", "utf-8": "utf-8", "utf8": "utf-8", "iso-8859-1": "latin-1"}
# Not for text, or with NUL in it, which no string of IMAP may have.
_NOT = ("_codec", "rot_13", "mbcs", "utf_16", "utf_32", "utf_7", "utf_8", "ascii")
_UNALIASED = ("cp720", "cp737", "cp856", "cp874", "cp875", "cp1006", "koi8_r", "koi8_t", "koi8_u")
_PYTHONS = {
    name: codec
    for name, codec in [*aliases.items(), *((codec, codec) for codec in (*aliases.values(), *_UNALIASED))]
    if not any(word in codec for word in _NOT)
}
_SIGNS = re.compile(r"[^a-z0-9]+")


def codec(name: str) -> str | None:
    """The codec for a charset's name, None for one we do not know."""
    if not name.isascii():
        return None
    lower = name.lower()
    if lower in _STRICT:
        return _STRICT[lower]
    known = charsets.codec(lower)
    if known is None or any(word in known.replace("-", "_") for word in _NOT):
        known = _PYTHONS.get(_SIGNS.sub("_", lower).strip("_"))
    return known
