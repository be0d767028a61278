"""The outbound queue: one entry per recipient, one attempt per try. The row is the truth."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from mailcore.models.submission import Submission
from mailcore.models.tenant import Tenant
from mailcore.secrets import random_id

if TYPE_CHECKING:
    from mailcore.models.user import User


class QueueEntryQuerySet(models.QuerySet["QueueEntry"]):
    def visible_to(self, user: User) -> QueueEntryQuerySet:
        """The entries of tenants that user helps run."""
        return self.filter(tenant__memberships__user=user, tenant__memberships__role__in=["owner", "admin"])


class QueueEntry(models.Model):
    class State(models.TextChoices):
        WAITING = "waiting", _("waiting")
        HELD = "held", _("on hold")
        # Filed in a mailbox here; never left the house.
        DELIVERED = "delivered", _("delivered")
        # A remote host said 2xx.
        RELAYED = "relayed", _("relayed")
        BOUNCED = "bounced", _("bounced")
        DROPPED = "dropped", _("dropped")

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="queue_entries")
    submission = models.ForeignKey(Submission, on_delete=models.CASCADE, related_name="entries")
    public_id = models.CharField(max_length=24, unique=True, default=random_id, editable=False)
    recipient = models.CharField(max_length=320)
    # What is tried together: the recipient's domain, as an A-label.
    route = models.CharField(max_length=253)
    state = models.CharField(max_length=10, choices=State.choices, default=State.WAITING)
    # -9 to 9, those with more go first; 0 is mail between people (RFC 6710 §2).
    priority = models.SmallIntegerField(default=0, db_default=0)
    # Why it is on hold, where nobody put it there: "limit", "stopped" (services/allowances.py).
    held_because = models.CharField(max_length=12, blank=True, default="", db_default="")
    due_at = models.DateTimeField()
    # Who is trying it now and until when that is believed; a heartbeat renews it.
    lease_owner = models.CharField(max_length=40, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)
    attempt_count = models.PositiveIntegerField(default=0)
    last_code = models.PositiveSmallIntegerField(null=True, blank=True)
    last_status = models.CharField(max_length=12, blank=True)
    last_reply = models.TextField(blank=True)
    last_host = models.CharField(max_length=255, blank=True)
    # NOTIFY and ORCPT of RFC 3461, as they came; "" for what nobody said.
    dsn_notify = models.CharField(max_length=24, blank=True, default="", db_default="")
    dsn_orcpt = models.CharField(max_length=500, blank=True, default="", db_default="")
    delay_notified_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True, blank=True)

    objects = QueueEntryQuerySet.as_manager()

    class Meta:
        db_table = "queue_entry"
        verbose_name_plural = "queue entries"
        indexes = [
            # Only what still waits is in it: a long history costs the claim nothing.
            models.Index(fields=["due_at"], condition=Q(state="waiting"), name="queue_due"),
            models.Index(
                fields=["route", "tenant", "priority", "due_at"],
                condition=Q(state="waiting"),
                name="queue_pair",
            ),
            # Those being tried, a few hundred at most.
            models.Index(fields=["lease_until"], condition=Q(lease_until__isnull=False), name="queue_leased"),
            models.Index(fields=["tenant", "-id"], name="queue_newest"),
            models.Index(fields=["id"], condition=Q(state="held"), name="queue_held"),
        ]

    def __str__(self) -> str:
        return f"{self.recipient} ({self.state})"


class DeadDestination(models.Model):
    """A set of mail hosts none of which could be reached, and when one entry tries again for all."""

    # SHA-256 of what the hosts are called, in hex.
    key = models.CharField(max_length=64, primary_key=True)
    hosts = models.TextField()
    since = models.DateTimeField()
    failures = models.PositiveIntegerField(default=1)
    probe_at = models.DateTimeField()
    last_status = models.CharField(max_length=12, blank=True)
    last_reply = models.TextField(blank=True)

    class Meta:
        db_table = "dead_destination"
        ordering = ["probe_at"]

    def __str__(self) -> str:
        return self.hosts[:80]


class Attempt(models.Model):
    """One try at one entry, with the remote's own words."""

    class Outcome(models.TextChoices):
        # Written before DATA ends; found again after a crash, it says a duplicate may exist.
        RUNNING = "running", _("running")
        RELAYED = "relayed", _("relayed")
        DEFERRED = "deferred", _("deferred")
        REFUSED = "refused", _("refused")
        LOST = "lost", _("interrupted")

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+")
    entry = models.ForeignKey(QueueEntry, on_delete=models.CASCADE, related_name="attempts")
    started_at = models.DateTimeField()
    duration_ms = models.PositiveIntegerField(default=0)
    outcome = models.CharField(max_length=8, choices=Outcome.choices, default=Outcome.RUNNING)
    host = models.CharField(max_length=255, blank=True)
    address = models.CharField(max_length=45, blank=True)
    # The smart host it went by, as host:port, and the address of ours it left from, where either was chosen.
    relay = models.CharField(max_length=260, blank=True, default="", db_default="")
    own_address = models.CharField(max_length=45, blank=True, default="", db_default="")
    tls_version = models.CharField(max_length=16, blank=True)
    tls_cipher = models.CharField(max_length=64, blank=True)
    # What its certificate was worth (outside/tls.py, or dane), and what was demanded (tlspolicy/demands.py).
    tls_verdict = models.CharField(max_length=40, blank=True)
    tls_policy = models.CharField(max_length=40, blank=True)
    phase = models.CharField(max_length=16, blank=True)
    code = models.PositiveSmallIntegerField(null=True, blank=True)
    status = models.CharField(max_length=12, blank=True)
    reply = models.TextField(blank=True)

    class Meta:
        db_table = "attempt"
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.entry_id} {self.outcome}"
