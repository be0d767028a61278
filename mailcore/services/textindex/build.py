"""Making the index, in the background: texts, then blocks of them, then bigger blocks of small ones.

Whatever is killed on the way loses nothing: a block counts from the transaction that names it, which also
moves the mailbox's mark; until then its mails are read by searches. Two at once do no harm either: each
block's number is given once, and who finds that the version has moved leaves its work to the next round.
Every transaction is a few milliseconds, and after each the caller's pause lets others have the machine.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from django.db import transaction

from mailcore import limits
from mailcore.message import searchtext, trigrams
from mailcore.message.searchtext import Texts
from mailcore.models import Mailbox
from mailcore.services import sql
from mailcore.services.textindex import kept

Pause = Callable[[], None]
_BLOCK = ("mailbox_id", "block", "members", "is_sealed", *kept.FIELD_COLUMNS)


@dataclass(slots=True)
class _Block:
    """A block as it is kept, without its bitmaps. fields has one text for each column and place."""

    number: int
    members: list[int]
    is_sealed: bool
    fields: list[list[str]]


def sweep(pause: Pause) -> int:
    """Index what came into some mailboxes since the last time; how many mailboxes had to be looked at."""
    due = sql.rows(
        "SELECT m.id FROM mailbox m LEFT JOIN search_mailbox s ON s.mailbox_id = m.id"
        " WHERE m.state <> %s AND (s.mailbox_id IS NULL OR s.seen < m.modseq OR s.text_version <> %s)"
        " ORDER BY m.id LIMIT 100",
        (Mailbox.State.CLOSING.value, searchtext.TEXT_VERSION),
    )
    for (mailbox_id,) in due:
        index_mailbox(mailbox_id, pause)
        pause()
    return len(due)


def index_mailbox(mailbox_id: int, pause: Pause = lambda: None) -> int:
    """Index all that is new in a mailbox; how many contents."""
    made = 0
    while True:
        state = _opened(mailbox_id)
        found = sql.row("SELECT modseq FROM mailbox WHERE id = %s", (mailbox_id,))
        if found is None:
            forget(mailbox_id)
            return made
        rows = sql.rows(
            "SELECT id, content_id FROM message WHERE id > %s AND id < %s ORDER BY id LIMIT %s",
            (max(state.mark, mailbox_id << 40), (mailbox_id + 1) << 40, limits.SEARCH_BLOCK),
        )
        if not rows:
            sql.execute("UPDATE search_mailbox SET seen = %s WHERE mailbox_id = %s", (found[0], mailbox_id))
            return made
        known = _members_of(mailbox_id)
        fresh = list(dict.fromkeys(pk for _, pk in rows if pk not in known))
        if fresh and _add(mailbox_id, state, fresh, rows[-1][0], pause):
            made += len(fresh)
            _merge(mailbox_id, pause)
        elif not fresh:
            _publish(mailbox_id, state.version, mark=rows[-1][0])
        pause()


def rebuild(mailbox_id: int, pause: Pause = lambda: None) -> int:
    """Make the index of a mailbox again from its mail; how many contents."""
    texts = sorted(_members_of(mailbox_id))
    forget(mailbox_id)
    for start in range(0, len(texts), limits.SEARCH_LOT):
        where, params = sql.any_of("content_id", texts[start : start + limits.SEARCH_LOT])
        sql.execute(f"DELETE FROM search_text WHERE {where}", params)
    return index_mailbox(mailbox_id, pause)


def tidy(pause: Pause = lambda: None) -> int:
    """Take expunged mail out of blocks that are mostly such, and drop texts of what went; how many."""
    done = 0
    for mailbox_id, number, octets in _every_block():
        members = [pk for pk in kept.unpack(octets) if pk]
        where, params = sql.any_of("content_id", members)
        live = {
            row[0]
            for row in sql.rows(
                f"SELECT DISTINCT content_id FROM message WHERE {where} AND mailbox_id = %s",
                [*params, mailbox_id],
            )
        }
        if 2 * len(live) < len(members):
            done += _shrink(mailbox_id, number, [pk for pk in members if pk in live], pause)
            pause()
    last = -1
    while some := sql.rows(
        "SELECT content_id FROM search_text WHERE content_id > %s ORDER BY content_id LIMIT 1000", (last,)
    ):
        last = some[-1][0]
        where, params = sql.any_of("content_id", [row[0] for row in some])
        done += sql.execute(
            f"DELETE FROM search_text WHERE {where}"
            " AND NOT EXISTS (SELECT 1 FROM content c WHERE c.id = search_text.content_id)",
            params,
        )
        pause()
    return done


def forget(mailbox_id: int) -> None:
    """Drop the index of a mailbox; its texts stay, or go with their contents."""
    with transaction.atomic():
        for table in ("search_block", "search_plane", "search_mailbox"):
            sql.execute(f"DELETE FROM {table} WHERE mailbox_id = %s", (mailbox_id,))


# --- Reading what is there ------------------------------------------------------------------------------


def _opened(mailbox_id: int) -> kept.State:
    """The state of a mailbox's index, begun or begun again where it has to be."""
    state = kept.state_of(mailbox_id)
    if state is not None and state.is_current:
        return state
    with transaction.atomic():
        for table in ("search_block", "search_plane"):
            sql.execute(f"DELETE FROM {table} WHERE mailbox_id = %s", (mailbox_id,))
        sql.execute(
            "INSERT INTO search_mailbox (mailbox_id, mark, seen, version, next_block, text_version)"
            " VALUES (%s, 0, 0, 1, 1, %s) ON CONFLICT (mailbox_id) DO UPDATE SET mark = 0, seen = 0,"
            " version = search_mailbox.version + 1, text_version = excluded.text_version",
            (mailbox_id, searchtext.TEXT_VERSION),
        )
    state = kept.state_of(mailbox_id)
    assert state is not None
    return state


