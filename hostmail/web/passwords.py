"""App passwords: a person makes one for each phone or program, for a mailbox they may use. Shown once."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from hostmail.web import place
from mailcore.models import AppPassword, Mailbox, User
from mailcore.services import mailboxes


class AppPasswordForm(forms.Form):
    name = forms.CharField(
        label=gettext_lazy("Device or program"), max_length=80,
        widget=forms.TextInput(attrs={"placeholder": gettext_lazy("My phone"), "autocomplete": "off"}),
    )  # fmt: skip
    mailbox = forms.ChoiceField(label=gettext_lazy("Mailbox"))

    def __init__(self, *args: Any, user: User, **more: Any) -> None:
        super().__init__(*args, **more)
        mine = Mailbox.objects.readable_by(user).filter(addresses__is_primary=True)
        rows = mine.values_list("public_id", "addresses__local_part", "addresses__domain__name")
        self.fields["mailbox"].choices = [(pk, f"{local}@{name}") for pk, local, name in rows.order_by("pk")]  # type: ignore[attr-defined]


@login_required
@never_cache
def listing(request: HttpRequest) -> HttpResponse:
    user = place.person(request)
    form = AppPasswordForm(request.POST or None, user=user)

    def work(data: dict[str, Any]) -> tuple[AppPassword, str]:
        mailbox = get_object_or_404(Mailbox.objects.readable_by(user), public_id=data["mailbox"])
        return mailboxes.add_app_password(user, mailbox, data["name"])

    made = secret = None
    if request.method == "POST" and (issued := place.try_form(form, work)):
        (made, secret), form = issued, AppPasswordForm(user=user)
    alive = AppPassword.objects.filter(user=user, revoked_at=None).select_related("mailbox")
    context = {"form": form, "made": made, "secret": secret, "passwords": alive.order_by("-pk")}
    return render(request, "web/app_passwords.html", context, status=422 if form.errors else 200)


@login_required
@require_POST
def revoke(request: HttpRequest, public_id: str) -> HttpResponse:
    user = place.person(request)
    found = get_object_or_404(AppPassword, user=user, public_id=public_id, revoked_at=None)
    mailboxes.revoke_app_password(found, actor=user)
    messages.success(request, _("The app password %(name)s is revoked.") % {"name": found.name})
    return redirect("web:app_passwords")


routes = [
    path("app-passwords/", listing, name="app_passwords"),
    path("app-passwords/<slug:public_id>/revoke/", revoke, name="app_password_revoke"),
]
