"""Groups: lists of mailboxes that folders are shared with as one."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from hostmail.web import place
from mailcore import limits
from mailcore.models import MailboxGroup, Tenant
from mailcore.services import groups


class GroupForm(forms.Form):
    name = forms.CharField(label=gettext_lazy("Name"), max_length=limits.GROUP_NAME_CHARS)
    members = forms.CharField(
        label=gettext_lazy("Mailboxes"),
        required=False,
        max_length=limits.GROUP_MEMBERS * 322,
        help_text=gettext_lazy("One address on each line."),
        widget=forms.Textarea(attrs={"rows": 6}),
    )

    def clean_members(self) -> list[str]:
        return str(self.cleaned_data["members"]).replace(",", "\n").split()


def _group(request: HttpRequest, tenant: Tenant, public_id: str) -> MailboxGroup:
    mine = MailboxGroup.objects.visible_to(place.person(request)).filter(tenant=tenant)
    return get_object_or_404(mine.select_related("tenant"), public_id=public_id)


def _back(tenant: Tenant) -> str:
    return reverse("web:groups", args=[tenant.slug])


@place.for_admins
def listing(request: HttpRequest, tenant: Tenant) -> HttpResponse:
    rows = MailboxGroup.objects.filter(tenant=tenant).annotate(count=Count("members")).order_by("name")
    page, pager = place.page_of(request, rows)
    return render(request, "web/groups.html", {"tenant": tenant, "page": page, "pager": pager})


@place.for_admins
def add(request: HttpRequest, tenant: Tenant) -> HttpResponse:
    form, actor = GroupForm(request.POST or None), place.person(request)

    def work(data: dict[str, Any]) -> MailboxGroup:
        return groups.create(tenant, data["name"], data["members"], actor=actor)

    if request.method == "POST" and (made := place.try_form(form, work)):
        messages.success(request, _("%s is ready.") % made)
        return redirect(_back(tenant))
    return place.form_page(
        request, tenant, form, title=_("Add a group"), label=_("Add group"), back=_back(tenant)
    )


@place.for_admins
def edit(request: HttpRequest, tenant: Tenant, public_id: str) -> HttpResponse:
    group, actor = _group(request, tenant, public_id), place.person(request)
    initial = {"name": group.name, "members": "\n".join(groups.member_addresses(group))}
    form = GroupForm(request.POST or None, initial=initial)

    def work(data: dict[str, Any]) -> bool:
        groups.change(group, name=data["name"], members=data["members"], actor=actor)
        return True

    if request.method == "POST" and place.try_form(form, work):
        messages.success(request, _("%s is changed.") % group)
        return redirect(_back(tenant))
    return place.form_page(request, tenant, form, title=group.name, label=_("Save"), back=_back(tenant))


@place.for_admins
def remove(request: HttpRequest, tenant: Tenant, public_id: str) -> HttpResponse:
    group = _group(request, tenant, public_id)
    if request.method == "POST":
        groups.remove(group, actor=place.person(request))
        messages.success(request, _("%s is removed.") % group.name)
        return redirect(_back(tenant))
    return place.confirm_page(
        request, tenant, title=_("Remove %s?") % group.name,
        text=_("Its members lose what was shared with the group. Their mailboxes stay."),
        label=_("Remove group"), back=_back(tenant),
    )  # fmt: skip


routes = [
    path("o/<slug:slug>/groups/", listing, name="groups"),
    path("o/<slug:slug>/groups/add/", add, name="group_add"),
    path("o/<slug:slug>/groups/<slug:public_id>/", edit, name="group"),
    path("o/<slug:slug>/groups/<slug:public_id>/remove/", remove, name="group_remove"),
]
