"""One connection's worth of trying: the messages of one destination, to its hosts in order of preference.

A Courier is used by one thread, for one route of mail (dns.route, or the operator's smart host). It keeps its
connection from message to message, goes on to the next host where one cannot be had or breaks, and says for
each entry what came of it, with every host's own words. It writes nothing but the note that DATA is about to
end (begin); what follows is written by outcome.settle. RFC 5321 §5.1 rules which hosts are tried.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from dataclasses import fields as dataclass_fields

from django.conf import settings

from mailcore import limits
from mailcore.errors import MailError, NoSuchMessage, RelayAway
from mailcore.models import Attempt, Relay
from mailcore.outside import clock, dns
from mailcore.outside.remote_smtp import Conversation, Credentials, Failed, Timeouts
from mailcore.outside.routes import Target
from mailcore.outside.smtp_replies import Reply
from mailcore.services import ledger, queue, relays, sql
from mailcore.services.outbound import demanded, return_path, sources, tlsrpt
from mailcore.services.outbound.demanded import Demands
from mailcore.services.outbound.octets import mail_dsn, rcpt_dsn, wire_octets
from mailcore.services.outbound.sources import Source
from mailcore.services.queue import Claimed, Pair
from mailcore.tlspolicy.demands import Demand, Level
from mailcore.tlspolicy.tlsrpt import Result, Session


@dataclass(frozen=True, slots=True)
class Way:
    """Where a route's mail goes now. Routes with the same key share their connections.

    relay is the smart host's name for the record, demands what TLS must be with each host; sources are the
    addresses of ours to leave from.
    """

    key: str
    targets: tuple[Target, ...]
    port: int
    credentials: Credentials | None = None
    demands: Demands = field(default_factory=Demands)
    relay: str = ""
    sources: tuple[Source, ...] = ()


def way(pair: Pair) -> Way:
    """The hosts that take a pair's mail: its relay, the operator's smart host, or the domain's own.

    Raises NoSuchName, NoMailAccepted, NoRoute, Loop (give up), LookupFailed, RelayAway, NoSource
    (try later).
    """
    found, own = _hosts(pair), sources.of_tenant(pair.tenant_id)
    if not own:
        return found
    # A host may think well of one of our addresses and ill of another.
    key = f"{found.key} from {','.join(source.address for source in own)}"
    return replace(found, key=key, targets=sources.reachable(found.targets, own), sources=own)


def _hosts(pair: Pair) -> Way:
    if pair.relay_id:
        return _way_by(pair.relay_id)
    smart = settings.HOSTMAIL_SMART_HOST
    if smart:
        credentials = Credentials(smart.user, smart.password) if smart.user else None
        targets = tuple(dns.host_targets(smart.host))
        return Way(f"smart:{smart.host}:{smart.port}", targets, smart.port, credentials)
    found = dns.route(pair.route)
    port = settings.HOSTMAIL_OUTBOUND_PORT
    demands = demanded.of_route(found, port)
    # Mail that demands less must not open the connections of mail that demands more.
    key = f"{found.key}|{demands.key}" if demands.key else found.key
    return Way(key, found.targets, port, demands=demands)


def _way_by(relay_id: int) -> Way:
    relay = Relay.objects.filter(pk=relay_id, is_enabled=True).first()
    if relay is None:
        # Taken away a moment ago: nothing can be claimed for it any more, and the next look finds another.
        raise RelayAway
    login = relays.credentials(relay)
    demands = demanded.of_relay(relays.policy(relay))
    return Way(relays.key(relay), relays.targets(relay), relay.port, login, demands, str(relay))


@dataclass(slots=True)
class Try:
    """What one host said about one entry: a row of attempts to be."""

    reply: Reply
    started_at: dt.datetime
    host: str = ""
    address: str = ""
    tls_version: str = ""
    tls_cipher: str = ""
    tls_verdict: str = ""
    tls_policy: str = ""
    notes: tuple[str, ...] = ()
    milliseconds: int = 0
    # The host makes the reports that were asked for (RFC 3461).
    reports: bool = False
    # The smart host it went by, and the address of ours it left from, where that was chosen.
    relay: str = ""
    own_address: str = ""
    # The row that begin() wrote for it, if it came that far.
    attempt_id: int | None = None


@dataclass(slots=True)
class Outcome:
    """What came of one entry in this round; the last try decides."""

    entry: Claimed
    tries: list[Try]

    @property
    def reply(self) -> Reply:
        return self.tries[-1].reply


def refused(entries: Sequence[Claimed], error: MailError) -> list[Outcome]:
    """The outcomes of entries for which there was nobody to talk to."""
    code, status = error.smtp
    reply = Reply(0, status, error.public, "dns")
    assert code
    return [Outcome(entry, [Try(reply, clock.now())]) for entry in entries]


class LeaseLost(Exception):
    """Somebody else has taken over what we were about to hand out."""


@dataclass(slots=True)
class _Link:
    talk: Conversation
    target: Target
    demand: Demand
    is_fresh: bool = True


@dataclass
class Courier:
    """See the module. owner is who holds the leases; timeouts None means those of limits.

    is_dead: no host could be had, so nothing more goes out in this round; dead_reply says why. What a sender
    wishes of TLS (Submission.TLSWish) can rule out hosts for that mail alone: _out and _openings are by wish.
    """

    owner: str
    way: Way
    timeouts: Timeouts | None = None
    is_dead: bool = False
    sent: int = 0
    _link: _Link | None = None
    _out: set[tuple[str, Target]] = field(default_factory=set)
    _strikes: dict[Target, int] = field(default_factory=dict)
    _openings: dict[str, list[Try]] = field(default_factory=lambda: defaultdict(list))
    _sessions: list[Session] = field(default_factory=list)

    @property
    def is_open(self) -> bool:
        return self._link is not None

    @property
    def dead_reply(self) -> Reply:
        """What the last host said when no connection could be had."""
        return self._openings[""][-1].reply

    def close(self) -> None:
        if self._link is not None:
            self._link.talk.close()
            self._link = None
        sessions, self._sessions = self._sessions, []
        if sessions:
            tlsrpt.note(sessions)

    def send(self, entries: Sequence[Claimed]) -> list[Outcome]:
        """Try entries of one submission; the outcome of each. Raises LeaseLost: then nothing was sent."""
        first = entries[0]
        try:
            raw = wire_octets(first)
        except NoSuchMessage:
            gone = Reply(0, "5.3.0", "The message is no longer kept here", "read")
            return [Outcome(entry, [Try(gone, clock.now())]) for entry in entries]
        except MailError as error:
            return refused(entries, error)
        tries: dict[int, list[Try]] = {entry.pk: [] for entry in entries}
        pending = list(entries)
        avoided: set[Target] = set()
        openings = self._openings[first.tls_wish]
        while pending:
            knocked = len(openings)
            link = self._connect(avoided, first.tls_wish)
            for entry in pending:
                tries[entry.pk] += [replace(each) for each in openings[knocked:]]
            if link is None:
                self._blame(openings, pending, tries)
                break
            done = self._transmit(link, pending, raw, tries)
            self.sent += any(tries[entry.pk][-1].reply.is_ok for entry in pending)
            if not link.talk.is_open:
                self._lost(link, avoided, first.tls_wish)
            pending = [entry for entry in pending if entry.pk not in done]
        for made in (made for each in tries.values() for made in each):
            made.relay = self.way.relay
        return [Outcome(entry, tries[entry.pk]) for entry in entries]

    # --- hosts ------------------------------------------------------------------------------------------

    def _connect(self, avoided: set[Target], wish: str) -> _Link | None:
        """A connection to a host that is not avoided, the present one if it will do, or None."""
        demands = self.way.demands
        if self._link is not None:
            target = self._link.target
            if target not in avoided and self._link.demand.covers(demands.of(target.host, wish)):
                return self._link
            self._link.talk.close()
            self._link = None
        targets = self.way.targets[: limits.QUEUE_HOSTS]
        for target in targets:
            if (wish, target) in self._out or target in avoided:
                continue
            demand = demands.of(target.host, wish)
            if demand.refusal:
                self._refuse(target, demand, wish)
                continue
            if link := self._open(target, demand, wish):
                self._link = link
                return link
        # A wish rules out hosts for one message; others may still go.
        self.is_dead = not wish and all((wish, target) in self._out for target in targets)
        return None

    def _refuse(self, target: Target, demand: Demand, wish: str) -> None:
        """A host that must not be used: said once for each host, whatever number of addresses it has."""
        self._out.add((wish, target))
        if not any(made.host == target.host for made in self._openings[wish]):
            reply = Reply(0, demand.status, demand.refusal, "policy")
            made = Try(reply, clock.now(), target.host, tls_policy=demand.policy)
            self._openings[wish].append(made)
            self._count(target, None, Result.VALIDATION, demand.refusal, wish)

    def _open(self, target: Target, demand: Demand, wish: str) -> _Link | None:
        source = sources.pick(self.way.sources, target.address)
        talk = Conversation(
            target.host,
            target.address,
            self.way.port,
            ehlo_name=(source and source.name) or settings.HOSTMAIL_HOSTNAME,
            source_address=source.address if source else None,
            policy=demand.level.value,
            names=demand.names,
            records=demand.records,
            requiretls=demand.requires,
            timeouts=self.timeouts,
            credentials=self.way.credentials,
        )
        link = _Link(talk, target, demand)
        started_at, started = clock.now(), clock.monotonic()
        try:
            talk.open()
        except Failed as failed:
            reply = failed.reply
            if reply.phase == "starttls" and demand.level != Level.OPPORTUNISTIC:
                reply = replace(reply, text=f"{demand.words}: {reply.text}"[: limits.REMOTE_REPLY_TEXT])
            self._out.add((wish, target))
            self._openings[wish].append(_try(reply, link, started_at, started))
            if talk.tls_failure is not None:
                self._count(target, talk, talk.tls_failure, failed.reply.text, wish)
            return None
        self._count(target, talk, demanded.shortcoming(talk, demand), "; ".join(talk.notes), wish)
        return link

    def _count(
        self, target: Target, talk: Conversation | None, result: Result | None, reason: str, wish: str
    ) -> None:
        """Keep for the TLS report what came of a connection under the domain's own demands."""
        demands = self.way.demands
        if wish or not demands.wants_reports:
            return
        own_address = talk.own_address if talk else ""
        address = target.address if talk else ""
        self._sessions.append(
            demands.session(target.host, result, address=address, own_address=own_address, reason=reason)
        )
        if unfetched := demands.unfetched():
            self._sessions.append(unfetched)

    def _lost(self, link: _Link, avoided: set[Target], wish: str) -> None:
        """A connection broke: one that had worked is opened again, a fresh one is left to other hosts."""
        self._link = None
        if link.is_fresh:
            avoided.add(link.target)
            self._strikes[link.target] = self._strikes.get(link.target, 0) + 1
            if self._strikes[link.target] >= limits.QUEUE_STRIKES:
                self._out.add((wish, link.target))

    def _blame(
        self, openings: Sequence[Try], pending: Sequence[Claimed], tries: dict[int, list[Try]]
    ) -> None:
        """No host is left: what the hosts said when we knocked is the answer for every entry."""
        for entry in pending:
            if not tries[entry.pk]:
                tries[entry.pk] += [replace(each) for each in openings]
            assert tries[entry.pk], "a route has at least one target"
            if not any(each.reply.code for each in tries[entry.pk]):
                # The last one decides: while one of the hosts may do better later, it is not over.
                tries[entry.pk].sort(key=lambda each: each.reply.is_temporary)

    # --- one message ------------------------------------------------------------------------------------

    def _transmit(
        self, link: _Link, entries: Sequence[Claimed], raw: bytes, tries: dict[int, list[Try]]
    ) -> set[int]:
        """Hand the message to the host for these entries; those that are settled by what it said."""
        first = entries[0]
        started_at, started = clock.now(), clock.monotonic()
        running: dict[int, int] = {}

        def before_end() -> None:
            made = _try(_RUNNING, link, started_at, started)
            made.relay = self.way.relay
            running.update(begin(self.owner, entries, made, tries))

        replies = link.talk.transmit(
            leaves_from(first),
            [entry.recipient for entry in entries],
            raw,
            smtputf8=first.needs_smtputf8,
            before_end=before_end,
            mail_dsn=mail_dsn(first),
            rcpt_dsn=[rcpt_dsn(entry) for entry in entries],
        )
        done = set()
        for entry, answer in zip(entries, replies, strict=True):
            made = _try(answer.reply, link, started_at, started)
            made.attempt_id = running.get(entry.pk)
            made.reports = link.talk.offers_dsn
            tries[entry.pk].append(made)
            if not _may_go_elsewhere(answer.reply):
                done.add(entry.pk)
        if link.talk.is_open:
            link.is_fresh = False
        return done


