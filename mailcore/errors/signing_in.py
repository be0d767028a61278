"""Failures of who signs in, and of what they may do."""

from __future__ import annotations

from mailcore.errors.base import MailError


class LoginFailed(MailError):
    """Wrong name or password; never say which. (RFC 4954 §6, RFC 5530, RFC 3206)"""

    code = "login_failed"
    smtp, imap, pop3, http = (535, "5.7.8"), "AUTHENTICATIONFAILED", "AUTH", 401
    text = "Wrong name or password"
    # How long a face holds the answer back, without keeping a thread busy (services/logins.py).
    wait_seconds: float = 0.0


class LoginThrottled(MailError):
    """Too many failed tries from there or for that name. (RFC 4954 §6, RFC 5530 UNAVAILABLE)"""

    code, retry = "login_throttled", True
    smtp, imap, pop3, http = (454, "4.7.0"), "UNAVAILABLE", "SYS/TEMP", 429
    text = "Too many failed attempts, please try again later"


class LoginTooWeak(MailError):
    """Not over an unprotected connection. (RFC 4954 §6 keeps 538 for clients that try anyway; RFC 5530)"""

    code = "privacy_required"
    smtp, imap, pop3, http = (538, "5.7.11"), "PRIVACYREQUIRED", "AUTH", 403
    text = "Encryption is required before signing in"


class MailboxInUse(MailError):
    """Another POP3 session has the mailbox. (RFC 2449 §8.1.2)"""

    code, retry = "mailbox_in_use", True
    imap, pop3, http = "INUSE", "IN-USE", 409
    text = "Another session is using this mailbox"


class Forbidden(MailError):
    """Known to exist for this actor, and not allowed to them. What they may not see is a NotFound."""

    code = "forbidden"
    smtp, imap, http = (550, "5.7.1"), "NOPERM", 403
    text = "You may not do that"


class ReadOnly(Forbidden):
    """The folder was opened with EXAMINE. (RFC 9051 §6.3.3)"""

    code = "read_only"
    text = "The folder was opened read-only"


class ReadersOnly(Forbidden):
    """The person may read the mailbox and not change it. (RFC 5530 NOPERM)"""

    code = "readers_only"
    text = "You may read this mailbox, but not change it"
