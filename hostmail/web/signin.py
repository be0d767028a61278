"""Signing in to the pages: by any address of a person's, counted like every other way in (threats.md P10).

Named by settings.AUTHENTICATION_BACKENDS and ACCOUNT_ADAPTER. Whether a person may still be signed in is
asked at every request: a suspension ends sessions at the next one.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.auth_backends import AuthenticationBackend
from allauth.account.forms import ResetPasswordForm as AllauthResetPasswordForm
from allauth.account.views import login as allauth_login
from django import forms
from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.http import HttpRequest, HttpResponse

from mailcore import limits
from mailcore.errors import BadAddress, LoginThrottled, MailError, TenantSuspended
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
    """The person who signs in by this name: their address, one of a mailbox of theirs, the recovery one."""
    try:
        user = User.objects.filter(email=users.email_of(name)).first()
    except BadAddress:
        return None
    if user is None and (found := addresses.resolve_login(name)):
        owner = Access.objects.filter(mailbox_id=found[0], is_owner=True).select_related("user").first()
        user = owner.user if owner else None
    if user is None:
        # Only while it says who is meant: two people may have given the same one.
        same = list(User.objects.filter(recovery_email=users.email_of(name))[:2])
        user = same[0] if len(same) == 1 else None
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
        logins.check_hold(name, peer)
        logins.check(name, peer)
        user = (
            find_user(login) if len(password.encode("utf-8", "replace")) <= limits.PASSWORD_OCTETS else None
        )
        is_right, _ = logins.verify(password, user.password if user else None, name=name, peer=peer)
        if user is None or not is_right or not user.is_active:
            logins.hold_off(name, peer, logins.failed(name, peer))
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
            request.refused_with = error.http  # type: ignore[attr-defined]
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

    def get_reset_password_from_key_url(self, key: str) -> str:
        return _public(super().get_reset_password_from_key_url(key))

    def get_email_confirmation_url(self, request: HttpRequest, emailconfirmation: Any) -> str:
        return _public(super().get_email_confirmation_url(request, emailconfirmation))

    def send_password_reset_mail(self, user: Any, email: str, context: dict[str, Any]) -> Any:
        """To the address outside if there is one: the mailbox may be just what is locked."""
        return super().send_password_reset_mail(user, user.recovery_email or user.email, context)

    def set_password(self, user: Any, password: str) -> None:
        """Through the service, which ends what was signed in with the old one."""
        users.set_password(user, password, actor=user)


def page(request: HttpRequest) -> HttpResponse:
    """allauth's sign-in page; who has to wait is told so by its status as well."""
    response: HttpResponse = allauth_login(request)
    if getattr(request, "refused_with", 0) == LoginThrottled.http:
        response.status_code = LoginThrottled.http
        response.headers["Retry-After"] = str(limits.LOGIN_HOLD_SECONDS)
    return response


def _public(url: str) -> str:
    """A link for a mail, under the name that settings give: a request's Host is not believed (W15)."""
    return settings.HOSTMAIL_PUBLIC_URL + urlsplit(url)._replace(scheme="", netloc="").geturl()


class ResetPasswordForm(AllauthResetPasswordForm):  # type: ignore[misc]
    """Finds people by the names they sign in with, and says the same whether there is anybody."""

    def clean_email(self) -> str:
        email = str(self.cleaned_data["email"])
        user = find_user(email)
        self.users = [user] if user is not None and may_sign_in(user) else []
        return email
