"""Failures of a message: what it is, what it holds, where it would lie."""

from __future__ import annotations

from mailcore.errors.base import MailError


class OverQuota(MailError):
    """The mailbox has no room left. (RFC 3463 §3.3, RFC 9208)"""

    code, retry = "over_quota", True
    smtp, imap, pop3, http = (452, "4.2.2"), "OVERQUOTA", "SYS/TEMP", 507
    text = "The mailbox is full"


class MessageTooBig(MailError):
    """Bigger than HOSTMAIL_MAX_MESSAGE. (RFC 1870 §6.1, RFC 7889)"""

    code = "message_too_big"
    smtp, imap, http = (552, "5.3.4"), "TOOBIG", 413
    text = "The message is too big"


class BadHeader(MailError):
    """The header section breaks RFC 5322 §3.6 in a way we do not accept: several From, none, too long."""

    code = "bad_header"
    smtp, imap, http = (550, "5.6.0"), "CANNOT", 400
    text = "The message header is not valid"


class RefusedByAuthor(MailError):
    """The domain in From asks that mail it does not stand behind be refused. (RFC 7372 §3.4)"""

    code = "refused_by_author"
    smtp = (550, "5.7.26")
    text = "The domain in From does not stand behind this message and asks that it be refused (DMARC)"


class BadMessage(MailError):
    """NUL, bare CR or LF, endless lines, depth: what we cannot keep exactly we refuse. (RFC 5321 §2.3.8)"""

    code = "bad_message"
    smtp, imap, http = (554, "5.6.0"), "CANNOT", 400
    text = "The message is not in a form we accept"


class BadReport(MailError):
    """A report that cannot be read, or not safely. (RFC 3463 §3.7 X.6.0)"""

    code = "bad_report"
    smtp = (554, "5.6.0")
    text = "That is not a report that can be read here"


class UnknownCTE(MailError):
    """Octets whose transfer encoding we cannot undo, or cannot do without one for. (RFC 3516 §4.3, §4.4)"""

    code = "unknown_cte"
    imap = "UNKNOWN-CTE"
    text = "That content transfer encoding is not known here"


class Loop(MailError):
    """Too many Received fields, or the MX leads back to us. (RFC 5321 §6.3, RFC 3463 §3.5 X.4.6)"""

    code = "loop"
    smtp, imap, http = (554, "5.4.6"), "CANNOT", 400
    text = "Mail loop detected"


class Rejected(MailError):
    """Refused by policy: DMARC, a filter, an administrator's rule. (RFC 3463 §3.8 X.7.1)"""

    code = "rejected"
    smtp, imap, http = (550, "5.7.1"), "NOPERM", 403
    text = "The message was refused by policy"


class NoSuchMessage(MailError):
    """The message is gone or never was in this folder. (RFC 5530 EXPUNGEISSUED)"""

    code = "no_such_message"
    smtp, imap, http = (550, "5.0.0"), "EXPUNGEISSUED", 404
    text = "No such message"


class BadFlag(MailError):
    """A keyword that is no atom, too long, or one more than a mailbox may have. (RFC 9051 §2.3.2)"""

    code = "bad_flag"
    imap, http = "LIMIT", 400
    text = "That flag cannot be kept"
