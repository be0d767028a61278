"""What somebody here sent: one row per Send, whatever it goes to."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from mailcore.models.mailbox import Mailbox
from mailcore.models.tenant import Tenant
from mailcore.secrets import random_id


class Submission(models.Model):
    class TLSWish(models.TextChoices):
        # REQUIRETLS: only over TLS that is verified, all the way. (RFC 8689 §2)
        REQUIRED = "yes"
        # TLS-Required: No: rather in clear than not at all. (RFC 8689 §3)
        WAIVED = "no"

    class Source(models.TextChoices):
        WEBMAIL = "webmail"
        SMTP = "smtp"
        API = "api"
        # Reports and notices that we write ourselves.
        SYSTEM = "system"
        # Aliases to the outside.
        FORWARD = "forward"

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="submissions")
    mailbox = models.ForeignKey(Mailbox, on_delete=models.SET_NULL, null=True, related_name="submissions")
    public_id = models.CharField(max_length=24, unique=True, default=random_id, editable=False)
    trace = models.CharField(max_length=32, db_index=True)
    source = models.CharField(max_length=8, choices=Source.choices)
    # "" for a report: nobody hears if it cannot be delivered (RFC 5321 §6.1).
    reverse_path = models.CharField(max_length=320, blank=True)
    content_id = models.BigIntegerField(db_index=True)
    # A second press of Send with the same key finds the first.
    idempotency_key = models.CharField(max_length=120, null=True, blank=True)  # noqa: DJ001
    # Not before this moment: send later, undo, FUTURERELEASE (RFC 4865).
    hold_until = models.DateTimeField(null=True, blank=True)
    needs_smtputf8 = models.BooleanField(default=False)
    # Where reports come home to: the mail leaves from a return path of ours in this domain. "": from its own.
    return_domain = models.CharField(max_length=253, blank=True, default="", db_default="")
    # RET and ENVID of RFC 3461, as they came.
    dsn_ret = models.CharField(max_length=4, blank=True, default="", db_default="")
    dsn_envid = models.CharField(max_length=100, blank=True, default="", db_default="")
    # "" for what nobody said.
    tls_wish = models.CharField(max_length=3, choices=TLSWish.choices, blank=True, default="", db_default="")
    # The sender's own words for sorting: " invoice march ", with a space around each.
    tags = models.CharField(max_length=210, blank=True, default="", db_default="")
    # Bulk mail names the stream that it belongs to, so that people can leave it; "": a letter.
    stream = models.CharField(max_length=40, blank=True, default="", db_default="")
    created_at = models.DateTimeField()

    class Meta:
        db_table = "submission"
        constraints = [
            models.UniqueConstraint(
                fields=["mailbox", "idempotency_key"],
                condition=Q(idempotency_key__isnull=False),
                name="submission_once",
            )
        ]
        indexes = [models.Index(fields=["tenant", "-created_at"], name="submission_newest")]

    def __str__(self) -> str:
        return self.public_id
