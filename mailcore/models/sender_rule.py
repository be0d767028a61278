"""Whom a mailbox always wants to hear from, and whom never."""

from __future__ import annotations

from django.db import models

from mailcore.models.mailbox import Mailbox


class SenderRule(models.Model):
    """One address, or with "@example.org" one domain, as addresses are compared."""

    mailbox = models.ForeignKey(Mailbox, on_delete=models.CASCADE, related_name="sender_rules")
    who = models.CharField(max_length=320)
    # Its mail goes to the inbox, if it is proven to be its own; else to Junk.
    is_wanted = models.BooleanField()
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        db_table = "sender_rule"
        ordering = ["who"]
        constraints = [models.UniqueConstraint(fields=["mailbox", "who"], name="sender_rule_once")]

    def __str__(self) -> str:
        return self.who
