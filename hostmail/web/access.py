"""What else leads to a mailbox: its further addresses, and the people who may use it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from hostmail.web import place
from mailcore.errors import BadValue, MailError, NotFound
from mailcore.models import ALL_RIGHTS, Access, Address, Mailbox, Membership, Rights, Tenant
from mailcore.services import addresses, mailboxes, users


class AddressForm(forms.Form):
    address = forms.CharField(
        label=gettext_lazy("Address"),
        max_length=320,
        help_text=gettext_lazy("In a domain of yours. *@example.org catches what no other address takes."),
        widget=forms.TextInput(attrs={"autocapitalize": "none", "autocomplete": "off"}),
    )


class PersonForm(forms.Form):
    email = forms.CharField(
        label=gettext_lazy("Member"),
        max_length=254,
        help_text=gettext_lazy("The address by which a member of this organisation signs in."),
    )
    rights = forms.TypedMultipleChoiceField(
        label=gettext_lazy("May"),
        choices=Rights.choices,
        coerce=int,
        widget=forms.CheckboxSelectMultiple,
        initial=[Rights.READ, Rights.WRITE, Rights.SEND_AS],
    )


def rights_text(rights: int) -> str:
    """What an access row allows, in words."""
    if rights & ALL_RIGHTS == ALL_RIGHTS:
        return _("everything")
    return ", ".join(str(right.label) for right in Rights if rights & right)


def _mailbox(request: HttpRequest, tenant: Tenant, public_id: str) -> Mailbox:
    mine = Mailbox.objects.visible_to(place.person(request)).filter(tenant=tenant)
    living = mine.exclude(state=Mailbox.State.CLOSING).select_related("tenant")
    return get_object_or_404(living, public_id=public_id)


def _back(mailbox: Mailbox) -> str:
    return reverse("web:mailbox", args=[mailbox.tenant.slug, mailbox.public_id])


@place.for_admins
def address_add(request: HttpRequest, tenant: Tenant, public_id: str) -> HttpResponse:
    mailbox, actor = _mailbox(request, tenant, public_id), place.person(request)
    form = AddressForm(request.POST or None)

    def work(data: dict[str, Any]) -> Address:
        return addresses.add_to_mailbox(mailbox, data["address"].strip(), actor=actor)

    if request.method == "POST" and (made := place.try_form(form, work)):
        messages.success(request, _("%(address)s leads here too now.") % {"address": made})
        return redirect(_back(mailbox))
    return place.form_page(
        request, tenant, form, title=_("One more address"), lead=str(mailbox), label=_("Add address"),
        back=_back(mailbox),
    )  # fmt: skip


@place.for_admins
def person_add(request: HttpRequest, tenant: Tenant, public_id: str) -> HttpResponse:
    """Also changes what somebody may who has access already: ?who=ADDRESS begins with what it is now."""
    mailbox, actor = _mailbox(request, tenant, public_id), place.person(request)
    who = request.GET.get("who", "")[:254]
    known = mailbox.accesses.filter(user__email=who, is_owner=False).first()
    initial = {"email": who, "rights": [right for right in Rights if known.rights & right]} if known else None
    form = PersonForm(request.POST or None, initial=initial)

    def work(data: dict[str, Any]) -> Access:
        member = Membership.objects.filter(tenant=tenant, user__email=users.email_of(data["email"]))
        found = member.select_related("user").first()
        if found is None:
            raise NotFound(_("No member of this organisation has that address: invite them first"))
        if Rights.READ not in data["rights"]:
            raise BadValue(_("Whoever may do anything must also be allowed to read"))
        return mailboxes.grant(mailbox, found.user, sum(set(data["rights"])), actor=actor)

    if request.method == "POST" and (made := place.try_form(form, work)):
        messages.success(request, _("%(who)s has access now.") % {"who": made.user})
        return redirect(_back(mailbox))
    return place.form_page(
        request, tenant, form, lead=str(mailbox), label=_("Save") if known else _("Give access"),
        title=_("What %s may do") % who if known else _("Give somebody access"),
        back=_back(mailbox),
    )  # fmt: skip


@place.for_admins
@require_POST
def sent_change(request: HttpRequest, tenant: Tenant, public_id: str) -> HttpResponse:
    """Whether a copy of what mail programs send as a shared mailbox is kept in its Sent folder."""
    mailbox, actor = _mailbox(request, tenant, public_id), place.person(request)
    keeps = request.POST.get("keep") == "yes"
    mailboxes.set_preferences(mailbox, file_sent_smtp=keeps, file_sent_api=keeps, actor=actor)
    messages.success(request, _("Copies are kept from now on.") if keeps else _("No copies are kept."))
    return redirect(_back(mailbox))


def _take_away(request: HttpRequest, mailbox: Mailbox, work: Callable[[], None], done: str) -> HttpResponse:
    try:
        work()
    except MailError as error:
        messages.error(request, error.public)
    else:
        messages.success(request, done)
    return redirect(_back(mailbox))


@place.for_admins
@require_POST
def address_remove(request: HttpRequest, tenant: Tenant, public_id: str, which: str) -> HttpResponse:
    mailbox, actor = _mailbox(request, tenant, public_id), place.person(request)
    address = get_object_or_404(mailbox.addresses.select_related("domain"), public_id=which)
    done = _("%(address)s is removed.") % {"address": address}
    return _take_away(request, mailbox, lambda: addresses.remove(address, actor=actor), done)


@place.for_admins
@require_POST
def person_remove(request: HttpRequest, tenant: Tenant, public_id: str, who: str) -> HttpResponse:
    mailbox, actor = _mailbox(request, tenant, public_id), place.person(request)
    user = get_object_or_404(mailbox.accesses.select_related("user"), user__public_id=who).user
    done = _("%(who)s has no access any more.") % {"who": user}
    return _take_away(request, mailbox, lambda: mailboxes.revoke(mailbox, user, actor=actor), done)


_ONE = "o/<slug:slug>/mailboxes/<slug:public_id>/"
routes = [
    path(f"{_ONE}addresses/add/", address_add, name="mailbox_address_add"),
    path(f"{_ONE}addresses/<slug:which>/remove/", address_remove, name="mailbox_address_remove"),
    path(f"{_ONE}sent/", sent_change, name="mailbox_sent"),
    path(f"{_ONE}people/add/", person_add, name="mailbox_person_add"),
    path(f"{_ONE}people/<slug:who>/remove/", person_remove, name="mailbox_person_remove"),
]
