"""Addresses: made, changed and removed; who may use a name as sender, and which names log in.

Where mail for a name goes is in routing.py; callers find it here, as addresses.route.
"""

from __future__ import annotations

from collections.abc import Sequence

from django.db.models import Q

from mailcore import limits
from mailcore.errors import (
    AlreadyExists,
    BadAddress,
    BadValue,
    NotAllowedNow,
    NotFound,
)
from mailcore.message.address import (
    Path,
    normalise_domain,
    normalise_local,
    parse_path,
    quote_local,
)
from mailcore.models import Access, Address, AliasTarget, Domain, Mailbox, Rights, Tenant, User
from mailcore.services import audit, races, sql
from mailcore.services.routing import Found, Hop, Kind, Route, find, judge, route

# --- Whose an address is ---------------------------------------------------------------------------------


def may_send_as(mailbox_id: int, user_id: int | None, address: str) -> bool:
    """Whether mail from this mailbox, sent by this person, may carry address as its sender.

    A person needs the right to send as the mailbox that the address leads to, be it the one they are in.
    An enabled address of a verified domain that leads to the mailbox alone, to its catch-all where nobody
    else has the name, or to another mailbox of the same tenant which this person may send as. With or
    without a +tag. An alias of another tenant gives no right, wherever it leads.
    """
    try:
        path = parse_path(address)
    except BadAddress:
        return False
    found = find([path])[path]
    if found.problem or not found.pk:
        return False
    owner = sql.row(
        "SELECT m.tenant_id, c.rights FROM mailbox m"
        " LEFT JOIN access c ON c.mailbox_id = m.id AND c.user_id = %s"
        " WHERE m.id = %s AND m.state = 'active'",
        (user_id, mailbox_id),
    )
    if owner is None or owner[0] != found.tenant_id:
        return False
    leads_to = found.mailbox_id or _only_mailbox(found)
    if leads_to == mailbox_id:
        return user_id is None or bool((owner[1] or 0) & Rights.SEND_AS)
    if not leads_to or not user_id:
        return False
    right = sql.row(
        "SELECT 1 FROM access c JOIN mailbox m ON m.id = c.mailbox_id"
        " WHERE c.mailbox_id = %s AND c.user_id = %s AND (c.rights & %s) <> 0"
        " AND m.tenant_id = %s AND m.state = 'active'",
        (leads_to, user_id, Rights.SEND_AS.value, owner[0]),
    )
    return right is not None


def identities(mailbox: Mailbox, user: User) -> dict[str, Mailbox]:
    """What a person may send from while in this mailbox: its own addresses first, then those of the other
    mailboxes of the tenant that they may send as."""
    found = dict.fromkeys(own_addresses(mailbox), mailbox)
    others = Access.objects.filter(
        user=user, mailbox__tenant_id=mailbox.tenant_id, mailbox__state=Mailbox.State.ACTIVE
    ).exclude(mailbox=mailbox)
    for access in others.select_related("mailbox").order_by("mailbox__kind", "mailbox_id"):
        if access.rights & Rights.SEND_AS:
            for address in own_addresses(access.mailbox):
                found.setdefault(address, access.mailbox)
    return found


def mailbox_of(tenant_id: int, address: str) -> Mailbox | None:
    """The mailbox of a tenant that has that address itself, not by an alias."""
    try:
        path = parse_path(address.strip())
    except BadAddress:
        return None
    return (
        Mailbox.objects.filter(
            tenant_id=tenant_id,
            addresses__tenant_id=tenant_id,
            addresses__local_part=normalise_local(path.local),
            addresses__domain__name=path.domain,
        )
        .exclude(state=Mailbox.State.CLOSING)
        .first()
    )


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
        if _only_mailbox(Found(alias.pk, alias.tenant_id)) == mailbox.pk:
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


def _only_mailbox(found: Found) -> int:
    """The mailbox an alias leads to when it leads to that one alone and in its own tenant, else 0."""
    for _ in range(limits.ALIAS_DEPTH):
        targets = sql.rows("SELECT target FROM alias_target WHERE address_id = %s LIMIT 2", (found.pk,))
        if len(targets) != 1:
            return 0
        try:
            path = parse_path(targets[0][0])
        except BadAddress:
            return 0
        following = find([path])[path]
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
    mailbox_id = _only_mailbox(Found(row[0], row[2]))
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
    tenant: Tenant,
    address: str,
    targets: Sequence[str],
    *,
    description: str = "",
    asks: bool = False,
    actor: User | None,
) -> Address:
    """Make address lead to targets: addresses here or outside. "@example.org" makes a catch-all.

    asks: nothing goes to a target outside before it is confirmed (services.confirmations).
    Raises BadAddress, BadValue, NotFound (domain), AlreadyExists.
    """
    path = parse(address)
    wanted = _check_targets(path, targets)
    domain = domain_of(tenant, path.domain)
    with races.change(AlreadyExists(f"{_shown(path)} exists already")):
        made = Address.objects.create(
            tenant=tenant, domain=domain, local_part=path.local, description=description[:200]
        )
        _add_targets(made, wanted, asks)
        audit.record(actor, "address.add", made, data={"targets": wanted[:20]})
    return made


def set_targets(
    address: Address, targets: Sequence[str], *, asks: bool = False, actor: User | None
) -> Address:
    """Replace where an alias leads; a target that stays is not asked again.

    Raises BadAddress, BadValue, NotAllowedNow for what is no alias.
    """
    if not address.is_alias:
        raise NotAllowedNow("That address belongs to a mailbox and has no targets")
    wanted = _check_targets(Path(address.local_part, address.domain.name), targets)
    with races.change():
        address.targets.exclude(target__in=wanted).delete()
        kept = set(address.targets.values_list("target", flat=True))
        _add_targets(address, [target for target in wanted if target not in kept], asks)
        audit.record(actor, "address.targets", address, data={"targets": wanted[:20]})
    return address


def _add_targets(address: Address, targets: Sequence[str], asks: bool) -> None:
    waiting = _unconfirmed(address.tenant_id, targets) if asks else set()
    AliasTarget.objects.bulk_create(
        [AliasTarget(address=address, target=target, is_waiting=target in waiting) for target in targets]
    )


def _unconfirmed(tenant_id: int, targets: Sequence[str]) -> set[str]:
    """Those of targets that are not the tenant's own, and that none of its aliases leads to already."""
    paths = {parse_path(target): target for target in targets}
    foreign = {paths[path] for path, found in find(list(paths)).items() if found.tenant_id != tenant_id}
    known = AliasTarget.objects.filter(address__tenant_id=tenant_id, is_waiting=False, target__in=foreign)
    return foreign - set(known.values_list("target", flat=True))


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


__all__ = [
    "Hop",
    "Kind",
    "Route",
    "add_alias",
    "add_to_mailbox",
    "aliases",
    "describe",
    "disable",
    "domain_of",
    "enable",
    "identities",
    "judge",
    "login_path",
    "mailbox_of",
    "may_send_as",
    "own_addresses",
    "parse",
    "remove",
    "resolve_login",
    "route",
    "set_targets",
]
