"""Mailboxes: made, given to people, suspended, removed; and who may log in to them.

A mailbox is a store, a person is a User, Access joins them (design: people and mailboxes are two things).
create() makes both for the usual case of one person with one mailbox. authenticate() (doors.py) is the one
way in for IMAP, POP3, submission and ManageSieve.
"""

from __future__ import annotations

import secrets as random
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.db.models import F

from mailcore import limits
from mailcore.errors import (
    AlreadyExists,
    BadAddress,
    BadValue,
    Forbidden,
    MailError,
    NotAllowedNow,
)
from mailcore.message.address import Path
from mailcore.models import (
    ALL_RIGHTS,
    Access,
    Address,
    AppPassword,
    Domain,
    Mailbox,
    Membership,
    Metadata,
    Rights,
    Role,
    Tenant,
    User,
)
from mailcore.outside import clock, doorbell, worker
from mailcore.services import addresses, audit, doors, races, sql, users, verifiers
from mailcore.services.doors import Login, authenticate, has_second_factor, is_still_good
from mailcore.services.messages.locked import FOLDER_NAMES, lock_mailboxes, make_folder, write_back
from mailcore.services.scram import Exchange

# --- Making ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class New:
    """One mailbox to be, for create_many."""

    address: str
    password: str | None = None
    name: str = ""
    quota_octets: int | None = None


def create(
    tenant: Tenant,
    address: str,
    *,
    name: str = "",
    password: str | None = None,
    owner: User | None = None,
    quota_octets: int | None = None,
    kind: str = Mailbox.Kind.PERSONAL,
    actor: User | None,
) -> Mailbox:
    """Make a mailbox with its address and default folders, and a person of that name who owns it.

    With owner it goes to that person instead. A shared mailbox has no owner: grant() gives it members. The
    domain must be the tenant's; while it is unproven the mailbox gets no mail and nobody logs in with it.
    Raises BadAddress, BadValue, NotFound (domain), AlreadyExists.
    """
    path = _mailbox_path(address)
    encoded = None
    if password is not None:
        users.check_password(password, strict=actor is not None)
        encoded = make_password(password)
    with races.change(AlreadyExists(f"{path} exists already")):
        made = _create(tenant, path, name, encoded, owner, quota_octets, kind, actor)
    person = owner_of(made) if password is not None else None
    if person is not None and password is not None and encoded is not None:
        verifiers.write(made.pk, person.pk, password, encoded)
    return made


def create_many(tenant: Tenant, wanted: Sequence[New], *, actor: User | None) -> list[Mailbox | MailError]:
    """Make many personal mailboxes; one result each, the mailbox or why there is none.

    Passwords are hashed in threads before any transaction; a few mailboxes share one, so that nobody waits
    long for the write lock.
    """
    results: list[Mailbox | MailError] = []
    with ThreadPoolExecutor(limits.LOGIN_HASHES, thread_name_prefix="hash") as pool:
        for start in range(0, len(wanted), limits.MAILBOXES_TOGETHER):
            some = wanted[start : start + limits.MAILBOXES_TOGETHER]
            checked = [_checked(new, actor) for new in some]
            hashes = list(pool.map(lambda new: new.password and make_password(new.password), some))
            with races.change():
                for new, path, encoded in zip(some, checked, hashes, strict=True):
                    results.append(
                        path if isinstance(path, MailError) else _one(tenant, new, path, encoded, actor)
                    )
    return results


def _checked(new: New, actor: User | None) -> Path | MailError:
    try:
        if new.password is not None:
            users.check_password(new.password, strict=actor is not None)
        return _mailbox_path(new.address)
    except MailError as error:
        return error


def _one(
    tenant: Tenant, new: New, path: Path, encoded: str | None, actor: User | None
) -> Mailbox | MailError:
    try:
        with races.change(AlreadyExists(f"{path} exists already")):
            return _create(
                tenant, path, new.name, encoded, None, new.quota_octets, Mailbox.Kind.PERSONAL, actor
            )
    except MailError as error:
        return error


