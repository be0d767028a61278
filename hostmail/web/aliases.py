"""Aliases: names that lead to mailboxes or to the outside, and what catches all the rest of a domain."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from hostmail import confirmations
from hostmail.web import place
from mailcore import limits
from mailcore.errors import MailError
from mailcore.models import Address, Tenant
from mailcore.services import addresses, suppressions


class TargetsForm(forms.Form):
    targets = forms.CharField(
        label=gettext_lazy("Leads to"),
        max_length=limits.ALIAS_TARGETS * 322,
        help_text=gettext_lazy("One address on each line."),
        widget=forms.Textarea(attrs={"rows": 4}),
    )

    def clean_targets(self) -> list[str]:
        return str(self.cleaned_data["targets"]).replace(",", "\n").split()


class ChangeForm(TargetsForm):
    description = forms.CharField(label=gettext_lazy("Note"), max_length=200, required=False)


class AliasForm(ChangeForm):
    address = forms.CharField(
        label=gettext_lazy("Address"),
        max_length=320,
        help_text=gettext_lazy("*@example.org catches what no other address of the domain takes."),
    )
    field_order = ("address", "targets", "description")


def _alias(request: HttpRequest, tenant: Tenant, public_id: str) -> Address:
    mine = Address.objects.visible_to(place.person(request)).filter(tenant=tenant, mailbox=None)
    return get_object_or_404(mine.select_related("domain"), public_id=public_id)


@place.for_admins
def listing(request: HttpRequest, tenant: Tenant) -> HttpResponse:
    query = request.GET.get("q", "").strip().lower()[:320]
    rows = Address.objects.filter(tenant=tenant, mailbox=None)
    if query:
        local, at, domain = query.partition("@")
        rows = rows.filter(local_part__startswith=local)
        rows = rows.filter(domain__name__startswith=domain) if at else rows
    rows = rows.select_related("domain").prefetch_related("targets").order_by("domain__name", "local_part")
    page, pager = place.page_of(request, rows)
    shown = [row.target for alias in page for row in alias.targets.all()]
    suppressed = suppressions.among(tenant.pk, shown)
    context = {"tenant": tenant, "page": page, "pager": pager, "query": query, "suppressed": suppressed}
    return render(request, "web/aliases.html", context)


@place.for_admins
def add(request: HttpRequest, tenant: Tenant) -> HttpResponse:
    actor = place.person(request)
    initial = {}
    if request.GET.get("catch_all"):
        first = tenant.domains.order_by("-state", "name").first()
        initial["address"] = f"*@{first.name}" if first else "*@"
    form = AliasForm(request.POST or None, initial=initial)

    def create(data: dict[str, Any]) -> Address:
        address = data["address"].strip()
        return addresses.add_alias(
            tenant, address.removeprefix("*"), data["targets"], description=data["description"], asks=True,
            actor=actor,
        )  # fmt: skip

    if request.method == "POST" and (made := place.try_form(form, create)):
        messages.success(request, _("%s is ready.") % made)
        _ask(request, made)
        return redirect("web:aliases", tenant.slug)
    back = reverse("web:aliases", args=[tenant.slug])
    return place.form_page(request, tenant, form, title=_("Add an alias"), label=_("Add alias"), back=back)


@place.for_admins
def edit(request: HttpRequest, tenant: Tenant, public_id: str) -> HttpResponse:
    alias = _alias(request, tenant, public_id)
    actor = place.person(request)
    lines = "\n".join(alias.targets.order_by("target").values_list("target", flat=True))
    form = ChangeForm(request.POST or None, initial={"targets": lines, "description": alias.description})

    def work(data: dict[str, Any]) -> bool:
        if sorted(data["targets"]) != lines.split("\n"):
            addresses.set_targets(alias, data["targets"], asks=True, actor=actor)
        if data["description"] != alias.description:
            addresses.describe(alias, data["description"], actor=actor)
        return True

    if request.method == "POST" and place.try_form(form, work):
        messages.success(request, _("Saved."))
        _ask(request, alias)
        return redirect("web:aliases", tenant.slug)
    back = reverse("web:aliases", args=[tenant.slug])
    return place.form_page(request, tenant, form, title=str(alias), label=_("Save"), back=back)


def _ask(request: HttpRequest, alias: Address) -> None:
    """Ask those outside who have not said yes, and say whom."""
    try:
        asked = confirmations.ask(alias)
    except MailError as error:
        messages.error(request, error.public)
        return
    if asked:
        names = ", ".join(asked[:5])
        messages.info(request, _("Nothing goes there before they agree by the link we sent: %s") % names)


@place.for_admins
@require_POST
def ask(request: HttpRequest, tenant: Tenant, public_id: str) -> HttpResponse:
    """Ask again."""
    _ask(request, _alias(request, tenant, public_id))
    return redirect("web:aliases", tenant.slug)


@place.for_admins
@require_POST
def switch(request: HttpRequest, tenant: Tenant, public_id: str) -> HttpResponse:
    """On or off, as the button said: pressed twice it does the same."""
    alias, actor = _alias(request, tenant, public_id), place.person(request)
    if request.POST.get("to") == "on":
        addresses.enable(alias, actor=actor)
        messages.success(request, _("%s takes mail again.") % alias)
    else:
        addresses.disable(alias, actor=actor)
        messages.success(request, _("%s is off: its mail is refused.") % alias)
    back, here = request.POST.get("next", ""), reverse("web:aliases", args=[tenant.slug])
    return redirect(back if back.startswith(f"{here}?") else here)


@place.for_admins
def remove(request: HttpRequest, tenant: Tenant, public_id: str) -> HttpResponse:
    alias = _alias(request, tenant, public_id)
    name, error = str(alias), ""
    if request.method == "POST":
        try:
            addresses.remove(alias, actor=place.person(request))
        except MailError as said:
            error = said.public
        else:
            messages.success(request, _("%s is removed.") % name)
            return redirect("web:aliases", tenant.slug)
    return place.confirm_page(
        request, tenant, error=error, title=_("Remove %s?") % name,
        text=_("Mail for it is refused from then on."), label=_("Remove alias"),
        back=reverse("web:aliases", args=[tenant.slug]),
    )  # fmt: skip


routes = [
    path("o/<slug:slug>/aliases/", listing, name="aliases"),
    path("o/<slug:slug>/aliases/add/", add, name="alias_add"),
    path("o/<slug:slug>/aliases/<slug:public_id>/", edit, name="alias"),
    path("o/<slug:slug>/aliases/<slug:public_id>/ask/", ask, name="alias_ask"),
    path("o/<slug:slug>/aliases/<slug:public_id>/switch/", switch, name="alias_switch"),
    path("o/<slug:slug>/aliases/<slug:public_id>/remove/", remove, name="alias_remove"),
]
