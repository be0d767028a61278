"""Failures of a recipient's or a sender's address."""

from __future__ import annotations

from mailcore.errors.base import MailError


class NoSuchAddress(MailError):
    """The recipient leads nowhere here. (RFC 5321 §4.2.3, RFC 3463 §3.2 X.1.1)"""

    code = "no_such_address"
    smtp, imap, http = (550, "5.1.1"), "NONEXISTENT", 404
    text = "No such address here"


class Suppressed(MailError):
    """The organisation's suppression list has the recipient: mail there bounced. (RFC 3463 §3.2 X.1.1)"""

    code = "suppressed"
    smtp, http = (550, "5.1.1"), 422
    text = "This address is on the suppression list"


class NotHere(MailError):
    """The domain is not ours and the client is not one of our own: no relaying. (RFC 5321 §3.6.2)"""

    code = "relay_denied"
    smtp, imap, http = (550, "5.7.1"), "NOPERM", 403
    text = "We do not relay to that domain"


class MailboxSuspended(MailError):
    """The mailbox exists and takes nothing. (RFC 3463 §3.3 X.2.1)"""

    code = "mailbox_suspended"
    smtp, imap, pop3, http = (550, "5.2.1"), "CONTACTADMIN", "SYS/PERM", 403
    text = "This mailbox is disabled"


class SendingStopped(MailError):
    """The mailbox, or its organisation, may not send; all else of it works. (RFC 3463 §3.8 X.7.1)"""

    code = "sending_stopped"
    smtp, http = (550, "5.7.1"), 403
    text = "Sending from this mailbox is stopped; its administrator can let it go on"


class WayClosed(MailError):
    """The password is right, and the mailbox is not to be opened by this protocol. (RFC 5530 §3, RFC 3206)"""

    code = "way_closed"
    smtp, imap, pop3, http = (535, "5.7.8"), "NOPERM", "SYS/PERM", 403
    text = "This mailbox cannot be used this way; its settings have that switched off"


class TenantSuspended(MailError):
    """The organisation is suspended; it may come back, so senders should keep trying. (RFC 3463 §3.3)"""

    code, retry = "tenant_suspended", True
    smtp, imap, pop3, http = (450, "4.2.1"), "CONTACTADMIN", "SYS/TEMP", 403
    text = "This mailbox is not available at present"


class BadAddress(MailError):
    """Not an address by RFC 5321 §4.1.2, or one we refuse: source routes, literals, too long."""

    code = "bad_address"
    smtp, imap, http = (553, "5.1.3"), "CLIENTBUG", 400
    text = "That is not a valid address"


class TooManyRecipients(MailError):
    """More recipients than one transaction may have. (RFC 5321 §4.5.3.1.10)"""

    code, retry = "too_many_recipients", True
    smtp, imap, http = (452, "4.5.3"), "LIMIT", 400
    text = "Too many recipients"


class NotYours(MailError):
    """The sender address, in the envelope or in From, is not one this mailbox may use. (RFC 6409 §6.1)"""

    code = "not_yours"
    smtp, imap, http = (553, "5.7.1"), "NOPERM", 403
    text = "You may not send from that address"


class DomainUnverified(MailError):
    """Ownership of the domain is not proven: it neither receives nor sends."""

    code = "domain_unverified"
    smtp, imap, http = (550, "5.7.1"), "NOPERM", 409
    text = "This domain is not verified yet"
