"""Signing in to the pages: by any address of a person's, counted like every other way in (threats.md P10).

Named by settings.AUTHENTICATION_BACKENDS and ACCOUNT_ADAPTER. Whether a person may still be signed in is
asked at every request: a suspension ends sessions at the next one.
"""

from __future__ import annotations

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.auth_backends import AuthenticationBackend
from django import forms
from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.http import HttpRequest

from mailcore import limits
from mailcore.errors import BadAddress, MailError, TenantSuspended
from mailcore.models import Access, Membership, Tenant, User
from mailcore.services import addresses, logins, races, tenants, users


def may_sign_in(user: User) -> bool:
    """Whether user is active and, being a member anywhere, is so in a tenant that is not suspended."""
    if not user.is_active:
        return False
    if user.is_staff:
        return True
    states = set(Membership.objects.filter(user=user).values_list("tenant__state", flat=True))
    return not states or Tenant.State.ACTIVE in states


def find_user(name: str) -> User | None:
    """The person who signs in by this name: their e-mail address, or one of a mailbox that is theirs."""
    try:
        user = User.objects.filter(email=users.email_of(name)).first()
    except BadAddress:
        return None
    if user is None and (found := addresses.resolve_login(name)):
        owner = Access.objects.filter(mailbox_id=found[0], is_owner=True).select_related("user").first()
        user = owner.user if owner else None
    return user


class AddressBackend(AuthenticationBackend):  # type: ignore[misc]
    """Passwords of people for pages; mail programs come through mailboxes.authenticate."""

    def authenticate(self, request: HttpRequest | None, **credentials: Any) -> User | None:
        """The person, or None. Raises LoginThrottled, and for a right password TenantSuspended."""
        login = credentials.get("email") or credentials.get("username") or ""
        password = credentials.get("password") or ""
        if not login or not password:
            return None
        path = addresses.login_path(login)
        name = str(path) if path else login[: limits.ADDRESS_OCTETS].casefold()
        peer = request.META.get("REMOTE_ADDR") if request else None
        logins.check(name, peer)
        user = (
            find_user(login) if len(password.encode("utf-8", "replace")) <= limits.PASSWORD_OCTETS else None
        )
        is_right, _ = logins.verify(password, user.password if user else None, name=name, peer=peer)
        if user is None or not is_right or not user.is_active:
            logins.failed(name, peer)
            return None
        logins.succeeded(name, peer)
        if not may_sign_in(user):
            raise TenantSuspended("Your organisation is suspended")
        return user

    def get_user(self, user_id: Any) -> User | None:
        user = User.objects.filter(pk=user_id).first()
        return user if user is not None and may_sign_in(user) else None


class Adapter(DefaultAccountAdapter):  # type: ignore[misc]
    """What allauth asks us. New accounts come with an organisation of their own."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return bool(settings.HOSTMAIL_SIGNUP == "open")

    def pre_authenticate(self, request: HttpRequest, **credentials: Any) -> None:
        """Nothing: services.logins counts, for pages and mail programs together."""

    def authenticate(self, request: HttpRequest, **credentials: Any) -> Any:
        try:
            return super().authenticate(request, **credentials)
        except MailError as error:
            raise forms.ValidationError(error.public) from error

    def reauthenticate(self, user: Any, password: str) -> bool:
        came = self.authenticate(self.request, email=user.email, password=password)
        return came is not None and came.pk == user.pk

    def save_user(self, request: HttpRequest, user: Any, form: Any, commit: bool = True) -> Any:
        """Make the person and the organisation, both or neither."""
        data = form.cleaned_data
        encoded = make_password(data["password1"])  # slow, so before the transaction
        with races.change():
            made = users.create(data["email"], encoded_password=encoded, actor=None)
            tenants.create(data["organisation"], owner=made, actor=made)
        user.pk = made.pk
        user.refresh_from_db()
        return user

    def set_password(self, user: Any, password: str) -> None:
        """Through the service, which ends what was signed in with the old one."""
        users.set_password(user, password, actor=user)
