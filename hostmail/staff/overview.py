"""The first page of the staff admin: what an operator looks at in the morning."""

from __future__ import annotations

from typing import Any

from django.db.models import Count, Min, Q, Sum
from django.http import HttpRequest
from django.utils.translation import gettext as _

from mailcore.models import Domain, Mailbox, QueueEntry, Tenant
from mailcore.outside import clock


def numbers(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Add the figures of the overview; settings.UNFOLD names this function."""
    waiting = QueueEntry.objects.filter(state=QueueEntry.State.WAITING).aggregate(
        total=Count("id"),
        deferred=Count("id", filter=Q(attempt_count__gt=0)),
        oldest=Min("created_at"),
    )
    boxes = Mailbox.objects.exclude(state=Mailbox.State.CLOSING).aggregate(
        total=Count("id"), used=Sum("used_octets")
    )
    oldest = waiting["oldest"]
    context["figures"] = [
        {"name": _("Organisations"), "value": Tenant.objects.count(), "path": "mailcore_tenant"},
        {"name": _("Mailboxes"), "value": boxes["total"], "path": "mailcore_mailbox"},
        {
            "name": _("Domains waiting for DNS"),
            "value": Domain.objects.filter(state=Domain.State.PENDING).count(),
            "path": "mailcore_domain",
        },
        {"name": _("Waiting in the queue"), "value": waiting["total"], "path": "mailcore_queueentry"},
        {"name": _("of these tried before"), "value": waiting["deferred"], "path": "mailcore_queueentry"},
        {
            "name": _("Oldest in the queue"),
            "value": _("%(minutes)d min") % {"minutes": (clock.now() - oldest).total_seconds() // 60}
            if oldest
            else "–",
            "path": "mailcore_queueentry",
        },
        {"name": _("Mail kept"), "octets": boxes["used"] or 0, "path": "mailcore_mailbox"},
    ]
    return context
