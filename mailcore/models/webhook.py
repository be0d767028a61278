"""Webhooks: where a tenant's events are posted to, and what became of each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from mailcore.models.tenant import Tenant
from mailcore.secrets import random_id

if TYPE_CHECKING:
    from mailcore.models.user import User


class WebhookQuerySet(models.QuerySet["Webhook"]):
    def visible_to(self, user: User) -> WebhookQuerySet:
        """The webhooks of tenants that user helps run."""
        return self.filter(tenant__memberships__user=user, tenant__memberships__role__in=["owner", "admin"])


class Webhook(models.Model):
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="webhooks")
    public_id = models.CharField(max_length=24, unique=True, default=random_id, editable=False)
    url = models.CharField(max_length=500)
    # The kinds of events it is for, with a space between.
    kinds = models.CharField(max_length=200)
    # What signs its posts, sealed.
    secret = models.BinaryField()
    is_enabled = models.BooleanField(default=True)
    # Events up to here have been looked at.
    event_id = models.BigIntegerField()
    created_at = models.DateTimeField()

    objects = WebhookQuerySet.as_manager()

    class Meta:
        db_table = "webhook"
        ordering = ["id"]

    def __str__(self) -> str:
        return self.url


class WebhookPost(models.Model):
    """One event for one webhook, and how far it came."""

    class State(models.TextChoices):
        WAITING = "waiting", _("waiting")
        DONE = "done", _("taken")
        FAILED = "failed", _("given up")

    webhook = models.ForeignKey(Webhook, on_delete=models.CASCADE, related_name="posts")
    public_id = models.CharField(max_length=24, unique=True, default=random_id, editable=False)
    event_id = models.BigIntegerField()
    kind = models.CharField(max_length=16)
    body = models.TextField()
    state = models.CharField(max_length=8, choices=State.choices, default=State.WAITING)
    due_at = models.DateTimeField()
    # Whoever posts it now is believed until then.
    lease_until = models.DateTimeField(null=True, blank=True)
    attempt_count = models.PositiveSmallIntegerField(default=0)
    # What the other side answered last, or why it could not.
    last_code = models.PositiveSmallIntegerField(null=True, blank=True)
    last_words = models.CharField(max_length=500, blank=True)
    created_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "webhook_post"
        ordering = ["-id"]
        constraints = [models.UniqueConstraint(fields=["webhook", "event_id"], name="webhook_post_once")]
        indexes = [models.Index(fields=["due_at"], condition=Q(state="waiting"), name="webhook_post_due")]

    def __str__(self) -> str:
        return f"{self.kind} ({self.state})"
