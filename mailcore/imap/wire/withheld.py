"""Capabilities that can be withheld from broken clients: from a mailbox, or from programs by their name.

What is withheld is neither advertised nor accepted: refuses() knows every use of it in a command. Only words
for which that is so are in WORDS; what comes with a word goes with it. Pure: session.py asks before it runs a
command, services/ways.py and the settings before they keep words.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final, NamedTuple

from mailcore.imap.wire.keys import And, ChangedFrom, Key, Not, Or
from mailcore.imap.wire.values import (
    Append,
    Command,
    Fetch,
    FetchItem,
    List,
    MultiSearch,
    Notify,
    Replace,
    Search,
    Select,
    Sort,
    Status,
    Store,
    Thread,
)


class _Word(NamedTuple):
    """commands that are not there, uses of it in others, and other words that cannot be without it."""

    commands: tuple[str, ...] = ()
    uses: Callable[[Command], bool] = lambda command: False
    brings: tuple[str, ...] = ()


def _fetched(command: Command) -> Iterator[FetchItem]:
    if isinstance(command, Fetch):
        yield from command.items
    elif isinstance(command, Notify):
        for group in command.groups:
            yield from group.fetched


def _fetches(*names: str) -> Callable[[Command], bool]:
    return lambda command: any(item.name in names for item in _fetched(command))


def _returns(*names: str) -> Callable[[Command], bool]:
    return lambda command: isinstance(command, List) and any(name in names for name, _ in command.returns)


def _leaves(key: Key) -> Iterator[Key]:
    waiting = [key]
    while waiting:
        one = waiting.pop()
        if isinstance(one, And | Or):
            waiting += one.keys
        elif isinstance(one, Not):
            waiting.append(one.key)
        else:
            yield one


def _asks_modseq(command: Command) -> bool:
    match command:
        case Select():
            return any(name in ("CONDSTORE", "QRESYNC") for name, _ in command.parameters)
        case Fetch() | Notify():
            by_modifier = isinstance(command, Fetch) and any(
                name in ("CHANGEDSINCE", "VANISHED") for name, _ in command.modifiers
            )
            return by_modifier or any(item.name == "MODSEQ" for item in _fetched(command))
        case Store():
            return bool(command.modifiers)
        case Status():
            return "HIGHESTMODSEQ" in command.items
        case List():
            return any(
                name == "STATUS" and "HIGHESTMODSEQ" in items  # type: ignore[operator]
                for name, items in command.returns
            )
        case Search() | Sort() | Thread() | MultiSearch():
            return any(isinstance(leaf, ChangedFrom) for leaf in _leaves(command.key))
        case _:
            return False


def _resynchronises(command: Command) -> bool:
    return isinstance(command, Select) and "QRESYNC" in dict(command.parameters)


def _is_binary(command: Command) -> bool:
    if isinstance(command, Append):
        return any(message.is_binary for message in command.messages)
    if isinstance(command, Replace):
        return command.message.is_binary
    return _fetches("BINARY", "BINARY.SIZE")(command)


def _is_catenated(command: Command) -> bool:
    if isinstance(command, Append):
        return any(message.pieces for message in command.messages)
    return isinstance(command, Replace) and bool(command.message.pieces)


def _with_uid(*names: str) -> tuple[str, ...]:
    return (*names, *(f"UID {name}" for name in names))


_ACL = ("SETACL", "DELETEACL", "GETACL", "LISTRIGHTS", "MYRIGHTS")
_EXTENDED = ("LIST-STATUS", "LIST-METADATA", "LIST-MYRIGHTS", "IMAP4REV2")
# What IMAP4rev2 has in it (RFC 9051 appendix E) cannot be missing there.
WORDS: Final = {
    "ACL": _Word(_ACL, _returns("MYRIGHTS"), ("RIGHTS=TEXK", "LIST-MYRIGHTS")),
    "BINARY": _Word((), _is_binary, ("IMAP4REV2",)),
    "CATENATE": _Word((), _is_catenated),
    "COMPRESS=DEFLATE": _Word(("COMPRESS",)),
    "CONDSTORE": _Word((), _asks_modseq, ("QRESYNC",)),
    "IDLE": _Word(("IDLE",), brings=("IMAP4REV2",)),
    "IMAP4REV2": _Word(),
    "LIST-EXTENDED": _Word(
        (), lambda command: isinstance(command, List) and command.is_extended, _EXTENDED
    ),
    "LIST-STATUS": _Word((), _returns("STATUS"), ("IMAP4REV2",)),
    "METADATA": _Word(("GETMETADATA", "SETMETADATA"), _returns("METADATA"), ("LIST-METADATA",)),
    "MOVE": _Word(_with_uid("MOVE"), brings=("IMAP4REV2",)),
    "MULTIAPPEND": _Word((), lambda command: isinstance(command, Append) and len(command.messages) > 1),
    "MULTISEARCH": _Word(("ESEARCH",)),
    "NAMESPACE": _Word(("NAMESPACE",), brings=("IMAP4REV2",)),
    "NOTIFY": _Word(("NOTIFY",)),
    "PREVIEW": _Word((), _fetches("PREVIEW")),
    "QRESYNC": _Word((), _resynchronises),
    "QUOTA": _Word(
        ("GETQUOTA", "GETQUOTAROOT", "SETQUOTA"), brings=("QUOTA=RES-STORAGE", "QUOTA=RES-MESSAGE")
    ),
    "REPLACE": _Word(_with_uid("REPLACE")),
    "SORT": _Word(_with_uid("SORT"), brings=("ESORT", "SORT=DISPLAY")),
    "THREAD": _Word(_with_uid("THREAD"), brings=("THREAD=ORDEREDSUBJECT", "THREAD=REFERENCES")),
    "UIDONLY": _Word(),
    "UNAUTHENTICATE": _Word(("UNAUTHENTICATE",)),
    "UNSELECT": _Word(("UNSELECT",), brings=("IMAP4REV2",)),
    "UTF8=ACCEPT": _Word(),
}  # fmt: skip


def read(text: str) -> frozenset[str]:
    """Words with spaces or commas between, in upper case, with what goes with each. Raises ValueError."""
    named = {word.upper() for word in text.replace(",", " ").split()}
    if unknown := named - WORDS.keys():
        raise ValueError(f"{min(unknown)} cannot be withheld; what can: {' '.join(WORDS)}")
    return frozenset(named)


def whole(words: Iterable[str]) -> frozenset[str]:
    """These words, and all that cannot be without them."""
    found = set(words)
    for word in words:
        found |= set(WORDS[word].brings) if word in WORDS else set()
    return frozenset(found)


def read_clients(text: str) -> tuple[tuple[str, frozenset[str]], ...]:
    """NAME: WORDS; NAME: WORDS as pairs of a name in lower case and its words. Raises ValueError."""
    found = []
    for entry in text.split(";"):
        name, colon, words = entry.partition(":")
        if not entry.strip():
            continue
        if not colon or not name.strip() or not words.strip():
            raise ValueError("it is written NAME: WORD WORD; NAME: WORD")
        found.append((name.strip().lower(), read(words)))
    return tuple(found)


def from_client(clients: Iterable[tuple[str, frozenset[str]]], name: str) -> frozenset[str]:
    """What is withheld from a program that says this of itself: one whose name so begins."""
    return frozenset().union(*(words for known, words in clients if name.lower().startswith(known)))


def refuses(withheld: frozenset[str], command: Command) -> bool:
    """Whether a command is, or uses, what is withheld. ENABLE is not asked: it leaves out what it may not."""
    for word in withheld:
        entry = WORDS.get(word)
        if entry is not None and (command.name in entry.commands or entry.uses(command)):
            return True
    return False
