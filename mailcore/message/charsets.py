"""Octets to text by an allow-list of charsets. (RFC 2045 §5.2, RFC 2978)

Python's codec registry also answers to rot13, zlib, idna, unicode_escape and whatever a library adds, so
what a mail names is never looked up there: only what stands in this table is.
"""

from __future__ import annotations

import re

# Names as mail uses them, in lower case with "_" and " " as "-", to codecs of the standard library. Where
# the Encoding Standard (whatwg) reads a name as its superset, so do we: senders mean the superset.
_CODECS: dict[str, str] = {
    "us-ascii": "cp1252",
    "ascii": "cp1252",
    "ansi-x3.4-1968": "cp1252",
    "iso646-us": "cp1252",
    "utf-8": "utf-8",
    "utf8": "utf-8",
    "unicode-1-1-utf-8": "utf-8",
    "utf-7": "utf-7",
    "unicode-1-1-utf-7": "utf-7",
    "utf-16": "utf-16",
    "utf-16le": "utf-16-le",
    "utf-16be": "utf-16-be",
    "utf-32": "utf-32",
    "latin1": "cp1252",
    "latin-1": "cp1252",
    "iso-8859-1": "cp1252",
    "iso8859-1": "cp1252",
    "cp819": "cp1252",
    "iso-8859-8-i": "iso8859-8",
    "iso-8859-8-e": "iso8859-8",
    "iso-8859-9": "cp1254",
    "iso-8859-11": "cp874",
    "tis-620": "cp874",
    "windows-874": "cp874",
    "latin2": "iso8859-2",
    "koi8-r": "koi8-r",
    "koi8-u": "koi8-u",
    "koi8-t": "koi8-t",
    "ptcp154": "ptcp154",
    "macintosh": "mac-roman",
    "x-mac-roman": "mac-roman",
    "x-mac-cyrillic": "mac-cyrillic",
    "x-mac-ce": "mac-latin2",
    "gb2312": "gb18030",
    "gb-2312": "gb18030",
    "gb-2312-80": "gb18030",
    "gbk": "gb18030",
    "x-gbk": "gb18030",
    "cp936": "gb18030",
    "gb18030": "gb18030",
    "hz-gb-2312": "hz",
    "big5": "cp950",
    "cp950": "cp950",
    "cn-big5": "cp950",
    "big5-hkscs": "big5hkscs",
    "shift-jis": "cp932",
    "sjis": "cp932",
    "x-sjis": "cp932",
    "ms-kanji": "cp932",
    "cp932": "cp932",
    "windows-31j": "cp932",
    "euc-jp": "euc-jp",
    "x-euc-jp": "euc-jp",
    "iso-2022-jp": "iso2022-jp-ext",
    "iso-2022-jp-1": "iso2022-jp-1",
    "iso-2022-jp-2": "iso2022-jp-2",
    "iso-2022-jp-3": "iso2022-jp-3",
    "euc-kr": "cp949",
    "ks-c-5601-1987": "cp949",
    "ks-c-5601": "cp949",
    "ksc5601": "cp949",
    "cp949": "cp949",
    "uhc": "cp949",
    "iso-2022-kr": "iso2022-kr",
    "johab": "johab",
}
_CODECS |= {f"iso-8859-{n}": f"iso8859-{n}" for n in (2, 3, 4, 5, 6, 7, 8, 10, 13, 14, 15, 16)}
_CODECS |= {f"iso8859-{n}": f"iso8859-{n}" for n in (2, 3, 4, 5, 6, 7, 8, 10, 13, 14, 15, 16)}
_CODECS |= {
    f"{family}{n}": f"cp{n}" for n in range(1250, 1259) for family in ("windows-", "cp", "cp-", "x-cp")
}
_CODECS |= {
    f"{family}{n}": f"cp{n}"
    for n in (437, 720, 737, 775, 850, 852, 855, 857, 858, 860, 861, 862, 863, 864, 865, 866, 869, 874)
    for family in ("cp", "ibm", "ibm-")
}

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:+ -]{0,39}")


def codec(name: str) -> str | None:
    """Return the codec for a charset name as mail writes it, or None for one we do not know."""
    if not _NAME.fullmatch(name):
        return None
    return _CODECS.get(name.lower().replace("_", "-").replace(" ", "-"))


def decode(raw: bytes, charset: str = "") -> str:
    """Return raw as text. Total: what the charset cannot say becomes U+FFFD.

    Undeclared, unknown and plainly wrong charsets are read as UTF-8 when raw is UTF-8, else as windows-1252,
    which is what such mail turns out to be.
    """
    known = codec(charset) if charset else None
    if known in (None, "cp1252", "utf-8"):
        if raw.isascii():
            return raw.decode("ascii")
        try:
            # Also for a declared latin-1: text that happens to be well-formed UTF-8 is hardly ever else.
            return raw.decode("utf-8")
        except UnicodeDecodeError as error:
            # Well-formed so far: a piece cut inside a character, or one letter of another charset at its end,
            # which in what is not declared and else ASCII is more likely from é on.
            whole = raw[: error.start]
            is_cut = known == "utf-8" or not whole.isascii() or (known is None and raw[error.start] < 0xE0)
            if error.reason == "unexpected end of data" and is_cut:
                return whole.decode("utf-8")
            return raw.decode("utf-8" if known == "utf-8" and _mostly_utf8(raw) else "cp1252", "replace")
    assert known is not None
    try:
        text = raw.decode(known, "replace")
        # This one makes lone surrogates, which no database takes.
        return text.encode("utf-8", "replace").decode("utf-8") if known == "utf-7" else text
    except (UnicodeError, ValueError):  # utf-16 and utf-32 refuse some input whatever the error handler says
        return raw.decode("cp1252", "replace")


def _mostly_utf8(raw: bytes) -> bool:
    """Say whether text declared as UTF-8 is that, but damaged, rather than of another charset."""
    text = raw.decode("utf-8", "replace")
    bad = text.count("\ufffd")
    return bad * 2 <= len(text) - len(text.encode("ascii", "ignore"))
