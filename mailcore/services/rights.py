"""Rights on folders as they are written, named and told from one another (RFC 4314). No rows, no database."""

from __future__ import annotations

from mailcore.errors import BadValue
from mailcore.message import flags
from mailcore.models import EVERY_RIGHT, LETTERS, Right, Rights

# What a person may do in the folders of a mailbox they were given whole.
_READING = Right.LOOKUP | Right.READ
_WRITING = EVERY_RIGHT & ~Right.ADMINISTER
# With none of these a folder is open to read only (RFC 4314 §5.2).
CHANGING = Right.INSERT | Right.EXPUNGE | Right.SEEN | Right.WRITE | Right.DELETE
# Without one of these nobody is told that a folder is there (RFC 4314 §4, MYRIGHTS).
TELLING = Right.LOOKUP | Right.READ | Right.INSERT | Right.CREATE | Right.DELETE_FOLDER | Right.ADMINISTER


def letters(rights: int) -> str:
    """As RFC 4314 writes them, with the "c" and "d" of old where a member of theirs is there (§2.1.1)."""
    text = "".join(letter for number, letter in enumerate(LETTERS) if rights >> number & 1)
    if rights & (Right.CREATE | Right.DELETE_FOLDER):
        text += "c"
    if rights & (Right.DELETE | Right.EXPUNGE):
        text += "d"
    return text


_OLD = {"c": Right.CREATE | Right.DELETE_FOLDER, "d": Right.DELETE | Right.EXPUNGE}


def from_letters(text: str) -> Right:
    """The bits. Raises BadValue for what is no right."""
    rights = Right(0)
    for letter in text:
        if letter in _OLD:
            rights |= _OLD[letter]
        elif letter in LETTERS:
            rights |= Right(1 << LETTERS.index(letter))
        else:
            raise BadValue("The rights are " + " ".join(LETTERS))
    return rights


def flags_of(rights: int) -> int:
    """The system flags one may set and clear with these rights (RFC 4314 §4)."""
    found = 0
    if rights & Right.SEEN:
        found |= flags.SEEN
    if rights & Right.DELETE:
        found |= flags.DELETED
    if rights & Right.WRITE:
        found |= flags.ALL & ~(flags.SEEN | flags.DELETED)
    return found


def of_mailbox(rights: int) -> Right:
    """What rights on a whole mailbox (bits of Rights) mean in each of its folders."""
    found = Right(0)
    if rights & Rights.READ:
        found |= _READING
    if rights & Rights.WRITE:
        found |= _WRITING
    if rights & Rights.ADMINISTER:
        found |= Right.ADMINISTER
    return found


# The three words in which people share a folder.
CAN_READ = Right.LOOKUP | Right.READ
CAN_EDIT = CAN_READ | Right.SEEN | Right.WRITE | Right.INSERT | Right.POST | Right.DELETE | Right.EXPUNGE
WORDS = {"read": CAN_READ, "edit": CAN_EDIT, "manage": EVERY_RIGHT}


def word_of(rights: int) -> str:
    """Which of the words these rights are, "" for none of them."""
    return next((word for word, meant in WORDS.items() if meant == rights), "")
