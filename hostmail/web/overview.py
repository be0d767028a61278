"""Where people come to: the way from / to their place, the overview, the settings of the organisation."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db.models import Sum
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from hostmail.web import events, place
from mailcore import limits
from mailcore.models import Address, Domain, Event, Mailbox, Tenant
from mailcore.services import tenants


@login_required
def home(request: HttpRequest) -> HttpResponse:
    tenant = place.administered(place.person(request)).order_by("state", "name").first()
    if tenant is not None:
        return redirect("web:overview", tenant.slug)
    return redirect("/mail/")


@place.for_admins
def overview(request: HttpRequest, tenant: Tenant) -> HttpResponse:
    domains = Domain.objects.filter(tenant=tenant)
    mailboxes = Mailbox.objects.filter(tenant=tenant).exclude(state=Mailbox.State.CLOSING)
    verified = domains.filter(state=Domain.State.VERIFIED).count()
    count = mailboxes.count()
    first = domains.first()
    steps = [
        (_("Add your domain"), domains.exists(), reverse("web:domain_add", args=[tenant.slug])),
        (
            _("Publish its DNS records"), verified > 0,
            reverse("web:domain", args=[tenant.slug, first.public_id]) if first else "",
        ),
        (_("Create a mailbox"), count > 0, reverse("web:mailbox_add", args=[tenant.slug])),
    ]  # fmt: skip
    context = {
        "tenant": tenant,
        "steps": steps,
        "is_new": not all(done for _label, done, _url in steps),
        "domain_count": domains.count(),
        "verified_count": verified,
        "mailbox_count": count,
        "used": mailboxes.aggregate(sum=Sum("used_octets"))["sum"] or 0,
        "alias_count": Address.objects.filter(tenant=tenant, mailbox=None).count(),
        "events": events.shown(Event.objects.filter(tenant_id=tenant.pk).order_by("-id")[:8]),
    }
    return render(request, "web/overview.html", context)


class SettingsForm(forms.Form):
    name = forms.CharField(label=gettext_lazy("Name of the organisation"), max_length=limits.NAME_CHARS)
    retention_days = forms.IntegerField(
        label=gettext_lazy("Days that deleted mail can be brought back"), min_value=0,
        max_value=limits.RETENTION_DAYS,
    )  # fmt: skip
    event_days = forms.IntegerField(
        label=gettext_lazy("Days that we remember what happened to mail"), min_value=1,
        max_value=limits.RETENTION_DAYS,
    )  # fmt: skip


@place.for_admins
def settings(request: HttpRequest, tenant: Tenant) -> HttpResponse:
    now = {name: getattr(tenant, name) for name in SettingsForm.base_fields}
    form = SettingsForm(request.POST or None, initial=now)
    back = reverse("web:overview", args=[tenant.slug])
    actor = place.person(request)

    def work(data: dict[str, Any]) -> bool:
        if data["name"] != tenant.name:
            tenants.rename(tenant, data["name"], actor=actor)
        kept = {"retention_days": data["retention_days"], "event_days": data["event_days"]}
        if kept != {name: getattr(tenant, name) for name in kept}:
            tenants.set_retention(tenant, **kept, actor=actor)
        return True

    if request.method == "POST" and place.try_form(form, work):
        messages.success(request, _("Saved."))
        return redirect(back)
    return place.form_page(request, tenant, form, title=_("Settings"), label=_("Save"), back=back)


routes = [
    path("", home, name="home"),
    path("o/<slug:slug>/", overview, name="overview"),
    path("o/<slug:slug>/settings/", settings, name="settings"),
]