def _may_go_elsewhere(reply: Reply) -> bool:
    """Whether another host should be asked at once: this one went away without having taken the message."""
    return reply.is_temporary and reply.code in (0, 421) and not reply.is_uncertain


def _try(reply: Reply, link: _Link, started_at: dt.datetime, started: float) -> Try:
    talk, target, tls = link.talk, link.target, link.talk.tls
    return Try(
        reply,
        started_at,
        target.host,
        target.address,
        tls.version if tls else "",
        tls.cipher if tls else "",
        tls.verdict if tls else "none",
        link.demand.policy,
        tuple(talk.notes),
        round((clock.monotonic() - started) * 1000),
        own_address=talk.source_address or "",
    )


_RUNNING = Reply(0, "", "", "end")


def begin(
    owner: str, entries: Sequence[Claimed], running: Try, earlier: Mapping[int, Sequence[Try]]
) -> dict[int, int]:
    """Note, durably, that a host may have the message in a moment; the attempt of each entry.

    From here on a crash leaves a row that says so. What other hosts said before goes with it, so that
    attempts are numbered as they happened. Raises LeaseLost if any entry is no longer ours.
    """
    pks = [entry.pk for entry in entries]
    before = [(entry, made) for entry in entries for made in earlier[entry.pk] if made.attempt_id is None]
    rows = [row(entry, made) for entry, made in before]
    rows += [row(entry, running, Attempt.Outcome.RUNNING) for entry in entries]

    def write() -> list[int]:
        return insert_attempts(rows) if len(queue.renew(owner, pks)) == len(pks) else []

    ids = ledger.durably(write)
    if not ids:
        raise LeaseLost
    for (_, made), pk in zip(before, ids, strict=False):
        made.attempt_id = pk
    return dict(zip(pks, ids[len(before) :], strict=True))


