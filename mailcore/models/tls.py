"""What is known of TLS outside: the MTA-STS policies of others, and counts for TLS reports."""

from __future__ import annotations

from django.db import models


class STSPolicy(models.Model):
    """What a domain's MTA-STS policy was when it could last be had. (RFC 8461)"""

    domain = models.CharField(max_length=253, unique=True)
    # The id of the record that announced it; "" for a policy never had.
    record_id = models.CharField(max_length=32, blank=True)
    text = models.TextField(blank=True)
    fetched_at = models.DateTimeField(null=True, blank=True)
    # From then on it counts no more.
    expires_at = models.DateTimeField(null=True, blank=True)
    # Not asked for again before that.
    refresh_at = models.DateTimeField(db_index=True)
    # Why the last try brought none: a result of RFC 8460 §4.3 and words. "" after a good one.
    failure = models.CharField(max_length=32, blank=True)
    failure_words = models.CharField(max_length=300, blank=True)

    class Meta:
        db_table = "sts_policy"
        verbose_name_plural = "MTA-STS policies"

    def __str__(self) -> str:
        return self.domain


class TLSCount(models.Model):
    """How many sessions of one day went the same way, for a domain that wants to hear of it. (RFC 8460)"""

    day = models.DateField()
    domain = models.CharField(max_length=253)
    policy_type = models.CharField(max_length=16)
    # The policy's lines as they were published.
    policy = models.TextField(blank=True)
    # "" for success.
    result = models.CharField(max_length=32, blank=True)
    host = models.CharField(max_length=255, blank=True)
    address = models.CharField(max_length=45, blank=True)
    own_address = models.CharField(max_length=45, blank=True)
    reason = models.CharField(max_length=200, blank=True)
    count = models.PositiveIntegerField(default=0)
    # A hash of all the above but the count.
    key = models.CharField(max_length=64, unique=True)

    class Meta:
        db_table = "tls_count"
        indexes = [models.Index(fields=["day", "domain"], name="tls_count_day")]

    def __str__(self) -> str:
        return f"{self.day} {self.domain} {self.result or 'success'}: {self.count}"
