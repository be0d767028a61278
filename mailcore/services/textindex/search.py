"""Which messages of a folder hold a text: from the index what it names, from the mails what it does not.

Nothing is locked. The index's version is read before and after its blocks: if one was replaced meanwhile,
they are read again, and in the end the mails themselves.
"""

from __future__ import annotations

import threading
from array import array
from collections import OrderedDict
from collections.abc import Collection, Generator, Sequence
from typing import NamedTuple

from mailcore import limits
from mailcore.message import searchtext, trigrams
from mailcore.services import sql
from mailcore.services.textindex import kept

_TRIES = 3
# So few are looked at one by one, whatever the index says.
_FEW = 32


class Wanted(NamedTuple):
    """What to look for: where is TEXT, BODY, one of searchtext.FIELDS or HEADER (with the field's name)."""

    where: str
    needle: str
    name: str = ""


class Hits(NamedTuple):
    """What the index says: contents that match, and those to look at."""

    sure: set[int]
    maybe: set[int]


_NOTHING: tuple[Hits, frozenset[int]] = (Hits(set(), set()), frozenset())
_members = kept.Members()


def find(
    mailbox_id: int, folder_id: int, wanted: Wanted, within: Collection[int] | None = None
) -> Generator[None, None, set[int]]:
    """The uids (of those within) that hold wanted. Yields now and then for others to run."""
    needle = searchtext.needle(wanted.needle)
    uids, contents = _folders.of(folder_id)
    if within is not None:
        chosen = set(within)
        pairs = [pair for pair in zip(uids, contents, strict=True) if pair[0] in chosen]
        uids, contents = array("I", [pair[0] for pair in pairs]), array("q", [pair[1] for pair in pairs])
    if not needle and wanted.where != "HEADER":
        return set(uids)
    hits, covered = _NOTHING if len(uids) <= _FEW else _hits(mailbox_id, wanted, needle)
    sure = set(hits.sure)
    here = set(contents)
    look = sorted((here - covered) | (here & hits.maybe))
    for start in range(0, len(look), limits.SEARCH_READ):
        yield
        sure |= _looked_at(look[start : start + limits.SEARCH_READ], wanted, needle)
    return {uid for uid, pk in zip(uids, contents, strict=True) if pk in sure}


def find_all(mailbox_id: int, folder_id: int, wanted: Wanted) -> set[int]:
    """The same at once."""
    steps = find(mailbox_id, folder_id, wanted)
    while True:
        try:
            next(steps)
        except StopIteration as stop:
            found: set[int] = stop.value
            return found


def indexed(mailbox_id: int, wanted: Wanted) -> tuple[set[int], frozenset[int]]:
    """The contents of a mailbox that hold wanted, of those that are indexed; and which these are."""
    needle = searchtext.needle(wanted.needle)
    hits, covered = _hits(mailbox_id, wanted, needle)
    sure = set(hits.sure)
    look = sorted(hits.maybe)
    for start in range(0, len(look), limits.SEARCH_READ):
        sure |= _looked_at(look[start : start + limits.SEARCH_READ], wanted, needle)
    return sure, covered


# --- From the index -------------------------------------------------------------------------------------


def _hits(mailbox_id: int, wanted: Wanted, needle: str) -> tuple[Hits, frozenset[int]]:
    """What the blocks of a mailbox say, and the contents they know."""
    for _ in range(_TRIES):
        state = kept.state_of(mailbox_id)
        if state is None or not state.is_current:
            break
        covered = _members.of(mailbox_id, state.version)
        if wanted.where in searchtext.FIELDS:
            hits = Hits(_in_fields(mailbox_id, wanted.where, needle), set())
        else:
            hits = Hits(set(), _candidates(mailbox_id, wanted, needle))
        if kept.state_of(mailbox_id) == state:
            return hits, covered
    return _NOTHING


def _in_fields(mailbox_id: int, field: str, needle: str) -> set[int]:
    column = kept.FIELD_COLUMNS[searchtext.FIELDS.index(field)]
    found: set[int] = set()
    for members, squeezed in sql.rows(
        f"SELECT members, {column} FROM search_block WHERE mailbox_id = %s", (mailbox_id,)
    ):
        text = kept.unsqueeze(squeezed).decode()
        ids = kept.unpack(members)
        number = last = 0
        at = text.find(needle)
        while at >= 0:
            number += text.count("\0", last, at)
            found.add(ids[number])
            last = text.find("\0", at)
            if last < 0:
                break
            at = text.find(needle, last)
    return found