def _members_of(mailbox_id: int) -> set[int]:
    found: set[int] = set()
    for (octets,) in sql.rows("SELECT members FROM search_block WHERE mailbox_id = %s", (mailbox_id,)):
        found.update(kept.unpack(octets))
    found.discard(0)
    return found


def _blocks(mailbox_id: int, most: int) -> list[_Block]:
    """The newest blocks, oldest first."""
    return [
        _Block(
            number,
            list(kept.unpack(members)),
            bool(is_sealed),
            [kept.unsqueeze(each).decode().split("\0") for each in columns],
        )
        for number, members, is_sealed, *columns in sql.rows(
            f"SELECT {', '.join(_BLOCK[1:])} FROM search_block WHERE mailbox_id = %s"
            " ORDER BY block DESC LIMIT %s",
            (mailbox_id, most),
        )
    ][::-1]


def _every_block() -> Iterator[tuple[int, int, bytes]]:
    last = (-1, -1)
    while some := sql.rows(
        "SELECT mailbox_id, block, members FROM search_block WHERE mailbox_id > %s"
        " OR (mailbox_id = %s AND block > %s) ORDER BY mailbox_id, block LIMIT 50",
        (last[0], last[0], last[1]),
    ):
        last = (some[-1][0], some[-1][1])
        yield from some


# --- Making blocks --------------------------------------------------------------------------------------


def _add(mailbox_id: int, state: kept.State, fresh: list[int], mark: int, pause: Pause) -> bool:
    """Put contents into a block, together with a last one that is not sealed yet. Whether it was done."""
    last = _blocks(mailbox_id, 1)
    tail = last[0] if last and not last[0].is_sealed else None
    old = [pk for pk in tail.members if pk] if tail else []
    block = _made(mailbox_id, [*old, *fresh], pause)
    return _publish(mailbox_id, state.version, mark=mark, new=block, without=[tail.number] if tail else [])


def _shrink(mailbox_id: int, number: int, live: list[int], pause: Pause) -> int:
    state = kept.state_of(mailbox_id)
    if state is None or not state.is_current:
        return 0
    block = _made(mailbox_id, live, pause) if live else None
    return int(_publish(mailbox_id, state.version, new=block, without=[number]))


def _made(mailbox_id: int, content_ids: Sequence[int], pause: Pause) -> _Block:
    """A block of these contents, not named yet; with its bitmaps written when there are enough of them."""
    is_sealed = len(content_ids) >= limits.SEARCH_SEALED
    heads, bodies = trigrams.Lanes(), trigrams.Lanes()
    members: list[int] = []
    fields: list[list[str]] = [[] for _ in searchtext.FIELDS]
    for start in range(0, len(content_ids), limits.SEARCH_LOT):
        lot = content_ids[start : start + limits.SEARCH_LOT]
        texts = _texts(lot)
        for pk in lot:
            if (each := texts.get(pk)) is None:
                continue  # gone: it stays out, and the mark passes it
            members.append(pk)
            for column, text in zip(fields, each.fields, strict=True):
                column.append(text)
            if is_sealed:
                # What was cut may go on with anything, so it is always looked at.
                heads.add(trigrams.EVERY if each.is_cut else trigrams.column(each.head))
                bodies.add(trigrams.EVERY if each.is_cut else trigrams.column(each.body))
        pause()
    block = _Block(_number(mailbox_id), members, is_sealed, fields)
    if is_sealed:
        _fill(block)
        _write_planes(mailbox_id, block, [heads.whole(), bodies.whole()], pause)
    return block


