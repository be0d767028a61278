"""Changes to what is filed: flags, copies, moves, expunges.

Callers name messages by ranges of uids, inclusive, sorted and merged (sequence numbers never come
here). Every function is one transaction, one modseq and one row of the change log per folder.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import transaction

from mailcore.errors import FolderGone
from mailcore.imap.wire.objectids import SERIAL_BITS
from mailcore.imap.wire.seqset import collect, compact
from mailcore.message import flags as system_flags
from mailcore.models.change import Change
from mailcore.outside import clock
from mailcore.services import sql
from mailcore.services.messages.locked import (
    CHANGE_COLUMNS,
    EVENT_COLUMNS,
    MESSAGE_COLUMNS,
    LockedMailbox,
    lock_mailboxes,
    ring,
    write_back,
)

Ranges = Sequence[tuple[int, int]]
ALL: Ranges = ((1, 2**32 - 1),)
ALL_BITS = 2**63 - 1

EXPUNGED_COLUMNS = (
    "id", "tenant_id", "mailbox_id", "folder_id", "uid", "content_id", "flags", "keywords", "internal_date",
    "internal_offset", "size", "email_id", "thread_id", "expunged_at",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Unchanged:
    """The condition that a message has not changed since a modseq (RFC 7162 §3.1.3).

    known(uid, modseq) is what the caller knows a message had at modseq, as (flags, keywords), None if it does
    not: a message that changed otherwise later may still be changed in what is as it was (§3.1.12).
    """

    since: int
    known: Callable[[int, int], tuple[int, int] | None] = lambda uid, modseq: None

    def allows(self, uid: int, modseq: int, now: tuple[int, int], meant: tuple[int, int]) -> bool:
        """Whether a message that has flags and keywords now may change in those that are meant."""
        if modseq <= self.since:
            return True
        if not self.since:
            # "0 always fails if the metadata item exists", and a system flag always does.
            return not meant[0] and not now[1] & meant[1]
        before = self.known(uid, self.since)
        return before is not None and not any(
            (then ^ is_now) & bits for then, is_now, bits in zip(before, now, meant, strict=True)
        )


@dataclass(frozen=True, slots=True)
class Changed:
    """modseq is what the change got; uids are those that really changed; refused those that did not meet the
    condition."""

    modseq: int
    uids: list[int]
    refused: list[int] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Copied:
    """COPYUID's three parts (RFC 4315): pairs stand at the same place of both lists."""

    uidvalidity: int
    source_uids: list[int]
    target_uids: list[int]


@dataclass(frozen=True, slots=True)
class Kept:
    """Which flags a copy keeps of those that the message has: bits of message.flags, and whether keywords."""

    flags: int = system_flags.ALL
    keywords: bool = True

    def of(self, row: sql.Row) -> sql.Row:
        """A row of MESSAGE_COLUMNS with those only."""
        return (*row[:5], row[5] & self.flags, row[6] if self.keywords else 0, *row[7:])


ALL_KEPT = Kept()


def _locked(folder_id: int) -> tuple[LockedMailbox, int]:
    """The folder's mailbox under lock, and its tenant. Raises FolderGone."""
    found = sql.row("SELECT mailbox_id FROM folder WHERE id = %s", (folder_id,))
    boxes = lock_mailboxes([found[0]]) if found else {}
    if not boxes or not sql.row("SELECT 1 FROM folder WHERE id = %s", (folder_id,)):
        raise FolderGone
    (box,) = boxes.values()
    return box, box.tenant_id


def _select(folder_id: int, ranges: Ranges, columns: str, extra: str = "") -> list[sql.Row]:
    found: list[sql.Row] = []
    for low, high in ranges:
        found += sql.rows(
            f"SELECT {columns} FROM message"
            f" WHERE folder_id = %s AND uid BETWEEN %s AND %s {extra} ORDER BY uid",
            (folder_id, low, high),
        )
    return found


def _log(folder_id: int, box: LockedMailbox, kind: Change.Kind, uids: Sequence[int]) -> None:
    sql.execute(
        sql.insert_statement("change", CHANGE_COLUMNS),
        (folder_id, box.modseq, kind.value, box.pk, compact(uids).decode(), sql.moment(clock.now())),
    )


