"""Failures that pass: the same request may succeed later, unchanged."""

from __future__ import annotations

from mailcore.errors.base import MailError


class TryLater(MailError):
    """Something we need does not answer just now. Better late than lost."""

    code, retry = "try_later", True
    smtp, imap, pop3, http = (451, "4.3.0"), "UNAVAILABLE", "SYS/TEMP", 503
    text = "Temporary trouble here, please try again later"


class Unexpected(TryLater):
    """What faces say when something that is not a MailError came up: our bug, logged with its traceback."""

    code = "unexpected"
    imap, http = "SERVERBUG", 500
    text = "Internal error, please try again later"


class Busy(TryLater):
    """Too much at once: connections, sessions, messages in hand. (RFC 3463 §3.4, RFC 9051 §7.1)"""

    code = "busy"
    smtp, imap, pop3, http = (421, "4.3.2"), "LIMIT", "SYS/TEMP", 503
    text = "Too busy, please try again later"


class TooFast(TryLater):
    """A rate limit of a mailbox, tenant, peer or destination. (RFC 3463 §3.8)"""

    code = "too_fast"
    smtp, imap, pop3, http = (450, "4.7.1"), "LIMIT", "SYS/TEMP", 429
    text = "Too many requests, please slow down"


class TooManyConnections(TooFast):
    """A host, or its network, connects too often. (RFC 5321 §3.8: 421 and goodbye)"""

    code = "too_many_connections"
    smtp = (421, "4.7.0")
    text = "Too many connections from your network, please try again later"


class TooManyGuesses(TooFast):
    """A host asks for too many addresses that do not exist."""

    code = "too_many_guesses"
    smtp = (421, "4.7.0")
    text = "Too many recipients that do not exist, please try again in an hour"


class TooMuchMail(TooFast):
    """A host, or its network, brings more than it may in an hour."""

    code = "too_much_mail"
    text = "Too much mail from your network this hour, please try again later"


class Greylisted(TooFast):
    """Nobody of that name wrote from there before, and the domain wants to be asked twice. (RFC 6647)"""

    code = "greylisted"
    smtp = (451, "4.7.1")
    text = "We have not met before, please try again in a few minutes"


class DiskFull(TryLater):
    """No room on our side. (RFC 3463 §3.4 X.3.1)"""

    code = "disk_full"
    smtp, http = (452, "4.3.1"), 507
    text = "No storage left here, please try again later"
