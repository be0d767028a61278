"""Folders: named lists of messages in a mailbox. IMAP's own word for them is "mailbox"."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from mailcore.models.mailbox import Mailbox


class Folder(models.Model):
    """name is the whole path in Unicode with "/" between levels; the inbox is always "INBOX"."""

    class Role(models.TextChoices):
        NONE = "", _("no role")
        INBOX = "inbox", _("Inbox")
        DRAFTS = "drafts", _("Drafts")
        SENT = "sent", _("Sent")
        JUNK = "junk", _("Junk")
        TRASH = "trash", _("Trash")
        ARCHIVE = "archive", _("Archive")

    tenant_id = models.BigIntegerField()
    mailbox = models.ForeignKey(Mailbox, on_delete=models.CASCADE, related_name="folders")
    name = models.CharField(max_length=1000)
    # What the folder is for (RFC 6154, RFC 8621 §2).
    role = models.CharField(max_length=8, choices=Role.choices, default=Role.NONE, blank=True)
    # The serial that stays through RENAME (RFC 8474).
    object_serial = models.BigIntegerField()
    uidvalidity = models.BigIntegerField()
    uidnext = models.BigIntegerField(default=1)
    # Messages from this uid on have been seen by no session yet (\Recent, RFC 3501 §2.3.2).
    recent_uid = models.BigIntegerField(default=1)
    message_count = models.BigIntegerField(default=0)
    unseen_count = models.BigIntegerField(default=0)
    octets = models.BigIntegerField(default=0)
    # The mailbox's modseq when this folder last changed: HIGHESTMODSEQ (RFC 7162 §3.1.2.1).
    modseq = models.BigIntegerField(default=1)
    # Changes after this modseq are all in the change log; older ones may have been forgotten (RFC 7162 §5.3).
    log_from = models.BigIntegerField(db_default=0)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        db_table = "folder"
        constraints = [
            models.UniqueConstraint(fields=["mailbox", "name"], name="folder_name_once"),
            models.UniqueConstraint(
                fields=["mailbox", "role"], condition=~models.Q(role=""), name="folder_role_once"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Subscription(models.Model):
    """A name a client subscribed to; stays when the folder goes (RFC 9051 §6.3.7)."""

    mailbox = models.ForeignKey(Mailbox, on_delete=models.CASCADE, related_name="subscriptions")
    name = models.CharField(max_length=1000)

    class Meta:
        db_table = "subscription"
        constraints = [models.UniqueConstraint(fields=["mailbox", "name"], name="subscription_once")]

    def __str__(self) -> str:
        return self.name