@dataclass(slots=True)
class Row:
    """One row of attempt. A model costs three times as much to make, twice for each message."""

    pk: int | None
    tenant_id: int
    entry_id: int
    started_at: dt.datetime
    duration_ms: int
    outcome: str
    host: str
    address: str
    relay: str
    own_address: str
    tls_version: str
    tls_cipher: str
    tls_verdict: str
    tls_policy: str
    phase: str
    code: int | None
    status: str
    reply: str

    def values(self, names: Sequence[str]) -> list[object]:
        """As parameters of a statement, in the order of names."""
        return [
            sql.moment(self.started_at) if name == "started_at" else getattr(self, name) for name in names
        ]


COLUMNS = tuple(each.name for each in dataclass_fields(Row))[1:]


def insert_attempts(rows: Sequence[Row]) -> list[int]:
    """Insert attempts inside a transaction; their primary keys, in the same order."""
    marks = ", ".join([f"({', '.join(['%s'] * len(COLUMNS))})"] * len(rows))
    values = [value for row in rows for value in row.values(COLUMNS)]
    made = sql.rows(f"INSERT INTO attempt ({', '.join(COLUMNS)}) VALUES {marks} RETURNING id", values)
    # Both databases number the rows of one statement as they are given.
    return sorted(pk for (pk,) in made)


