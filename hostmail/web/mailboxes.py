"""Mailboxes: found, made, given room, suspended, removed; their passwords. Never their mail."""

from __future__ import annotations

import secrets
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import messages
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.template.defaultfilters import filesizeformat
from django.urls import path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from hostmail.web import access, place, sending
from mailcore import limits
from mailcore.errors import MailError
from mailcore.models import Address, Domain, Mailbox, Tenant, User
from mailcore.services import mailboxes, users
from mailcore.services import ways as ways_in

MEGABYTE = 1 << 20
MOST_CHOICES = 100  # domains in a list to choose from; with more one types the name
MOST_MEGABYTES = 1 << 39


class NewForm(forms.Form):
    local = forms.CharField(
        label=gettext_lazy("Address"), max_length=64, help_text=gettext_lazy("Before the @")
    )
    domain = forms.ModelChoiceField(Domain.objects.none(), label=gettext_lazy("Domain"), to_field_name="name")
    name = forms.CharField(label=gettext_lazy("Name"), max_length=limits.NAME_CHARS, required=False)
    password = forms.CharField(
        label=gettext_lazy("Password"),
        required=False,
        strip=False,
        help_text=gettext_lazy("Leave it empty and we make a good one, shown once."),
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )

    megabytes = forms.IntegerField(label=gettext_lazy("Room in MB"), min_value=1, max_value=MOST_MEGABYTES)
    kind = forms.ChoiceField(
        label=gettext_lazy("Kind"),
        choices=Mailbox.Kind.choices,
        help_text=gettext_lazy("A shared mailbox has no password: you give members access to it."),
    )

    def __init__(self, data: Any, tenant: Tenant) -> None:
        default = settings.HOSTMAIL_DEFAULT_QUOTA // MEGABYTE
        super().__init__(data, initial={"megabytes": default, "kind": Mailbox.Kind.PERSONAL})
        field = self.fields["domain"]
        assert isinstance(field, forms.ModelChoiceField)
        field.queryset = Domain.objects.filter(tenant=tenant).order_by("-state", "name")
        field.empty_label = None
        if field.queryset.count() > MOST_CHOICES:
            field.widget = forms.TextInput(attrs={"autocapitalize": "none"})


class QuotaForm(forms.Form):
    megabytes = forms.IntegerField(label=gettext_lazy("Room in MB"), min_value=1, max_value=MOST_MEGABYTES)


class WaysForm(forms.Form):
    imap = forms.BooleanField(label=gettext_lazy("IMAP"), required=False)
    pop3 = forms.BooleanField(label=gettext_lazy("POP3"), required=False)
    smtp = forms.BooleanField(label=gettext_lazy("Sending by SMTP"), required=False)
    pop3_deletes = forms.ChoiceField(
        label=gettext_lazy("A message that is deleted by POP3"), choices=Mailbox.Deleting.choices
    )


class NameForm(forms.Form):
    name = forms.CharField(
        label=gettext_lazy("Name"), max_length=limits.NAME_CHARS, required=False,
        help_text=gettext_lazy("Stands beside the address in lists, and in what is sent from webmail."),
    )  # fmt: skip


class PasswordForm(forms.Form):
    password = forms.CharField(
        label=gettext_lazy("New password"),
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )


class SuspendForm(forms.Form):
    because = forms.CharField(label=gettext_lazy("Reason"), max_length=200, required=False)


class AppPasswordForm(forms.Form):
    name = forms.CharField(label=gettext_lazy("Device or program"), max_length=80)


def _mailbox(request: HttpRequest, tenant: Tenant, public_id: str) -> Mailbox:
    mine = Mailbox.objects.visible_to(place.person(request)).filter(tenant=tenant)
    return get_object_or_404(mine.exclude(state=Mailbox.State.CLOSING), public_id=public_id)


