"""What happened, recorded where it happened, in the same transaction. Rows are only ever added."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Lower

if TYPE_CHECKING:
    from mailcore.models.user import User


class EventQuerySet(models.QuerySet["Event"]):
    def visible_to(self, user: User) -> EventQuerySet:
        """The events of tenants that user helps run."""
        from mailcore.models.user import Membership

        tenants = Membership.objects.filter(user=user, role__in=["owner", "admin"]).values("tenant_id")
        return self.filter(tenant_id__in=tenants)


class Event(models.Model):
    """kind is a verb in the past: accepted, refused, filed, submitted, attempted, deferred, relayed, ..."""

    tenant_id = models.BigIntegerField()
    mailbox_id = models.BigIntegerField(null=True)
    # One per SMTP transaction or submission; recipients add a suffix "/n".
    trace = models.CharField(max_length=40)
    kind = models.CharField(max_length=16)
    at = models.DateTimeField()
    sender = models.CharField(max_length=320, blank=True)
    recipient = models.CharField(max_length=320, blank=True)
    folder_id = models.BigIntegerField(null=True)
    # A compact sequence set.
    uids = models.TextField(blank=True)
    # message.trace.key_of the Message-ID, where a mail comes into sight.
    message_key = models.BigIntegerField(null=True)
    # What the kind needs: host, TLS, size, subject, reply, reasons.
    data = models.JSONField(default=dict)

    objects = EventQuerySet.as_manager()

    class Meta:
        db_table = "event"
        indexes = [
            models.Index(fields=["tenant_id", "id"], name="event_newest"),
            # The trace first: staff look for one without knowing whose it is.
            models.Index(fields=["trace", "tenant_id"], name="event_by_trace"),
            # What services.traces searches by. Partial: who does not name an address pays nothing for it.
            models.Index(
                Lower("sender"), F("tenant_id"), F("id"), condition=Q(sender__gt=""), name="event_sender"
            ),
            models.Index(
                Lower("recipient"),
                F("tenant_id"),
                F("id"),
                condition=Q(recipient__gt=""),
                name="event_recipient",
            ),
            models.Index(
                fields=["message_key", "tenant_id", "id"],
                condition=Q(message_key__isnull=False),
                name="event_message_key",
            ),
            # What became of mail after delivery: events of commands, which have no trace.
            models.Index(fields=["mailbox_id", "id"], condition=Q(trace=""), name="event_after"),
        ]

    def __str__(self) -> str:
        return f"{self.trace} {self.kind}"
