"""What a mailbox has sent today and may send, and letting it go on after it was stopped."""

from __future__ import annotations

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
from mailcore import limits
from mailcore.models import Allowance, Mailbox, Tenant
from mailcore.services import allowances, stops


class LimitsForm(forms.Form):
    """Empty is "as the service has it"."""

    recipients = forms.IntegerField(
        label=gettext_lazy("Recipients outside"), required=False, min_value=0, max_value=limits.SENDING_MOST
    )
    first = forms.IntegerField(
        label=gettext_lazy("Of these, written to for the first time"), required=False, min_value=0,
        max_value=limits.SENDING_MOST,
        help_text=gettext_lazy("A day. Empty: as the service allows. More than that is not possible here."),
    )  # fmt: skip


def context_of(mailbox: Mailbox) -> dict[str, Any]:
    """For the mailbox's page."""
    row = Allowance.objects.filter(mailbox=mailbox).first()
    return {"sending": allowances.today(mailbox), "stopped": row if row and row.stopped_at else None}


def _mailbox(request: HttpRequest, tenant: Tenant, public_id: str) -> Mailbox:
    mine = Mailbox.objects.visible_to(place.person(request)).exclude(state=Mailbox.State.CLOSING)
    return get_object_or_404(mine, tenant=tenant, public_id=public_id)


@place.for_admins
def set_limits(request: HttpRequest, tenant: Tenant, public_id: str) -> HttpResponse:
    mailbox = _mailbox(request, tenant, public_id)
    row = Allowance.objects.filter(mailbox=mailbox).first() or Allowance()
    initial = {"recipients": row.recipient_limit, "first": row.first_limit}
    form = LimitsForm(request.POST if request.method == "POST" else None, initial=initial)
    back = reverse("web:mailbox", args=[tenant.slug, mailbox.public_id])

    def change(data: dict[str, Any]) -> bool:
        allowances.set_limits(
            mailbox, recipients=data["recipients"], first=data["first"], actor=place.person(request)
        )
        return True

    if request.method == "POST" and place.try_form(form, change):
        messages.success(request, _("Saved."))
        return redirect(back)
    title = _("What %s may send") % mailbox
    return place.form_page(request, tenant, form, title=title, label=_("Save"), back=back)


@place.for_admins
@require_POST
def resume(request: HttpRequest, tenant: Tenant, public_id: str) -> HttpResponse:
    mailbox = _mailbox(request, tenant, public_id)
    stops.lift(mailbox, actor=place.person(request))
    messages.success(request, _("%s may send again.") % mailbox)
    return redirect("web:mailbox", tenant.slug, mailbox.public_id)


_ONE = "o/<slug:slug>/mailboxes/<slug:public_id>/"
routes = [
    path(f"{_ONE}sending/", set_limits, name="mailbox_sending"),
    path(f"{_ONE}sending/resume/", resume, name="mailbox_sending_resume"),
]