def _mailbox_path(address: str) -> Path:
    path = addresses.parse(address)
    if not path.local:
        raise BadAddress("A mailbox needs a name before the @")
    return path


def _create(
    tenant: Tenant,
    path: Path,
    name: str,
    encoded_password: str | None,
    owner: User | None,
    quota_octets: int | None,
    kind: str,
    actor: User | None,
) -> Mailbox:
    domain = addresses.domain_of(tenant, path.domain)
    if Address.objects.filter(domain=domain, local_part=path.local).exists():
        raise AlreadyExists(f"{path} exists already")
    quota = settings.HOSTMAIL_DEFAULT_QUOTA if quota_octets is None else quota_octets
    _check_quota(quota)
    if kind not in Mailbox.Kind.values:
        raise BadValue("A mailbox is personal or shared")
    if kind == Mailbox.Kind.PERSONAL and owner is None:
        owner = _person(tenant, domain, path, name, encoded_password, actor)
    elif encoded_password is not None:
        raise BadValue("A password belongs to a person; this mailbox is not made with a new one")
    mailbox = Mailbox.objects.create(
        tenant=tenant,
        kind=kind,
        name=name.strip()[: limits.NAME_CHARS],
        quota_octets=quota,
        # A mailbox made again under an old name must not repeat what clients have kept of it.
        next_uidvalidity=clock.epoch(),
    )
    Address.objects.create(
        tenant=tenant, domain=domain, local_part=path.local, mailbox=mailbox, is_primary=True
    )
    if owner is not None:
        Membership.objects.get_or_create(tenant=tenant, user=owner, defaults={"role": Role.MEMBER})
        is_owner = kind == Mailbox.Kind.PERSONAL
        Access.objects.create(
            tenant=tenant, mailbox=mailbox, user=owner, rights=ALL_RIGHTS, is_owner=is_owner
        )
    _make_folders(mailbox)
    audit.record(actor, "mailbox.create", mailbox, data={"quota": quota, "kind": kind})
    return mailbox


def _make_folders(mailbox: Mailbox) -> None:
    box = lock_mailboxes([mailbox.pk])[mailbox.pk]
    for role, folder_name in FOLDER_NAMES.items():
        make_folder(box, folder_name, role)
    write_back([box])
    sql.execute_many(
        "INSERT INTO subscription (mailbox_id, name) VALUES (%s, %s)",
        [(mailbox.pk, folder_name) for folder_name in FOLDER_NAMES.values()],
    )


def _person(
    tenant: Tenant, domain: Domain, path: Path, name: str, encoded_password: str | None, actor: User | None
) -> User:
    """The person of that address: a new one, or one who belongs to this tenant already."""
    email = users.email_of(str(path))
    person = User.objects.filter(email=email).first()
    if person is not None and not person.memberships.filter(tenant=tenant).exists():
        _take_name_back(person, domain, email)
        person = None
    if person is None:
        return users.create(email, name=name, encoded_password=encoded_password, actor=actor)
    if encoded_password is not None:
        # Somebody else's password is not an administrator's to change: the person may run another tenant.
        if actor is not None and actor.pk != person.pk:
            raise AlreadyExists(f"{email} has an account already, which keeps its password: leave it out")
        User.objects.filter(pk=person.pk).update(
            password=encoded_password, login_version=F("login_version") + 1
        )
        audit.record(actor, "user.password", person, tenant=tenant)
    return person


def _take_name_back(person: User, domain: Domain, email: str) -> None:
    """Deal with a stranger who holds the name: only one who got it from an unproven claim loses it.

    Otherwise a tenant could claim a domain it never proves, make people there, and wait for the real owner.
    """
    if domain.state != Domain.State.VERIFIED or not _is_provisional(person, email):
        raise AlreadyExists(f"{email} has an account already: invite that person, or choose the owner")
    User.objects.filter(pk=person.pk).update(
        email=f"{person.public_id}@name-withdrawn.invalid", login_version=F("login_version") + 1
    )


