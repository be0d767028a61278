"""The tenant: a customer, and the wall that nothing crosses. Pages say "organisation"."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import models
from django.utils.translation import gettext_lazy as _

from mailcore.secrets import random_id

if TYPE_CHECKING:
    from mailcore.models.user import User


class TenantQuerySet(models.QuerySet["Tenant"]):
    def visible_to(self, user: User) -> TenantQuerySet:
        """The tenants that user is a member of; staff use the admin panel, not this."""
        return self.filter(memberships__user=user).exclude(state=Tenant.State.CLOSING)


class Tenant(models.Model):
    class State(models.TextChoices):
        ACTIVE = "active", _("active")
        SUSPENDED = "suspended", _("suspended")
        CLOSING = "closing", _("being removed")

    public_id = models.CharField(max_length=24, unique=True, default=random_id, editable=False)
    slug = models.SlugField(max_length=63, unique=True)
    name = models.CharField(max_length=120)
    state = models.CharField(max_length=12, choices=State.choices, default=State.ACTIVE)
    suspended_because = models.CharField(max_length=200, blank=True)
    # How long expunged messages can be brought back, and how long events are kept (RFC-free: our promise).
    retention_days = models.PositiveSmallIntegerField(default=30)
    event_days = models.PositiveSmallIntegerField(default=90)
    # The group of HOSTMAIL_SOURCE_ADDRESSES its mail leaves from; "" for those without a name.
    source_pool = models.CharField(max_length=32, blank=True, default="", db_default="")
    created_at = models.DateTimeField(auto_now_add=True)

    objects = TenantQuerySet.as_manager()

    class Meta:
        db_table = "tenant"
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    @property
    def is_suspended(self) -> bool:
        return self.state == self.State.SUSPENDED
