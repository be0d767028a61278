"""From which spam scores on what happens to mail, and what is kept in quarantine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import models
from django.db.models import Q

from mailcore.models.mailbox import Mailbox
from mailcore.models.tenant import Tenant
from mailcore.secrets import random_id

if TYPE_CHECKING:
    from mailcore.models.user import User


class SpamPolicy(models.Model):
    """The thresholds of a tenant, or with mailbox of that mailbox alone. None: as the level above has it.

    0 is "never".
    """

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="spam_policies")
    mailbox = models.OneToOneField(
        Mailbox, on_delete=models.CASCADE, related_name="spam_policy", null=True, blank=True
    )
    junk = models.FloatField(null=True, blank=True)
    quarantine = models.FloatField(null=True, blank=True)
    refuse = models.FloatField(null=True, blank=True)

    class Meta:
        db_table = "spam_policy"
        verbose_name_plural = "spam policies"
        constraints = [
            models.UniqueConstraint(
                fields=["tenant"], condition=Q(mailbox__isnull=True), name="spam_policy_of_tenant"
            ),
        ]

    def __str__(self) -> str:
        return f"junk {self.junk}, quarantine {self.quarantine}, refuse {self.refuse}"


class QuarantinedQuerySet(models.QuerySet["Quarantined"]):
    def visible_to(self, user: User) -> QuarantinedQuerySet:
        """What is kept for mailboxes of tenants that user helps run."""
        return self.filter(tenant__memberships__user=user, tenant__memberships__role__in=["owner", "admin"])


class Quarantined(models.Model):
    """A mail kept apart from a mailbox's folders until somebody releases it or its time is over."""

    public_id = models.CharField(max_length=24, unique=True, default=random_id, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="quarantined")
    mailbox = models.ForeignKey(Mailbox, on_delete=models.CASCADE, related_name="quarantined")
    content_id = models.BigIntegerField()
    trace = models.CharField(max_length=40)
    recipient = models.CharField(max_length=320)
    # The envelope's, and the first author in From: what a person knows the mail by.
    sender = models.CharField(max_length=320, blank=True)
    author = models.CharField(max_length=320, blank=True)
    subject = models.CharField(max_length=200, blank=True)
    octets = models.BigIntegerField()
    score = models.FloatField()
    # Each is name, points, text.
    reasons = models.JSONField(default=list)
    at = models.DateTimeField()
    expires_at = models.DateTimeField()

    objects = QuarantinedQuerySet.as_manager()

    class Meta:
        db_table = "quarantined"
        verbose_name_plural = "quarantined"
        indexes = [
            models.Index(fields=["mailbox", "-id"], name="quarantined_newest"),
            models.Index(fields=["tenant", "-id"], name="quarantined_of_tenant"),
            models.Index(fields=["expires_at"], name="quarantined_expiry"),
            # Whether a content is still referred to.
            models.Index(fields=["content_id"], name="quarantined_content"),
        ]

    def __str__(self) -> str:
        return self.subject or self.public_id
