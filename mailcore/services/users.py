"""People: their names, passwords and API tokens. What mail they may read is mailboxes' business.

login_version numbers everything that must end what was signed in before: a new password, a deactivated
person. The login cache and long sessions compare it.
"""

from __future__ import annotations

import datetime as dt
import secrets as random

from django.contrib.auth import password_validation
from django.contrib.auth.hashers import make_password
from django.core.exceptions import ValidationError
from django.db.models import F, Q

from mailcore import limits, secrets
from mailcore.errors import AlreadyExists, BadAddress, BadValue, NotAllowedNow
from mailcore.message.address import normalise_local, parse_path, quote_local
from mailcore.models import ApiToken, AppPassword, Membership, Metadata, Role, Tenant, User
from mailcore.outside import clock
from mailcore.services import addresses, audit, races, sql, verifiers

TOKEN_PREFIX = "hm_"  # noqa: S105 - lets a leaked one be found
TOKEN_SEEN_SECONDS = 300  # last_used_at is no more exact: a write for every request would be the price


def email_of(text: str) -> str:
    """A sign-in address as we keep it. Raises BadAddress."""
    path = parse_path(text.strip())
    email = f"{quote_local(normalise_local(path.local))}@{path.domain}"
    if len(email) > limits.ADDRESS_OCTETS:
        raise BadAddress
    return email


def check_password(password: str, *, user: User | None = None, strict: bool = True) -> None:
    """Raise BadValue unless password will do. strict asks for a good one; an operator may set any."""
    octets = len(password.encode("utf-8", "replace"))
    if not password or octets > limits.PASSWORD_OCTETS:
        raise BadValue(f"A password has from 1 to {limits.PASSWORD_OCTETS} octets")
    if any(char in password for char in "\0\r\n") or not _is_text(password):
        raise BadValue("A password cannot contain line ends or NUL")
    if strict:
        try:
            password_validation.validate_password(password, user)
        except ValidationError as error:
            raise BadValue(" ".join(error.messages)) from error