def _record(
    box: LockedMailbox, kind: str, folder_id: int, uids: Sequence[int], via: str, data: dict[str, Any]
) -> None:
    """One event for the whole command, when the caller says by which way it came."""
    if via:
        sql.execute(
            sql.insert_statement("event", EVENT_COLUMNS),
            (box.tenant_id, box.pk, "", kind, sql.moment(clock.now()), "", "", folder_id,
             compact(uids).decode(), json.dumps({"via": via, **data}), None),
        )  # fmt: skip


def _count(
    folder_id: int, box: LockedMailbox, *, messages: int = 0, unseen: int = 0, octets: int = 0
) -> None:
    sql.execute(
        "UPDATE folder SET message_count = message_count + %s, unseen_count = unseen_count + %s,"
        " octets = octets + %s, modseq = %s WHERE id = %s",
        (messages, unseen, octets, box.modseq, folder_id),
    )


def set_flags(
    folder_id: int,
    ranges: Ranges,
    *,
    add: int = 0,
    remove: int = 0,
    replace: bool = False,
    add_keywords: Sequence[str] = (),
    remove_keywords: Sequence[str] = (),
    condition: Unchanged | None = None,
    via: str = "",
) -> Changed:
    """Add and remove flags of the messages with these uids; with replace they have just what is added.

    Messages that already are so stay untouched and keep their modseq. Raises FolderGone, BadFlag.
    """
    with transaction.atomic():
        box, _tenant = _locked(folder_id)
        added = box.keyword_bits(add_keywords)
        known = {name.casefold(): 1 << number for number, name in enumerate(box.keywords)}
        removed = 0
        for name in remove_keywords:
            removed |= known.get(name.casefold(), 0)

        # All there are, if flags are replaced: also those that go.
        meant = (ALL_BITS, ALL_BITS) if replace else (add | remove, added | removed)
        changed: list[int] = []
        refused: list[int] = []
        read: list[int] = []
        marked: list[int] = []
        unseen = 0
        for uid, flags, keywords, modseq in _select(folder_id, ranges, "uid, flags, keywords, modseq"):
            new_flags = add if replace else (flags | add) & ~remove
            new_keywords = added if replace else (keywords | added) & ~removed
            if condition and not condition.allows(uid, modseq, (flags, keywords), meant):
                refused.append(uid)
            elif new_flags != flags or new_keywords != keywords:
                changed.append(uid)
                seen_before, seen_now = flags & system_flags.SEEN, new_flags & system_flags.SEEN
                unseen += bool(seen_before) - bool(seen_now)
                if seen_now and not seen_before:
                    read.append(uid)
                if new_flags & ~flags & system_flags.DELETED:
                    marked.append(uid)
        if not changed:
            if box.keywords_grew:
                write_back([box])
            return Changed(box.modseq, [], refused)

        box.modseq += 1
        if replace:
            assignment, values = "flags = %s, keywords = %s", (add, added)
        else:
            # The masks are whole numbers of ours: | and & are the same on both databases, ~ is applied here.
            assignment = "flags = (flags | %s) & %s, keywords = (keywords | %s) & %s"
            values = (add, ~remove & 0x7FFF, added, ~removed & ALL_BITS)  # type: ignore[assignment]
        sql.execute_many(
            f"UPDATE message SET {assignment}, modseq = %s WHERE folder_id = %s AND uid BETWEEN %s AND %s",
            [(*values, box.modseq, folder_id, low, high) for low, high in collect(changed)],
        )
        _log(folder_id, box, Change.Kind.FLAGS, changed)
        _count(folder_id, box, unseen=unseen)
        if read:
            _record(box, "read", folder_id, read, via, {})
        if marked:
            _record(box, "marked", folder_id, marked, via, {})
        write_back([box])
        ring([box.pk])
        return Changed(box.modseq, changed, refused)


