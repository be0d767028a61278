"""Where mail for a recipient goes. Callers use it as addresses.route and addresses.judge.

It runs at every RCPT and answers from one statement in the common case. The order is: the exact address,
then the name without its +tag (RFC 5233), then the domain's catch-all, then the owners for postmaster and
abuse (RFC 2142); those of the service's own names, where no organisation has such a domain, lead to the
mailboxes of the staff. A disabled address is unknown and is not caught by anything later.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache

from django.conf import settings

from mailcore import limits
from mailcore.errors import (
    BadAddress,
    Loop,
    MailboxSuspended,
    MailError,
    NoSuchAddress,
    NotHere,
    OverQuota,
    TenantSuspended,
)
from mailcore.message.address import Path, normalise_local, parse_path, split_tag
from mailcore.services import sql

# Mail for these is never lost for want of an address of that name. (RFC 2142 §4 and §5, RFC 5321 §4.5.1)
OWNERS_READ = frozenset({"postmaster", "abuse"})


class Kind(StrEnum):
    """What became of a recipient. Everything but MAILBOXES is a refusal, see judge()."""

    MAILBOXES = "mailboxes"
    UNKNOWN = "unknown"
    NOT_OURS = "not_ours"
    MAILBOX_SUSPENDED = "mailbox_suspended"
    TENANT_SUSPENDED = "tenant_suspended"
    OVER_QUOTA = "over_quota"
    LOOP = "loop"


_REFUSALS: dict[Kind, type[MailError]] = {
    Kind.UNKNOWN: NoSuchAddress,
    Kind.NOT_OURS: NotHere,
    Kind.MAILBOX_SUSPENDED: MailboxSuspended,
    Kind.TENANT_SUSPENDED: TenantSuspended,
    Kind.OVER_QUOTA: OverQuota,
    Kind.LOOP: Loop,
}


@dataclass(frozen=True, slots=True)
class Hop:
    """One mailbox that gets the mail: through which address, and what stood behind the +."""

    mailbox_id: int
    tenant_id: int
    address: str
    tag: str = ""
    is_over_quota: bool = False


@dataclass(frozen=True, slots=True)
class Route:
    """Where mail for one recipient goes: hops here, and outside addresses that aliases lead to.

    tenant_id is the one whose domain the recipient has; None when the domain is not ours. A mailbox without
    room stays among the hops while others have some: accepted is filed (no backscatter).
    """

    kind: Kind
    recipient: str
    tenant_id: int | None = None
    hops: tuple[Hop, ...] = ()
    outside: tuple[str, ...] = ()
    is_alias: bool = False

    @property
    def is_ours(self) -> bool:
        return self.kind is not Kind.NOT_OURS


def judge(route: Route) -> Route:
    """Give route back, or raise what SMTP, webmail and API say about it.

    Raises NoSuchAddress, NotHere, MailboxSuspended, TenantSuspended, OverQuota, Loop.
    """
    refusal = _REFUSALS.get(route.kind)
    if refusal is not None:
        raise refusal
    return route


def route(recipient: str | Path) -> Route:
    """Say where mail for recipient goes. Raises BadAddress for what is no address."""
    path = parse_path(recipient) if isinstance(recipient, str) else recipient
    first = find([path])[path]
    if first.pk and first.mailbox_id and not first.problem:
        # Nearly all mail: one address, one mailbox.
        hop = Hop(first.mailbox_id, first.mailbox_tenant_id, first.address, first.tag, first.is_full)
        kind = Kind.OVER_QUOTA if first.is_full else Kind.MAILBOXES
        return Route(kind, str(path), first.tenant_id, (hop,))
    return _Expansion(path, first).run()


# --- Finding ---------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Found:
    """What one path means here: an address row with its mailbox, an alias (no mailbox), or a problem."""

    pk: int = 0
    tenant_id: int | None = None
    address: str = ""
    tag: str = ""
    mailbox_id: int = 0
    mailbox_tenant_id: int = 0
    is_full: bool = False
    problem: Kind | None = None
    local: str = ""
    is_catch_all: bool = False


_IS_FULL = "(m.used_octets >= m.quota_octets OR COALESCE(m.message_count >= m.quota_messages, FALSE))"
# NOT (state = 'pending') in exactly these words is the condition of the index domain_proven_once.
_FIND = (
    "SELECT d.name, d.tenant_id, d.state, t.state, a.id, a.local_part, a.is_enabled, n.name,"
    f" m.id, m.tenant_id, m.state, {_IS_FULL}"
    " FROM domain d JOIN tenant t ON t.id = d.tenant_id"
    " LEFT JOIN domain n ON n.id = COALESCE(d.alias_of_id, d.id) AND n.tenant_id = d.tenant_id"
    " LEFT JOIN address a ON a.domain_id = n.id AND a.local_part IN ({locals})"
    " LEFT JOIN mailbox m ON m.id = a.mailbox_id"
    " WHERE d.name IN ({names}) AND NOT (d.state = 'pending')"
)


@lru_cache(maxsize=64)
def _statement(locals_: int, names: int) -> str:
    return _FIND.format(locals=", ".join(["%s"] * locals_), names=", ".join(["%s"] * names))


def find(paths: Sequence[Path]) -> dict[Path, Found]:
    """What each of paths means, in one statement for all of them."""
    wanted: dict[Path, tuple[str, str, str]] = {}
    for path in paths:
        local = path.local.lower() if path.local.isascii() else normalise_local(path.local)
        base, tag = split_tag(local)
        wanted[path] = local, base, tag
    names = {path.domain for path in paths}
    locals_ = {"", *(local for local, _, _ in wanted.values()), *(base for _, base, _ in wanted.values())}
    domains: dict[str, tuple[int, str, str]] = {}
    found: dict[tuple[str, str], sql.Row] = {}
    for row in sql.rows(_statement(len(locals_), len(names)), (*locals_, *names)):
        domains[row[0]] = row[1], row[2], row[3]
        if row[4] is not None:
            found[row[0], row[5]] = row[4:]
    return {path: _meaning(path, wanted[path], domains.get(path.domain), found) for path in paths}


def _meaning(
    path: Path,
    wanted: tuple[str, str, str],
    domain: tuple[int, str, str] | None,
    found: dict[tuple[str, str], sql.Row],
) -> Found:
    if domain is None:
        return Found(problem=Kind.NOT_OURS)
    tenant_id, domain_state, tenant_state = domain
    local, base, tag = wanted
    if domain_state != "verified" or tenant_state != "active":
        return Found(tenant_id=tenant_id, local=base, problem=Kind.TENANT_SUSPENDED)
    name = path.domain
    row, used_tag = found.get((name, local)), ""
    if row is None and tag:
        row, used_tag = found.get((name, base)), tag
    if row is None and (row := found.get((name, ""))) is not None and not row[2]:
        row = None  # a catch-all put aside hides nothing
    if row is None or not row[2]:
        # An owner's name without a row of its own goes on to the owners; a disabled one does not.
        return Found(tenant_id=tenant_id, local=base if row is None else "", problem=Kind.UNKNOWN)
    pk, row_local, _, domain_name, mailbox_id, mailbox_tenant, mailbox_state, is_full = row
    kept = Path(row_local or local, domain_name)
    if mailbox_id is None:
        return Found(pk, tenant_id, str(kept), used_tag, local=base, is_catch_all=not row_local)
    problem = None
    if mailbox_state != "active":
        problem = Kind.MAILBOX_SUSPENDED if mailbox_state == "suspended" else Kind.UNKNOWN
    return Found(
        pk,
        tenant_id,
        str(kept),
        used_tag,
        mailbox_id,
        mailbox_tenant,
        bool(is_full),
        problem,
        base,
        not row_local,
    )


@dataclass(slots=True)
class _Expansion:
    """One recipient that is an alias, an owner's name or a problem: everything it leads to."""

    path: Path
    first: Found
    hops: dict[int, Hop] = field(default_factory=dict)
    outside: dict[str, None] = field(default_factory=dict)
    problems: list[Kind] = field(default_factory=list)
    seen: set[int] = field(default_factory=set)
    looped: bool = False

    def run(self) -> Route:
        level = {self.path: self.first}
        is_alias = False
        for _ in range(limits.ALIAS_DEPTH + 1):
            targets: list[str] = []
            for path, found in level.items():
                targets += self._take(path, found)
            if not targets:
                break
            is_alias = True
            level = self._look(targets)
        else:
            self.looped = True
        return Route(
            self._kind(),
            str(self.path),
            self.first.tenant_id,
            tuple(self.hops.values()),
            tuple(self.outside),
            is_alias,
        )

    def _take(self, path: Path, found: Found) -> list[str]:
        """Keep what found comes to; the targets it leads on to."""
        if found.problem is Kind.UNKNOWN and found.local in OWNERS_READ and found.tenant_id:
            return self._take_owners(found.tenant_id)
        if found.problem is Kind.NOT_OURS and _is_operators(path):
            self._take_operators()
        elif found.problem is Kind.NOT_OURS and path is not self.path:
            self.outside.setdefault(str(path))
        elif found.problem:
            self.problems.append(found.problem)
        elif found.mailbox_id:
            hop = Hop(found.mailbox_id, found.mailbox_tenant_id, found.address, found.tag, found.is_full)
            self.hops.setdefault(found.mailbox_id, hop)
        elif found.pk in self.seen:
            self.looped = True
        else:
            self.seen.add(found.pk)
            return [
                row[0]
                for row in sql.rows(
                    "SELECT target FROM alias_target WHERE address_id = %s AND NOT is_waiting ORDER BY id",
                    (found.pk,),
                )
            ]
        return []

    def _take_owners(self, tenant_id: int) -> list[str]:
        """The owners' own mailboxes; without one, the address an owner signs in with."""
        rows = sql.rows(
            f"SELECT m.id, m.tenant_id, {_IS_FULL}, p.email"
            " FROM membership s JOIN person p ON p.id = s.user_id"
            " LEFT JOIN access c ON c.user_id = s.user_id AND c.is_owner"
            " LEFT JOIN mailbox m ON m.id = c.mailbox_id AND m.tenant_id = s.tenant_id AND m.state = 'active'"
            " WHERE s.tenant_id = %s AND s.role = 'owner' AND p.is_active ORDER BY m.id",
            (tenant_id,),
        )
        mine = [row for row in rows if row[0] is not None]
        for mailbox_id, tenant, is_full, _ in mine:
            self.hops.setdefault(mailbox_id, Hop(mailbox_id, tenant, str(self.path), "", bool(is_full)))
        if mine:
            return []
        emails = [row[3] for row in rows if row[3] != str(self.path)]
        if not emails:
            self.problems.append(Kind.UNKNOWN)
        return emails

    def _take_operators(self) -> None:
        """The mailboxes of the staff. Nothing goes outside: no organisation would answer for it."""
        rows = sql.rows(
            f"SELECT m.id, m.tenant_id, {_IS_FULL} FROM person p"
            " JOIN access c ON c.user_id = p.id AND c.is_owner"
            " JOIN mailbox m ON m.id = c.mailbox_id AND m.state = 'active'"
            " JOIN tenant t ON t.id = m.tenant_id AND t.state = 'active'"
            " WHERE p.is_staff AND p.is_active ORDER BY m.id"
        )
        for mailbox_id, tenant, is_full in rows:
            self.hops.setdefault(mailbox_id, Hop(mailbox_id, tenant, str(self.path), "", bool(is_full)))
        if not rows:
            self.problems.append(Kind.UNKNOWN)

    def _look(self, targets: Iterable[str]) -> dict[Path, Found]:
        paths: dict[Path, None] = {}
        for target in targets:
            try:
                paths.setdefault(parse_path(target))
            except BadAddress:
                self.problems.append(Kind.UNKNOWN)
        if len(self.hops) + len(self.outside) + len(paths) > limits.ROUTE_TARGETS:
            self.looped = True
            return {}
        return find(list(paths)) if paths else {}

    def _kind(self) -> Kind:
        if self.outside or any(not hop.is_over_quota for hop in self.hops.values()):
            return Kind.MAILBOXES
        if self.hops:
            return Kind.OVER_QUOTA
        # What may pass by itself first: a sender who tries again loses nothing.
        for kind in (Kind.TENANT_SUSPENDED, Kind.MAILBOX_SUSPENDED, Kind.NOT_OURS):
            if kind in self.problems:
                return kind
        return Kind.LOOP if self.looped else Kind.UNKNOWN


def _is_operators(path: Path) -> bool:
    """Whether path is postmaster or abuse of a name that is the service's own."""
    own = settings.HOSTMAIL_HOSTNAME, settings.HOSTMAIL_SERVICE_DOMAIN
    return path.local.lower() in OWNERS_READ and path.domain in [name.lower() for name in own if name]
