"""Mailboxes, who may use them, and with which passwords.

A mailbox is a store: one row that every change to its mail locks, carrying the one modseq counter
that numbers changes, messages, threads and folders alike (RFC 7162, RFC 8474).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from mailcore.models.tenant import Tenant
from mailcore.models.user import User
from mailcore.secrets import random_id

if TYPE_CHECKING:
    from mailcore.models.address import Address


class MailboxQuerySet(models.QuerySet["Mailbox"]):
    def visible_to(self, user: User) -> MailboxQuerySet:
        """What an administrator of a tenant manages (settings, not mail)."""
        return self.filter(tenant__memberships__user=user, tenant__memberships__role__in=["owner", "admin"])

    def readable_by(self, user: User) -> MailboxQuerySet:
        """The mailboxes whose mail user may read: by an access row, never by a role."""
        return self.filter(accesses__user=user).exclude(state=Mailbox.State.CLOSING)


class Mailbox(models.Model):
    class State(models.TextChoices):
        ACTIVE = "active", _("active")
        SUSPENDED = "suspended", _("suspended")
        CLOSING = "closing", _("being removed")

    class Kind(models.TextChoices):
        PERSONAL = "personal", _("personal")
        SHARED = "shared", _("shared")

    class Deleting(models.TextChoices):
        """What becomes of a message that POP3's DELE takes out of the inbox."""

        REMOVE = "remove", _("is removed")
        TRASH = "trash", _("goes to the trash")
        ARCHIVE = "archive", _("goes to the archive")

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="mailboxes")
    public_id = models.CharField(max_length=24, unique=True, default=random_id, editable=False)
    kind = models.CharField(max_length=8, choices=Kind.choices, default=Kind.PERSONAL)
    name = models.CharField(max_length=120, blank=True)
    state = models.CharField(max_length=12, choices=State.choices, default=State.ACTIVE)
    suspended_because = models.CharField(max_length=200, blank=True)
    quota_octets = models.BigIntegerField()
    # How many messages it may hold (RFC 9208 §5.2); None: as many as fit.
    quota_messages = models.BigIntegerField(null=True, blank=True)
    used_octets = models.BigIntegerField(default=0)
    message_count = models.BigIntegerField(default=0)
    # Numbers changes (RFC 7162), and through them messages, threads and folders.
    modseq = models.BigIntegerField(default=1)
    # The UIDVALIDITY a new folder takes next; a restore raises it (RFC 9051 §2.3.1.1).
    next_uidvalidity = models.BigIntegerField(default=1)
    # Bit n of message.keywords is the n-th name here.
    keywords = models.JSONField(default=list, blank=True)
    # A copy in Sent for what is submitted: webmail always does.
    file_sent_smtp = models.BooleanField(default=False)
    file_sent_api = models.BooleanField(default=False)
    # Whether programs may open it so (services/ways.py).
    has_imap = models.BooleanField(default=True)
    has_pop3 = models.BooleanField(default=True)
    has_smtp = models.BooleanField(default=True)
    pop3_deletes = models.CharField(max_length=8, choices=Deleting.choices, default=Deleting.REMOVE)
    # How long the web waits before a letter leaves, so that it can be taken back; 0: not at all.
    undo_seconds = models.PositiveSmallIntegerField(default=10, db_default=10)
    # IMAP capabilities that its programs are not offered, with a space between (services/ways.py).
    imap_without = models.CharField(max_length=1000, blank=True, default="", db_default="")
    signature = models.TextField(blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = MailboxQuerySet.as_manager()

    class Meta:
        db_table = "mailbox"
        verbose_name_plural = "mailboxes"
        constraints = [
            models.CheckConstraint(condition=Q(used_octets__gte=0), name="mailbox_used_not_negative"),
            models.CheckConstraint(condition=Q(message_count__gte=0), name="mailbox_count_not_negative"),
        ]

    def __str__(self) -> str:
        address = self.primary_address
        return str(address) if address else self.name or self.public_id

    @property
    def primary_address(self) -> Address | None:
        return self.addresses.filter(is_primary=True).select_related("domain").first()

    @property
    def is_active(self) -> bool:
        return self.state == self.State.ACTIVE


class Rights(models.IntegerChoices):
    """Bits of Access.rights."""

    READ = 1, _("read")
    WRITE = 2, _("change")
    SEND_AS = 4, _("send as")
    ADMINISTER = 8, _("administer")


ALL_RIGHTS = Rights.READ | Rights.WRITE | Rights.SEND_AS | Rights.ADMINISTER


class Access(models.Model):
    """Joins a person and a mailbox. A personal mailbox has one owner, a shared one has only members."""

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+")
    mailbox = models.ForeignKey(Mailbox, on_delete=models.CASCADE, related_name="accesses")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="accesses")
    rights = models.PositiveSmallIntegerField(default=ALL_RIGHTS)
    is_owner = models.BooleanField(default=False)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        db_table = "access"
        verbose_name_plural = "accesses"
        constraints = [
            models.UniqueConstraint(fields=["mailbox", "user"], name="access_once"),
            models.UniqueConstraint(fields=["mailbox"], condition=Q(is_owner=True), name="access_one_owner"),
        ]

    def __str__(self) -> str:
        return f"{self.user} on {self.mailbox}"


class AppPassword(models.Model):
    """A random password for one person, one mailbox and one device; kept as a keyed hash."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="app_passwords")
    mailbox = models.ForeignKey(Mailbox, on_delete=models.CASCADE, related_name="app_passwords")
    public_id = models.CharField(max_length=24, unique=True, default=random_id, editable=False)
    name = models.CharField(max_length=80)
    secret_hash = models.CharField(max_length=64)
    created_at = models.DateTimeField(auto_now_add=True)
    last_used_at = models.DateTimeField(null=True, blank=True)
    last_used_from = models.GenericIPAddressField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "app_password"
        constraints = [models.UniqueConstraint(fields=["mailbox", "secret_hash"], name="app_password_once")]

    def __str__(self) -> str:
        return self.name
