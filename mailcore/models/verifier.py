"""What SCRAM checks a password by, beside the hash that PLAIN is checked by. (RFC 5802 §3)"""

from __future__ import annotations

from django.db import models

from mailcore.models.mailbox import AppPassword, Mailbox
from mailcore.models.user import User


class Verifier(models.Model):
    """Of one person's password, or of one app password, for one mailbox.

    All of a mailbox have one salt and one number of iterations: a client that signs in names the mailbox, and
    which of its passwords it has is only seen from the proof.
    """

    mailbox = models.ForeignKey(Mailbox, on_delete=models.CASCADE, related_name="verifiers")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="verifiers")
    app_password = models.OneToOneField(
        AppPassword, on_delete=models.CASCADE, null=True, related_name="verifier"
    )
    salt = models.BinaryField()
    iterations = models.PositiveIntegerField()
    # SHA-256 of the hash that PLAIN is checked by: of another password this one is worthless.
    made_of = models.CharField(max_length=64, blank=True)
    # StoredKey and ServerKey, 64 octets for each way the password is spelled; sealed, because guessing by
    # them is cheaper than by argon2.
    sealed = models.BinaryField()

    class Meta:
        db_table = "scram_verifier"
        constraints = [
            models.UniqueConstraint(
                fields=["mailbox", "user"],
                condition=models.Q(app_password__isnull=True),
                name="scram_verifier_of_password",
            )
        ]

    def __str__(self) -> str:
        return f"{self.mailbox_id}:{self.user_id}"