def copy(source_id: int, ranges: Ranges, target_id: int, *, keep: Kept = ALL_KEPT, via: str = "") -> Copied:
    """Copy messages to another folder, of the same mailbox or another of the same tenant.

    The octets are shared, the copies count against the target's quota. All or nothing.
    Raises FolderGone, OverQuota.
    """
    with transaction.atomic():
        source, target = _lock_both(source_id, target_id)
        rows = _select(source_id, ranges, ", ".join(MESSAGE_COLUMNS))
        uidvalidity, uidnext = _counters(target_id)
        if not rows:
            return Copied(uidvalidity, [], [])
        rows = [keep.of(row) for row in rows]
        octets = sum(row[11] for row in rows)
        target.need_room(octets, len(rows))
        target_uids, unseen = _insert_copies(rows, source, target, target_id, uidnext)
        target.used += octets
        target.count += len(rows)
        sql.execute("UPDATE folder SET uidnext = %s WHERE id = %s", (uidnext + len(rows), target_id))
        _log(target_id, target, Change.Kind.ADDED, target_uids)
        _count(target_id, target, messages=len(rows), unseen=unseen, octets=octets)
        uids = [row[3] for row in rows]
        _record(
            source, "copied", source_id, uids, via, {"to": target_id, "as": compact(target_uids).decode()}
        )
        write_back([target])
        ring([target.pk])
        return Copied(uidvalidity, uids, target_uids)


def _lock_both(source_id: int, target_id: int) -> tuple[LockedMailbox, LockedMailbox]:
    found = sql.rows("SELECT id, mailbox_id FROM folder WHERE id = %s OR id = %s", (source_id, target_id))
    owners: dict[int, int] = dict(found)
    if source_id not in owners or target_id not in owners:
        raise FolderGone
    boxes = lock_mailboxes(owners.values())
    still = sql.rows("SELECT id FROM folder WHERE id = %s OR id = %s", (source_id, target_id))
    if len(still) < len(owners) or len(boxes) < len(set(owners.values())):
        raise FolderGone
    source, target = boxes[owners[source_id]], boxes[owners[target_id]]
    if source.tenant_id != target.tenant_id:
        raise FolderGone
    return source, target


def _counters(folder_id: int) -> tuple[int, int]:
    found = sql.row("SELECT uidvalidity, uidnext FROM folder WHERE id = %s", (folder_id,))
    if found is None:
        raise FolderGone
    return found[0], found[1]


def _insert_copies(
    rows: Sequence[sql.Row], source: LockedMailbox, target: LockedMailbox, target_id: int, uidnext: int
) -> tuple[list[int], int]:
    """Insert copies of whole message rows; their new uids, and how many are unseen."""
    now = int(clock.now().timestamp())
    same = source.pk == target.pk
    copies = []
    unseen = 0
    for number, row in enumerate(rows):
        (
            _pk,
            _box,
            _folder,
            _uid,
            content,
            flags,
            keywords,
            _modseq,
            date,
            offset,
            _saved,
            size,
            email,
            thread,
        ) = row
        target.modseq += 1
        if not same:
            # Keywords are numbered per mailbox; emails and threads too, but who sees both knows these.
            keywords = target.keyword_bits(names_of(source.keywords, keywords))
            email, thread = (_abroad(serial, source.pk, target.pk) for serial in (email, thread))
        unseen += not flags & system_flags.SEEN
        copies.append((
            target.pk << 40 | target.modseq, target.pk, target_id, uidnext + number, content, flags, keywords,
            target.modseq, date, offset, now, size, email, thread,
        ))  # fmt: skip
    sql.execute_many(sql.insert_statement("message", MESSAGE_COLUMNS), copies)
    return list(range(uidnext, uidnext + len(rows))), unseen


def _abroad(serial: int, source: int, target: int) -> int:
    """The serial of an email or a thread for a row of another mailbox: with the mailbox that gave it out
    above it, so that a copy stays known for what it is (RFC 8474 §5.1)."""
    whole = serial if serial >> SERIAL_BITS else source << SERIAL_BITS | serial
    return whole & (1 << SERIAL_BITS) - 1 if whole >> SERIAL_BITS == target else whole


def names_of(keywords: Sequence[str], bits: int) -> list[str]:
    """The names of keyword bits in a mailbox."""
    return [name for number, name in enumerate(keywords) if bits >> number & 1]


