"""Tenants: the customers, who runs them and who is invited.

There is always an owner: the last one can be neither removed nor made less, whoever asks. Only an owner
makes owners. A tenant that is removed is closed at once; its mail goes in the background (closing.py).
"""

from __future__ import annotations

import datetime as dt
import re
import secrets as random
import unicodedata

from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.db.models import F

from mailcore import limits, secrets
from mailcore.errors import AlreadyExists, BadValue, Forbidden, NotAllowedNow, NotFound
from mailcore.models import Domain, Invitation, Mailbox, Membership, Role, Tenant, User
from mailcore.outside import clock, doorbell, worker
from mailcore.services import audit, mailboxes, races, users

_SLUG = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")


def create(name: str, *, slug: str | None = None, owner: User | None = None, actor: User | None) -> Tenant:
    """Make a tenant, with its first owner if there is one. Raises BadValue, AlreadyExists (slug)."""
    name = _name(name)
    chosen = slug if slug is not None else _slug_of(name)
    if not _SLUG.fullmatch(chosen):
        raise BadValue("A short name has letters a-z, digits and hyphens, at most 63")
    with races.change(AlreadyExists(f"The short name {chosen} is taken")):
        tenant = Tenant.objects.create(name=name, slug=chosen)
        if owner is not None:
            Membership.objects.create(tenant=tenant, user=owner, role=Role.OWNER)
        audit.record(actor, "tenant.create", tenant, data={"owner": owner.email if owner else None})
    return tenant


def of_service() -> Tenant:
    """The one that stands for the service itself, made when first needed: it has no members and no domains.

    Mail to people who have an account and no organisation waits in the queue in its name. Its short name is
    one that nobody can choose.
    """
    return Tenant.objects.get_or_create(slug="_service", defaults={"name": "The mail service itself"})[0]


def _name(name: str) -> str:
    name = " ".join(name.split())
    if not name or len(name) > limits.NAME_CHARS or not name.isprintable():
        raise BadValue(f"An organisation has a name of at most {limits.NAME_CHARS} characters")
    return name


