"""Reading what is filed, without locks. Every function is a few statements and returns plain values.

The order matters where changes are read: the mailbox's modseq first, then what changed after the
modseq known, then known becomes that counter, never the highest row seen. A writer commits its
counter and its rows together, so nothing can fall between.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.db import transaction

from mailcore.errors import FolderGone, NoSuchMessage
from mailcore.imap.wire import seqset
from mailcore.message import flags
from mailcore.models.change import Change
from mailcore.outside import blobs
from mailcore.services import sql
from mailcore.services.messages import octets


@dataclass(frozen=True, slots=True)
class FolderState:
    """The counters of one folder. folder_modseq is when it last changed; modseq is the
    mailbox's counter, to ask for changes from."""

    folder_id: int
    mailbox_id: int
    tenant_id: int
    name: str
    role: str
    object_serial: int
    uidvalidity: int
    uidnext: int
    recent_uid: int
    message_count: int
    unseen_count: int
    octets: int
    folder_modseq: int
    modseq: int


_STATE = (
    "SELECT f.id, f.mailbox_id, f.tenant_id, f.name, f.role, f.object_serial, f.uidvalidity, f.uidnext,"
    " f.recent_uid, f.message_count, f.unseen_count, f.octets, f.modseq, m.modseq"
    " FROM folder f JOIN mailbox m ON m.id = f.mailbox_id"
)


def folder_state(folder_id: int) -> FolderState:
    """Raises FolderGone."""
    found = sql.row(f"{_STATE} WHERE f.id = %s", (folder_id,))
    if found is None:
        raise FolderGone
    return FolderState(*found)


def folder_rows(mailbox_id: int) -> list[FolderState]:
    """Every folder of a mailbox with its counters, by name."""
    return [
        FolderState(*row)
        for row in sql.rows(f"{_STATE} WHERE f.mailbox_id = %s ORDER BY f.name", (mailbox_id,))
    ]


@dataclass(frozen=True, slots=True)
class Tally:
    """What of a folder only its messages tell: how many no session has seen, how many are \\Deleted, and
    the octets of these."""

    recent: int = 0
    deleted: int = 0
    deleted_octets: int = 0


def tallies(mailbox_id: int, *, folder_id: int | None = None) -> dict[int, Tally]:
    """Every folder of a mailbox that has such messages, or one folder, by folder id. One statement."""
    where = "m.id >= %s AND m.id < %s" if folder_id is None else "m.folder_id = %s"
    params = (mailbox_id << 40, (mailbox_id + 1) << 40) if folder_id is None else (folder_id,)
    found = sql.rows(
        "SELECT folder_id, sum(is_recent), sum(is_deleted), sum(is_deleted * size) FROM ("
        " SELECT m.folder_id, m.size, CASE WHEN m.uid >= f.recent_uid THEN 1 ELSE 0 END AS is_recent,"
        " CASE WHEN (m.flags & %s) <> 0 THEN 1 ELSE 0 END AS is_deleted"
        f" FROM message m JOIN folder f ON f.id = m.folder_id WHERE {where}) AS seen"
        " WHERE is_recent + is_deleted > 0 GROUP BY folder_id",
        (flags.DELETED, *params),
    )
    return {row[0]: Tally(int(row[1]), int(row[2]), int(row[3])) for row in found}


def mailbox_modseq(mailbox_id: int) -> int:
    """The counter a snapshot is proven current with. 0 when the mailbox is gone."""
    found = sql.row("SELECT modseq FROM mailbox WHERE id = %s", (mailbox_id,))
    return found[0] if found else 0


def keyword_names(mailbox_id: int) -> list[str]:
    """The mailbox's keywords; bit n of message.keywords is the n-th."""

    found = sql.row("SELECT keywords FROM mailbox WHERE id = %s", (mailbox_id,))
    if found is None:
        return []
    return json.loads(found[0]) if isinstance(found[0], str) else list(found[0])


def message_rows(folder_id: int) -> list[tuple[int, int, int, int]]:
    """(uid, flags, keywords, modseq) of every message, by uid: what a snapshot is loaded from."""
    return sql.rows(
        "SELECT uid, flags, keywords, modseq FROM message WHERE folder_id = %s ORDER BY uid", (folder_id,)
    )


@dataclass(frozen=True, slots=True)
class ChangesSince:
    """What happened in a folder after a modseq: rows (uid, flags, keywords, modseq) that are new or changed
    and still there, and the uids that went. modseq is what to ask from next time, folder_modseq when the
    folder last changed. Without is_whole the log does not reach back so far: what is here is not all."""

    modseq: int
    rows: list[tuple[int, int, int, int]]
    gone: list[int]
    uidnext: int = 0
    folder_modseq: int = 0
    is_whole: bool = True


def changes_since(folder_id: int, modseq: int) -> ChangesSince:
    """No row is younger than the modseq that comes with it: what a client is told then is never ahead of
    what it has not been told yet (RFC 7162 §3.2). Raises FolderGone."""
    while True:
        since = _changes_since(folder_id, modseq)
        if all(row[3] <= since.modseq for row in since.rows):
            return since


