"""Messages: thin, hot rows, one per entry in a folder. Written by services.messages only."""

from __future__ import annotations

from django.db import models

from mailcore.models.fields import ClusteredId


class Message(models.Model):
    """id is mailbox << 40 | the modseq at its creation, which keeps a mailbox's rows together."""

    id = ClusteredId(primary_key=True)
    mailbox_id = models.BigIntegerField()
    folder_id = models.BigIntegerField()
    uid = models.BigIntegerField()
    content_id = models.BigIntegerField(db_index=True)
    # message.flags bits, and bits numbered by mailbox.keywords.
    flags = models.PositiveSmallIntegerField(default=0)
    keywords = models.BigIntegerField(default=0)
    # Never indexed: the change log answers "since" (see Change).
    modseq = models.BigIntegerField()
    # Epoch seconds, and the minutes east of UTC it was given with.
    internal_date = models.BigIntegerField()
    internal_offset = models.SmallIntegerField(default=0)
    # When it came into this folder (RFC 8514), epoch seconds.
    saved_date = models.BigIntegerField()
    size = models.BigIntegerField()
    # Serials of the mailbox, kept through COPY and MOVE (RFC 8474).
    email_id = models.BigIntegerField()
    thread_id = models.BigIntegerField()

    class Meta:
        db_table = "message"
        constraints = [models.UniqueConstraint(fields=["folder_id", "uid"], name="message_uid_once")]
        indexes = [models.Index(fields=["mailbox_id", "thread_id"], name="message_thread")]

    def __str__(self) -> str:
        return f"{self.folder_id}:{self.uid}"


class ExpungedMessage(models.Model):
    """What was expunged, kept aside until the tenant's retention ends, so that it can be brought back."""

    id = ClusteredId(primary_key=True)
    tenant_id = models.BigIntegerField()
    mailbox_id = models.BigIntegerField()
    folder_id = models.BigIntegerField()
    uid = models.BigIntegerField()
    content_id = models.BigIntegerField(db_index=True)
    flags = models.PositiveSmallIntegerField()
    keywords = models.BigIntegerField()
    internal_date = models.BigIntegerField()
    internal_offset = models.SmallIntegerField()
    size = models.BigIntegerField()
    email_id = models.BigIntegerField()
    thread_id = models.BigIntegerField()
    expunged_at = models.DateTimeField()

    class Meta:
        db_table = "expunged_message"
        indexes = [
            models.Index(fields=["mailbox_id", "expunged_at"], name="expunged_mailbox"),
            models.Index(fields=["expunged_at"], name="expunged_when"),
        ]

    def __str__(self) -> str:
        return f"{self.folder_id}:{self.uid}"


class ThreadRef(models.Model):
    """Which thread a Message-ID with a base subject belongs to in a mailbox: the oldest wins.

    ref is a 63-bit hash of both, so that a changed subject starts a thread of its own (RFC 8621 §3).
    """

    pk = models.CompositePrimaryKey("mailbox_id", "ref")
    mailbox_id = models.BigIntegerField()
    ref = models.BigIntegerField()
    thread_id = models.BigIntegerField()

    class Meta:
        db_table = "thread_ref"

    def __str__(self) -> str:
        return f"{self.mailbox_id}:{self.thread_id}"
