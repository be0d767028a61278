"""A person's own addresses: the one they sign in with, and one outside that a new password can be sent to.

The recovery address counts only after a link that was mailed there has been opened by the same person, signed
in; it replaces allauth's page of addresses, which knows nothing of mailboxes.
"""

from __future__ import annotations

from typing import Any

from allauth.account.adapter import get_adapter
from django import forms
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core import signing
from django.core.mail import EmailMessage
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.template.loader import render_to_string
from django.urls import path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache

from hostmail.mail_backend import on_behalf_of
from hostmail.web import place
from mailcore import limits
from mailcore.errors import MailError, NotAllowedNow
from mailcore.models import User
from mailcore.outside import counters
from mailcore.services import users

_SALT = "recovery-address"


class RecoveryForm(forms.Form):
    email = forms.CharField(
        label=gettext_lazy("Recovery address"), max_length=254, required=False,
        help_text=gettext_lazy("An address at another service. Leave it empty to have none."),
        widget=forms.EmailInput(attrs={"autocomplete": "email"}),
    )  # fmt: skip
    password = forms.CharField(
        label=gettext_lazy("Your password"), max_length=limits.PASSWORD_OCTETS, strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )  # fmt: skip

    def __init__(self, *args: Any, request: HttpRequest, **more: Any) -> None:
        super().__init__(*args, **more)
        self.request = request

    def clean_password(self) -> str:
        """Whoever finds a signed-in browser must not be able to redirect the next reset."""
        password = str(self.cleaned_data["password"])
        if not get_adapter(self.request).reauthenticate(self.request.user, password):
            raise forms.ValidationError(_("That is not your password."))
        return password


@login_required
@never_cache
def addresses(request: HttpRequest) -> HttpResponse:
    user = place.person(request)
    form = RecoveryForm(request.POST or None, request=request, initial={"email": user.recovery_email})
    if request.method == "POST" and (said := place.try_form(form, lambda data: _ask(user, data["email"]))):
        messages.success(request, said)
        return redirect("account_email")
    return render(request, "web/addresses.html", {"form": form}, status=422 if form.errors else 200)


def _ask(user: User, text: str) -> str:
    """Mail the link for a new recovery address, or take the old one away; what to say. Raises MailError."""
    if not text.strip():
        users.set_recovery_email(user, "", actor=user)
        return _("You have no recovery address now.")
    email = users.check_recovery_email(user, text)
    if counters.hit(f"recovery-link:{user.pk}", 24 * 3600) > limits.RECOVERY_LINKS:
        raise NotAllowedNow(_("That was tried too often today; please try again tomorrow"))
    token = signing.dumps([user.pk, user.login_version, email], salt=_SALT)
    link = settings.HOSTMAIL_PUBLIC_URL + reverse("web:recovery", args=[token])
    text = render_to_string("mail/recovery.txt", {"link": link, "user": user})
    on_behalf_of(user, EmailMessage(_("Confirm your recovery address"), text, to=[email])).send()
    return _("We have sent a link to %(email)s. Open it to confirm the address.") % {"email": email}


@login_required
@never_cache
def confirm(request: HttpRequest, token: str) -> HttpResponse:
    """What the link leads to; a button, because mail scanners open links."""
    user = place.person(request)
    try:
        pk, version, email = signing.loads(token, salt=_SALT, max_age=limits.RECOVERY_LINK_SECONDS)
    except signing.BadSignature:
        pk, version, email = 0, 0, ""
    is_good = (pk, version) == (user.pk, user.login_version)
    if is_good and request.method == "POST":
        old = user.recovery_email
        try:
            users.set_recovery_email(user, email, actor=user)
        except MailError as error:
            messages.error(request, error.public)
        else:
            _tell(user, old)
            messages.success(request, _("%(email)s is your recovery address now.") % {"email": email})
        return redirect("account_email")
    return render(
        request, "web/recovery.html", {"email": email if is_good else ""}, status=200 if is_good else 410
    )


def _tell(user: User, old: str) -> None:
    """Who did not do it should hear of it, where they still read."""
    text = render_to_string("mail/recovery_changed.txt", {"user": user})
    for address in dict.fromkeys(filter(None, (user.email, old))):
        message = EmailMessage(_("Your recovery address has changed"), text, to=[address])
        on_behalf_of(user, message).send(fail_silently=True)


routes = [path("recovery/<str:token>/", confirm, name="recovery")]
