"""From which spam scores on what happens, for the organisation or one mailbox; and what is in quarantine."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from hostmail.web import place
from mailcore import limits
from mailcore.errors import MailError
from mailcore.filters.spam import Thresholds
from mailcore.models import Mailbox, Quarantined, SpamPolicy, Tenant
from mailcore.services import quarantine, spam


class ThresholdsForm(forms.Form):
    """Empty is "as the level above has it", and says what that is."""

    junk = forms.FloatField(label=gettext_lazy("Junk from"), required=False)
    quarantine = forms.FloatField(label=gettext_lazy("Quarantine from"), required=False)
    refuse = forms.FloatField(label=gettext_lazy("Refuse from"), required=False)

    def __init__(self, data: Any, policy: SpamPolicy, above: Thresholds) -> None:
        super().__init__(data, initial={name: getattr(policy, name) for name in spam.NAMES})
        for name in spam.NAMES:
            field, number = self.fields[name], getattr(above, name)
            field.widget.attrs |= {"min": 0, "max": limits.SPAM_SCORE, "step": "0.1"}
            told = f"{number:g}" if number else _("never")
            field.help_text = _("Empty: %s, as set above. 0: never.") % told


def _given(request: HttpRequest) -> QueryDict | None:
    """Also a form in which every field is empty, and that is then false."""
    return request.POST if request.method == "POST" else None


@place.for_admins
def of_tenant(request: HttpRequest, tenant: Tenant) -> HttpResponse:
    form = ThresholdsForm(_given(request), spam.of_tenant(tenant), spam.of_service())
    return _thresholds(
        request,
        tenant,
        None,
        form,
        title=_("Unwanted mail"),
        back=reverse("web:quarantine", args=[tenant.slug]),
    )


@place.for_admins
def of_mailbox(request: HttpRequest, tenant: Tenant, public_id: str) -> HttpResponse:
    mine = Mailbox.objects.visible_to(place.person(request)).exclude(state=Mailbox.State.CLOSING)
    mailbox = get_object_or_404(mine, tenant=tenant, public_id=public_id)
    above = spam.thresholds([(tenant.pk, None)])[tenant.pk, None]
    form = ThresholdsForm(_given(request), spam.of_mailbox(mailbox), above)
    back = reverse("web:mailbox", args=[tenant.slug, public_id])
    return _thresholds(request, tenant, mailbox, form, title=_("Unwanted mail for %s") % mailbox, back=back)


def _thresholds(
    request: HttpRequest, tenant: Tenant, mailbox: Mailbox | None, form: forms.Form, *, title: str, back: str
) -> HttpResponse:
    actor = place.person(request)

    def work(data: dict[str, Any]) -> SpamPolicy:
        return spam.set_thresholds(tenant, mailbox, actor=actor, **{name: data[name] for name in spam.NAMES})

    if request.method == "POST" and place.try_form(form, work):
        messages.success(request, _("Saved. It holds for mail that comes from now on."))
        return redirect(back)
    lead = _("Each mail has a spam score; honest mail has less than 3. What a score leads to is said here.")
    return place.form_page(request, tenant, form, title=title, label=_("Save"), back=back, lead=lead)


@place.for_admins
def kept(request: HttpRequest, tenant: Tenant) -> HttpResponse:
    rows = Quarantined.objects.filter(tenant=tenant)
    found, first, following = place.newest_first(request, rows)
    context = {"tenant": tenant, "rows": found, "first": first, "following": following}
    return render(request, "web/quarantine.html", context)


def _entry(request: HttpRequest, tenant: Tenant, public_id: str) -> Quarantined:
    mine = Quarantined.objects.visible_to(place.person(request)).filter(tenant=tenant)
    return get_object_or_404(mine, public_id=public_id)


@place.for_admins
def release(request: HttpRequest, tenant: Tenant, public_id: str) -> HttpResponse:
    entry, error = _entry(request, tenant, public_id), ""
    back = reverse("web:quarantine", args=[tenant.slug])
    if request.method == "POST":
        try:
            quarantine.release(entry, actor=place.person(request))
        except MailError as refused:
            error = refused.public
        else:
            messages.success(request, _("It is in the Inbox of %s now.") % entry.recipient)
            return redirect(back)
    return place.confirm_page(
        request, tenant, title=_("Release “%s”?") % entry, label=_("Release"), back=back, error=error,
        text=_("It goes to the Inbox of %s as it came.") % entry.recipient,
    )  # fmt: skip


@place.for_admins
def remove(request: HttpRequest, tenant: Tenant, public_id: str) -> HttpResponse:
    entry, back = _entry(request, tenant, public_id), reverse("web:quarantine", args=[tenant.slug])
    if request.method == "POST":
        quarantine.discard(entry, actor=place.person(request))
        messages.success(request, _("Deleted for good."))
        return redirect(back)
    return place.confirm_page(
        request, tenant, title=_("Delete “%s”?") % entry, label=_("Delete for good"), back=back,
        text=_("%s will never see it.") % entry.recipient,
    )  # fmt: skip


routes = [
    path("o/<slug:slug>/quarantine/", kept, name="quarantine"),
    path("o/<slug:slug>/quarantine/scores/", of_tenant, name="spam"),
    path("o/<slug:slug>/quarantine/<slug:public_id>/release/", release, name="quarantine_release"),
    path("o/<slug:slug>/quarantine/<slug:public_id>/remove/", remove, name="quarantine_remove"),
    path("o/<slug:slug>/mailboxes/<slug:public_id>/scores/", of_mailbox, name="mailbox_spam"),
]