def _changes_since(folder_id: int, modseq: int) -> ChangesSince:
    """The same, unless somebody changes the folder while it is read."""
    state = folder_state(folder_id)
    touched: set[int] = set()
    gone: set[int] = set()
    log, is_whole = _log_since(folder_id, modseq)
    for kind, uids in log:
        (gone if kind == Change.Kind.GONE else touched).update(seqset.numbers(uids))
    # A uid never comes back (RFC 9051 §2.3.1.1): what is gone is gone.
    touched -= gone
    rows = [row for row in _message_rows_of(folder_id, sorted(touched)) if row[3] > modseq]
    return ChangesSince(state.modseq, rows, sorted(gone), state.uidnext, state.folder_modseq, is_whole)


def gone_since(folder_id: int, modseq: int) -> seqset.Ranges | None:
    """The uids that went after modseq, None when nobody remembers that far back. Raises FolderGone."""
    log, is_whole = _log_since(folder_id, modseq)
    gone = seqset.ranges_of(pair for kind, uids in log if kind == Change.Kind.GONE for pair in uids)
    return gone if is_whole else None


def _log_since(folder_id: int, modseq: int) -> tuple[list[tuple[int, seqset.Ranges]], bool]:
    """(kind, uids) of every change after modseq, and whether these are all. Raises FolderGone.

    One statement, so that nothing is forgotten between the mark of how far the log reaches and the log.
    """
    found = sql.rows(
        "SELECT f.log_from, c.kind, c.uids FROM folder f"
        " LEFT JOIN change c ON c.folder_id = f.id AND c.modseq > %s WHERE f.id = %s",
        (modseq, folder_id),
    )
    if not found:
        raise FolderGone
    log = [(kind, seqset.parse_compact(uids.encode())) for _, kind, uids in found if kind is not None]
    return log, found[0][0] <= modseq


def changed_count(folder_id: int, modseq: int) -> int:
    """How many messages the changes after modseq name: what changes_since would have to read."""
    return sum(
        seqset.count(seqset.parse_compact(uids.encode()))
        for (uids,) in sql.rows(
            "SELECT uids FROM change WHERE folder_id = %s AND modseq > %s", (folder_id, modseq)
        )
    )


def _message_rows_of(folder_id: int, uids: Sequence[int]) -> Iterable[tuple[int, int, int, int]]:
    for start in range(0, len(uids), 2000):
        where, params = sql.any_of("uid", uids[start : start + 2000])
        yield from sql.rows(
            f"SELECT uid, flags, keywords, modseq FROM message WHERE folder_id = %s AND {where} ORDER BY uid",
            [folder_id, *params],
        )


def contents(folder_id: int, low: int, high: int, columns: Sequence[str]) -> list[sql.Row]:
    """Columns of messages (m.uid, m.size, ...) and contents (c.envelope, ...) for uids low..high, by uid.

    columns are written by us, never by a client. c is joined only when it is named.
    """
    join = (
        " JOIN content c ON c.id = m.content_id" if any(column.startswith("c.") for column in columns) else ""
    )
    return sql.rows(
        f"SELECT {', '.join(columns)} FROM message m{join}"
        " WHERE m.folder_id = %s AND m.uid BETWEEN %s AND %s ORDER BY m.uid",
        (folder_id, low, high),
    )


@dataclass(frozen=True, slots=True)
class Octets:
    """One mail whole, in the parts it is kept in."""

    prefix: bytes
    header: bytes
    body: bytes
    parts: bytes

    @property
    def raw(self) -> bytes:
        """What a client reads."""
        return self.prefix + self.header + self.body

    def __len__(self) -> int:
        return len(self.prefix) + len(self.header) + len(self.body)


def raw_of(content_id: int) -> Octets:
    """The octets of one content. Raises NoSuchMessage."""
    return raws_of([content_id])[content_id]


def raws_of(content_ids: Sequence[int]) -> dict[int, Octets]:
    """The octets of several contents, in one statement. Raises NoSuchMessage if one is gone."""
    where, params = sql.any_of("id", content_ids)
    found = {}
    for pk, tenant, prefix, header, parts, place, codec, sha256, payload in sql.rows(
        "SELECT id, tenant_id, prefix, header, parts, place, codec, sha256, payload FROM content WHERE "
        + where,
        params,
    ):
        kept = payload if place == octets.IN_ROW else blobs.get(tenant, bytes(sha256).hex())
        found[pk] = Octets(prefix, header, octets.decompress(codec, kept), parts)
    if len(found) < len(set(content_ids)):
        raise NoSuchMessage
    return found


def claim_recent(folder_id: int, below: int | None = None) -> int:
    """The first uid no session has seen yet; from now on one has seen all, or those below a uid.

    (\\Recent, RFC 3501 §2.3.2.) Raises FolderGone.
    """
    state = folder_state(folder_id)
    if state.recent_uid >= (state.uidnext if below is None else below):
        return state.recent_uid
    with transaction.atomic():
        # Again under lock, so that of two sessions one is the first.
        found = sql.row(
            f"SELECT recent_uid, uidnext FROM folder WHERE id = %s {sql.for_update()}", (folder_id,)
        )
        if found is None:
            raise FolderGone
        recent_uid, uidnext = found
        sql.execute(
            "UPDATE folder SET recent_uid = %s WHERE id = %s AND recent_uid < %s",
            (seen := uidnext if below is None else below, folder_id, seen),
        )
    return int(recent_uid)
