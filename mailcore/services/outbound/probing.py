"""A dry run: what would become of a mail to an address, asked of the real hosts, sending nothing.

It walks the way that mail goes (attempt.way, the same demands, hosts in the same order) and says in
sentences what it met. Nothing is written but what mail itself would leave there: fetched MTA-STS policies.
A relay of an organisation is not asked. Used by `manage.py probe` and the API.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from dataclasses import fields as dataclass_fields
from typing import Literal

from django.conf import settings

from mailcore import limits
from mailcore.errors import MailError, TooFast
from mailcore.message.address import parse_path
from mailcore.models import Tenant
from mailcore.outside import clock, counters
from mailcore.outside.remote_probe import Probing
from mailcore.outside.remote_smtp import Failed, Timeouts
from mailcore.outside.routes import Target
from mailcore.outside.smtp_replies import Reply
from mailcore.services.outbound import attempt
from mailcore.services.outbound.attempt import Way
from mailcore.services.outbound.parties import accept_recipient
from mailcore.services.queue import Pair
from mailcore.tlspolicy.demands import Demand
from mailcore.tlspolicy.mta_sts import Mode

Would = Literal["here", "relayed", "deferred", "bounced"]


@dataclass(frozen=True, slots=True)
class Host:
    """What one host said. tls is version and cipher, "" for none; verdict what its certificate was worth."""

    host: str
    address: str
    policy: str
    tls: str
    verdict: str
    code: int
    status: str
    reply: str


@dataclass(slots=True)
class Probe:
    """would: what would become of the mail now; sentences say why, in the order in which it was found."""

    address: str
    would: Would = "deferred"
    sentences: list[str] = field(default_factory=list)
    hosts: list[Host] = field(default_factory=list)


def probe(address: str, *, timeouts: Timeouts | None = None, seconds: float = math.inf) -> Probe:
    """Ask everybody whom mail to address would meet. Raises BadAddress. Waits for DNS and hosts.

    After so many seconds no further host is asked.
    """
    until = clock.monotonic() + seconds
    path = parse_path(address.strip())
    found = Probe(str(path))
    if _is_here(found):
        return found
    try:
        way = attempt.way(Pair(path.domain, 0))
    except MailError as error:
        found.would = "deferred" if error.retry else "bounced"
        found.sentences.append(f"No host is asked: {error.public}.")
        return _end(found)
    _say_way(found, path.domain, way)
    for target in way.targets[: limits.QUEUE_HOSTS]:
        if clock.monotonic() > until:
            found.sentences.append("The time for this is over: no further host is asked.")
            break
        reply = _ask(found, way, target, timeouts)
        if reply.is_ok or (reply.code and reply.phase in ("mail", "rcpt") and reply.code != 421):
            # As with mail: who has heard of the recipient has the last word.
            found.would = "relayed" if reply.is_ok else "bounced" if reply.is_permanent else "deferred"
            break
    return _end(found)


def probe_for(tenant: Tenant, address: str) -> Probe:
    """The same for somebody who waits for it: with less patience, and only so often. Raises TooFast too."""
    if counters.hit(f"probe:{tenant.pk}", 3600) > limits.PROBES_PER_HOUR:
        raise TooFast(f"An organisation may probe {limits.PROBES_PER_HOUR} addresses an hour")
    seconds = limits.PROBE_REPLY_SECONDS
    impatient = Timeouts(*[seconds] * len(dataclass_fields(Timeouts)))
    return probe(address, timeouts=impatient, seconds=limits.PROBE_SECONDS)


def _is_here(found: Probe) -> bool:
    try:
        recipient = accept_recipient(found.address)
    except MailError as error:
        found.would = "deferred" if error.retry else "bounced"
        found.sentences.append(f"The domain is one of ours, and would refuse it: {error.public}.")
        _end(found)
        return True
    if not recipient.route.is_ours:
        return False
    found.would = "here"
    found.sentences.append("The address is one of ours: mail to it is filed here and goes to no other host.")
    return True


def _say_way(found: Probe, domain: str, way: Way) -> None:
    demands, say = way.demands, found.sentences.append
    hosts = list(dict.fromkeys(target.host for target in way.targets))
    if settings.HOSTMAIL_SMART_HOST:
        say(f"All mail goes to the smart host {hosts[0]}.")
        return
    say(f"Mail for {domain} goes to {', '.join(hosts)}.")
    if demands.sts is not None and demands.sts.mode != Mode.NONE:
        say(f"The domain has an MTA-STS policy, mode {demands.sts.mode}.")
    if demands.failure is not None:
        say(f"Its MTA-STS policy could not be had ({demands.failure}): {demands.failure_words}.")
    if demands.wants_reports:
        say("It wants to hear how TLS goes (TLS-RPT).")


def _ask(found: Probe, way: Way, target: Target, timeouts: Timeouts | None) -> Reply:
    demand = way.demands.of(target.host)
    if demand.refusal:
        reply = Reply(0, demand.status, demand.refusal, "policy")
        _note(found, target, demand, reply)
        return reply
    talk = Probing(
        target.host, target.address, way.port, ehlo_name=settings.HOSTMAIL_HOSTNAME,
        policy=demand.level.value, names=demand.names, records=demand.records,
        timeouts=timeouts, credentials=way.credentials,
    )  # fmt: skip
    try:
        talk.open()
        reply = talk.would_take(f"postmaster@{settings.HOSTMAIL_HOSTNAME}", found.address)
    except Failed as failed:
        reply = failed.reply
    finally:
        talk.close()
    _note(found, target, demand, reply, talk)
    return reply


def _note(found: Probe, target: Target, demand: Demand, reply: Reply, talk: Probing | None = None) -> None:
    tls = talk.tls if talk else None
    protected = f"{tls.version} {tls.cipher}" if tls else ""
    verdict = tls.verdict if tls else "none"
    found.hosts.append(
        Host(
            target.host, target.address, demand.policy, protected, verdict, reply.code, reply.status,
            reply.text,
        )
    )  # fmt: skip
    where = f"{target.host} ({target.address})"
    if talk is None:
        found.sentences.append(f"{where} is not asked: {reply.text}.")
        return
    had = f"{protected}, certificate {verdict}" if tls else "no TLS"
    found.sentences.append(f"{where}: {demand.words}; had: {had}.")
    found.sentences.extend(f"{where}: {note}." for note in talk.notes)
    verb = "takes the recipient" if reply.is_ok else "does not take the recipient"
    if reply.phase not in ("mail", "rcpt"):
        verb = f"cannot be used, at {reply.phase}"
    found.sentences.append(f"{where} {verb}: {reply}")


_ENDS = {
    "relayed": "A mail would be handed over now.",
    "deferred": "A mail would wait here and be tried again.",
    "bounced": "A mail would come back to its sender.",
}


def _end(found: Probe) -> Probe:
    found.sentences.append(_ENDS[found.would])
    return found