def _texts(lot: Sequence[int]) -> dict[int, Texts]:
    """The texts of contents; those that were not kept yet are kept now."""
    found: dict[int, Texts] = {}
    there = kept.kept_texts(lot)
    new: dict[int, Texts] = {}
    for mails in kept.sources(lot):
        for pk, mail in mails.items():
            found[pk] = searchtext.texts(mail)
            if pk not in there:
                new[pk] = found[pk]
    with transaction.atomic():
        kept.write_texts(new)
    return found


def _fill(block: _Block) -> None:
    """Empty places up to a multiple of eight, so that blocks can be put together by octets."""
    while len(block.members) % 8 or not block.members:
        block.members.append(0)
        for column in block.fields:
            column.append("")


def _number(mailbox_id: int) -> int:
    """A block's number; given once."""
    found = sql.row(
        "UPDATE search_mailbox SET next_block = next_block + 1 WHERE mailbox_id = %s RETURNING next_block",
        (mailbox_id,),
    )
    return int(found[0]) - 1 if found else 0


def _write_planes(mailbox_id: int, block: _Block, planes: Sequence[list[bytes]], pause: Pause) -> None:
    rows = []
    for plane, some in enumerate(planes):
        for at, piece in enumerate(trigrams.groups(some)):
            rows.append((mailbox_id, plane * trigrams.GROUPS + at, block.number, kept.squeeze(piece)))
    statement = sql.insert_statement("search_plane", ("mailbox_id", "piece", "block", "bits"))
    for start in range(0, len(rows), limits.SEARCH_GROUPS_WRITTEN):
        with transaction.atomic():
            sql.execute_many(statement, rows[start : start + limits.SEARCH_GROUPS_WRITTEN])
        pause()


def _merge(mailbox_id: int, pause: Pause) -> None:
    """Put the two newest sealed blocks together as long as the older is not much bigger than the newer."""
    while True:
        state = kept.state_of(mailbox_id)
        blocks = [block for block in _blocks(mailbox_id, 3) if block.is_sealed][-2:]
        if state is None or len(blocks) < 2:
            return
        old, new = blocks
        count = len(old.members) + len(new.members)
        if count > limits.SEARCH_BLOCK or len(old.members) > 2 * len(new.members):
            return
        planes = []
        for plane in range(2):
            lanes = [_lanes(mailbox_id, block, plane) for block in blocks]
            if lanes[0] is None or lanes[1] is None:
                return
            planes.append(lanes[0] + lanes[1])
        both = _Block(
            _number(mailbox_id),
            old.members + new.members,
            True,
            [first + second for first, second in zip(old.fields, new.fields, strict=True)],
        )
        _write_planes(mailbox_id, both, planes, pause)
        if not _publish(mailbox_id, state.version, new=both, without=[old.number, new.number]):
            return


def _lanes(mailbox_id: int, block: _Block, plane: int) -> list[bytes] | None:
    pieces = sql.rows(
        "SELECT bits FROM search_plane WHERE mailbox_id = %s AND block = %s AND piece >= %s AND piece < %s"
        " ORDER BY piece",
        (mailbox_id, block.number, plane * trigrams.GROUPS, (plane + 1) * trigrams.GROUPS),
    )
    if len(pieces) != trigrams.GROUPS:
        return None
    return trigrams.ungroup([kept.unsqueeze(bits) for (bits,) in pieces], len(block.members) // 8)


def _publish(
    mailbox_id: int,
    version: int,
    *,
    mark: int | None = None,
    new: _Block | None = None,
    without: Sequence[int] = (),
) -> bool:
    """In one transaction: name a new block, drop others, move the mark. False when somebody was quicker."""
    with transaction.atomic():
        moved = sql.execute(
            "UPDATE search_mailbox SET version = version + 1, mark = COALESCE(%s, mark)"
            " WHERE mailbox_id = %s AND version = %s",
            (mark, mailbox_id, version),
        )
        if moved and new is not None and new.members:
            sql.execute(
                sql.insert_statement("search_block", _BLOCK),
                (
                    mailbox_id,
                    new.number,
                    kept.pack(new.members),
                    new.is_sealed,
                    *[kept.squeeze("\0".join(column).encode()) for column in new.fields],
                ),
            )
        if moved:
            for number in without:
                for table in ("search_block", "search_plane"):
                    sql.execute(
                        f"DELETE FROM {table} WHERE mailbox_id = %s AND block = %s", (mailbox_id, number)
                    )
        elif new is not None:
            sql.execute(
                "DELETE FROM search_plane WHERE mailbox_id = %s AND block = %s", (mailbox_id, new.number)
            )
    return bool(moved)
