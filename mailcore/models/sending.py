"""How much may be sent, how much was, and to whom a mailbox has written before."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import models
from django.db.models import Q

from mailcore.models.mailbox import Mailbox
from mailcore.models.tenant import Tenant

if TYPE_CHECKING:
    from mailcore.models.user import User


class Allowance(models.Model):
    """What a mailbox, or with no mailbox a whole organisation, may send; no row: as the settings say.

    The ceilings are set by staff, the limits by the organisation below them. None: not set. 0: nothing.
    """

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="allowances")
    mailbox = models.ForeignKey(Mailbox, on_delete=models.CASCADE, null=True, related_name="+")
    # Recipients outside, and those among them never written to before, a day.
    recipient_ceiling = models.PositiveIntegerField(null=True, blank=True)
    first_ceiling = models.PositiveIntegerField(null=True, blank=True)
    recipient_limit = models.PositiveIntegerField(null=True, blank=True)
    first_limit = models.PositiveIntegerField(null=True, blank=True)
    # Stopped from sending since then: it looks stolen, or somebody said so.
    stopped_at = models.DateTimeField(null=True, blank=True)
    stopped_because = models.CharField(max_length=200, blank=True, default="", db_default="")
    # When owner and administrators were told, and when somebody last let it go on.
    told_at = models.DateTimeField(null=True, blank=True)
    lifted_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "allowance"
        constraints = [
            models.UniqueConstraint(fields=["mailbox"], name="allowance_of_mailbox"),
            models.UniqueConstraint(
                fields=["tenant"], condition=Q(mailbox__isnull=True), name="allowance_of_tenant"
            ),
        ]

    def __str__(self) -> str:
        return str(self.mailbox or self.tenant)


class SendingDay(models.Model):
    """What went out in one day (UTC): counted in the transaction of each submission."""

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+")
    # A mailbox's primary key; 0 for the organisation as a whole. A number, so that it can be part of the key.
    box = models.BigIntegerField(default=0)
    day = models.DateField()
    recipients = models.PositiveIntegerField(default=0)
    first_recipients = models.PositiveIntegerField(default=0)
    # Recipients that had to wait, and when that was told.
    held = models.PositiveIntegerField(default=0, db_default=0)
    told_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "sending_day"
        constraints = [models.UniqueConstraint(fields=["tenant", "box", "day"], name="sending_day_once")]
        indexes = [
            models.Index(fields=["day"], name="sending_day_age"),
            models.Index(fields=["id"], condition=Q(held__gt=0, told_at__isnull=True), name="sending_untold"),
        ]

    def __str__(self) -> str:
        return f"{self.box} {self.day}"


class Acquaintance(models.Model):
    """Somebody outside whom a mailbox has written to before."""

    mailbox = models.ForeignKey(Mailbox, on_delete=models.CASCADE, related_name="+")
    # 63 bits of a hash: whom people write to need not be readable here.
    address_key = models.BigIntegerField()
    since = models.DateField()

    class Meta:
        db_table = "acquaintance"
        constraints = [models.UniqueConstraint(fields=["mailbox", "address_key"], name="acquaintance_once")]

    def __str__(self) -> str:
        return f"{self.mailbox_id} {self.address_key}"


class UnsubscriptionQuerySet(models.QuerySet["Unsubscription"]):
    def visible_to(self, user: User) -> UnsubscriptionQuerySet:
        """The entries of tenants that user helps run."""
        return self.filter(tenant__memberships__user=user, tenant__memberships__role__in=["owner", "admin"])


class Unsubscription(models.Model):
    """Somebody who wants no more bulk mail of one stream ("" for all streams) of an organisation."""

    class Source(models.TextChoices):
        ONE_CLICK = "one-click"
        PAGE = "page"
        MANUAL = "manual"

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="unsubscriptions")
    stream = models.CharField(max_length=40, blank=True)
    # In lower case, as in the suppression list.
    address = models.CharField(max_length=320)
    source = models.CharField(max_length=10, choices=Source.choices)
    since = models.DateTimeField()

    objects = UnsubscriptionQuerySet.as_manager()

    class Meta:
        db_table = "unsubscription"
        constraints = [
            models.UniqueConstraint(fields=["tenant", "address", "stream"], name="unsubscription_once")
        ]
        indexes = [models.Index(fields=["tenant", "-since"], name="unsubscription_newest")]

    def __str__(self) -> str:
        return f"{self.address} {self.stream}".strip()
