"""Base subjects for SORT and THREAD, and the way texts are compared. (RFC 5256 §2.1, RFC 5051)"""

from __future__ import annotations

import re
import unicodedata

_BLANKS = re.compile("[ \t\r\n]+")
# subj-refwd, and subj-blob with the blanks after it.
_REFWD = re.compile(r"(?:re|fwd?) *(?:\[[^\[\]]*\] *)?:", re.IGNORECASE | re.ASCII)
_BLOB = re.compile(r"\[[^\[\]]*\] *")


def base(subject: str) -> str:
    """Return the base subject of a decoded subject. (RFC 5256 §2.1, steps as there)

    Works on two indices instead of cutting strings, so that nested marks do not make it quadratic.
    """
    text = subject
    if "  " in text or "\t" in text or "\n" in text or "\r" in text:
        text = _BLANKS.sub(" ", text)  # (1)
    start, end = 0, len(text)
    while True:
        end = _without_trailers(text, start, end)  # (2)
        start = _without_leaders(text, start, end)  # (3) to (5)
        # (6) "[fwd:" ... "]"
        if end - start > 5 and text[end - 1] == "]" and text[start : start + 5].lower() == "[fwd:":
            start += 5
            end -= 1
            continue
        return text[start:end]


def _without_trailers(text: str, start: int, end: int) -> int:
    while end > start:
        if text[end - 1] == " ":
            end -= 1
        elif text[end - 1] == ")" and end - start >= 5 and text[end - 5 : end].lower() == "(fwd)":
            end -= 5
        else:
            break
    return end


def _without_leaders(text: str, start: int, end: int) -> int:
    while start < end:
        if text[start] == " ":
            start += 1
            continue
        # A run of blobs, then "re:" or "fwd:", goes altogether (3). Without one each blob goes by (4), but
        # the last stays if nothing would be left.
        last = after = start
        while after < end and text[after] == "[" and (blob := _BLOB.match(text, after, end)):
            last, after = after, blob.end()
        mark = _REFWD.match(text, after, end)
        if mark:
            start = mark.end()
        elif after == start:
            break
        else:
            return last if after == end else after
    return start


def casemap(text: str) -> str:
    """Return text as i;unicode-casemap compares it. (RFC 5051 §2)"""
    if text.isascii():
        return text.upper()
    titled = "".join(char.title() if len(char.title()) == 1 else char for char in text)
    return unicodedata.normalize("NFKD", titled)