def plain_slug(name: str) -> str:
    """The short name that a name would have if it were free."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode("ascii").lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:50].strip("-") or "tenant"


def _slug_of(name: str) -> str:
    """A free short name like the name."""
    base = plain_slug(name)
    taken = set(Tenant.objects.filter(slug__startswith=base).values_list("slug", flat=True))
    if base not in taken:
        return base
    numbered = (f"{base}-{number}" for number in range(2, len(taken) + 3))
    return next(slug for slug in numbered if slug not in taken)


def rename(tenant: Tenant, name: str, *, actor: User | None) -> None:
    """Change what people read; the short name stays. Raises BadValue."""
    name = _name(name)
    with races.change():
        Tenant.objects.filter(pk=tenant.pk).update(name=name)
        audit.record(actor, "tenant.rename", tenant, data={"to": name})
    tenant.name = name


def set_source_pool(tenant: Tenant, pool: str, *, actor: User | None) -> None:
    """Have its mail leave from that group of HOSTMAIL_SOURCE_ADDRESSES; "" is those without a name.

    Raises BadValue for a pool that is not set.
    """
    pools = sorted({source.pool for source in settings.HOSTMAIL_SOURCE_ADDRESSES} - {""})
    if pool and pool not in pools:
        raise BadValue(f"There is no such pool; HOSTMAIL_SOURCE_ADDRESSES has: {', '.join(pools) or 'none'}")
    with races.change():
        Tenant.objects.filter(pk=tenant.pk).update(source_pool=pool)
        audit.record(actor, "tenant.source_pool", tenant, data={"to": pool})
    tenant.source_pool = pool


def set_retention(tenant: Tenant, *, retention_days: int, event_days: int, actor: User | None) -> None:
    """Change how long deleted mail can be brought back, and how long events are kept. Raises BadValue."""
    if not 0 <= retention_days <= limits.RETENTION_DAYS or not 1 <= event_days <= limits.RETENTION_DAYS:
        raise BadValue(f"Choose at most {limits.RETENTION_DAYS} days")
    with races.change():
        Tenant.objects.filter(pk=tenant.pk).update(retention_days=retention_days, event_days=event_days)
        audit.record(
            actor, "tenant.retention", tenant, data={"deleted": retention_days, "events": event_days}
        )
    tenant.retention_days, tenant.event_days = retention_days, event_days


def suspend(tenant: Tenant, because: str = "", *, actor: User | None) -> None:
    """Stop everything of a tenant until resume(): logins, sessions, mail in (deferred), the queue.

    Raises NotAllowedNow while it is removed.
    """
    with races.change():
        _change_state(tenant, Tenant.State.SUSPENDED, because)
        audit.record(actor, "tenant.suspend", tenant, data={"because": because})
        _ring(tenant)


def resume(tenant: Tenant, *, actor: User | None) -> None:
    """End a suspension; what waited in the queue goes on. Raises NotAllowedNow while it is removed."""
    with races.change():
        _change_state(tenant, Tenant.State.ACTIVE, "")
        audit.record(actor, "tenant.resume", tenant)
        worker.wake("run_queue")


def _change_state(tenant: Tenant, state: str, because: str) -> None:
    living = Tenant.objects.filter(pk=tenant.pk).exclude(state=Tenant.State.CLOSING)
    if not living.update(state=state, suspended_because=because[:200]):
        raise NotAllowedNow("This organisation is being removed")
    tenant.refresh_from_db(fields=["state", "suspended_because"])


def _ring(tenant: Tenant) -> None:
    """Wake the sessions in all its mailboxes: they look whether they may go on."""
    doorbell.ring(*[f"mailbox:{pk}" for pk in tenant.mailboxes.values_list("pk", flat=True)])


def remove(tenant: Tenant, *, actor: User | None) -> None:
    """Close a tenant for good: nobody gets in and its names are free at once; rows and mail go after.

    The audit entry is the service's own, since the tenant's go with it.
    """
    with races.change():
        for mailbox in tenant.mailboxes.exclude(state=Mailbox.State.CLOSING):
            mailboxes.remove(mailbox, actor=actor)
        Domain.objects.filter(tenant=tenant).delete()
        Membership.objects.filter(tenant=tenant).delete()
        Invitation.objects.filter(tenant=tenant).delete()
        tenant.api_tokens.all().delete()
        Tenant.objects.filter(pk=tenant.pk).update(
            state=Tenant.State.CLOSING,
            # Free for whoever wants it next; this row is only waiting to go.
            slug=f"closing-{tenant.public_id}",
        )
        audit.record(actor, "tenant.remove", f"{tenant.name} ({tenant.slug})")
        worker.wake("close_mailboxes")
    tenant.state = Tenant.State.CLOSING


# --- Members ---------------------------------------------------------------------------------------------


def invite(tenant: Tenant, email: str, role: str, *, actor: User | None) -> tuple[Invitation, str]:
    """Invite somebody by an address; the token for the link is shown once. Inviting again renews it.

    Raises BadAddress, BadValue, Forbidden (only an owner invites owners), AlreadyExists (a member).
    """
    address = users.email_of(email)
    _check_role(role)
    _check_may_give(tenant, role, actor)
    token = random.token_urlsafe(32)
    with races.change():
        if Membership.objects.filter(tenant=tenant, user__email=address).exists():
            raise AlreadyExists(f"{address} is a member already")
        invitation, _ = Invitation.objects.update_or_create(
            tenant=tenant,
            email=address,
            defaults={
                "role": role,
                "token_hash": secrets.keyed_hash("invitation", token),
                "invited_by": actor,
                "expires_at": clock.now() + dt.timedelta(seconds=limits.INVITATION_SECONDS),
                "accepted_at": None,
            },
        )
        audit.record(actor, "member.invite", invitation, data={"role": role})
    return invitation, token


def find_invitation(token: str) -> Invitation:
    """The invitation a link names, for the page that asks. Raises NotFound: unknown, used or too old."""
    hashes = secrets.keyed_hashes("invitation", token[:200])
    found = Invitation.objects.filter(
        token_hash__in=hashes, accepted_at=None, expires_at__gt=clock.now()
    ).select_related("tenant", "invited_by")
    invitation = found.first()
    if invitation is None:
        raise NotFound("This invitation does not exist, was used already, or is too old")
    return invitation


def accept_invitation(token: str, user: User) -> Membership:
    """Make user a member; a token works once. Who is a member already keeps the role they have.

    Raises NotFound.
    """
    invitation = find_invitation(token)
    with races.change():
        used = Invitation.objects.filter(pk=invitation.pk, accepted_at=None, token_hash=invitation.token_hash)
        if not used.update(accepted_at=clock.now()):
            raise NotFound("This invitation was used already")
        membership, _ = Membership.objects.get_or_create(
            tenant=invitation.tenant, user=user, defaults={"role": invitation.role}
        )
        audit.record(
            user, "member.join", membership, tenant=invitation.tenant, data={"role": membership.role}
        )
    return membership


def join(token: str, name: str, password: str) -> tuple[Membership, User]:
    """Make the invited person, who has no account yet, and accept for them.

    Raises NotFound (no such invitation), AlreadyExists (they have one: sign in first), BadValue.
    """
    invitation = find_invitation(token)
    users.check_password(password)
    encoded = make_password(password)
    with races.change():
        person = users.create(invitation.email, name=name, encoded_password=encoded, actor=None)
        return accept_invitation(token, person), person


def withdraw_invitation(invitation: Invitation, *, actor: User | None) -> None:
    """Make an invitation's link worthless."""
    with races.change():
        audit.record(actor, "member.withdraw", invitation)
        invitation.delete()


