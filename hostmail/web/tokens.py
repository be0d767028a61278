"""Keys for the API, of one organisation: issued to who asks, shown once, revoked by any administrator."""

from __future__ import annotations

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache

from hostmail.web import place
from mailcore.models import ApiToken, Tenant
from mailcore.services import users


class TokenForm(forms.Form):
    name = forms.CharField(
        label=gettext_lazy("What is it for?"), max_length=80,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
        help_text=gettext_lazy("As in: onboarding script."),
    )  # fmt: skip


@place.for_admins
@never_cache
def listing(request: HttpRequest, tenant: Tenant) -> HttpResponse:
    """The list with the form to issue one. A new secret stands in the answer to the form and nowhere else."""
    form = TokenForm(request.POST or None)
    actor = place.person(request)
    made = secret = None
    if request.method == "POST" and (
        issued := place.try_form(
            form, lambda data: users.issue_token(actor, data["name"], tenant=tenant, actor=actor)
        )
    ):
        (made, secret), form = issued, TokenForm()
    rows = ApiToken.objects.filter(tenant=tenant, revoked_at=None).select_related("user")
    page, pager = place.page_of(request, rows.order_by("-created_at", "-pk"))
    context = {
        "tenant": tenant, "form": form, "page": page, "pager": pager, "made": made, "secret": secret,
    }  # fmt: skip
    return render(request, "web/tokens.html", context, status=422 if form.errors else 200)


@place.for_admins
def revoke(request: HttpRequest, tenant: Tenant, public_id: str) -> HttpResponse:
    token = get_object_or_404(ApiToken, tenant=tenant, public_id=public_id, revoked_at=None)
    if request.method == "POST":
        users.revoke_token(token, actor=place.person(request))
        messages.success(request, _("%(name)s is revoked.") % {"name": token.name})
        return redirect("web:tokens", tenant.slug)
    return place.confirm_page(
        request, tenant, title=_("Revoke %(name)s?") % {"name": token.name},
        text=_("Whatever uses this key is refused from now on."), label=_("Revoke key"),
        back=reverse("web:tokens", args=[tenant.slug]),
    )  # fmt: skip


routes = [
    path("o/<slug:slug>/keys/", listing, name="tokens"),
    path("o/<slug:slug>/keys/<slug:public_id>/revoke/", revoke, name="token_revoke"),
]
