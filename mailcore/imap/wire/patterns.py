"""LIST's patterns: "*" is any run of characters, "%" any run without "/" (RFC 3501 §6.3.8).

One pass over the name, whatever the pattern: the pattern's places that may have been reached are the bits of
a number, so that "*a*a*a*a*b" costs no more than "a". Pure; commands/listing.py calls it.
"""

from __future__ import annotations

import re
from functools import lru_cache

_WILD_RUN = re.compile(r"[*%]{2,}")
_INBOX = "INBOX"


class Pattern:
    """A compiled pattern; reference and pattern are put together by the caller."""

    __slots__ = ("_final", "_inbox", "_literal", "_places", "_slow", "_stars", "_wild", "text")

    def __init__(self, text: str, *, _inbox: bool = True) -> None:
        text = _WILD_RUN.sub(lambda run: "*" if "*" in run[0] else "%", text)
        if text[:5].upper() == _INBOX and text[5:6] in ("", "/", "*", "%"):
            text = _INBOX + text[5:]
        self.text = text
        self._literal = text.rstrip("*%")  # of a pattern whose only wildcard is its last character
        self._slow = "*" in self._literal or "%" in self._literal
        self._places: dict[str, int] = {}  # character -> places that it leads from
        self._wild = self._stars = 0
        for place, character in enumerate(text if self._slow else ""):
            if character in "*%":
                self._wild |= 1 << place
                self._stars |= (character == "*") << place
            else:
                self._places[character] = self._places.get(character, 0) | 1 << place
        self._final = 1 << len(text)
        upper = text.upper()
        self._inbox = Pattern(upper, _inbox=False) if _inbox and upper != text else None

    def matches(self, name: str) -> bool:
        """Does name, in full, match? INBOX does in any case of letters (RFC 3501 §5.1)."""
        if name == _INBOX and self._inbox is not None:
            return self._inbox.matches(name)
        if self._slow:
            return self._run(name)
        if not name.startswith(self._literal):
            return False
        if len(self._literal) == len(self.text):
            return len(name) == len(self.text)
        return self.text.endswith("*") or "/" not in name[len(self._literal) :]

    def _run(self, name: str) -> bool:
        wild, stars, places = self._wild, self._stars, self._places
        reached = 1 | (1 & wild) << 1
        for character in name:
            stay = reached & (stars if character == "/" else wild)
            reached = (reached & places.get(character, 0)) << 1 | stay
            if not reached:
                return False
            reached |= (reached & wild) << 1
        return bool(reached & self._final)


compiled = lru_cache(maxsize=256)(Pattern)
