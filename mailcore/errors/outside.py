"""Failures of the world outside: names and routes. Their SMTP form is what a sender reads in a bounce."""

from __future__ import annotations

from mailcore.errors.base import MailError
from mailcore.errors.later import TryLater


class LookupFailed(TryLater):
    """DNS gave no usable answer: SERVFAIL, time-out, lame, malformed. (RFC 3463 §3.5 X.4.3)"""

    code = "dns_failed"
    smtp, http = (451, "4.4.3"), 503
    text = "The name servers did not answer"


class NoSuchName(MailError):
    """NXDOMAIN: the name does not exist in DNS. (RFC 3463 §3.2 X.1.2)"""

    code = "no_such_name"
    smtp, http = (550, "5.1.2"), 404
    text = "The domain does not exist"


class NoRecords(MailError):
    """NODATA: the name exists, without records of the type asked for."""

    code = "no_records"
    smtp, http = (550, "5.1.2"), 404
    text = "The name has no such record"


class NoMailAccepted(MailError):
    """Null MX: the domain says that it accepts no mail. (RFC 7505 §4)"""

    code = "null_mx"
    smtp, http = (556, "5.1.10"), 400
    text = "The domain accepts no mail"


class NoRoute(MailError):
    """A domain whose mail hosts have no address we may use. (RFC 3463 §3.5 X.4.4)"""

    code = "no_route"
    smtp, http = (550, "5.4.4"), 400
    text = "No mail host of the domain can be reached"


class RelayAway(TryLater):
    """A smart host that cannot be found or used, or is not to be any more. (RFC 3463 §3.5 X.4.4)"""

    code = "relay_away"
    smtp, http = (451, "4.4.4"), 503
    text = "The relay for this mail cannot be used now"


class NoSource(TryLater):
    """No address of ours that a mail may leave from is of its hosts' kind, IPv4 or IPv6. (RFC 3463 §3.5)"""

    code = "no_source"
    smtp, http = (451, "4.4.4"), 503
    text = "No address of ours that this mail may leave from can reach its hosts"
