"""The change log: one row per command or batch and folder. It remembers what was expunged.

Answers "what changed since modseq N" for IMAP (CONDSTORE, QRESYNC), JMAP and the folder snapshots.
"""

from __future__ import annotations

from django.db import models


class Change(models.Model):
    class Kind(models.IntegerChoices):
        ADDED = 1
        FLAGS = 2
        GONE = 3

    pk = models.CompositePrimaryKey("folder_id", "modseq", "kind")
    folder_id = models.BigIntegerField()
    # The highest modseq the command or batch gave out in this folder.
    modseq = models.BigIntegerField()
    kind = models.PositiveSmallIntegerField(choices=Kind.choices)
    mailbox_id = models.BigIntegerField()
    # A compact sequence set of uids, "4,7:9".
    uids = models.TextField()
    at = models.DateTimeField()

    class Meta:
        db_table = "change"
        indexes = [models.Index(fields=["mailbox_id", "modseq"], name="change_mailbox")]

    def __str__(self) -> str:
        return f"{self.folder_id} {self.modseq} {self.kind} {self.uids}"
