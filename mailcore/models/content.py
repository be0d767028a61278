"""One mail as it arrived, kept once for all who got it, with the index made from it.

Cold and wide, read by id. The octets are header + body exactly as they came; prefix holds the
fields we put before them (Return-Path, Received, ...). Written by services.messages only.
"""

from __future__ import annotations

from django.db import models

from mailcore.models.fields import ClusteredId


class Content(models.Model):
    class Place(models.IntegerChoices):
        ROW = 0
        FILE = 1

    # mailbox << 40 | modseq of the first message made with it, so that a mailbox lies together.
    id = ClusteredId(primary_key=True)
    tenant_id = models.BigIntegerField()
    created_at = models.DateTimeField()
    index_version = models.PositiveSmallIntegerField()
    # Lengths of prefix, header section and body; the sizes that IMAP reports are their sum.
    octets = models.BigIntegerField()
    prefix = models.BinaryField()
    header = models.BinaryField()
    envelope = models.BinaryField()
    bodystructure = models.BinaryField()
    body = models.BinaryField()
    parts = models.BinaryField()
    message_id = models.TextField()
    subject = models.TextField()
    base_subject = models.TextField()
    from_key = models.TextField()
    to_key = models.TextField()
    cc_key = models.TextField()
    from_text = models.TextField()
    to_text = models.TextField()
    preview = models.TextField()
    has_attachments = models.BooleanField()
    sent_at = models.BigIntegerField(null=True)
    sent_day = models.IntegerField(null=True)
    # Where the body's octets are: in this row, or in the storage backend under their hash.
    sha256 = models.BinaryField()
    place = models.PositiveSmallIntegerField(choices=Place.choices)
    # 0 as they are, 1 zstd.
    codec = models.PositiveSmallIntegerField()
    payload = models.BinaryField(null=True)

    class Meta:
        db_table = "content"
        indexes = [
            # The sweep asks whether a file is still referred to; rows in the row never need it.
            models.Index(fields=["tenant_id", "sha256"], condition=models.Q(place=1), name="content_file"),
        ]

    def __str__(self) -> str:
        return self.message_id or str(self.id)
