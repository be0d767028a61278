"""The suppression list: whom mail of the organisation does not go to, why, and until when."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from hostmail.web import place
from mailcore.models import Suppression, Tenant
from mailcore.services import suppressions


class SuppressionForm(forms.Form):
    address = forms.CharField(
        label=gettext_lazy("Address"),
        max_length=320,
        help_text=gettext_lazy("Nothing is sent there until you take it off the list."),
        widget=forms.TextInput(attrs={"autocapitalize": "none", "autocomplete": "off"}),
    )
    words = forms.CharField(label=gettext_lazy("Note"), max_length=200, required=False)


@place.for_admins
def listing(request: HttpRequest, tenant: Tenant) -> HttpResponse:
    query = request.GET.get("q", "").strip().lower()[:320]
    rows = Suppression.objects.filter(tenant=tenant)
    if query:
        rows = rows.filter(address__contains=query)
    page, pager = place.page_of(request, rows.order_by("-since", "-pk"))
    context = {"tenant": tenant, "page": page, "pager": pager, "query": query}
    return render(request, "web/suppressions.html", context)


@place.for_admins
def add(request: HttpRequest, tenant: Tenant) -> HttpResponse:
    form, actor = SuppressionForm(request.POST or None), place.person(request)

    def work(data: dict[str, Any]) -> Suppression:
        return suppressions.add(tenant, data["address"], words=data["words"], actor=actor)

    if request.method == "POST" and (made := place.try_form(form, work)):
        messages.success(request, _("Nothing is sent to %s any more.") % made)
        return redirect("web:suppressions", tenant.slug)
    back = reverse("web:suppressions", args=[tenant.slug])
    return place.form_page(
        request, tenant, form, title=_("Suppress an address"), label=_("Suppress"), back=back
    )


@place.for_admins
def remove(request: HttpRequest, tenant: Tenant, public_id: str) -> HttpResponse:
    mine = Suppression.objects.visible_to(place.person(request)).filter(tenant=tenant)
    entry = get_object_or_404(mine, public_id=public_id)
    if request.method == "POST":
        suppressions.remove(entry, actor=place.person(request))
        messages.success(request, _("Mail may go to %s again.") % entry)
        return redirect("web:suppressions", tenant.slug)
    return place.confirm_page(
        request, tenant, title=_("Send to %s again?") % entry,
        text=_("If the address still does not exist, it comes back here with the next bounce."),
        label=_("Take off the list"), back=reverse("web:suppressions", args=[tenant.slug]),
    )  # fmt: skip


routes = [
    path("o/<slug:slug>/suppressed/", listing, name="suppressions"),
    path("o/<slug:slug>/suppressed/add/", add, name="suppression_add"),
    path("o/<slug:slug>/suppressed/<slug:public_id>/remove/", remove, name="suppression_remove"),
]
