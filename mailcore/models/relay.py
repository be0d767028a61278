"""Relays: smart hosts that take mail of a tenant, of one of its domains, or of everybody."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from mailcore.models.domain import Domain
from mailcore.models.tenant import Tenant
from mailcore.secrets import random_id

if TYPE_CHECKING:
    from mailcore.models.user import User


class RelayQuerySet(models.QuerySet["Relay"]):
    def visible_to(self, user: User) -> RelayQuerySet:
        """The relays of tenants that user helps run."""
        return self.filter(tenant__memberships__user=user, tenant__memberships__role__in=["owner", "admin"])


class Relay(models.Model):
    class TLS(models.TextChoices):
        NONE = "none", _("never")
        OPPORTUNISTIC = "opportunistic", _("where it is offered")
        VERIFIED = "verified", _("always, with a good certificate")

    # None: for the mail of every tenant.
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, null=True, blank=True, related_name="relays")
    # The sender's domain; None: whatever domain of the tenant it is.
    domain = models.ForeignKey(Domain, on_delete=models.CASCADE, null=True, blank=True, related_name="relays")
    public_id = models.CharField(max_length=24, unique=True, default=random_id, editable=False)
    host = models.CharField(max_length=253)
    port = models.PositiveIntegerField(default=587)
    tls = models.CharField(max_length=16, choices=TLS.choices, default=TLS.VERIFIED)
    user = models.CharField(max_length=320, blank=True)
    # Sealed; empty where there is no user.
    password = models.BinaryField(default=b"")
    # 0 takes all mail; more, what has failed so often by other ways.
    after_attempts = models.PositiveSmallIntegerField(default=0)
    # An operator's word that its address need not be a public one.
    may_be_private = models.BooleanField(default=False)
    is_enabled = models.BooleanField(default=True)
    created_at = models.DateTimeField()

    objects = RelayQuerySet.as_manager()

    class Meta:
        db_table = "relay"
        ordering = ["id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(domain__isnull=True) | Q(tenant__isnull=False), name="relay_domain_has_tenant"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"
