"""What is left of removed mailboxes and tenants, taken away bit by bit.

mailboxes.remove and tenants.remove end everything at once that anybody could notice; the rows, which may be
millions, go here, a few hundred to a transaction, so that nobody waits for the write lock. Called by a task
("close_mailboxes") until it returns 0, and by the commands. Files of large octets go with the sweep of the
storage, which finds those that no content names.
"""

from __future__ import annotations

from collections.abc import Iterable

from django.db import transaction

from mailcore.models import Mailbox, Submission, Tenant
from mailcore.services import sql

ROWS = 500


def sweep(steps: int = 200) -> int:
    """Do at most so many small transactions; how many were needed. 0 means that nothing is left to do."""
    done = 0
    for pk in Mailbox.objects.filter(state=Mailbox.State.CLOSING).values_list("pk", flat=True)[:steps]:
        while done < steps:
            done += 1
            if not _mailbox_step(pk):
                break
    for tenant in Tenant.objects.filter(state=Tenant.State.CLOSING)[:steps]:
        if done < steps and not Mailbox.objects.filter(tenant=tenant).exists():
            while done < steps:
                done += 1
                if not _tenant_step(tenant):
                    break
    return done


def finish() -> None:
    """Sweep until nothing is left; for commands, which may take their time."""
    while sweep():
        pass


def _mailbox_step(pk: int) -> bool:
    """Take away some rows of a mailbox, and the mailbox itself once none are left. Whether more remains."""
    with transaction.atomic():
        some = sql.rows(
            "SELECT id, content_id FROM message WHERE id >= %s AND id < %s LIMIT %s", (*_span(pk), ROWS)
        )
        if some:
            _delete("message", "id", [row[0] for row in some])
            drop_contents({row[1] for row in some})
            return True
        some = sql.rows(
            "SELECT id, content_id FROM expunged_message WHERE mailbox_id = %s LIMIT %s", (pk, ROWS)
        )
        if some:
            _delete("expunged_message", "id", [row[0] for row in some])
            drop_contents({row[1] for row in some})
            return True
        some = sql.rows("SELECT id, content_id FROM quarantined WHERE mailbox_id = %s LIMIT %s", (pk, ROWS))
        if some:
            _delete("quarantined", "id", [row[0] for row in some])
            drop_contents({row[1] for row in some})
            return True
        refs = sql.rows("SELECT ref FROM thread_ref WHERE mailbox_id = %s LIMIT %s", (pk, ROWS))
        if refs:
            where, params = sql.any_of("ref", [row[0] for row in refs])
            sql.execute(f"DELETE FROM thread_ref WHERE mailbox_id = %s AND {where}", [pk, *params])
            return True
        sql.execute("DELETE FROM change WHERE mailbox_id = %s", (pk,))
        for table in ("search_block", "search_plane", "search_mailbox"):
            sql.execute(f"DELETE FROM {table} WHERE mailbox_id = %s", (pk,))
        Mailbox.objects.filter(pk=pk).delete()
        return False


def _span(mailbox_pk: int) -> tuple[int, int]:
    """The ids of a mailbox's messages: mailbox << 40 | modseq."""
    return mailbox_pk << 40, (mailbox_pk + 1) << 40


def _tenant_step(tenant: Tenant) -> bool:
    with transaction.atomic():
        submissions = list(Submission.objects.filter(tenant=tenant)[:ROWS])
        if submissions:
            contents = {submission.content_id for submission in submissions}
            Submission.objects.filter(pk__in=[submission.pk for submission in submissions]).delete()
            drop_contents(contents)
            return True
        events = sql.rows("SELECT id FROM event WHERE tenant_id = %s ORDER BY id LIMIT %s", (tenant.pk, ROWS))
        if events:
            _delete("event", "id", [row[0] for row in events])
            return True
        tenant.delete()
        return False


def drop_contents(pks: Iterable[int]) -> None:
    """Forget those of these contents that no message, kept-aside message or submission refers to."""
    pks = sorted(set(pks))
    where, params = sql.any_of("id", pks)
    unused = " AND ".join(
        f"NOT EXISTS (SELECT 1 FROM {table} r WHERE r.content_id = content.id)"
        for table in ("message", "expunged_message", "submission", "quarantined")
    )
    sql.execute(f"DELETE FROM content WHERE {where} AND {unused}", params)
    kept, params = sql.any_of("content_id", pks)
    sql.execute(
        f"DELETE FROM search_text WHERE {kept}"
        " AND NOT EXISTS (SELECT 1 FROM content c WHERE c.id = search_text.content_id)",
        params,
    )


def _delete(table: str, column: str, pks: list[int]) -> None:
    where, params = sql.any_of(column, pks)
    sql.execute(f"DELETE FROM {table} WHERE {where}", params)
