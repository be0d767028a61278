"""What the index keeps, as values: states, blocks and texts, from and to their rows."""

from __future__ import annotations

import sys
import threading
from array import array
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import zstandard

from mailcore import limits
from mailcore.errors import NoSuchMessage
from mailcore.message import searchtext
from mailcore.message.searchtext import Source, Texts
from mailcore.services import messages, sql

FIELD_COLUMNS = ("subject", "from_text", "to_text", "cc_text", "bcc_text")
_local = threading.local()


def squeeze(octets: bytes) -> bytes:
    """octets compressed, quickly rather than small."""
    made = getattr(_local, "compressor", None)
    if made is None:
        made = _local.compressor = zstandard.ZstdCompressor(level=1)
    squeezed: bytes = made.compress(octets)
    return squeezed


def unsqueeze(octets: bytes) -> bytes:
    return messages.octets.decompress(messages.octets.ZSTD, octets)


class State(NamedTuple):
    """How far a mailbox is indexed."""

    mark: int
    seen: int
    version: int
    text_version: int

    @property
    def is_current(self) -> bool:
        return self.text_version == searchtext.TEXT_VERSION


def state_of(mailbox_id: int) -> State | None:
    found = sql.row(
        "SELECT mark, seen, version, text_version FROM search_mailbox WHERE mailbox_id = %s", (mailbox_id,)
    )
    return State(*found) if found else None


def pack(numbers: Sequence[int]) -> bytes:
    """Ids as they are kept in a block."""
    packed = array("q", numbers)
    if sys.byteorder == "big":
        packed.byteswap()
    return packed.tobytes()


def unpack(octets: bytes) -> array[int]:
    found = array("q")
    found.frombytes(octets)
    if sys.byteorder == "big":
        found.byteswap()
    return found


class Members:
    """The contents that the blocks of mailboxes name, remembered as long as their version stays."""

    def __init__(self) -> None:
        self._known: OrderedDict[int, tuple[int, frozenset[int]]] = OrderedDict()
        self._count = 0
        self._lock = threading.Lock()

    def of(self, mailbox_id: int, version: int) -> frozenset[int]:
        """Those of a mailbox whose state was at version a moment ago."""
        with self._lock:
            known = self._known.get(mailbox_id)
            if known is not None and known[0] == version:
                self._known.move_to_end(mailbox_id)
                return known[1]
        found: set[int] = set()
        for (octets,) in sql.rows("SELECT members FROM search_block WHERE mailbox_id = %s", (mailbox_id,)):
            found.update(unpack(octets))
        found.discard(0)
        made = frozenset(found)
        now = state_of(mailbox_id)
        if now is not None and now.version == version:  # else these may be those of another version
            self._keep(mailbox_id, version, made)
        return made

    def _keep(self, mailbox_id: int, version: int, made: frozenset[int]) -> None:
        with self._lock:
            before = self._known.pop(mailbox_id, (0, frozenset()))
            self._known[mailbox_id] = (version, made)
            self._count += len(made) - len(before[1])
            while self._count > limits.SEARCH_MEMBERS and len(self._known) > 1:
                _, gone = self._known.popitem(last=False)
                self._count -= len(gone[1])


def kept_texts(content_ids: Sequence[int]) -> dict[int, tuple[str, str, bool]]:
    """Header, body and whether they were cut, of those contents whose text is kept."""
    where, params = sql.any_of("content_id", content_ids)
    found = {}
    for pk, is_cut, text in sql.rows(
        f"SELECT content_id, is_cut, text FROM search_text WHERE {where} AND text_version = %s",
        [*params, searchtext.TEXT_VERSION],
    ):
        head, _, body = unsqueeze(text).decode().partition("\0")
        found[pk] = (head, body, bool(is_cut))
    return found


def sources(content_ids: Sequence[int]) -> Iterator[dict[int, Source]]:
    """The mails themselves, some at a time so that memory stays bounded; what is gone is left out."""
    where, params = sql.any_of("id", content_ids)
    columns = {
        row[0]: row[1:]
        for row in sql.rows(
            f"SELECT id, octets, subject, from_text, to_text FROM content WHERE {where}", params
        )
    }
    lot: list[int] = []
    octets = 0
    for pk in content_ids:
        if pk not in columns:
            continue
        if lot and octets + columns[pk][0] > limits.SEARCH_LOT_OCTETS:
            yield _sources(lot, columns)
            lot, octets = [], 0
        lot.append(pk)
        octets += columns[pk][0]
    if lot:
        yield _sources(lot, columns)


def _sources(lot: list[int], columns: dict[int, sql.Row]) -> dict[int, Source]:
    try:
        mails = messages.raws_of(lot)
    except NoSuchMessage:  # one went since: take the others one by one
        mails = {}
        for pk in lot:
            try:
                mails[pk] = messages.raw_of(pk)
            except NoSuchMessage:
                continue
    return {
        pk: Source(mail.prefix, mail.header, mail.body, mail.parts, *columns[pk][1:])
        for pk, mail in mails.items()
    }


def write_texts(made: dict[int, Texts]) -> None:
    """Keep texts; again is no mistake. In the caller's transaction."""
    sql.execute_many(
        "INSERT INTO search_text (content_id, text_version, is_cut, text) VALUES (%s, %s, %s, %s)"
        " ON CONFLICT (content_id) DO UPDATE SET text_version = excluded.text_version,"
        " is_cut = excluded.is_cut, text = excluded.text",
        [
            (pk, searchtext.TEXT_VERSION, each.is_cut, squeeze(f"{each.head}\0{each.body}".encode()))
            for pk, each in made.items()
        ],
    )
