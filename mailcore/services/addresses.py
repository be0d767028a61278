"""Addresses: where mail for a name goes, who may use a name as sender, and which names log in.

route() runs at every RCPT and answers from one statement in the common case. The order is: the exact
address, then the name without its +tag (RFC 5233), then the domain's catch-all, then the owners for
postmaster and abuse (RFC 2142). A disabled address is unknown and is not caught by anything later.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache

from django.db.models import Q

from mailcore import limits
from mailcore.errors import (
    AlreadyExists,
    BadAddress,
    BadValue,
    Loop,
    MailboxSuspended,
    MailError,
    NoSuchAddress,
    NotAllowedNow,
    NotFound,
    NotHere,
    OverQuota,
    TenantSuspended,
)
from mailcore.message.address import (
    Path,
    normalise_domain,
    normalise_local,
    parse_path,
    quote_local,
    split_tag,
)
from mailcore.models import Address, AliasTarget, Domain, Mailbox, Rights, Tenant, User
from mailcore.services import audit, races, sql

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
    first = _find([path])[path]
    if first.pk and first.mailbox_id and not first.problem:
        # Nearly all mail: one address, one mailbox.
        hop = Hop(first.mailbox_id, first.mailbox_tenant_id, first.address, first.tag, first.is_full)
        kind = Kind.OVER_QUOTA if first.is_full else Kind.MAILBOXES
        return Route(kind, str(path), first.tenant_id, (hop,))
    return _Expansion(path, first).run()


# --- Finding ---------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Found:
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


# NOT (state = 'pending') in exactly these words is the condition of the index domain_proven_once.
_FIND = (
    "SELECT d.name, d.tenant_id, d.state, t.state, a.id, a.local_part, a.is_enabled, n.name,"
    " m.id, m.tenant_id, m.state, m.used_octets >= m.quota_octets"
    " FROM domain d JOIN tenant t ON t.id = d.tenant_id"
    " LEFT JOIN domain n ON n.id = COALESCE(d.alias_of_id, d.id) AND n.tenant_id = d.tenant_id"
    " LEFT JOIN address a ON a.domain_id = n.id AND a.local_part IN ({locals})"
    " LEFT JOIN mailbox m ON m.id = a.mailbox_id"
    " WHERE d.name IN ({names}) AND NOT (d.state = 'pending')"
)


@lru_cache(maxsize=64)
def _find_statement(locals_: int, names: int) -> str:
    return _FIND.format(locals=", ".join(["%s"] * locals_), names=", ".join(["%s"] * names))


def _find(paths: Sequence[Path]) -> dict[Path, _Found]:
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
    for row in sql.rows(_find_statement(len(locals_), len(names)), (*locals_, *names)):
        domains[row[0]] = row[1], row[2], row[3]
        if row[4] is not None:
            found[row[0], row[5]] = row[4:]
    return {path: _meaning(path, wanted[path], domains.get(path.domain), found) for path in paths}


def _meaning(
    path: Path,
    wanted: tuple[str, str, str],
    domain: tuple[int, str, str] | None,
    found: dict[tuple[str, str], sql.Row],
) -> _Found:
    if domain is None:
        return _Found(problem=Kind.NOT_OURS)
    tenant_id, domain_state, tenant_state = domain
    local, base, tag = wanted
    if domain_state != "verified" or tenant_state != "active":
        return _Found(tenant_id=tenant_id, local=base, problem=Kind.TENANT_SUSPENDED)
    name = path.domain
    row, used_tag = found.get((name, local)), ""
    if row is None and tag:
        row, used_tag = found.get((name, base)), tag
    if row is None and (row := found.get((name, ""))) is not None and not row[2]:
        row = None  # a catch-all put aside hides nothing
    if row is None or not row[2]:
        # An owner's name without a row of its own goes on to the owners; a disabled one does not.
        return _Found(tenant_id=tenant_id, local=base if row is None else "", problem=Kind.UNKNOWN)
    pk, row_local, _, domain_name, mailbox_id, mailbox_tenant, mailbox_state, is_full = row
    kept = Path(row_local or local, domain_name)
    if mailbox_id is None:
        return _Found(pk, tenant_id, str(kept), used_tag, local=base, is_catch_all=not row_local)
    problem = None
    if mailbox_state != "active":
        problem = Kind.MAILBOX_SUSPENDED if mailbox_state == "suspended" else Kind.UNKNOWN
    return _Found(
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
    first: _Found
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

    def _take(self, path: Path, found: _Found) -> list[str]:
        """Keep what found comes to; the targets it leads on to."""
        if found.problem is Kind.UNKNOWN and found.local in OWNERS_READ and found.tenant_id:
            return self._take_owners(found.tenant_id)
        if found.problem is Kind.NOT_OURS and path is not self.path:
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
                    "SELECT target FROM alias_target WHERE address_id = %s ORDER BY id", (found.pk,)
                )
            ]
        return []

    def _take_owners(self, tenant_id: int) -> list[str]:
        """The owners' own mailboxes; without one, the address an owner signs in with."""
        rows = sql.rows(
            "SELECT m.id, m.tenant_id, m.used_octets >= m.quota_octets, p.email"
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

    def _look(self, targets: Iterable[str]) -> dict[Path, _Found]:
        paths: dict[Path, None] = {}
        for target in targets:
            try:
                paths.setdefault(parse_path(target))
            except BadAddress:
                self.problems.append(Kind.UNKNOWN)
        if len(self.hops) + len(self.outside) + len(paths) > limits.ROUTE_TARGETS:
            self.looped = True
            return {}
        return _find(list(paths)) if paths else {}

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


# --- Whose an address is ---------------------------------------------------------------------------------


def may_send_as(mailbox_id: int, user_id: int | None, address: str) -> bool:
    """Whether mail from this mailbox, sent by this person, may carry address as its sender.

    An enabled address of a verified domain that leads to the mailbox alone, to its catch-all where nobody
    else has the name, or to another mailbox of the same tenant which this person may send as. With or
    without a +tag. An alias of another tenant gives no right, wherever it leads.
    """
    try:
        path = parse_path(address)
    except BadAddress:
        return False
    found = _find([path])[path]
    if found.problem or not found.pk:
        return False
    owner = sql.row("SELECT tenant_id FROM mailbox WHERE id = %s AND state = 'active'", (mailbox_id,))
    if owner is None or owner[0] != found.tenant_id:
        return False
    leads_to = found.mailbox_id or _only_mailbox(found)
    if leads_to == mailbox_id:
        return True
    if not leads_to or not user_id:
        return False
    right = sql.row(
        "SELECT 1 FROM access c JOIN mailbox m ON m.id = c.mailbox_id"
        " WHERE c.mailbox_id = %s AND c.user_id = %s AND (c.rights & %s) <> 0"
        " AND m.tenant_id = %s AND m.state = 'active'",
        (leads_to, user_id, Rights.SEND_AS.value, owner[0]),
    )
    return right is not None


def own_addresses(mailbox: Mailbox) -> list[str]:
    """The addresses this mailbox may send from, its primary one first; of verified domains only."""
    mine = (
        Address.objects.filter(
            tenant_id=mailbox.tenant_id, is_enabled=True, domain__state=Domain.State.VERIFIED
        )
        .exclude(local_part="")
        .select_related("domain")
    )
    rows = list(mine.filter(mailbox=mailbox).order_by("-is_primary", "domain__name", "local_part"))
    names = [str(row) for row in rows]
    # Aliases whose one target is an address of this mailbox.
    targets = AliasTarget.objects.filter(target__in=names).values("address_id")
    for alias in mine.filter(mailbox=None, pk__in=targets).order_by("domain__name", "local_part"):
        if _only_mailbox(_Found(alias.pk, alias.tenant_id)) == mailbox.pk:
            names.append(str(alias))
            rows.append(alias)
    aliases = Domain.objects.filter(
        alias_of__in={row.domain_id for row in rows}, tenant_id=mailbox.tenant_id, state=Domain.State.VERIFIED
    )
    for domain in aliases:
        names += [
            f"{quote_local(row.local_part)}@{domain.name}"
            for row in rows
            if row.domain_id == domain.alias_of_id
        ]
    return list(dict.fromkeys(names))


def _only_mailbox(found: _Found) -> int:
    """The mailbox an alias leads to when it leads to that one alone and in its own tenant, else 0."""
    for _ in range(limits.ALIAS_DEPTH):
        targets = sql.rows("SELECT target FROM alias_target WHERE address_id = %s LIMIT 2", (found.pk,))
        if len(targets) != 1:
            return 0
        try:
            path = parse_path(targets[0][0])
        except BadAddress:
            return 0
        following = _find([path])[path]
        if following.problem or not following.pk or following.is_catch_all:
            return 0
        if following.tenant_id != found.tenant_id:
            return 0
        if following.mailbox_id:
            return following.mailbox_id
        found = following
    return 0


def resolve_login(login: str) -> tuple[int, int] | None:
    """(mailbox, tenant) that this name logs in to, whatever their states; None when there is none.

    Any enabled address of the mailbox, and an alias that leads to it alone. Never an unproven domain, a tag
    or a catch-all.
    """
    path = login_path(login)
    row = sql.row(_LOGIN, (path.local, path.domain)) if path else None
    if row is None:
        return None
    if row[1] is not None:
        return row[1], row[2]
    mailbox_id = _only_mailbox(_Found(row[0], row[2]))
    return (mailbox_id, row[2]) if mailbox_id else None


_LOGIN = (
    "SELECT a.id, a.mailbox_id, d.tenant_id FROM domain d"
    " JOIN address a ON a.domain_id = COALESCE(d.alias_of_id, d.id) AND a.local_part = %s"
    " AND a.tenant_id = d.tenant_id"
    " WHERE d.name = %s AND a.is_enabled AND NOT (d.state = 'pending')"
)


def login_path(login: str) -> Path | None:
    """A login name as we keep names, or None for what is no address."""
    try:
        path = parse_path(login.strip(" "))
    except BadAddress:
        return None
    return Path(normalise_local(path.local), path.domain)


# --- Changing --------------------------------------------------------------------------------------------


def parse(text: str) -> Path:
    """An address as we keep it: local part normalised, domain an A-label. "@example.org" is the catch-all.

    Raises BadAddress.
    """
    if text.startswith(("@", "*@")):
        return Path("", normalise_domain(text.partition("@")[2]))
    path = parse_path(text)
    local = normalise_local(path.local)
    if len(local) > limits.LOCAL_PART_OCTETS:
        raise BadAddress
    return Path(local, path.domain)


def domain_of(tenant: Tenant, name: str) -> Domain:
    """The tenant's own domain of that name. Raises NotFound."""
    domain = Domain.objects.filter(tenant=tenant, name=name).first()
    if domain is None:
        raise NotFound(f"This organisation has no domain {name}")
    return domain


def add_alias(
    tenant: Tenant, address: str, targets: Sequence[str], *, description: str = "", actor: User | None
) -> Address:
    """Make address lead to targets: addresses here or outside. "@example.org" makes a catch-all.

    Raises BadAddress, BadValue, NotFound (domain), AlreadyExists.
    """
    path = parse(address)
    wanted = _check_targets(path, targets)
    domain = domain_of(tenant, path.domain)
    with races.change(AlreadyExists(f"{_shown(path)} exists already")):
        made = Address.objects.create(
            tenant=tenant, domain=domain, local_part=path.local, description=description[:200]
        )
        AliasTarget.objects.bulk_create([AliasTarget(address=made, target=target) for target in wanted])
        audit.record(actor, "address.add", made, data={"targets": wanted[:20]})
    return made


def set_targets(address: Address, targets: Sequence[str], *, actor: User | None) -> Address:
    """Replace where an alias leads. Raises BadAddress, BadValue, NotAllowedNow for what is no alias."""
    if not address.is_alias:
        raise NotAllowedNow("That address belongs to a mailbox and has no targets")
    wanted = _check_targets(Path(address.local_part, address.domain.name), targets)
    with races.change():
        address.targets.all().delete()
        AliasTarget.objects.bulk_create([AliasTarget(address=address, target=target) for target in wanted])
        audit.record(actor, "address.targets", address, data={"targets": wanted[:20]})
    return address


def describe(address: Address, description: str, *, actor: User | None) -> Address:
    """Change the note beside an address."""
    with races.change():
        address.description = description[:200]
        address.save(update_fields=["description"])
        audit.record(actor, "address.describe", address)
    return address


def add_to_mailbox(
    mailbox: Mailbox, address: str, *, is_primary: bool = False, actor: User | None
) -> Address:
    """Give a mailbox one more address, in a domain of its own tenant. "@example.org" gives it the catch-all.

    Raises BadAddress, NotFound (domain), AlreadyExists.
    """
    path = parse(address)
    domain = domain_of(mailbox.tenant, path.domain)
    with races.change(AlreadyExists(f"{_shown(path)} exists already")):
        if is_primary:
            mailbox.addresses.filter(is_primary=True).update(is_primary=False)
        made = Address.objects.create(
            tenant_id=mailbox.tenant_id,
            domain=domain,
            local_part=path.local,
            mailbox=mailbox,
            is_primary=is_primary and bool(path.local),
        )
        audit.record(actor, "address.add", made, data={"mailbox": str(mailbox)})
    return made


def enable(address: Address, *, actor: User | None) -> Address:
    """Let an address take mail again."""
    return _set_enabled(address, True, actor)


def disable(address: Address, *, actor: User | None) -> Address:
    """Keep an address and take nothing for it: its mail is refused as unknown."""
    return _set_enabled(address, False, actor)


def _set_enabled(address: Address, is_enabled: bool, actor: User | None) -> Address:
    with races.change():
        address.is_enabled = is_enabled
        address.save(update_fields=["is_enabled"])
        audit.record(actor, "address.enable" if is_enabled else "address.disable", address)
    return address


def remove(address: Address, *, actor: User | None) -> None:
    """Take an address away. The primary address goes only with its mailbox: NotAllowedNow."""
    if address.is_primary:
        raise NotAllowedNow("A mailbox keeps its main address; make another one the main address first")
    with races.change():
        audit.record(actor, "address.remove", address)
        address.delete()


def _check_targets(path: Path, targets: Sequence[str]) -> list[str]:
    wanted: dict[str, None] = {}
    for target in targets:
        leads_to = parse(target.strip())
        if not leads_to.local:
            raise BadAddress(f"{target} is not an address")
        if leads_to == path:
            raise BadValue("An alias cannot lead to itself")
        # Outside, the case of a local part may matter; here it is ignored anyway.
        wanted.setdefault(str(parse_path(target.strip())))
    if not wanted:
        raise BadValue("An alias needs at least one target")
    if len(wanted) > limits.ALIAS_TARGETS:
        raise BadValue(f"An alias may have at most {limits.ALIAS_TARGETS} targets")
    return list(wanted)


def _shown(path: Path) -> str:
    return str(path) if path.local else f"*@{path.domain}"


def aliases(tenant: Tenant) -> list[Address]:
    """The aliases of a tenant with their targets, by address."""
    return list(
        Address.objects.filter(Q(tenant=tenant), mailbox=None)
        .select_related("domain")
        .prefetch_related("targets")
        .order_by("domain__name", "local_part")
    )
