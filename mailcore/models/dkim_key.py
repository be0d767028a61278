"""DKIM keys of a domain; the private part is sealed under the secret key (RFC 6376, RFC 8463)."""

from __future__ import annotations

from django.db import models

from mailcore.models.domain import Domain


class DkimKey(models.Model):
    class Algorithm(models.TextChoices):
        RSA = "rsa-sha256", "RSA 2048"
        ED25519 = "ed25519-sha256", "Ed25519"

    domain = models.ForeignKey(Domain, on_delete=models.CASCADE, related_name="dkim_keys")
    selector = models.CharField(max_length=63)
    algorithm = models.CharField(max_length=16, choices=Algorithm.choices)
    private_sealed = models.BinaryField()
    # The p= value a verifier looks up.
    public = models.TextField()
    is_active = models.BooleanField(default=True)
    created_at = models.DateTimeField(auto_now_add=True)
    retired_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "dkim_key"
        constraints = [models.UniqueConstraint(fields=["domain", "selector"], name="dkim_selector_once")]

    def __str__(self) -> str:
        return f"{self.selector}._domainkey.{self.domain.name}"
