"""Domains: claimed by a tenant, proven by DNS. Names are kept as lower-case A-labels."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from mailcore.models.tenant import Tenant
from mailcore.secrets import random_id

if TYPE_CHECKING:
    from mailcore.models.user import User


class DomainQuerySet(models.QuerySet["Domain"]):
    def visible_to(self, user: User) -> DomainQuerySet:
        """The domains of tenants that user helps run."""
        return self.filter(tenant__memberships__user=user, tenant__memberships__role__in=["owner", "admin"])

    def due(self, now: object) -> DomainQuerySet:
        return self.filter(check_at__lte=now)


class Domain(models.Model):
    class State(models.TextChoices):
        PENDING = "pending", _("waiting for DNS")
        VERIFIED = "verified", _("verified")
        SUSPENDED = "suspended", _("suspended")

    class DMARCPolicy(models.TextChoices):
        OBEY = "obey", _("do as the sender's domain asks")
        JUNK = "junk", _("never refuse, file in Junk")
        IGNORE = "ignore", _("file as any other mail")

    class Newcomers(models.TextChoices):
        OFF = "off", _("take it at once")
        DELAY = "delay", _("let them wait for our answer")
        GREYLIST = "greylist", _("ask them to try again in some minutes")

    class STSMode(models.TextChoices):
        NONE = "none", _("no demands")
        TESTING = "testing", _("report what fails, take it all the same")
        ENFORCE = "enforce", _("only over TLS with a good certificate")

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="domains")
    public_id = models.CharField(max_length=24, unique=True, default=random_id, editable=False)
    name = models.CharField(max_length=253)
    state = models.CharField(max_length=12, choices=State.choices, default=State.PENDING)
    # What the owner publishes to prove the name; another tenant's claim has another one.
    token = models.CharField(max_length=40, default=random_id, editable=False)
    verified_at = models.DateTimeField(null=True, blank=True)
    # Set by an operator: taken as proven without DNS.
    is_trusted = models.BooleanField(default=False)
    check_at = models.DateTimeField(null=True, blank=True, db_index=True)
    checked_at = models.DateTimeField(null=True, blank=True)
    check_count = models.PositiveIntegerField(default=0)
    # What the last check found: {record key: {"state": ok|missing|differs|several|later, "seen": [...], ...}}
    findings = models.JSONField(default=dict, blank=True)
    alias_of = models.ForeignKey(
        "self", on_delete=models.SET_NULL, null=True, blank=True, related_name="aliases"
    )
    # What becomes of mail to this domain that fails DMARC where its sender's domain asks for something.
    dmarc_policy = models.CharField(
        max_length=8, choices=DMARCPolicy.choices, default=DMARCPolicy.OBEY, db_default=DMARCPolicy.OBEY
    )
    # What becomes of mail of somebody who never wrote before (RFC 6647).
    newcomers = models.CharField(
        max_length=8, choices=Newcomers.choices, default=Newcomers.OFF, db_default=Newcomers.OFF
    )
    # What we say in its name to hosts that ask for its MTA-STS policy (RFC 8461).
    sts_mode = models.CharField(
        max_length=8, choices=STSMode.choices, default=STSMode.TESTING, db_default=STSMode.TESTING
    )
    created_at = models.DateTimeField(auto_now_add=True)

    objects = DomainQuerySet.as_manager()

    class Meta:
        db_table = "domain"
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(fields=["tenant", "name"], name="domain_once_per_tenant"),
            # Claims may compete, proof decides: one tenant holds a proven name, suspended or not.
            models.UniqueConstraint(
                fields=["name"], condition=~Q(state="pending"), name="domain_proven_once"
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def is_verified(self) -> bool:
        return self.state == self.State.VERIFIED
