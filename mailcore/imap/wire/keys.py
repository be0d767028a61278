"""What SEARCH, SORT and THREAD look for: a tree of frozen values. search_keys.py makes it."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TypeAlias

from mailcore.imap.wire.seqset import Ranges


@dataclass(frozen=True, slots=True)
class All:
    """Every message."""


@dataclass(frozen=True, slots=True)
class And:
    """All of keys, at least two; none of them an And."""

    keys: tuple[Key, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """Any of keys, at least two; none of them an Or."""

    keys: tuple[Key, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """What key does not find; key is no Not."""

    key: Key


@dataclass(frozen=True, slots=True)
class HasFlag:
    """A flag or keyword. \\Recent is one too: OLD is Not(HasFlag("\\Recent"))."""

    flag: str


@dataclass(frozen=True, slots=True)
class Contains:
    """A substring, in field BCC CC FROM SUBJECT TO BODY TEXT. An empty needle is in every message."""

    field: str
    needle: str


@dataclass(frozen=True, slots=True)
class HeaderContains:
    """HEADER: a field of that name whose text has needle in it; an empty needle asks for the field alone."""

    field: str
    needle: str


@dataclass(frozen=True, slots=True)
class Dated:
    """BEFORE ON SINCE of a day. The internal date and the Date field count as written, without zones; when a
    message was saved in its folder (RFC 8514), in UTC."""

    test: str  # BEFORE ON SINCE
    of: str  # internal sent saved
    day: dt.date


@dataclass(frozen=True, slots=True)
class HasObjectId:
    """EMAILID, THREADID: kind is the letter of objectids, text the id as it was written (RFC 8474 §6)."""

    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Within:
    """OLDER, or YOUNGER, than so many seconds by the internal date; just as old is both (RFC 5032)."""

    seconds: int
    is_younger: bool


@dataclass(frozen=True, slots=True)
class Larger:
    octets: int


@dataclass(frozen=True, slots=True)
class Smaller:
    octets: int


@dataclass(frozen=True, slots=True)
class Numbered:
    """Messages by UID, or by sequence number."""

    numbers: Ranges
    uid: bool


@dataclass(frozen=True, slots=True)
class ChangedFrom:
    """MODSEQ: messages that are new or changed at this modseq or later (RFC 7162 §3.1.5)."""

    modseq: int


Key: TypeAlias = (
    All
    | And
    | Or
    | Not
    | HasFlag
    | Contains
    | HeaderContains
    | Dated
    | Larger
    | Smaller
    | Numbered
    | ChangedFrom
    | Within
    | HasObjectId
)
