"""What happened to mail, in sentences."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from hostmail.web import place
from mailcore.models import Event, Tenant

# kind -> sentence, icon, tone
SENTENCES = {
    "accepted": (gettext_noop("Mail from %(sender)s for %(recipient)s was accepted"), "inbox", "note"),
    "refused": (gettext_noop("Mail from %(sender)s for %(recipient)s was refused"), "circle-x", "bad"),
    "filed": (gettext_noop("Mail from %(sender)s was delivered to %(recipient)s"), "inbox", "ok"),
    "submitted": (gettext_noop("%(sender)s sent mail to %(recipient)s"), "send", "note"),
    "attempted": (gettext_noop("Delivery to %(recipient)s was tried"), "route", "note"),
    "deferred": (gettext_noop("Delivery to %(recipient)s is put off; we try again"), "clock", "wait"),
    "relayed": (gettext_noop("The server of %(recipient)s took the mail"), "circle-check", "ok"),
    "delivered": (gettext_noop("Mail was delivered to %(recipient)s"), "circle-check", "ok"),
    "bounced": (gettext_noop("Mail to %(recipient)s could not be delivered"), "triangle-alert", "bad"),
    "complained": (gettext_noop("Whoever reads %(recipient)s called the mail spam"), "triangle-alert", "bad"),
    "dropped": (gettext_noop("Mail to %(recipient)s was taken out of the queue"), "trash-2", "bad"),
    "fetched": (gettext_noop("A mail program fetched mail by POP3"), "download", "note"),
    "deleted": (gettext_noop("A mail program deleted mail"), "trash-2", "note"),
    "quarantined": (gettext_noop("Mail from %(sender)s for %(recipient)s is quarantined"), "shield", "wait"),
    "discarded": (gettext_noop("Mail was deleted from the quarantine of %(recipient)s"), "trash-2", "note"),
    "forwarded": (gettext_noop("Mail from %(sender)s was passed on to %(recipient)s"), "forward", "note"),
    "retried": (gettext_noop("Mail to %(recipient)s is tried at once"), "refresh-cw", "note"),
    "read": (gettext_noop("Mail was read"), "mail-open", "note"),
    "moved": (gettext_noop("Mail was moved to another folder"), "folder", "note"),
    "copied": (gettext_noop("Mail was copied to another folder"), "copy", "note"),
    "marked": (gettext_noop("Mail was marked as deleted"), "trash-2", "note"),
    "exported": (gettext_noop("A folder was exported"), "download", "note"),
    "held": (gettext_noop("Mail to %(recipient)s is held back"), "circle-pause", "wait"),
    "released": (gettext_noop("Mail to %(recipient)s goes on"), "circle-check", "note"),
    "stopped": (gettext_noop("Sending was stopped: the mailbox looks stolen"), "triangle-alert", "bad"),
    "lifted": (gettext_noop("The mailbox may send again"), "circle-check", "ok"),
}


@dataclass(frozen=True, slots=True)
class Shown:
    title: str
    text: str
    at: datetime
    icon: str
    kind: str
    trace: str


def shown(rows: Iterable[Event]) -> list[Shown]:
    """Events as people read them."""
    found = []
    for row in rows:
        sentence, icon, kind = SENTENCES.get(row.kind, (row.kind, "activity", "note"))
        names = {
            "sender": row.sender or _("a mail server"),
            "recipient": row.recipient or _("several people"),
        }
        title = _(sentence) % names if row.kind in SENTENCES else sentence
        data = row.data if isinstance(row.data, dict) else {}
        words = [data.get("subject"), data.get("reply") or data.get("reason")]
        found.append(
            Shown(
                title,
                " - ".join(str(word) for word in words if word),
                row.at,
                icon,
                kind,
                row.trace.partition("/")[0],
            )
        )
    return found


@place.for_admins
def listing(request: HttpRequest, tenant: Tenant) -> HttpResponse:
    """Newest first, by id: as fast on the last page as on the first."""
    query = request.GET.get("q", "").strip()[:320]
    rows = Event.objects.filter(tenant_id=tenant.pk)
    if query:
        rows = rows.filter(Q(trace__startswith=query) | Q(sender=query) | Q(recipient=query))
    found, first, following = place.newest_first(request, rows)
    context = {
        "tenant": tenant, "query": query, "events": shown(found), "next": following, "first": first,
    }  # fmt: skip
    return render(request, "web/events.html", context)


routes = [path("o/<slug:slug>/events/", listing, name="events")]