def _is_text(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def create(
    email: str,
    *,
    name: str = "",
    password: str | None = None,
    is_staff: bool = False,
    actor: User | None,
    encoded_password: str | None = None,
) -> User:
    """Make a person. Without a password nobody can sign in as them until one is set.

    encoded_password is what make_password gave for a password already checked, so that many can be hashed
    before any transaction. Raises BadAddress, BadValue, AlreadyExists.
    """
    address = email_of(email)
    if password is not None:
        check_password(password, strict=actor is not None)
        encoded_password = make_password(password)
    with races.change(AlreadyExists(f"{address} has an account already")):
        user = User.objects.create(
            email=address,
            name=name.strip()[: limits.NAME_CHARS],
            password=encoded_password or make_password(None),
            is_staff=is_staff,
            is_superuser=is_staff,
        )
        audit.record(actor, "user.create", user)
    return user


def set_password(user: User, password: str, *, actor: User | None) -> None:
    """Give user a new password; everything signed in with the old one has to sign in again.

    Raises BadValue.
    """
    check_password(password, user=user, strict=actor is not None)
    encoded = make_password(password)
    with races.change():
        User.objects.filter(pk=user.pk).update(password=encoded, login_version=F("login_version") + 1)
        audit.record_person(actor, "user.password", user)
    verifiers.write_everywhere(user, password, encoded)
    user.refresh_from_db(fields=["password", "login_version"])


def check_recovery_email(user: User, text: str) -> str:
    """The recovery address that text means for user.

    Raises BadAddress, and BadValue for one that the same password opens.
    """
    email = email_of(text)
    found = addresses.resolve_login(email)
    if email == user.email or (found and user.accesses.filter(mailbox_id=found[0], is_owner=True).exists()):
        raise BadValue("That address opens with the password you may one day have forgotten")
    return email


def set_recovery_email(user: User, email: str, *, actor: User | None) -> None:
    """Where links for a new password go; "" for nowhere else. Raises BadAddress, BadValue."""
    email = check_recovery_email(user, email) if email else ""
    with races.change():
        User.objects.filter(pk=user.pk).update(recovery_email=email)
        # Not which: a person's other address is nobody's business.
        audit.record_person(actor, "user.recovery", user, data={"is_set": bool(email)})
    user.recovery_email = email


def end_logins(user: User) -> None:
    """Make everything signed in as user sign in again; what is cached of their logins is worthless."""
    with races.change():
        User.objects.filter(pk=user.pk).update(login_version=F("login_version") + 1)
    user.refresh_from_db(fields=["login_version"])


def deactivate(user: User, *, actor: User | None) -> None:
    """Keep a person from signing in anywhere. Raises NotAllowedNow for a tenant's last owner."""
    with races.change():
        check_not_last_owner(user)
        User.objects.filter(pk=user.pk).update(is_active=False, login_version=F("login_version") + 1)
        audit.record_person(actor, "user.deactivate", user)
    user.refresh_from_db(fields=["is_active", "login_version"])


def activate(user: User, *, actor: User | None) -> None:
    """Let a person sign in again."""
    with races.change():
        User.objects.filter(pk=user.pk).update(is_active=True)
        audit.record_person(actor, "user.activate", user)
    user.is_active = True


def remove(user: User, *, actor: User | None) -> None:
    """Forget a person. Their mailboxes stay, without an owner. Raises NotAllowedNow for a last owner."""
    with races.change():
        check_not_last_owner(user)
        audit.record_person(actor, "user.remove", user)
        mailbox_pks = list(user.accesses.values_list("mailbox_id", flat=True))
        Metadata.objects.filter(mailbox_id__in=mailbox_pks, user_id=user.pk).delete()
        user.delete()


def check_not_last_owner(user: User) -> None:
    """Raise NotAllowedNow if a tenant would have nobody left to run it."""
    for tenant in Tenant.objects.filter(memberships__user=user, memberships__role=Role.OWNER):
        lock_tenant(tenant)
        others = Membership.objects.filter(tenant=tenant, role=Role.OWNER, user__is_active=True)
        if not others.exclude(user=user).exists():
            raise NotAllowedNow(f"{user.email} is the only owner of {tenant.name}")


def lock_tenant(tenant: Tenant) -> None:
    """Let nobody else change who runs tenant until this transaction ends."""
    sql.rows(f"SELECT id FROM tenant WHERE id = %s {sql.for_update()}", (tenant.pk,))


# --- API tokens ------------------------------------------------------------------------------------------


def issue_token(
    user: User,
    name: str,
    *,
    tenant: Tenant | None = None,
    expires_at: dt.datetime | None = None,
    actor: User | None,
) -> tuple[ApiToken, str]:
    """Make a token of user for the API, for one tenant or for all of theirs. The secret is shown once.

    Raises BadValue.
    """
    name = name.strip()
    if not name or len(name) > 80:
        raise BadValue("A token needs a name of at most 80 characters")
    secret = TOKEN_PREFIX + random.token_urlsafe(32)
    with races.change():
        token = ApiToken.objects.create(
            user=user,
            tenant=tenant,
            name=name,
            prefix=secret[: len(TOKEN_PREFIX) + 6],
            token_hash=secrets.keyed_hash("api-token", secret),
            expires_at=expires_at,
        )
        _record_token(actor, "token.issue", token)
    return token, secret


def authenticate_token(secret: str) -> ApiToken | None:
    """The living token with this secret, its user and tenant loaded; None for any other.

    Of an active user; whether the tenant is suspended is for the caller to see.
    """
    if not secret.startswith(TOKEN_PREFIX) or len(secret) > 100 or not secret.isascii():
        return None
    now = clock.now()
    token = (
        ApiToken.objects.filter(token_hash__in=secrets.keyed_hashes("api-token", secret), revoked_at=None)
        .filter(Q(expires_at=None) | Q(expires_at__gt=now), user__is_active=True)
        .select_related("user", "tenant")
        .first()
    )
    if token is None:
        return None
    seen = dt.timedelta(seconds=TOKEN_SEEN_SECONDS)
    if token.last_used_at is None or now - token.last_used_at > seen:
        with races.change():
            ApiToken.objects.filter(pk=token.pk).update(last_used_at=now)
        token.last_used_at = now
    return token


def revoke_token(token: ApiToken, *, actor: User | None) -> None:
    """End a token; its row stays for the record."""
    with races.change():
        ApiToken.objects.filter(pk=token.pk, revoked_at=None).update(revoked_at=clock.now())
        _record_token(actor, "token.revoke", token)
    token.refresh_from_db(fields=["revoked_at"])


def _record_token(actor: User | None, verb: str, token: ApiToken) -> None:
    """A token for one organisation is that one's business, one for all of a person's is everyone's."""
    if token.tenant is not None:
        audit.record(actor, verb, token, tenant=token.tenant)
    else:
        audit.record_person(actor, verb, token.user, token)


def revoke_everything(user: User, *, actor: User | None) -> None:
    """End all API tokens and app passwords of a person, and what is signed in: a lost device or a theft."""
    now = clock.now()
    with races.change():
        ApiToken.objects.filter(user=user, revoked_at=None).update(revoked_at=now)
        AppPassword.objects.filter(user=user, revoked_at=None).update(revoked_at=now)
        User.objects.filter(pk=user.pk).update(login_version=F("login_version") + 1)
        audit.record_person(actor, "user.revoke_everything", user)
    user.refresh_from_db(fields=["login_version"])