def _is_provisional(person: User, email: str) -> bool:
    """Whether the person was made with a mailbox of this address in a domain that is not proven."""
    local, _, name = email.rpartition("@")
    return Address.objects.filter(
        domain__name=name,
        domain__state=Domain.State.PENDING,
        local_part=addresses.parse(f"{local}@{name}").local,
        is_primary=True,
        mailbox__accesses__user=person,
        mailbox__accesses__is_owner=True,
    ).exists()


# --- Changing --------------------------------------------------------------------------------------------


def _check_quota(quota_octets: int) -> None:
    if not 0 < quota_octets < 1 << 60:
        raise BadValue("A quota is a number of octets above zero")


def set_undo(mailbox: Mailbox, seconds: int, *, actor: User | None) -> None:
    """How long the web waits before a letter leaves, so that it can be taken back; 0: not at all."""
    with races.change():
        Mailbox.objects.filter(pk=mailbox.pk).update(undo_seconds=seconds)
        audit.record(actor, "mailbox.undo", mailbox, data={"seconds": seconds})
    mailbox.undo_seconds = seconds


def set_quota(mailbox: Mailbox, quota_octets: int, *, actor: User | None) -> None:
    """Change how much a mailbox may hold; what is filed above it stays. Raises BadValue."""
    _check_quota(quota_octets)
    _change_quota(mailbox, actor, quota_octets=quota_octets)


def set_message_limit(mailbox: Mailbox, quota_messages: int | None, *, actor: User | None) -> None:
    """Change how many messages a mailbox may hold; None: as many as fit. What is above it stays.

    Raises BadValue.
    """
    if quota_messages is not None and not 0 < quota_messages < 1 << 40:
        raise BadValue("A limit on messages is a number above zero")
    _change_quota(mailbox, actor, quota_messages=quota_messages)


def _change_quota(mailbox: Mailbox, actor: User | None, **changed: int | None) -> None:
    with races.change():
        Mailbox.objects.filter(pk=mailbox.pk).update(**changed)
        # The first is called so since there has been an audit log.
        data = {name.replace("quota_octets", "quota"): value for name, value in changed.items()}
        audit.record(actor, "mailbox.quota", mailbox, data=data)
        doorbell.ring(f"mailbox:{mailbox.pk}")
    for name, value in changed.items():
        setattr(mailbox, name, value)


def rename(mailbox: Mailbox, name: str, *, actor: User | None) -> None:
    """Change the name people see."""
    with races.change():
        Mailbox.objects.filter(pk=mailbox.pk).update(name=name.strip()[: limits.NAME_CHARS])
        audit.record(actor, "mailbox.rename", mailbox)
    mailbox.refresh_from_db(fields=["name"])


def set_preferences(
    mailbox: Mailbox,
    *,
    signature: str | None = None,
    file_sent_smtp: bool | None = None,
    file_sent_api: bool | None = None,
    actor: User | None,
) -> None:
    """Change what its users choose: the signature, and whether other doors file a copy in Sent."""
    wanted = {"signature": signature, "file_sent_smtp": file_sent_smtp, "file_sent_api": file_sent_api}
    changes = {field: value for field, value in wanted.items() if value is not None}
    if signature is not None and len(signature) > limits.SIGNATURE_CHARS:
        raise BadValue(f"A signature has at most {limits.SIGNATURE_CHARS} characters")
    if changes:
        with races.change():
            Mailbox.objects.filter(pk=mailbox.pk).update(**changes)
            audit.record(actor, "mailbox.preferences", mailbox, data={"changed": sorted(changes)})
        mailbox.refresh_from_db(fields=list(changes))


def suspend(mailbox: Mailbox, because: str = "", *, actor: User | None) -> None:
    """Let nobody in and take no mail for it, until resume(). Raises NotAllowedNow while it is removed."""
    with races.change():
        _change_state(mailbox, Mailbox.State.SUSPENDED, because)
        audit.record(actor, "mailbox.suspend", mailbox, data={"because": because})
        doorbell.ring(f"mailbox:{mailbox.pk}")


