"""Domains: claim one, publish its records, watch them turn green, give it up."""

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

from hostmail.web import place
from mailcore.errors import MailError
from mailcore.models import Domain, Tenant
from mailcore.services import domains, sts_hosting


class DomainForm(forms.Form):
    name = forms.CharField(
        label=gettext_lazy("Domain"), max_length=253,
        help_text=gettext_lazy("The part after the @ of your addresses, as in example.org."),
        widget=forms.TextInput(attrs={"placeholder": "example.org", "autocapitalize": "none"}),
    )  # fmt: skip


class ForgeryForm(forms.Form):
    policy = forms.ChoiceField(
        label=gettext_lazy("Mail with a forged sender"), choices=Domain.DMARCPolicy.choices,
        help_text=gettext_lazy(
            "When the domain in From says that it did not send a mail (DMARC), it may ask us to refuse it or"
            " to keep it apart."
        ),
    )  # fmt: skip


class NewcomersForm(forms.Form):
    choice = forms.ChoiceField(
        label=gettext_lazy("Mail of new senders"), choices=Domain.Newcomers.choices,
        help_text=gettext_lazy(
            "Programs that send spam seldom wait and seldom come again. The first mail of somebody is late by"
            " some seconds, or by some minutes; all that follows is not."
        ),
    )  # fmt: skip


class EncryptionForm(forms.Form):
    mode = forms.ChoiceField(
        label=gettext_lazy("Hosts that write to the domain shall do so"), choices=Domain.STSMode.choices,
        help_text=gettext_lazy(
            "We publish this for you (MTA-STS), where its records are set. Begin with reports: you hear what"
            " would fail, and no mail is lost. After a change, change the record _mta-sts as well."
        ),
    )  # fmt: skip


def _domain(request: HttpRequest, tenant: Tenant, public_id: str) -> Domain:
    mine = Domain.objects.visible_to(place.person(request)).filter(tenant=tenant)
    return get_object_or_404(mine, public_id=public_id)


@place.for_admins
def listing(request: HttpRequest, tenant: Tenant) -> HttpResponse:
    page, pager = place.page_of(request, Domain.objects.filter(tenant=tenant).order_by("name"))
    return render(request, "web/domains.html", {"tenant": tenant, "page": page, "pager": pager})


@place.for_admins
def add(request: HttpRequest, tenant: Tenant) -> HttpResponse:
    form = DomainForm(request.POST or None)
    actor = place.person(request)
    if request.method == "POST" and (
        domain := place.try_form(form, lambda data: domains.add(tenant, data["name"], actor=actor))
    ):
        messages.success(request, _("Now publish these records where your domain is registered."))
        return redirect("web:domain", tenant.slug, domain.public_id)
    back = reverse("web:domains", args=[tenant.slug])
    return place.form_page(request, tenant, form, title=_("Add a domain"), label=_("Add domain"), back=back)


def _records(domain: Domain) -> list[dict[str, Any]]:
    rows = []
    for record in domains.required_records(domain):
        finding = domain.findings.get(record.key, {})
        state = finding.get("state", "unchecked")
        priority, _space, host = (
            record.value.partition(" ") if record.type == "MX" else ("", "", record.value)
        )
        wrong = state not in ("ok", "unchecked")
        rows.append({
            "type": record.type, "name": record.name, "value": host, "priority": priority,
            "title": record.purpose, "state": {"later": "try_later"}.get(state, state),
            "found": "; ".join(finding.get("seen", [])) if wrong else "",
            "help": (wrong and (finding.get("fix") or finding.get("explanation"))) or record.explanation,
            "optional": not record.required,
        })  # fmt: skip
    return rows


@place.for_admins
def show(request: HttpRequest, tenant: Tenant, public_id: str) -> HttpResponse:
    """The page; htmx asks for the same and takes the records out of it until all are well."""
    domain = _domain(request, tenant, public_id)
    records = _records(domain)
    waits = any(row["state"] != "ok" and not row["optional"] for row in records)
    context = {"tenant": tenant, "domain": domain, "records": records, "waits": waits}
    return render(request, "web/domain.html", context)


@place.for_admins
@require_POST
def check(request: HttpRequest, tenant: Tenant, public_id: str) -> HttpResponse:
    domain = _domain(request, tenant, public_id)
    domains.check_now(domain)
    messages.info(request, _("We are looking at the records of %(name)s now.") % {"name": domain.name})
    return redirect("web:domain", tenant.slug, domain.public_id)


