"""The octets of a queued mail as they leave, and the parameters that go with them."""

from __future__ import annotations

from mailcore.message import dsn, fields
from mailcore.models import Submission
from mailcore.services import messages
from mailcore.services.outbound import submission
from mailcore.services.queue import Claimed

_OURS = frozenset({Submission.Source.WEBMAIL, Submission.Source.SMTP, Submission.Source.API})


def wire_octets(entry: Claimed) -> bytes:
    """What leaves: header and body as they were signed or came, behind our Received. Never Return-Path.

    Raises NoSuchMessage, NoSuchBlob, StoreDown.
    """
    kept = messages.raw_of(entry.content_id)
    # What arrived for an alias, or was filed here too, has our trace in front already; the return path is
    # the last host's to write (RFC 5321 §4.4).
    prefix = fields.drop(kept.prefix, {"return-path"}) if kept.prefix else b""
    if not prefix and entry.source in _OURS:
        prefix = submission.received(
            source=entry.source,
            protocol="",
            trace_id=entry.trace,
            recipient=None,
            now=entry.submitted_at,
        )
    return prefix + kept.header + kept.body


def mail_dsn(entry: Claimed) -> str:
    """What the next host is told of the sender's wishes (RFC 3461 §5.2.1)."""
    words = (entry.ret and f"RET={entry.ret}", entry.envid and f"ENVID={entry.envid}")
    return " ".join(word for word in words if word)


def rcpt_dsn(entry: Claimed) -> str:
    orcpt = entry.orcpt
    if not orcpt and entry.return_domain and entry.recipient.isascii():
        # A report to a return path of ours then says whom we meant, whatever became of the name.
        orcpt = f"rfc822;{dsn.to_xtext(entry.recipient)}"
    words = (entry.notify and f"NOTIFY={entry.notify}", orcpt and f"ORCPT={orcpt}")
    return " ".join(word for word in words if word)
