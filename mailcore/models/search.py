"""The text index of each mailbox: derived data, made by services.textindex and by nobody else.

Nothing here is the truth: what is missing is read from the mail itself, and all of it can be made again.
"""

from __future__ import annotations

from django.db import models

from mailcore.models.fields import ClusteredId


class SearchMailbox(models.Model):
    """How far a mailbox is indexed. version changes with every block that comes or goes."""

    mailbox_id = ClusteredId(primary_key=True)
    # The newest message looked at, and the mailbox's modseq when nothing was left to do.
    mark = models.BigIntegerField(default=0)
    seen = models.BigIntegerField(default=0)
    version = models.BigIntegerField(default=0)
    next_block = models.BigIntegerField(default=1)
    text_version = models.PositiveSmallIntegerField()

    class Meta:
        db_table = "search_mailbox"

    def __str__(self) -> str:
        return str(self.mailbox_id)


class SearchText(models.Model):
    """The folded text of one content: header, NUL, body; zstd."""

    content_id = ClusteredId(primary_key=True)
    text_version = models.PositiveSmallIntegerField()
    is_cut = models.BooleanField()
    text = models.BinaryField()

    class Meta:
        db_table = "search_text"

    def __str__(self) -> str:
        return str(self.content_id)


class SearchBlock(models.Model):
    """Up to 1,024 contents of a mailbox, and their folded fields, joined by NUL; only ever replaced."""

    pk = models.CompositePrimaryKey("mailbox_id", "block")
    mailbox_id = models.BigIntegerField()
    block = models.BigIntegerField()
    # Little-endian int64; 0 is an empty place.
    members = models.BinaryField()
    is_sealed = models.BooleanField()
    subject = models.BinaryField()
    from_text = models.BinaryField()
    to_text = models.BinaryField()
    cc_text = models.BinaryField()
    bcc_text = models.BinaryField()

    class Meta:
        db_table = "search_block"

    def __str__(self) -> str:
        return f"{self.mailbox_id} {self.block}"


class SearchPlane(models.Model):
    """One piece of the trigram bitmaps of a sealed block: those of headers first, then those of bodies."""

    pk = models.CompositePrimaryKey("mailbox_id", "piece", "block")
    mailbox_id = models.BigIntegerField()
    piece = models.IntegerField()
    block = models.BigIntegerField()
    bits = models.BinaryField()

    class Meta:
        db_table = "search_plane"
        indexes = [models.Index(fields=["mailbox_id", "block"], name="search_plane_block")]

    def __str__(self) -> str:
        return f"{self.mailbox_id} {self.piece} {self.block}"
