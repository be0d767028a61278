"""What happens to mail in the words of Postfix's and Dovecot's logs, for the tools that read those. (pure)

pflogsumm counts by these lines and fail2ban's stock filters find failed logins in them; the tests run both.
What strangers say of themselves, their names and the words of remote hosts, is cleaned: it never begins a
line, nor ends the brackets it stands in. Called by services.mail_log.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from mailcore import limits

_UNFIT = re.compile(r"[^\x20-\x7e]")
_SPECIAL = re.compile(r"[<>,\s]")


class Line(NamedTuple):
    """One line without its time: which program would say it, and what."""

    program: str
    text: str

    def with_pid(self, pid: int) -> str:
        """As it stands in a file, after the time and the host."""
        return f"{self.program}[{pid}]: {self.text}"


def words(text: object, most: int = limits.LOG_WORDS_CHARS) -> str:
    """Words of a stranger inside brackets: printable ASCII in one line, no closing one among them."""
    flat = " ".join(str(text).split())
    return _UNFIT.sub("?", flat)[:most].replace("(", "[").replace(")", "]")


def name(text: object) -> str:
    """An address or a login name inside <>."""
    return _SPECIAL.sub("?", _UNFIT.sub("?", str(text)))[: limits.LOG_NAME_CHARS]


def queue_id(trace: str) -> str:
    """The trace of all recipients, as a queue id: letters and digits."""
    return re.sub(r"\W", "", trace.partition("/")[0]) or "NOQUEUE"


def client(peer: str) -> str:
    """A host that spoke to us. Its own name of itself stands nowhere a filter looks for an address."""
    return f"unknown[{name(peer)}]"


class Happened(NamedTuple):
    """An event as far as a line needs it."""

    kind: str
    trace: str
    sender: str
    recipient: str
    data: Mapping[str, Any]


def head(event: Happened, recipients: int) -> Iterator[Line]:
    """How a mail came in: said once for all its recipients."""
    qid, data = queue_id(event.trace), event.data
    if event.kind != "submitted":
        yield Line("postfix/smtpd", f"{qid}: client={client(str(data.get('peer') or 'local'))}")
    elif data.get("source") == "smtp":
        user = name(data.get("user") or event.sender)
        peer = client(str(data.get("peer") or "local"))
        yield Line(
            "postfix/submission/smtpd", f"{qid}: client={peer}, sasl_method=LOGIN, sasl_username={user}"
        )
    else:
        yield Line("postfix/pickup", f"{qid}: uid=0 from=<{name(event.sender)}>")
    size = data.get("octets") or 0
    yield Line(
        "postfix/qmgr", f"{qid}: from=<{name(event.sender)}>, size={size}, nrcpt={recipients} (queue active)"
    )


def lines(event: Happened, *, port: int) -> Iterator[Line]:
    """What became of a mail for one recipient; nothing for kinds that those logs know nothing of."""
    qid, data, to = queue_id(event.trace), event.data, name(event.recipient)
    if event.kind == "filed":
        if data.get("report"):
            yield Line("postfix/bounce", f"{qid}: sender non-delivery notification: {qid}")
        elif event.recipient:
            yield _delivery("postfix/virtual", qid, to, "virtual", data, "sent", "delivered to mailbox")
    elif event.kind in ("relayed", "deferred", "bounced"):
        status = {"relayed": "sent", "deferred": "deferred", "bounced": "bounced"}[event.kind]
        host, address = name(data.get("host") or ""), name(data.get("address") or "")
        relay = f"{host}[{address}]:{port}" if host and address else host or "none"
        said = words(" ".join(str(part) for part in (data.get("code"), data.get("reply")) if part))
        if host and status != "sent":
            said = f"host {host}[{address}] said: {said}"
        yield _delivery("postfix/smtp", qid, to, relay, data, status, said)
    elif event.kind in ("refused", "quarantined"):
        verb = "milter-reject" if event.kind == "refused" else "hold"
        yield Line(
            "postfix/cleanup",
            f"{qid}: {verb}: END-OF-MESSAGE from {client(str(data.get('peer') or 'local'))}: 5.7.1"
            f" {words(data.get('reason') or 'refused')}; from=<{name(event.sender)}> to=<{to}>"
            f" proto=ESMTP helo=<{name(data.get('helo') or '')}>",
        )
    elif event.kind in _STEERED:
        yield Line("postfix/postsuper", f"{qid}: {_STEERED[event.kind]}")


_STEERED = {"held": "placed on hold", "released": "released from hold", "dropped": "removed"}


def _delivery(
    program: str, qid: str, to: str, relay: str, data: Mapping[str, Any], status: str, said: str
) -> Line:
    age, took = _seconds(data.get("age")), _seconds(data.get("ms"), 1000)
    code = words(data.get("status") or {"sent": "2.0.0", "deferred": "4.0.0"}.get(status, "5.0.0"), 12)
    return Line(
        program,
        f"{qid}: to=<{to}>, relay={relay}, delay={max(age, took):.2f}, delays={max(age - took, 0):.2f}/0/0/"
        f"{took:.2f}, dsn={code}, status={status} ({said})",
    )


def _seconds(value: object, per: float = 1) -> float:
    return float(value) / per if isinstance(value, int | float) else 0.0


def rejected(peer: str, reply: str, *, sender: str, recipient: str, helo: str, protocol: str) -> Line:
    """A recipient we said no to. reply is what we said: "550 5.1.1 No such address"."""
    code, status, said = f"{reply}  ".split(" ", 2)
    reason = "User unknown in virtual mailbox table" if status == "5.1.1" else words(said, 200)
    to = name(recipient)
    return Line(
        "postfix/smtpd",
        f"NOQUEUE: reject: RCPT from {client(peer)}: {words(code, 3)} {words(status, 12)} <{to}>:"
        f" Recipient address rejected: {reason}; from=<{name(sender)}> to=<{to}>"
        f" proto={name(protocol)} helo=<{name(helo)}>",
    )


_SERVICES = {
    "imap": "imap-login",
    "pop3": "pop3-login",
    "sieve": "managesieve-login",
    "smtp": "submission-login",
}


def login_failed(protocol: str, user: str, peer: str, method: str) -> Line:
    """A wrong password, or a guess that was not even looked at."""
    if protocol == "smtp" and method in ("PLAIN", "LOGIN"):
        # The stock filter knows of Postfix's methods no SCRAM.
        said = f"SASL {method} authentication failed: UGFzc3dvcmQ6, sasl_username={name(user)}"
        return Line("postfix/submission/smtpd", f"warning: {client(peer)}: {said}")
    return Line(
        "dovecot",
        f"{_SERVICES.get(protocol, 'imap-login')}: Disconnected (auth failed, 1 attempts in 1 secs):"
        f" user=<{name(user)}>, method={name(method)}, rip={name(peer)}",
    )


def login(protocol: str, user: str, peer: str, method: str) -> Line:
    """Somebody came in."""
    service = _SERVICES.get(protocol, "imap-login")
    return Line("dovecot", f"{service}: Login: user=<{name(user)}>, method={name(method)}, rip={name(peer)}")
