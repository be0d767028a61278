"""Reports about mail: what others report of our customers' domains, and what we owe to others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import models
from django.utils.translation import gettext_lazy as _

from mailcore.models.domain import Domain
from mailcore.secrets import random_id

if TYPE_CHECKING:
    from mailcore.models.user import User


class ReportQuerySet(models.QuerySet["Report"]):
    def visible_to(self, user: User) -> ReportQuerySet:
        """The reports about domains of tenants that user helps run."""
        return self.filter(
            domain__tenant__memberships__user=user, domain__tenant__memberships__role__in=["owner", "admin"]
        )


class ReportKind(models.TextChoices):
    DMARC = "dmarc", _("Who sends in your name (DMARC)")
    TLS = "tls", _("Encryption on the way to you (TLS)")


class Report(models.Model):
    """What one reporter said of one domain for some time, usually a day in UTC."""

    domain = models.ForeignKey(Domain, on_delete=models.CASCADE, related_name="reports")
    public_id = models.CharField(max_length=24, unique=True, default=random_id, editable=False)
    kind = models.CharField(max_length=8, choices=ReportKind.choices)
    organization = models.CharField(max_length=200, blank=True)
    contact = models.CharField(max_length=320, blank=True)
    # The domain that stood behind the mail it came in (DMARC); "" when none did, or nobody looked.
    sender = models.CharField(max_length=253, blank=True)
    # The reporter's name for it.
    report_id = models.CharField(max_length=255, blank=True)
    begins_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    received_at = models.DateTimeField(db_index=True)
    # The tags of the DMARC record as the reporter saw them.
    policy = models.JSONField(default=dict)
    # A hash of what makes two reports the same one.
    key = models.CharField(max_length=64, unique=True)

    objects = ReportQuerySet.as_manager()

    class Meta:
        db_table = "report"
        ordering = ["-begins_at", "-id"]
        indexes = [models.Index(fields=["domain", "kind", "begins_at"], name="report_of_domain")]

    def __str__(self) -> str:
        return f"{self.organization} {self.report_id}"


class DMARCRow(models.Model):
    """Mail of one source that went the same way. dkim and spf: passed, and aligned with From."""

    report = models.ForeignKey(Report, on_delete=models.CASCADE, related_name="dmarc_rows")
    source = models.CharField(max_length=45)
    count = models.BigIntegerField()
    disposition = models.CharField(max_length=10)
    dkim = models.BooleanField()
    spf = models.BooleanField()
    header_from = models.CharField(max_length=253, blank=True)
    # {"envelope_from", "checked": [[method, domain, result, selector]], "reasons": [...]}
    details = models.JSONField(default=dict)

    class Meta:
        db_table = "report_dmarc_row"

    def __str__(self) -> str:
        return f"{self.source}: {self.count}"


class TLSRow(models.Model):
    """Sessions that went the same way; result is "" for those that went well. (RFC 8460)"""

    report = models.ForeignKey(Report, on_delete=models.CASCADE, related_name="tls_rows")
    policy_type = models.CharField(max_length=20, blank=True)
    result = models.CharField(max_length=40, blank=True)
    count = models.BigIntegerField()
    host = models.CharField(max_length=255, blank=True)
    address = models.CharField(max_length=45, blank=True)
    reason = models.CharField(max_length=200, blank=True)

    class Meta:
        db_table = "report_tls_row"

    def __str__(self) -> str:
        return f"{self.result or 'success'}: {self.count}"


class DMARCCount(models.Model):
    """How much mail of one day came from one source in the name of a domain that wants to hear of it."""

    day = models.DateField()
    # Where the policy stands, and what it said, as JSON.
    domain = models.CharField(max_length=253)
    policy = models.TextField()
    # The rest of a row of RFC 7489 Appendix C, as JSON: source, disposition, results, identities.
    row = models.TextField()
    count = models.BigIntegerField(default=0)
    # A hash of all the above but the count.
    key = models.CharField(max_length=64, unique=True)

    class Meta:
        db_table = "dmarc_count"
        indexes = [models.Index(fields=["day", "domain"], name="dmarc_count_day")]

    def __str__(self) -> str:
        return f"{self.day} {self.domain}: {self.count}"


class OwedReport(models.Model):
    """How far a report that we owe a domain for one day has come."""

    class State(models.TextChoices):
        WAITING = "waiting", _("waiting")
        SENT = "sent", _("sent")
        UNWANTED = "unwanted", _("nobody wants it")
        FAILED = "failed", _("given up")

    kind = models.CharField(max_length=8, choices=ReportKind.choices)
    day = models.DateField()
    domain = models.CharField(max_length=253)
    state = models.CharField(max_length=8, choices=State.choices, default=State.WAITING)
    # Where it went, or why it could not.
    words = models.CharField(max_length=500, blank=True)
    attempt_count = models.PositiveSmallIntegerField(default=0)
    due_at = models.DateTimeField()

    class Meta:
        db_table = "owed_report"
        constraints = [models.UniqueConstraint(fields=["kind", "day", "domain"], name="owed_report_once")]

    def __str__(self) -> str:
        return f"{self.kind} {self.day} {self.domain}: {self.state}"