@place.for_admins
def zone(request: HttpRequest, tenant: Tenant, public_id: str) -> HttpResponse:
    domain = _domain(request, tenant, public_id)
    response = HttpResponse(domains.zone_text(domain), content_type="text/plain; charset=utf-8")
    response.headers["Content-Disposition"] = f'attachment; filename="{domain.name}.zone"'
    return response


@place.for_admins
def forgery(request: HttpRequest, tenant: Tenant, public_id: str) -> HttpResponse:
    """What becomes of mail to the domain that fails DMARC."""
    domain = _domain(request, tenant, public_id)
    form = ForgeryForm(request.POST or None, initial={"policy": domain.dmarc_policy})
    if request.method == "POST" and form.is_valid():
        domains.set_dmarc_policy(domain, form.cleaned_data["policy"], actor=place.person(request))
        messages.success(request, _("The choice for %(name)s is saved.") % {"name": domain.name})
        return redirect("web:domain", tenant.slug, domain.public_id)
    back = reverse("web:domain", args=[tenant.slug, domain.public_id])
    return place.form_page(request, tenant, form, title=_("Forged mail"), label=_("Save"), back=back)


@place.for_admins
def newcomers(request: HttpRequest, tenant: Tenant, public_id: str) -> HttpResponse:
    """How mail of who never wrote before is met."""
    domain = _domain(request, tenant, public_id)
    form = NewcomersForm(request.POST or None, initial={"choice": domain.newcomers})
    if request.method == "POST" and form.is_valid():
        domains.set_newcomers(domain, form.cleaned_data["choice"], actor=place.person(request))
        messages.success(request, _("The choice for %(name)s is saved.") % {"name": domain.name})
        return redirect("web:domain", tenant.slug, domain.public_id)
    back = reverse("web:domain", args=[tenant.slug, domain.public_id])
    return place.form_page(request, tenant, form, title=_("New senders"), label=_("Save"), back=back)


@place.for_admins
def encryption(request: HttpRequest, tenant: Tenant, public_id: str) -> HttpResponse:
    """What the domain's MTA-STS policy demands of hosts that write to it."""
    domain = _domain(request, tenant, public_id)
    form = EncryptionForm(request.POST or None, initial={"mode": domain.sts_mode})
    if request.method == "POST" and form.is_valid():
        sts_hosting.set_mode(domain, form.cleaned_data["mode"], actor=place.person(request))
        messages.success(request, _("The choice for %(name)s is saved.") % {"name": domain.name})
        return redirect("web:domain", tenant.slug, domain.public_id)
    back = reverse("web:domain", args=[tenant.slug, domain.public_id])
    return place.form_page(request, tenant, form, title=_("Encryption"), label=_("Save"), back=back)


@place.for_admins
def remove(request: HttpRequest, tenant: Tenant, public_id: str) -> HttpResponse:
    domain = _domain(request, tenant, public_id)
    error = ""
    if request.method == "POST":
        try:
            domains.remove(domain, actor=place.person(request))
        except MailError as said:
            error = said.public
        else:
            messages.success(request, _("%(name)s is removed.") % {"name": domain.name})
            return redirect("web:domains", tenant.slug)
    return place.confirm_page(
        request, tenant, error=error, title=_("Remove %(name)s?") % {"name": domain.name},
        text=_("Its addresses stop working at once."), label=_("Remove domain"),
        back=reverse("web:domain", args=[tenant.slug, domain.public_id]),
    )  # fmt: skip


routes = [
    path("o/<slug:slug>/domains/", listing, name="domains"),
    path("o/<slug:slug>/domains/add/", add, name="domain_add"),
    path("o/<slug:slug>/domains/<slug:public_id>/", show, name="domain"),
    path("o/<slug:slug>/domains/<slug:public_id>/check/", check, name="domain_check"),
    path("o/<slug:slug>/domains/<slug:public_id>/zone/", zone, name="domain_zone"),
    path("o/<slug:slug>/domains/<slug:public_id>/forgery/", forgery, name="domain_forgery"),
    path("o/<slug:slug>/domains/<slug:public_id>/newcomers/", newcomers, name="domain_newcomers"),
    path("o/<slug:slug>/domains/<slug:public_id>/encryption/", encryption, name="domain_encryption"),
    path("o/<slug:slug>/domains/<slug:public_id>/remove/", remove, name="domain_remove"),
]