def resume(mailbox: Mailbox, *, actor: User | None) -> None:
    """End a suspension. Raises NotAllowedNow while it is removed."""
    with races.change():
        _change_state(mailbox, Mailbox.State.ACTIVE, "")
        audit.record(actor, "mailbox.resume", mailbox)


def _change_state(mailbox: Mailbox, state: str, because: str) -> None:
    changed = (
        Mailbox.objects.filter(pk=mailbox.pk)
        .exclude(state=Mailbox.State.CLOSING)
        .update(state=state, suspended_because=because[:200])
    )
    if not changed:
        raise NotAllowedNow("This mailbox is being removed")
    mailbox.refresh_from_db(fields=["state", "suspended_because"])


def remove(mailbox: Mailbox, *, actor: User | None) -> None:
    """Take a mailbox away: at once for everybody, its mail in the background (services/closing.py).

    Its addresses are free again, its owner is forgotten too if this mailbox was all there was of them.
    """
    with races.change():
        audit.record(actor, "mailbox.remove", mailbox, data={"messages": mailbox.message_count})
        owners = list(User.objects.filter(accesses__mailbox=mailbox, accesses__is_owner=True))
        names = {f"{row.local_part}@{row.domain.name}" for row in mailbox.addresses.select_related("domain")}
        mailbox.addresses.all().delete()
        mailbox.accesses.all().delete()
        mailbox.app_passwords.all().delete()
        mailbox.rights_held.all().delete()
        mailbox.mailbox_groups.clear()
        Mailbox.objects.filter(pk=mailbox.pk).update(state=Mailbox.State.CLOSING)
        for person in owners:
            _forget_person(person, mailbox.tenant, names)
        doorbell.ring(f"mailbox:{mailbox.pk}")
        worker.wake("close_mailboxes")
    mailbox.state = Mailbox.State.CLOSING


def _forget_person(person: User, tenant: Tenant, names: set[str]) -> None:
    """Remove a person made with a mailbox that is going, unless there is anything else of them."""
    elsewhere = person.memberships.exclude(tenant=tenant, role=Role.MEMBER).exists()
    if person.is_staff or elsewhere or person.email not in names or person.accesses.exists():
        Membership.objects.filter(user=person, tenant=tenant, role=Role.MEMBER).exclude(
            user__accesses__tenant=tenant
        ).delete()
        return
    person.delete()


# --- Access ----------------------------------------------------------------------------------------------


def grant(mailbox: Mailbox, user: User, rights: int, *, actor: User | None) -> Access:
    """Let a member of the tenant use a mailbox; changes the rights of one who may already.

    Raises BadValue, NotAllowedNow for who is no member, and for the owner, who has them all.
    """
    if not 0 < rights <= ALL_RIGHTS or not rights & Rights.READ:
        raise BadValue("Rights are made of read, change, send as and administer, and include read")
    with races.change():
        if not Membership.objects.filter(tenant_id=mailbox.tenant_id, user=user).exists():
            raise NotAllowedNow(f"{user.email} is not a member of this organisation")
        if Access.objects.filter(mailbox=mailbox, user=user, is_owner=True).exists():
            raise NotAllowedNow("The owner of a mailbox has all rights")
        access, _ = Access.objects.update_or_create(
            mailbox=mailbox, user=user, defaults={"rights": rights, "tenant_id": mailbox.tenant_id}
        )
        audit.record(actor, "mailbox.grant", mailbox, data={"user": user.email, "rights": int(rights)})
        # Who has it open may have more or less to say in it now.
        doorbell.ring(f"mailbox:{mailbox.pk}")
    return access


