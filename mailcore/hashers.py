"""How passwords of people are kept: argon2id with parameters a mail server can afford.

Django's own choice costs 173 ms and 100 MiB a try; mail clients open several connections each.
19 MiB, two passes, one lane is the OWASP recommendation and takes 26 ms. Named by
settings.PASSWORD_HASHERS; older parameters are raised at the next sign-in.
"""

from django.contrib.auth.hashers import Argon2PasswordHasher


class Argon2(Argon2PasswordHasher):
    """argon2id, 19 MiB, t=2, p=1 (RFC 9106; OWASP password storage)."""

    time_cost = 2
    memory_cost = 19 * 1024
    parallelism = 1