def _candidates(mailbox_id: int, wanted: Wanted, needle: str) -> set[int]:
    """The contents that may hold needle: all their trigrams do."""
    if wanted.where == "HEADER" and not needle:
        needle = wanted.name.lower() + ":" if wanted.name.isascii() else ""
    buckets = trigrams.buckets(needle)
    planes = {"TEXT": (0, 1), "BODY": (1,), "HEADER": (0,)}[wanted.where]
    blocks = {
        block: (bool(is_sealed), kept.unpack(members))
        for block, is_sealed, members in sql.rows(
            "SELECT block, is_sealed, members FROM search_block WHERE mailbox_id = %s", (mailbox_id,)
        )
    }
    found: set[int] = set()
    for is_sealed, members in blocks.values():
        if not is_sealed or not buckets:
            found.update(members)
    for plane in planes if buckets else ():
        for block, bitmap in _bitmaps(mailbox_id, plane, buckets, blocks).items():
            members = blocks[block][1]
            found.update([members[at] for at in trigrams.places(bitmap)])
    found.discard(0)
    return found


def _bitmaps(
    mailbox_id: int, plane: int, buckets: Sequence[int], blocks: dict[int, tuple[bool, array[int]]]
) -> dict[int, int]:
    """For each sealed block, which of its places have all of buckets."""
    bitmaps = {block: (1 << len(members)) - 1 for block, (is_sealed, members) in blocks.items() if is_sealed}
    pieces: dict[int, list[int]] = {}
    for bucket in buckets:
        pieces.setdefault(plane * trigrams.GROUPS + bucket // trigrams.GROUP, []).append(bucket)
    where, params = sql.any_of("piece", pieces)
    # A piece that is not there rules nothing out.
    for block, piece, bits in sql.rows(
        f"SELECT block, piece, bits FROM search_plane WHERE mailbox_id = %s AND {where}",
        [mailbox_id, *params],
    ):
        if bitmaps.get(block):
            whole = kept.unsqueeze(bits)
            for bucket in pieces[piece]:
                bitmaps[block] &= trigrams.row(whole, bucket, len(whole) // trigrams.GROUP)
    return bitmaps


# --- From texts and mails -------------------------------------------------------------------------------


def _looked_at(content_ids: Sequence[int], wanted: Wanted, needle: str) -> set[int]:
    """Those contents that do hold needle."""
    if wanted.where not in ("TEXT", "BODY"):
        return _in_headers(content_ids, wanted, needle)
    found: set[int] = set()
    read: list[int] = []
    texts = kept.kept_texts(content_ids)
    for pk in content_ids:
        if pk not in texts:
            read.append(pk)
            continue
        head, body, is_cut = texts[pk]
        if needle in body or (wanted.where == "TEXT" and needle in head):
            found.add(pk)
        elif is_cut:
            read.append(pk)
    for mails in kept.sources(read):
        for pk, mail in mails.items():
            in_head = wanted.where == "TEXT" and needle in searchtext.head_of(mail)
            if in_head or needle in searchtext.body_of(mail):
                found.add(pk)
    return found


def _in_headers(content_ids: Sequence[int], wanted: Wanted, needle: str) -> set[int]:
    where, params = sql.any_of("id", content_ids)
    found: set[int] = set()
    for pk, prefix, header, *columns in sql.rows(
        f"SELECT id, prefix, header, subject, from_text, to_text FROM content WHERE {where}", params
    ):
        if wanted.where == "HEADER":
            holds = searchtext.has_field(prefix + header, wanted.name, needle)
        else:
            source = searchtext.Source(prefix, header, b"", b"", *columns)
            holds = needle in searchtext.field_of(source, wanted.where)
        if holds:
            found.add(pk)
    return found


# --- Which content a uid is -----------------------------------------------------------------------------


class _Folders:
    """uids and their contents, by folder. What a uid means never changes (RFC 9051 §2.3.1.1), so what is
    remembered stays true and only the newest are read; those that are gone do no harm."""

    def __init__(self) -> None:
        self._known: OrderedDict[int, tuple[array[int], array[int]]] = OrderedDict()
        self._count = 0
        self._lock = threading.Lock()

    def of(self, folder_id: int) -> tuple[array[int], array[int]]:
        with self._lock:
            known = self._known.get(folder_id)
        uids, contents = known if known is not None else (array("I"), array("q"))
        rows = sql.rows(
            "SELECT uid, content_id FROM message WHERE folder_id = %s AND uid > %s ORDER BY uid",
            (folder_id, uids[-1] if uids else 0),
        )
        if not rows:
            return uids, contents
        uids = uids + array("I", [row[0] for row in rows])
        contents = contents + array("q", [row[1] for row in rows])
        with self._lock:
            before = self._known.pop(folder_id, None)
            self._known[folder_id] = (uids, contents)
            self._count += len(uids) - (len(before[0]) if before else 0)
            while self._count > limits.SEARCH_FOLDERS_MESSAGES and len(self._known) > 1:
                _, gone = self._known.popitem(last=False)
                self._count -= len(gone[0])
        return uids, contents


_folders = _Folders()


def forget() -> None:
    """Forget what is remembered, as after a restore."""
    global _folders, _members
    _folders, _members = _Folders(), kept.Members()
