"""Where is my mail? Found by whatever one knows of it, and told in a sentence, with what to do next."""

from __future__ import annotations

from urllib.parse import urlencode

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path, reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from hostmail import traces as shown
from hostmail.web import place
from mailcore.errors import MailError
from mailcore.message import clues
from mailcore.models import Quarantined, QueueEntry, Tenant
from mailcore.services import quarantine, queue, traces


@place.for_admins
def listing(request: HttpRequest, tenant: Tenant) -> HttpResponse:
    result = shown.look_for(request.GET, [tenant.pk])
    parameters = request.GET.copy()
    before = parameters.pop("before", None)
    first = f"{request.path}?{parameters.urlencode()}" if before else ""
    following = ""
    if result.following:
        parameters["before"] = result.following
        following = f"?{parameters.urlencode()}"
    context = {
        "tenant": tenant, "result": result, "form": result.form, "paste": shown.PasteForm(),
        "first": first, "next": following,
    }  # fmt: skip
    return render(request, "web/traces.html", context, status=422 if result.form.errors else 200)


@place.for_admins
@require_POST
def paste(request: HttpRequest, tenant: Tenant) -> HttpResponse:
    """Find the mail whose header section was pasted, by the first thing in it that names one."""
    found = clues.of_header(request.POST.get("header", ""))
    where = reverse("web:traces", args=[tenant.slug])
    for name in (*found.ids, *(f"<{message_id}>" for message_id in found.message_ids)):
        if traces.find([tenant.pk], traces.Asked(clues.read(name))).hits:
            return redirect(f"{where}?{urlencode({'q': name})}")
    messages.error(request, _("No mail of this organisation has these Received or Message-ID fields."))
    return redirect(where)


@place.for_admins
def telling(request: HttpRequest, tenant: Tenant, trace: str) -> HttpResponse:
    story = traces.tell(tenant.pk, trace)
    if story is None:
        raise Http404
    return render(request, "web/trace.html", {"tenant": tenant, **shown.page_of(story)})


@place.for_admins
@require_POST
def act(request: HttpRequest, tenant: Tenant, trace: str) -> HttpResponse:
    """Try an entry now, or release it from the queue or from quarantine, as the button said."""
    if request.POST.get("do") == "unquarantine":
        return _release(request, tenant, trace)
    mine = QueueEntry.objects.visible_to(place.person(request)).filter(tenant=tenant, submission__trace=trace)
    entry = get_object_or_404(mine.select_related("submission"), public_id=request.POST.get("entry", ""))
    verb = queue.release if request.POST.get("do") == "release" else queue.retry
    try:
        verb(entry, actor=place.person(request))
    except MailError as error:
        messages.error(request, error.public)
    else:
        messages.success(request, _("It is tried now."))
    return redirect("web:trace", tenant.slug, trace)


def _release(request: HttpRequest, tenant: Tenant, trace: str) -> HttpResponse:
    rows = Quarantined.objects.filter(tenant_id=tenant.pk, trace__startswith=trace)
    kept = get_object_or_404(rows, public_id=request.POST.get("entry", ""))
    try:
        quarantine.release(kept, actor=place.person(request))
    except MailError as error:
        messages.error(request, error.public)
    else:
        messages.success(request, _("It is in the Inbox now."))
    return redirect("web:trace", tenant.slug, trace)


_ALL = "o/<slug:slug>/traces/"
routes = [
    path(_ALL, listing, name="traces"),
    path(f"{_ALL}header/", paste, name="trace_paste"),
    path(f"{_ALL}<slug:trace>/", telling, name="trace"),
    path(f"{_ALL}<slug:trace>/do/", act, name="trace_act"),
]
