"""Metadata: short values that programs keep beside a folder or a whole mailbox (RFC 5464)."""

from __future__ import annotations

from django.db import models

from mailcore.models.mailbox import Mailbox


class Metadata(models.Model):
    """One entry. folder_id 0 is the mailbox itself ("" on the wire), user_id 0 is /shared."""

    mailbox = models.ForeignKey(Mailbox, on_delete=models.CASCADE, related_name="metadata")
    folder_id = models.BigIntegerField(default=0)
    user_id = models.BigIntegerField(default=0)
    # In lower case, from its first slash on: "/shared/comment".
    entry = models.CharField(max_length=255)
    value = models.BinaryField()

    class Meta:
        db_table = "metadata"
        verbose_name_plural = "metadata"
        constraints = [
            models.UniqueConstraint(fields=["mailbox", "folder_id", "user_id", "entry"], name="metadata_once")
        ]

    def __str__(self) -> str:
        return self.entry
