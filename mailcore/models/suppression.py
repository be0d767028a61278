"""Addresses that mail of a tenant does not go to: their hosts said that nobody is there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import models
from django.utils.translation import gettext_lazy as _

from mailcore.models.tenant import Tenant
from mailcore.secrets import random_id

if TYPE_CHECKING:
    from mailcore.models.user import User


class SuppressionQuerySet(models.QuerySet["Suppression"]):
    def visible_to(self, user: User) -> SuppressionQuerySet:
        """The entries of tenants that user helps run."""
        return self.filter(tenant__memberships__user=user, tenant__memberships__role__in=["owner", "admin"])


class Suppression(models.Model):
    class Reason(models.TextChoices):
        BOUNCE = "bounce", _("bounced")
        COMPLAINT = "complaint", _("complained")
        MANUAL = "manual", _("added by hand")

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="suppressions")
    public_id = models.CharField(max_length=24, unique=True, default=random_id, editable=False)
    # In lower case: two mailboxes that differ in case alone are unheard of.
    address = models.CharField(max_length=320)
    reason = models.CharField(max_length=10, choices=Reason.choices)
    status = models.CharField(max_length=12, blank=True)
    # The other side's words, or a note.
    words = models.CharField(max_length=500, blank=True)
    since = models.DateTimeField()
    # None: until somebody takes it away.
    expires_at = models.DateTimeField(null=True, blank=True)

    objects = SuppressionQuerySet.as_manager()

    class Meta:
        db_table = "suppression"
        constraints = [models.UniqueConstraint(fields=["tenant", "address"], name="suppression_once")]
        indexes = [
            models.Index(fields=["tenant", "-since"], name="suppression_newest"),
            models.Index(fields=["expires_at"], name="suppression_expiry"),
        ]

    def __str__(self) -> str:
        return self.address