def _percent(mailbox: Mailbox) -> int:
    return min(100, mailbox.used_octets * 100 // max(1, mailbox.quota_octets))


def _room(mailbox: Mailbox) -> str:
    sizes = {"used": filesizeformat(mailbox.used_octets), "quota": filesizeformat(mailbox.quota_octets)}
    return _("%(used)s of %(quota)s") % sizes


@place.for_admins
def listing(request: HttpRequest, tenant: Tenant) -> HttpResponse:
    query = request.GET.get("q", "").strip().lower()[:320]
    rows = Address.objects.filter(tenant=tenant, is_primary=True).exclude(mailbox=None)
    if query:
        local, at, domain = query.partition("@")
        found = Q(local_part__startswith=local)
        if at:
            found &= Q(domain__name__startswith=domain)
        rows = rows.filter(found | Q(mailbox__name__icontains=query))
    rows = rows.select_related("mailbox", "domain").order_by("domain__name", "local_part")
    page, pager = place.page_of(request, rows)
    shown = [
        {"address": row, "mailbox": row.mailbox, "percent": _percent(row.mailbox), "room": _room(row.mailbox)}
        for row in page
    ]
    context = {
        "tenant": tenant, "rows": shown, "pager": pager, "query": query,
        "has_domain": Domain.objects.filter(tenant=tenant).exists(),
    }  # fmt: skip
    return render(request, "web/mailboxes.html", context)


@place.for_admins
@never_cache
def add(request: HttpRequest, tenant: Tenant) -> HttpResponse:
    """A password that we made stands in the answer and nowhere else."""
    form = NewForm(request.POST or None, tenant)
    actor = place.person(request)
    secret = ""

    def create(data: dict[str, Any]) -> Mailbox:
        nonlocal secret
        address = f"{data['local'].strip()}@{data['domain'].name}"
        if not data["password"] and _makes_person(tenant, address, data["kind"]):
            secret = secrets.token_urlsafe(12)
        return mailboxes.create(
            tenant, address, name=data["name"], password=data["password"] or secret or None,
            quota_octets=data["megabytes"] * MEGABYTE, kind=data["kind"], actor=actor,
        )  # fmt: skip

    if request.method == "POST" and (made := place.try_form(form, create)):
        if secret:
            context = {"tenant": tenant, "mailbox": made, "address": str(made), "password": secret}
            return render(request, "web/mailbox_made.html", context)
        messages.success(request, _("%(address)s is ready.") % {"address": made})
        return redirect("web:mailbox", tenant.slug, made.public_id)
    back = reverse("web:mailboxes", args=[tenant.slug])
    return place.form_page(request, tenant, form, title=_("Create a mailbox"), label=_("Create"), back=back)


def _makes_person(tenant: Tenant, address: str, kind: str) -> bool:
    """Whether a mailbox of this address comes with a new person, who needs a password."""
    known = User.objects.filter(email=users.email_of(address), memberships__tenant=tenant)
    return kind == Mailbox.Kind.PERSONAL and not known.exists()


@place.for_admins
def show(request: HttpRequest, tenant: Tenant, public_id: str) -> HttpResponse:
    return _page(request, tenant, _mailbox(request, tenant, public_id))


def _page(request: HttpRequest, tenant: Tenant, mailbox: Mailbox, secret: str = "") -> HttpResponse:
    context = {
        "tenant": tenant,
        "mailbox": mailbox,
        "address": mailbox.primary_address,
        "percent": _percent(mailbox),
        "room": _room(mailbox),
        "addresses": mailbox.addresses.select_related("domain").order_by("-is_primary", "local_part"),
        "accesses": [
            (row, access.rights_text(row.rights))
            for row in mailbox.accesses.select_related("user").order_by("-is_owner", "user__email")
        ],
        "app_passwords": mailbox.app_passwords.filter(revoked_at=None).order_by("-created_at"),
        "may_add_app_password": mailbox.accesses.filter(user=place.person(request)).exists(),
        "secret": secret,
        **sending.context_of(mailbox),
    }
    return render(request, "web/mailbox.html", context)


def _back(tenant: Tenant, mailbox: Mailbox) -> str:
    return reverse("web:mailbox", args=[tenant.slug, mailbox.public_id])


@place.for_admins
def ways(request: HttpRequest, tenant: Tenant, public_id: str) -> HttpResponse:
    mailbox = _mailbox(request, tenant, public_id)
    actor, back = place.person(request), _back(tenant, mailbox)
    now = {
        "imap": mailbox.has_imap, "pop3": mailbox.has_pop3, "smtp": mailbox.has_smtp,
        "pop3_deletes": mailbox.pop3_deletes,
    }  # fmt: skip
    form = WaysForm(request.POST or None, initial=now)

    def work(data: dict[str, Any]) -> bool:
        ways_in.change(mailbox, **data, actor=actor)
        return True

    if request.method == "POST" and place.try_form(form, work):
        messages.success(request, _("Programs have it as you wish."))
        return redirect(back)
    return place.form_page(
        request, tenant, form, title=_("Programs of %s") % mailbox, label=_("Save"), back=back
    )


@place.for_admins
def quota(request: HttpRequest, tenant: Tenant, public_id: str) -> HttpResponse:
    mailbox = _mailbox(request, tenant, public_id)
    actor, back = place.person(request), _back(tenant, mailbox)
    form = QuotaForm(request.POST or None, initial={"megabytes": mailbox.quota_octets // MEGABYTE})

    def work(data: dict[str, Any]) -> bool:
        mailboxes.set_quota(mailbox, data["megabytes"] * MEGABYTE, actor=actor)
        return True

    if request.method == "POST" and place.try_form(form, work):
        messages.success(request, _("The mailbox has its new room."))
        return redirect(back)
    return place.form_page(request, tenant, form, title=_("Room of %s") % mailbox, label=_("Save"), back=back)


@place.for_admins
def name(request: HttpRequest, tenant: Tenant, public_id: str) -> HttpResponse:
    mailbox = _mailbox(request, tenant, public_id)
    actor, back = place.person(request), _back(tenant, mailbox)
    form = NameForm(request.POST or None, initial={"name": mailbox.name})

    def work(data: dict[str, Any]) -> bool:
        mailboxes.rename(mailbox, data["name"], actor=actor)
        return True

    if request.method == "POST" and place.try_form(form, work):
        messages.success(request, _("Saved."))
        return redirect(back)
    return place.form_page(request, tenant, form, title=_("Name of %s") % mailbox, label=_("Save"), back=back)


@place.for_admins
def password(request: HttpRequest, tenant: Tenant, public_id: str) -> HttpResponse:
    mailbox = _mailbox(request, tenant, public_id)
    actor, back = place.person(request), _back(tenant, mailbox)
    if mailboxes.owner_of(mailbox) == actor:
        return redirect("account_change_password")

    def work(data: dict[str, Any]) -> bool:
        mailboxes.set_password(mailbox, data["password"], actor=actor)
        return True

    form = PasswordForm(request.POST or None)
    if request.method == "POST" and place.try_form(form, work):
        messages.success(request, _("The new password holds from now on."))
        return redirect(back)
    title = _("New password for %s") % mailbox
    return place.form_page(request, tenant, form, title=title, label=_("Set password"), back=back)


@place.for_admins
def suspend(request: HttpRequest, tenant: Tenant, public_id: str) -> HttpResponse:
    mailbox = _mailbox(request, tenant, public_id)
    actor, back = place.person(request), _back(tenant, mailbox)
    form = SuspendForm(request.POST or None)

    def work(data: dict[str, Any]) -> bool:
        mailboxes.suspend(mailbox, data["because"], actor=actor)
        return True

    if request.method == "POST" and place.try_form(form, work):
        messages.success(request, _("%s is suspended.") % mailbox)
        return redirect(back)
    return place.form_page(
        request, tenant, form, title=_("Suspend %s") % mailbox, label=_("Suspend"), back=back,
        lead=_("Nobody gets in and no mail is taken until it is resumed."),
    )  # fmt: skip


@place.for_admins
@require_POST
def resume(request: HttpRequest, tenant: Tenant, public_id: str) -> HttpResponse:
    mailbox = _mailbox(request, tenant, public_id)
    mailboxes.resume(mailbox, actor=place.person(request))
    messages.success(request, _("%s works again.") % mailbox)
    return redirect(_back(tenant, mailbox))


@place.for_admins
def remove(request: HttpRequest, tenant: Tenant, public_id: str) -> HttpResponse:
    mailbox = _mailbox(request, tenant, public_id)
    name, error = str(mailbox), ""
    if request.method == "POST":
        try:
            mailboxes.remove(mailbox, actor=place.person(request))
        except MailError as said:
            error = said.public
        else:
            messages.success(request, _("%s is removed.") % name)
            return redirect("web:mailboxes", tenant.slug)
    return place.confirm_page(
        request, tenant, error=error, title=_("Remove %s?") % name,
        text=_("Its %s messages go with it and cannot be brought back.") % mailbox.message_count,
        label=_("Remove mailbox"), back=_back(tenant, mailbox),
    )  # fmt: skip


@place.for_admins
@never_cache
def app_password_add(request: HttpRequest, tenant: Tenant, public_id: str) -> HttpResponse:
    """Only for mailboxes whose mail the visitor may read: the service sees to that."""
    mailbox = _mailbox(request, tenant, public_id)
    user = place.person(request)
    form = AppPasswordForm(request.POST or None)
    if request.method == "POST" and (
        made := place.try_form(form, lambda data: mailboxes.add_app_password(user, mailbox, data["name"]))
    ):
        return _page(request, tenant, mailbox, secret=made[1])
    return place.form_page(
        request, tenant, form, title=_("New app password"), label=_("Make it"), back=_back(tenant, mailbox)
    )


@place.for_admins
@require_POST
def app_password_revoke(request: HttpRequest, tenant: Tenant, public_id: str, which: str) -> HttpResponse:
    mailbox = _mailbox(request, tenant, public_id)
    found = get_object_or_404(mailbox.app_passwords, public_id=which)
    mailboxes.revoke_app_password(found, actor=place.person(request))
    messages.success(request, _("That app password no longer works."))
    return redirect(_back(tenant, mailbox))


_ONE = "o/<slug:slug>/mailboxes/<slug:public_id>/"
routes = [
    path("o/<slug:slug>/mailboxes/", listing, name="mailboxes"),
    path("o/<slug:slug>/mailboxes/add/", add, name="mailbox_add"),
    path(_ONE, show, name="mailbox"),
    path(f"{_ONE}quota/", quota, name="mailbox_quota"),
    path(f"{_ONE}programs/", ways, name="mailbox_ways"),
    path(f"{_ONE}name/", name, name="mailbox_name"),
    path(f"{_ONE}password/", password, name="mailbox_password"),
    path(f"{_ONE}suspend/", suspend, name="mailbox_suspend"),
    path(f"{_ONE}resume/", resume, name="mailbox_resume"),
    path(f"{_ONE}remove/", remove, name="mailbox_remove"),
    path(f"{_ONE}app-passwords/add/", app_password_add, name="mailbox_app_password_add"),
    path(
        f"{_ONE}app-passwords/<slug:which>/revoke/", app_password_revoke, name="mailbox_app_password_revoke"
    ),
]
