"""What staff and administrators did. Nobody edits it, services.audit adds to it."""

from __future__ import annotations

from django.db import models

from mailcore.models.tenant import Tenant
from mailcore.models.user import User


class AuditQuerySet(models.QuerySet["AuditEntry"]):
    def visible_to(self, user: User) -> AuditQuerySet:
        """The entries of tenants that user helps run."""
        return self.filter(tenant__memberships__user=user, tenant__memberships__role__in=["owner", "admin"])


class AuditEntry(models.Model):
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, null=True, related_name="+")
    actor = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    # Kept as text too: it must still say who, when the person is gone. "operator" is manage.py.
    actor_name = models.CharField(max_length=254)
    verb = models.CharField(max_length=40)
    object_kind = models.CharField(max_length=40)
    object_name = models.CharField(max_length=320)
    data = models.JSONField(default=dict)
    address = models.GenericIPAddressField(null=True, blank=True)
    at = models.DateTimeField(auto_now_add=True)

    objects = AuditQuerySet.as_manager()

    class Meta:
        db_table = "audit_entry"
        verbose_name_plural = "audit entries"
        indexes = [models.Index(fields=["tenant", "-id"], name="audit_newest")]

    def __str__(self) -> str:
        return f"{self.actor_name} {self.verb} {self.object_name}"
