"""Base subjects for SORT and THREAD, and the way texts are compared. (RFC 5256 §2.1, RFC 5051)"""

from __future__ import annotations

import re
import unicodedata

_BLANKS = re.compile("[ \t\r\n]+")
# subj-refwd, and subj-blob with the blanks after it.
_REFWD = re.compile(r"(?:re|fwd?) *(?:\[[^\[\]]*\] *)?:", re.IGNORECASE | re.ASCII)
_BLOB = re.compile(r"\[[^\[\]]*\] *")


def base(subject: str) -> str:
    """Return the base subject of a decoded subject. (RFC 5256 §2.1, steps as there)"""
    return _taken_apart(subject)[0]


def is_reply(subject: str) -> bool:
    """Whether a decoded subject is that of a reply or a forward: a mark of one was taken off. (§2.1)"""
    return _taken_apart(subject)[1]


def _taken_apart(subject: str) -> tuple[str, bool]:
    """The base subject, and whether "Re:", "(fwd)" or the like was taken off.

    Works on two indices instead of cutting strings, so that nested marks do not make it quadratic.
    """
    text = subject
    if "  " in text or "\t" in text or "\n" in text or "\r" in text:
        text = _BLANKS.sub(" ", text)  # (1)
    start, end = 0, len(text)
    marked = False
    while True:
        end, was_marked = _without_trailers(text, start, end)  # (2)
        marked |= was_marked
        start, was_marked = _without_leaders(text, start, end)  # (3) to (5)
        marked |= was_marked
        # (6) "[fwd:" ... "]"
        if end - start > 5 and text[end - 1] == "]" and text[start : start + 5].lower() == "[fwd:":
            start += 5
            end -= 1
            marked = True
            continue
        return text[start:end], marked


def _without_trailers(text: str, start: int, end: int) -> tuple[int, bool]:
    """The new end, and whether a "(fwd)" was taken off."""
    marked = False
    while end > start:
        if text[end - 1] == " ":
            end -= 1
        elif text[end - 1] == ")" and end - start >= 5 and text[end - 5 : end].lower() == "(fwd)":
            end -= 5
            marked = True
        else:
            break
    return end, marked


def _without_leaders(text: str, start: int, end: int) -> tuple[int, bool]:
    """The new start, and whether a "Re:" or "Fwd:" was taken off."""
    marked = False
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
            marked = True
        elif after == start:
            break
        else:
            return last if after == end else after, marked
    return start, marked


def casemap(text: str) -> str:
    """Return text as i;unicode-casemap compares it. (RFC 5051 §2)"""
    if text.isascii():
        return text.upper()
    titled = "".join(char.title() if len(char.title()) == 1 else char for char in text)
    return unicodedata.normalize("NFKD", titled)
