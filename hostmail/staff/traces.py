"""Where is my mail? For staff: of every organisation, as the customer sees it."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from hostmail import traces as shown
from hostmail.staff.base import actor
from mailcore.errors import MailError
from mailcore.models import QueueEntry, Tenant
from mailcore.services import queue, traces


def listing(request: HttpRequest) -> HttpResponse:
    result = shown.look_for(request.GET, None)
    names = Tenant.objects.in_bulk({row.story.tenant_id for row in result.rows})
    following = ""
    if result.following:
        parameters = request.GET.copy()
        parameters["before"] = result.following
        following = f"?{parameters.urlencode()}"
    context = {
        "result": result, "form": result.form, "next": following, "title": _("Where is my mail?"),
        "rows": [(row, names.get(row.story.tenant_id)) for row in result.rows],
    }  # fmt: skip
    return _page(request, "admin/traces.html", context, status=422 if result.form.errors else 200)


def telling(request: HttpRequest, tenant: int, trace: str) -> HttpResponse:
    story = traces.tell(tenant, trace)
    if story is None:
        raise Http404
    context = shown.page_of(story)
    context["title"] = story.subject or _("No subject")
    context["whose"] = Tenant.objects.filter(pk=tenant).first()
    return _page(request, "admin/trace.html", context)


@require_POST
def act(request: HttpRequest, tenant: int, trace: str) -> HttpResponse:
    """Try an entry now or release it, as the button said."""
    rows = QueueEntry.objects.filter(tenant_id=tenant, submission__trace=trace).select_related("submission")
    entry = get_object_or_404(rows, public_id=request.POST.get("entry", ""))
    verb = queue.release if request.POST.get("do") == "release" else queue.retry
    try:
        verb(entry, actor=actor(request))
    except MailError as error:
        messages.error(request, error.public)
    else:
        messages.success(request, _("It is tried now."))
    return redirect(reverse("admin:trace", args=[tenant, trace]))


def _page(
    request: HttpRequest, template: str, context: dict[str, Any], status: int | None = None
) -> HttpResponse:
    return render(request, template, {**admin.site.each_context(request), **context}, status=status)


def routes() -> list[URLPattern]:
    """For the admin of events, below whose address they stand; staff alone get there."""
    view = admin.site.admin_view
    return [
        path("traces/", view(listing), name="traces"),
        path("traces/<int:tenant>/<slug:trace>/", view(telling), name="trace"),
        path("traces/<int:tenant>/<slug:trace>/do/", view(act), name="trace_act"),
    ]