def move(source_id: int, ranges: Ranges, target_id: int, *, keep: Kept = ALL_KEPT, via: str = "") -> Copied:
    """Move messages to another folder in one step: nobody ever sees both or neither (RFC 6851).

    Within a mailbox the rows themselves move and keep their email and thread. Raises FolderGone,
    OverQuota (only into another mailbox).
    """
    with transaction.atomic():
        source, target = _lock_both(source_id, target_id)
        rows = _select(source_id, ranges, ", ".join(MESSAGE_COLUMNS))
        uidvalidity, uidnext = _counters(target_id)
        if not rows:
            return Copied(uidvalidity, [], [])
        uids = [row[3] for row in rows]
        octets = sum(row[11] for row in rows)
        unseen = sum(not row[5] & system_flags.SEEN for row in rows)
        rows = [keep.of(row) for row in rows]
        unseen_there = sum(not row[5] & system_flags.SEEN for row in rows)
        source.modseq += 1
        if source.pk == target.pk:
            target_uids = list(range(uidnext, uidnext + len(rows)))
            now = int(clock.now().timestamp())
            sql.execute_many(
                "UPDATE message SET folder_id = %s, uid = %s, modseq = %s, saved_date = %s,"
                " flags = %s, keywords = %s WHERE id = %s",
                [
                    (target_id, uid, source.modseq, now, row[5], row[6], row[0])
                    for uid, row in zip(target_uids, rows, strict=True)
                ],
            )  # fmt: skip
        else:
            target.need_room(octets, len(rows))
            target_uids, _ = _insert_copies(rows, source, target, target_id, uidnext)
            target.used += octets
            target.count += len(rows)
            source.used -= octets
            source.count -= len(rows)
            _delete(source_id, uids)
        sql.execute("UPDATE folder SET uidnext = %s WHERE id = %s", (uidnext + len(rows), target_id))
        _log(source_id, source, Change.Kind.GONE, uids)
        _count(source_id, source, messages=-len(rows), unseen=-unseen, octets=-octets)
        _log(target_id, target, Change.Kind.ADDED, target_uids)
        _count(target_id, target, messages=len(rows), unseen=unseen_there, octets=octets)
        _record(source, "moved", source_id, uids, via, {"to": target_id, "as": compact(target_uids).decode()})
        write_back({source.pk: source, target.pk: target}.values())
        ring({source.pk, target.pk})
        return Copied(uidvalidity, uids, target_uids)


def _delete(folder_id: int, uids: Sequence[int]) -> None:
    sql.execute_many(
        "DELETE FROM message WHERE folder_id = %s AND uid BETWEEN %s AND %s",
        [(folder_id, low, high) for low, high in collect(uids)],
    )


def expunge(
    folder_id: int,
    ranges: Ranges = ALL,
    *,
    only_deleted: bool = True,
    keep_aside: bool = True,
    via: str = "",
) -> Changed:
    """Remove messages for good: all flagged \\Deleted among ranges, or all of them.

    They are kept aside for the tenant's retention, save for what nobody wants back (an older state of a
    draft), whose octets the sweep takes. Raises FolderGone.
    """
    with transaction.atomic():
        box, tenant = _locked(folder_id)
        extra = f"AND flags & {system_flags.DELETED} <> 0" if only_deleted else ""
        rows = _select(folder_id, ranges, ", ".join(MESSAGE_COLUMNS), extra)
        if not rows:
            return Changed(box.modseq, [])
        uids = [row[3] for row in rows]
        octets = sum(row[11] for row in rows)
        unseen = sum(not row[5] & system_flags.SEEN for row in rows)
        now = sql.moment(clock.now())
        box.modseq += 1
        sql.execute_many(
            sql.insert_statement("expunged_message", EXPUNGED_COLUMNS),
            [
                (row[0], tenant, *row[1:7], row[8], row[9], *row[11:14], now)
                for row in rows
                if keep_aside
            ],
        )  # fmt: skip
        _delete(folder_id, uids)
        box.used -= octets
        box.count -= len(rows)
        _log(folder_id, box, Change.Kind.GONE, uids)
        _count(folder_id, box, messages=-len(rows), unseen=-unseen, octets=-octets)
        _record(box, "deleted", folder_id, uids, via, {})
        write_back([box])
        ring([box.pk])
        return Changed(box.modseq, uids)
