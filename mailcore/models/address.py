"""Addresses: how mail finds a mailbox, or several, or goes on to the outside."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from mailcore.models.domain import Domain
from mailcore.models.mailbox import Mailbox
from mailcore.models.tenant import Tenant
from mailcore.secrets import random_id

if TYPE_CHECKING:
    from mailcore.models.user import User


class AddressQuerySet(models.QuerySet["Address"]):
    def visible_to(self, user: User) -> AddressQuerySet:
        """The addresses of tenants that user helps run."""
        return self.filter(tenant__memberships__user=user, tenant__memberships__role__in=["owner", "admin"])


class Address(models.Model):
    """`local_part@domain`. With a mailbox it leads there; without one it is an alias with targets.

    local_part is kept as message.address.normalise_local gives it; "" is the catch-all of its domain.
    """

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="addresses")
    public_id = models.CharField(max_length=24, unique=True, default=random_id, editable=False)
    domain = models.ForeignKey(Domain, on_delete=models.CASCADE, related_name="addresses")
    local_part = models.CharField(max_length=64, blank=True)
    mailbox = models.ForeignKey(
        Mailbox, on_delete=models.CASCADE, null=True, blank=True, related_name="addresses"
    )
    is_primary = models.BooleanField(default=False)
    is_enabled = models.BooleanField(default=True)
    description = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = AddressQuerySet.as_manager()

    class Meta:
        db_table = "address"
        verbose_name_plural = "addresses"
        ordering = ["local_part"]
        constraints = [
            models.UniqueConstraint(fields=["domain", "local_part"], name="address_once"),
            models.UniqueConstraint(
                fields=["mailbox"], condition=Q(is_primary=True), name="address_one_primary"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.local_part or '*'}@{self.domain.name}"

    @property
    def is_alias(self) -> bool:
        return self.mailbox_id is None

    @property
    def is_waiting(self) -> bool:
        """Whether a target outside has not been confirmed yet."""
        return any(target.is_waiting for target in self.targets.all())

    @property
    def is_catch_all(self) -> bool:
        return self.local_part == ""


class AliasTarget(models.Model):
    """Where an alias leads: an address of ours, found again at each delivery, or one outside."""

    address = models.ForeignKey(Address, on_delete=models.CASCADE, related_name="targets")
    target = models.CharField(_("target"), max_length=320)
    # Nothing goes there before whoever reads it has said yes; and when they were asked last.
    is_waiting = models.BooleanField(default=False, db_default=False)
    asked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "alias_target"
        constraints = [models.UniqueConstraint(fields=["address", "target"], name="alias_target_once")]

    def __str__(self) -> str:
        return self.target
