"""What a person types or pastes when they look for a mail: ids, addresses, words, or a header section. (pure)

A header section may come as it stands in the mail, or with its lines run together by a one-line field of a
page: both are read. Called by services.traces.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from mailcore import limits

# random_id() of mailcore/secrets.py, as our Received fields and replies name it; "/2" is a second recipient.
_OURS = re.compile(r"(?<![A-Za-z0-9])([a-z2-7]{16})(?:/\d{1,4})?(?![A-Za-z0-9])")
_BY_US = re.compile(r"\bid\s+([a-z2-7]{16})(?![A-Za-z0-9@.-])")
_MESSAGE_ID = re.compile(r"(?:^|\s)(?:resent-)?message-id\s*:\s*<?([^\s<>]{3,998})>?", re.IGNORECASE)
_HEADER = re.compile(
    r"(?:^|\s)(?:received|(?:resent-)?message-id|return-path|delivered-to)\s*:", re.IGNORECASE
)
_ADDRESS = re.compile(r"[^\s<>@]{1,64}@[^\s<>@]{1,255}")


@dataclass(frozen=True, slots=True)
class Clues:
    """What to look for: a mail that fits any of ids, message_ids and addresses, and all of words.

    ids are 16 letters and digits that we gave out: a trace, a submission, a queue entry. words are pieces of
    the subject.
    """

    ids: tuple[str, ...] = ()
    message_ids: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    words: tuple[str, ...] = ()

    @property
    def is_empty(self) -> bool:
        return not (self.ids or self.message_ids or self.addresses or self.words)


def read(text: str) -> Clues:
    """The clues in text, of which limits.TRACE_PASTED_OCTETS are looked at."""
    text = text[: limits.TRACE_PASTED_OCTETS].strip()
    if _HEADER.search(text):
        found = of_header(text)
        if not found.is_empty:
            return found
    if not text or "\n" in text:
        return Clues(words=_words(text))
    if _OURS.fullmatch(text):
        return Clues(ids=(text[:16],))
    bare = text.strip("<>").strip()
    if _ADDRESS.fullmatch(bare):
        # An address and a Message-ID look alike: it may be either.
        return Clues(message_ids=(bare,), addresses=(bare,))
    return Clues(words=_words(text))


def of_header(text: str) -> Clues:
    """The ids in a header section: ours in its Received fields, and the mail's own."""
    ids = tuple(dict.fromkeys(_BY_US.findall(text)))[: limits.TRACE_CLUES]
    message_ids = tuple(dict.fromkeys(_MESSAGE_ID.findall(text)))[: limits.TRACE_CLUES]
    return Clues(ids=ids, message_ids=message_ids)


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.casefold().split())[: limits.TRACE_CLUES]