def revoke(mailbox: Mailbox, user: User, *, actor: User | None) -> None:
    """Take a person's access away, with their app passwords for it. The owner's stays: NotAllowedNow."""
    with races.change():
        if Access.objects.filter(mailbox=mailbox, user=user, is_owner=True).exists():
            raise NotAllowedNow("The owner keeps access until the mailbox is removed")
        Access.objects.filter(mailbox=mailbox, user=user).delete()
        Metadata.objects.filter(mailbox=mailbox, user_id=user.pk).delete()
        AppPassword.objects.filter(mailbox=mailbox, user=user, revoked_at=None).update(revoked_at=clock.now())
        audit.record(actor, "mailbox.revoke", mailbox, data={"user": user.email})
        doorbell.ring(f"mailbox:{mailbox.pk}")


def owner_of(mailbox: Mailbox) -> User | None:
    """The person whose mailbox it is; None for a shared one."""
    return User.objects.filter(accesses__mailbox=mailbox, accesses__is_owner=True).first()


# --- Passwords -------------------------------------------------------------------------------------------


def set_password(mailbox: Mailbox, password: str, *, actor: User | None) -> None:
    """Give the mailbox's owner a new password.

    Raises BadValue, NotAllowedNow for a shared mailbox, Forbidden for who has more to say than actor.
    """
    owner = owner_of(mailbox)
    if owner is None:
        raise NotAllowedNow("A shared mailbox has no password of its own")
    _check_may_reset(mailbox, owner, actor)
    users.set_password(owner, password, actor=actor)


def _check_may_reset(mailbox: Mailbox, owner: User, actor: User | None) -> None:
    """A person's password opens all that is theirs: nobody may gain by setting another's."""
    if actor is None or actor.is_staff or actor.pk == owner.pk:
        return
    roles = dict(Membership.objects.filter(user=owner).values_list("tenant_id", "role"))
    here = roles.pop(mailbox.tenant_id, None)
    mine = Membership.objects.filter(user=actor, tenant_id=mailbox.tenant_id, role=Role.OWNER)
    if owner.is_staff or roles or (here == Role.OWNER and not mine.exists()):
        raise Forbidden(f"Only {owner.email} can change this password: it opens more than this mailbox")


def add_app_password(user: User, mailbox: Mailbox, name: str) -> tuple[AppPassword, str]:
    """Make a password of user for one device or program on mailbox. It is shown once.

    Raises BadValue, NotAllowedNow when user has no access.
    """
    name = name.strip()
    if not name or len(name) > 80:
        raise BadValue("An app password needs a name of at most 80 characters")
    letters = "".join(random.choice(doors.APP_LETTERS) for _ in range(20))
    with races.change():
        if not Access.objects.filter(user=user, mailbox=mailbox).exists():
            raise NotAllowedNow(f"{user.email} has no access to this mailbox")
        alive = AppPassword.objects.filter(mailbox=mailbox, revoked_at=None).count()
        if alive >= limits.APP_PASSWORDS:
            raise NotAllowedNow(f"A mailbox has at most {limits.APP_PASSWORDS} app passwords")
        made = AppPassword.objects.create(
            user=user, mailbox=mailbox, name=name, secret_hash=doors.app_hash(letters)
        )
        audit.record(user, "app_password.add", made, tenant=mailbox.tenant, data={"mailbox": str(mailbox)})
    verifiers.write_of_app(made, letters)
    return made, verifiers.shown(letters)


def revoke_app_password(app_password: AppPassword, *, actor: User | None) -> None:
    """End an app password; whoever is logged in with it is let go within a minute."""
    with races.change():
        AppPassword.objects.filter(pk=app_password.pk, revoked_at=None).update(revoked_at=clock.now())
        audit.record(actor, "app_password.revoke", app_password, tenant=app_password.mailbox.tenant)
        doorbell.ring(f"mailbox:{app_password.mailbox_id}")
    app_password.refresh_from_db(fields=["revoked_at"])


__all__ = [
    "Exchange",
    "Login",
    "New",
    "add_app_password",
    "authenticate",
    "create",
    "create_many",
    "grant",
    "has_second_factor",
    "is_still_good",
    "owner_of",
    "remove",
    "rename",
    "resume",
    "revoke",
    "revoke_app_password",
    "set_message_limit",
    "set_password",
    "set_preferences",
    "set_quota",
    "suspend",
]
