"""What an answer or a forwarded mail begins with: recipients, subject, thread, quote. (RFC 5322 §3.6.4)

Called by webmail and the API; the person changes it as they like, `compose` makes octets of it.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from mailcore import limits
from mailcore.errors import BadHeader
from mailcore.message import encode
from mailcore.message.address import Mailbox, normalise_local, split_tag
from mailcore.message.compose import Person
from mailcore.message.display import Readable

# As mail programs write it in their languages; a colon of full width comes from Chinese ones.
_COUNT = r"(?:[ ]?[\[(][0-9]{1,3}[\])]|\^[0-9]{1,3})?"
_REPLY = re.compile(
    rf"[ ]*(?:re|aw|antw|sv|vs|rif|res|odp|ynt|回复|答复){_COUNT}[ ]?[:：][ ]*", re.IGNORECASE
)
_FORWARD = re.compile(rf"[ ]*(?:fwd?|wg|tr|rv|enc|vb|vl|i|转发){_COUNT}[ ]?[:：][ ]*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Prepared:
    """The parts of a Draft that follow from the mail it is about. Ids without angle brackets."""

    to: list[Person]
    cc: list[Person]
    subject: str
    text: str
    in_reply_to: str | None
    references: list[str]


def reply(
    original: Readable, *, to_all: bool, own_addresses: Collection[str], zone: dt.tzinfo = dt.UTC
) -> Prepared:
    """An answer to original: to its author, or with to_all also to everybody else who has it.

    own_addresses are the writer's, who does not write to themselves unless nobody else is left. An answer to
    a mail of one's own goes on to the people it went to.
    """
    own = {_key(*address.rpartition("@")[::2]) for address in own_addresses}
    targets = original.reply_to or original.authors
    if targets and all(_is_own(one, own) for one in targets):
        targets, others = original.to, original.cc
    else:
        others = [*original.to, *original.cc]
    seen: set[tuple[str, str]] = set()
    to = _people(targets, own, seen) or _people(original.reply_to or original.authors, set(), seen)
    cc = _people(others, own, seen) if to_all else []
    return Prepared(
        to=to,
        cc=cc,
        subject=reply_subject(original.subject),
        text=quote(original.text, _author(original), _moment(original, zone)),
        in_reply_to=_valid(original.message_id),
        references=_references(original),
    )


def forward(original: Readable, *, zone: dt.tzinfo = dt.UTC) -> Prepared:
    """original's text below who wrote it to whom; its files are the caller's to attach."""
    moment = _moment(original, zone)
    lines = ["", "", "---------- Forwarded message ----------", f"From: {_author(original)}"]
    if moment is not None:
        lines.append(f"Date: {_shown(moment)}")
    lines.append(f"Subject: {original.subject}")
    lines += [
        f"{name}: {', '.join(map(str, people))}"
        for name, people in (("To", original.to), ("Cc", original.cc))
        if people
    ]
    text = "\n".join([*lines, "", original.text[: limits.QUOTE_CHARS]])
    return Prepared([], [], forward_subject(original.subject), text, None, _references(original))


def reply_subject(subject: str) -> str:
    """The subject with one "Re: " in front, whatever answers it was before."""
    return f"Re: {_without(_REPLY, subject)}"


def forward_subject(subject: str) -> str:
    """The subject with one "Fwd: " in front."""
    return f"Fwd: {_without(_FORWARD, subject)}"


def quote(text: str, author: str, moment: dt.datetime | None) -> str:
    """text as quoted below an answer: without its signature, each line after ">"."""
    if len(text) > limits.QUOTE_CHARS:
        text = text[: limits.QUOTE_CHARS] + "\n[...]"
    lines = re.split(r"\r\n|\r|\n", text)
    if "-- " in lines:
        lines = lines[: lines.index("-- ")]
    while lines and not lines[-1].strip():
        lines.pop()
    head = f"On {_shown(moment)}, {author} wrote:" if moment is not None else f"{author} wrote:"
    return "\n".join(
        [head, *(f">{line}" if line.startswith(">") else f"> {line}".rstrip(" ") for line in lines), ""]
    )


def _without(prefix: re.Pattern[str], subject: str) -> str:
    position = 0
    while found := prefix.match(subject, position):
        position = found.end()
    return subject[position:].strip(" ")


def _key(local: str, domain: str) -> tuple[str, str]:
    return split_tag(normalise_local(local))[0], domain.lower()


def _is_own(one: Mailbox, own: set[tuple[str, str]]) -> bool:
    return _key(one.local, one.domain) in own


def _people(people: Iterable[Mailbox], own: set[tuple[str, str]], seen: set[tuple[str, str]]) -> list[Person]:
    """The addresses of people that are not own and not yet seen; seen grows."""
    out = []
    for one in people:
        key = (normalise_local(one.local), one.domain.lower())
        if one.domain and key not in seen and not _is_own(one, own):
            seen.add(key)
            out.append((one.name, one.address))
    return out


def _author(original: Readable) -> str:
    return str(original.authors[0]) if original.authors else "somebody"


def _moment(original: Readable, zone: dt.tzinfo) -> dt.datetime | None:
    if original.date is None:
        return None
    try:
        return dt.datetime.fromtimestamp(original.date, zone)
    except (ValueError, OverflowError):  # the year 20000, or before 1
        return None


def _shown(moment: dt.datetime) -> str:
    return f"{moment:%Y-%m-%d} at {moment:%H:%M}"


def _valid(message_id: str) -> str | None:
    try:
        return encode.message_id(message_id)
    except BadHeader:
        return None


def _references(original: Readable) -> list[str]:
    """RFC 5322 §3.6.4: the parent's References, else its one In-Reply-To, then its Message-ID.

    Of more than limits.REPLY_REFERENCES the first, which began the thread, and the last stay.
    """
    before = original.references
    if not before and len(original.in_reply_to) == 1:
        before = original.in_reply_to
    ids = [one for one in map(_valid, [*before, original.message_id]) if one is not None]
    ids = list(dict.fromkeys(ids))
    return ids if len(ids) <= limits.REPLY_REFERENCES else [ids[0], *ids[1 - limits.REPLY_REFERENCES :]]