def add_member(tenant: Tenant, user: User, role: str, *, actor: User | None) -> Membership:
    """Make a person a member without an invitation. Raises BadValue, Forbidden, AlreadyExists."""
    _check_role(role)
    _check_may_give(tenant, role, actor)
    with races.change(AlreadyExists(f"{user.email} is a member already")):
        membership = Membership.objects.create(tenant=tenant, user=user, role=role)
        audit.record(actor, "member.add", membership, data={"role": role})
    return membership


def set_role(membership: Membership, role: str, *, actor: User | None) -> None:
    """Change what a member may do.

    Raises BadValue, Forbidden (only an owner makes or unmakes owners), NotAllowedNow for the last owner.
    """
    _check_role(role)
    tenant = membership.tenant
    with races.change():
        users.lock_tenant(tenant)
        membership.refresh_from_db(fields=["role"])
        _check_may_give(tenant, role, actor)
        _check_may_give(tenant, membership.role, actor)
        if role != Role.OWNER:
            _check_not_last(membership)
        Membership.objects.filter(pk=membership.pk).update(role=role)
        audit.record(actor, "member.role", membership, data={"from": membership.role, "to": role})
    membership.role = role


def remove_member(membership: Membership, *, actor: User | None) -> None:
    """Take a person out of a tenant: their role, and their access to mailboxes of others.

    A mailbox of their own stays theirs until it is removed or given away: NotAllowedNow.
    Raises also Forbidden (only an owner removes owners), NotAllowedNow for the last owner.
    """
    tenant, user = membership.tenant, membership.user
    with races.change():
        users.lock_tenant(tenant)
        membership.refresh_from_db(fields=["role"])
        if actor is None or actor.pk != user.pk:
            _check_may_give(tenant, membership.role, actor)
        _check_not_last(membership)
        if user.accesses.filter(tenant=tenant, is_owner=True).exists():
            raise NotAllowedNow(f"{user.email} has a mailbox here: remove it first")
        for access in user.accesses.filter(tenant=tenant).select_related("mailbox"):
            mailboxes.revoke(access.mailbox, user, actor=actor)
        user.api_tokens.filter(tenant=tenant, revoked_at=None).update(revoked_at=clock.now())
        User.objects.filter(pk=user.pk).update(login_version=F("login_version") + 1)
        audit.record(actor, "member.remove", membership)
        membership.delete()


def _check_role(role: str) -> None:
    if role not in Role.values:
        raise BadValue("A role is owner, admin or member")


def _check_may_give(tenant: Tenant, role: str, actor: User | None) -> None:
    if actor is None or actor.is_staff or role != Role.OWNER:
        return
    if not Membership.objects.filter(tenant=tenant, user=actor, role=Role.OWNER).exists():
        raise Forbidden("Only an owner decides about owners")


def _check_not_last(membership: Membership) -> None:
    if membership.role == Role.OWNER:
        others = Membership.objects.filter(tenant=membership.tenant, role=Role.OWNER, user__is_active=True)
        if not others.exclude(pk=membership.pk).exists():
            raise NotAllowedNow("An organisation needs an owner: make somebody else owner first")
