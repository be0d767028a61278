"""Webhooks: addresses that hear what happens to the organisation's mail, and what they answered."""

from __future__ import annotations

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from hostmail.web import place
from mailcore import limits
from mailcore.errors import MailError
from mailcore.models import Tenant, Webhook
from mailcore.services import webhooks

_NAMES = {
    "filed": gettext_lazy("Mail arrived in a mailbox"),
    "submitted": gettext_lazy("Mail was sent from here"),
    "relayed": gettext_lazy("The other side has it"),
    "deferred": gettext_lazy("The other side wants it later"),
    "bounced": gettext_lazy("It could not be delivered"),
    "complained": gettext_lazy("Somebody called it spam"),
    "dropped": gettext_lazy("It was taken out of the queue"),
}


class WebhookForm(forms.Form):
    url = forms.CharField(
        label=gettext_lazy("Address of your program"), max_length=limits.WEBHOOK_URL_CHARS,
        help_text=gettext_lazy("It begins with https:// and answers with 2xx."),
        widget=forms.TextInput(attrs={"inputmode": "url", "autocapitalize": "none", "autocomplete": "off"}),
    )  # fmt: skip
    kinds = forms.MultipleChoiceField(
        label=gettext_lazy("Post when"), choices=[(kind, _NAMES[kind]) for kind in webhooks.KINDS],
        widget=forms.CheckboxSelectMultiple, initial=["relayed", "bounced"],
    )  # fmt: skip


def _webhook(request: HttpRequest, tenant: Tenant, public_id: str) -> Webhook:
    mine = Webhook.objects.visible_to(place.person(request)).filter(tenant=tenant)
    return get_object_or_404(mine, public_id=public_id)


@place.for_admins
@never_cache
def listing(request: HttpRequest, tenant: Tenant) -> HttpResponse:
    """The list with the form to add one. A new secret stands in the answer to the form and nowhere else."""
    form, actor = WebhookForm(request.POST or None), place.person(request)
    made = secret = None
    if request.method == "POST" and (
        issued := place.try_form(
            form, lambda data: webhooks.add(tenant, data["url"], data["kinds"], actor=actor)
        )
    ):
        (made, secret), form = issued, WebhookForm()
    rows = Webhook.objects.filter(tenant=tenant)
    context = {"tenant": tenant, "form": form, "rows": rows, "made": made, "secret": secret}
    return render(request, "web/webhooks.html", context, status=422 if form.errors else 200)


@place.for_admins
def history(request: HttpRequest, tenant: Tenant, public_id: str) -> HttpResponse:
    webhook = _webhook(request, tenant, public_id)
    page, pager = place.page_of(request, webhook.posts.order_by("-pk"))
    context = {"tenant": tenant, "webhook": webhook, "page": page, "pager": pager}
    return render(request, "web/webhook.html", context)


@place.for_admins
@require_POST
def act(request: HttpRequest, tenant: Tenant, public_id: str) -> HttpResponse:
    """Switch on or off, try out, or post once more, as the button said."""
    webhook, actor = _webhook(request, tenant, public_id), place.person(request)
    verb = request.POST.get("do", "")
    try:
        if verb in ("on", "off"):
            webhooks.change(webhook, is_enabled=verb == "on", actor=actor)
            messages.success(request, _("It is on.") if verb == "on" else _("It is off."))
        elif verb == "test":
            webhooks.try_out(webhook, actor=actor)
            messages.success(request, _("A test is on its way."))
        else:
            post = get_object_or_404(webhook.posts, public_id=request.POST.get("post", ""))
            webhooks.replay(post, actor=actor)
            messages.success(request, _("It is posted once more."))
    except MailError as error:
        messages.error(request, error.public)
    return redirect("web:webhook", tenant.slug, webhook.public_id)


@place.for_admins
def remove(request: HttpRequest, tenant: Tenant, public_id: str) -> HttpResponse:
    webhook = _webhook(request, tenant, public_id)
    if request.method == "POST":
        webhooks.remove(webhook, actor=place.person(request))
        messages.success(request, _("Nothing is posted to %s any more.") % webhook)
        return redirect("web:webhooks", tenant.slug)
    return place.confirm_page(
        request, tenant, title=_("Remove %s?") % webhook,
        text=_("Nothing is posted there any more, and what was posted is forgotten."),
        label=_("Remove webhook"), back=reverse("web:webhooks", args=[tenant.slug]),
    )  # fmt: skip


_ONE = "o/<slug:slug>/webhooks/<slug:public_id>/"
routes = [
    path("o/<slug:slug>/webhooks/", listing, name="webhooks"),
    path(_ONE, history, name="webhook"),
    path(f"{_ONE}do/", act, name="webhook_act"),
    path(f"{_ONE}remove/", remove, name="webhook_remove"),
]
