"""What the store no longer needs, and whether all it needs is there. Called by sweeps, never by a face.

Nothing here is urgent, so everything goes in small transactions that nobody waits for. Content is kept while
a message, an expunged message or a submission refers to it; a large body while a content names it.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Iterator

from django.db import transaction

from mailcore import limits
from mailcore.models import QueueEntry, Submission, Tenant
from mailcore.outside import blobs, clock
from mailcore.services import closing, sql
from mailcore.services.messages import octets
from mailcore.services.messages.locked import lock_mailboxes

log = logging.getLogger(__name__)
ROWS = 500


def sweep_expunged() -> int:
    """Let some expunged messages go that are older than their tenant keeps them; how many went."""
    gone = 0
    for tenant_id, days in Tenant.objects.values_list("pk", "retention_days"):
        before = sql.moment(clock.now() - dt.timedelta(days=days))
        some = sql.rows(
            "SELECT id, content_id FROM expunged_message WHERE expunged_at < %s AND tenant_id = %s LIMIT %s",
            (before, tenant_id, ROWS),
        )
        if some:
            where, params = sql.any_of("id", [row[0] for row in some])
            with transaction.atomic():
                sql.execute(f"DELETE FROM expunged_message WHERE {where}", params)
                closing.drop_contents({row[1] for row in some})
            gone += len(some)
    return gone


def prune_submissions() -> int:
    """Forget some submissions whose last recipient was finished long ago; how many. The events stay."""
    before = sql.moment(clock.now() - dt.timedelta(seconds=limits.QUEUE_KEPT_SECONDS))
    gone = 0
    for tenant_id in Tenant.objects.values_list("pk", flat=True):
        some = sql.rows(
            "SELECT s.id, s.content_id FROM submission s WHERE s.tenant_id = %s AND s.created_at < %s"
            " AND NOT EXISTS (SELECT 1 FROM queue_entry e WHERE e.submission_id = s.id"
            "  AND (e.finished_at IS NULL OR e.finished_at >= %s)) LIMIT %s",
            (tenant_id, before, before, ROWS),
        )
        if some:
            pks = [row[0] for row in some]
            with transaction.atomic():
                QueueEntry.objects.filter(submission_id__in=pks).delete()
                Submission.objects.filter(pk__in=pks).delete()
                closing.drop_contents({row[1] for row in some})
            gone += len(some)
    return gone


def prune_changes() -> int:
    """Forget some of the oldest entries of the change log; how many. Folders keep how far theirs reaches."""
    before = sql.moment(clock.now() - dt.timedelta(seconds=limits.CHANGES_KEPT_SECONDS))
    some = sql.rows(
        "SELECT folder_id, modseq, kind, mailbox_id FROM change WHERE at < %s LIMIT %s", (before, 10 * ROWS)
    )
    marks: dict[int, int] = {}
    for folder_id, modseq, _, _ in some:
        marks[folder_id] = max(modseq, marks.get(folder_id, 0))
    with transaction.atomic():
        lock_mailboxes({row[3] for row in some})  # before their folders, as everybody does
        sql.execute_many(
            "UPDATE folder SET log_from = %s WHERE id = %s AND log_from < %s",
            [(modseq, folder_id, modseq) for folder_id, modseq in sorted(marks.items())],
        )
        sql.execute_many(
            "DELETE FROM change WHERE folder_id = %s AND modseq = %s AND kind = %s", [row[:3] for row in some]
        )
    return len(some)


def sweep_contents() -> int:
    """Drop every content that nothing refers to; how many. Normally none: whoever lets go of one drops it."""
    before = sql.moment(clock.now() - dt.timedelta(seconds=limits.SWEEP_AGE_SECONDS))
    gone = 0
    for pks in _unreferenced(before):
        with transaction.atomic():
            closing.drop_contents(pks)
        gone += len(pks)
    if gone:
        log.warning("%d contents that nothing referred to were dropped", gone)
    return gone


def _unreferenced(before: object) -> Iterator[list[int]]:
    """Lists of contents without a message, in slices of the table so that no statement is long."""
    last = -1
    while True:
        pks = [
            row[0]
            for row in sql.rows(
                "SELECT id FROM content WHERE id > %s ORDER BY id LIMIT %s", (last, 10 * ROWS)
            )
        ]
        if not pks:
            return
        unused = " AND ".join(
            f"NOT EXISTS (SELECT 1 FROM {table} r WHERE r.content_id = c.id)"
            for table in ("message", "expunged_message", "submission", "quarantined")
        )
        found = sql.rows(
            f"SELECT c.id FROM content c WHERE c.id > %s AND c.id <= %s AND c.created_at < %s AND {unused}",
            (last, pks[-1], before),
        )
        if found:
            yield [row[0] for row in found]
        last = pks[-1]


def sweep_blobs() -> tuple[int, int]:
    """Drop large bodies that no content names, and say which are missing: (dropped, missing).

    A young one stays: it may belong to a transaction that has not committed yet.
    """
    # The rows first: a body is stored before its row commits, so whatever is named now must be found below.
    named = {
        (tenant, bytes(sha256).hex())
        for tenant, sha256 in sql.rows(
            "SELECT DISTINCT tenant_id, sha256 FROM content WHERE place = %s", (octets.IN_FILE,)
        )
    }
    before = clock.now() - dt.timedelta(seconds=limits.SWEEP_AGE_SECONDS)
    dropped = 0
    for blob in blobs.iterate():
        if (blob.tenant_id, blob.sha256) in named:
            named.discard((blob.tenant_id, blob.sha256))
        elif blob.modified_at < before and not _is_named(blob.tenant_id, blob.sha256):
            blobs.drop(blob.tenant_id, blob.sha256)
            dropped += 1
    missing = [
        (tenant, sha256)
        for tenant, sha256 in named
        if not blobs.exists(tenant, sha256) and _is_named(tenant, sha256)
    ]
    if missing:
        log.error("%d bodies are missing in the store, among them %s", len(missing), missing[:10])
    if dropped:
        log.info("%d bodies that no content named were dropped", dropped)
    return dropped, len(missing)


def _is_named(tenant_id: int, sha256: str) -> bool:
    row = sql.row(
        "SELECT 1 FROM content WHERE tenant_id = %s AND sha256 = %s AND place = 1 LIMIT 1",
        (tenant_id, bytes.fromhex(sha256)),
    )
    return row is not None