def row(entry: Claimed, made: Try, outcome: str = "") -> Row:
    """The row of one try; outcome "" is what its reply says, short of giving up."""
    reply = made.reply
    if not outcome:
        outcome = Attempt.Outcome.RELAYED.value if reply.is_ok else Attempt.Outcome.DEFERRED.value
    words = reply.text if not made.notes else f"{reply.text} ({'; '.join(made.notes)})"
    return Row(
        pk=made.attempt_id,
        tenant_id=entry.tenant_id,
        entry_id=entry.pk,
        started_at=made.started_at,
        duration_ms=made.milliseconds,
        outcome=str(outcome),
        host=made.host[:255],
        address=made.address[:45],
        relay=made.relay[:260],
        own_address=made.own_address[:45],
        tls_version=made.tls_version[:16],
        tls_cipher=made.tls_cipher[:64],
        tls_verdict=made.tls_verdict[:40],
        tls_policy=made.tls_policy,
        phase=reply.phase[:16],
        code=reply.code or None,
        status=reply.status[:12],
        reply=sql.text(words),
    )


def leaves_from(entry: Claimed) -> str:
    """The return path on the wire: the sender's own, or one of ours that names the entry."""
    if entry.reverse_path and entry.return_domain:
        return return_path.make(entry.pk, entry.return_domain)
    return entry.reverse_path


def by_submission(entries: Sequence[Claimed]) -> list[list[Claimed]]:
    """Entries that go in one transaction together, at most QUEUE_RECIPIENTS each."""
    groups: dict[int, list[Claimed]] = {}
    for entry in entries:
        groups.setdefault(entry.submission_id, []).append(entry)
    return [
        group[start : start + limits.QUEUE_RECIPIENTS]
        for group in groups.values()
        for start in range(0, len(group), limits.QUEUE_RECIPIENTS)
    ]
