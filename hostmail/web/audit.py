"""Who did what in an organisation: in sentences, by person, kind and day, and as a CSV file."""

from __future__ import annotations

import csv
import datetime as dt
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django import forms
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.defaultfilters import filesizeformat
from django.urls import path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, gettext_noop

from hostmail.web import place
from hostmail.web.access import rights_text
from mailcore import limits
from mailcore.models import AuditEntry, Tenant

# Families of verbs -> what people call them, icon
KINDS = {
    "address": (gettext_lazy("Addresses and aliases"), "at-sign"),
    "app_password": (gettext_lazy("App passwords"), "smartphone"),
    "domain": (gettext_lazy("Domains"), "globe"),
    "folder": (gettext_lazy("Shared folders"), "folder"),
    "group": (gettext_lazy("Groups"), "list-checks"),
    "mailbox": (gettext_lazy("Mailboxes"), "mailbox"),
    "member": (gettext_lazy("Members"), "users"),
    "quarantine": (gettext_lazy("Quarantine"), "shield"),
    "queue": (gettext_lazy("The outbound queue"), "send"),
    "relay": (gettext_lazy("Relays"), "route"),
    "sender_rule": (gettext_lazy("Wanted and unwanted senders"), "shield"),
    "spam": (gettext_lazy("What is done with unwanted mail"), "shield-alert"),
    "sending": (gettext_lazy("Who may send"), "send"),
    "submission": (gettext_lazy("Mail being sent"), "send"),
    "suppression": (gettext_lazy("Suppressed addresses"), "shield-alert"),
    "tenant": (gettext_lazy("The organisation"), "building-2"),
    "token": (gettext_lazy("API keys"), "key-round"),
    "user": (gettext_lazy("People and passwords"), "user"),
    "webhook": (gettext_lazy("Webhooks"), "arrow-up-right"),
}
SENTENCES = {
    "address.add": gettext_noop("%(who)s added the address %(what)s"),
    "address.describe": gettext_noop("%(who)s changed the note of %(what)s"),
    "address.disable": gettext_noop("%(who)s turned %(what)s off"),
    "address.enable": gettext_noop("%(who)s turned %(what)s on"),
    "address.remove": gettext_noop("%(who)s removed the address %(what)s"),
    "address.targets": gettext_noop("%(who)s changed where %(what)s leads"),
    "app_password.add": gettext_noop("%(who)s made the app password %(what)s"),
    "app_password.revoke": gettext_noop("%(who)s revoked the app password %(what)s"),
    "domain.add": gettext_noop("%(who)s added the domain %(what)s"),
    "domain.alias": gettext_noop("%(who)s changed whose alias %(what)s is"),
    "domain.dmarc_policy": gettext_noop("%(who)s changed what becomes of forged mail for %(what)s"),
    "domain.new_key_signs": gettext_noop("The new key of %(what)s signs from now on"),
    "domain.newcomers": gettext_noop("%(who)s changed how %(what)s meets new senders"),
    "domain.remove": gettext_noop("%(who)s removed the domain %(what)s"),
    "domain.resume": gettext_noop("%(who)s let the domain %(what)s work again"),
    "domain.rotate_key": gettext_noop("%(who)s made a new signing key for %(what)s"),
    "domain.sts_mode": gettext_noop("%(who)s changed how strictly hosts must use TLS to %(what)s"),
    "domain.suspend": gettext_noop("%(who)s suspended the domain %(what)s"),
    "domain.trust": gettext_noop("%(who)s took %(what)s as proven without DNS"),
    "domain.unproven": gettext_noop("The domain %(what)s is no longer proven"),
    "domain.verified": gettext_noop("The domain %(what)s was found proven"),
    "folder.share": gettext_noop("%(who)s changed who may use folders of %(what)s"),
    "group.add": gettext_noop("%(who)s made the group %(what)s"),
    "group.change": gettext_noop("%(who)s changed the group %(what)s"),
    "group.remove": gettext_noop("%(who)s removed the group %(what)s"),
    "mailbox.create": gettext_noop("%(who)s created the mailbox %(what)s"),
    "mailbox.grant": gettext_noop("%(who)s gave somebody access to %(what)s"),
    "mailbox.preferences": gettext_noop("%(who)s changed the preferences of %(what)s"),
    "mailbox.quota": gettext_noop("%(who)s changed the room of %(what)s"),
    "mailbox.remove": gettext_noop("%(who)s removed the mailbox %(what)s"),
    "mailbox.rename": gettext_noop("%(who)s named the mailbox %(what)s anew"),
    "mailbox.resume": gettext_noop("%(who)s let %(what)s work again"),
    "mailbox.revoke": gettext_noop("%(who)s took somebody's access to %(what)s away"),
    "mailbox.suspend": gettext_noop("%(who)s suspended %(what)s"),
    "mailbox.undo": gettext_noop("%(who)s changed how long sending from %(what)s can be undone"),
    "mailbox.ways": gettext_noop("%(who)s changed by which ways %(what)s opens"),
    "member.add": gettext_noop("%(who)s made %(what)s a member"),
    "member.invite": gettext_noop("%(who)s invited %(what)s"),
    "member.join": gettext_noop("%(who)s accepted the invitation of %(what)s"),
    "member.remove": gettext_noop("%(who)s removed the member %(what)s"),
    "member.role": gettext_noop("%(who)s changed what %(what)s may do"),
    "member.withdraw": gettext_noop("%(who)s withdrew the invitation of %(what)s"),
    "quarantine.delete": gettext_noop("%(who)s deleted mail from the quarantine of %(what)s"),
    "quarantine.release": gettext_noop("%(who)s released mail from the quarantine of %(what)s"),
    "queue.drop": gettext_noop("%(who)s took mail to %(what)s out of the queue"),
    "queue.hold": gettext_noop("%(who)s put mail to %(what)s on hold"),
    "queue.release": gettext_noop("%(who)s released mail to %(what)s"),
    "queue.retry": gettext_noop("%(who)s had mail to %(what)s tried at once"),
    "relay.add": gettext_noop("%(who)s added the relay %(what)s"),
    "relay.change": gettext_noop("%(who)s changed the relay %(what)s"),
    "relay.remove": gettext_noop("%(who)s removed the relay %(what)s"),
    "relay.test": gettext_noop("%(who)s tried the relay %(what)s"),
    "sender_rule.add": gettext_noop("%(who)s said whom %(what)s wants mail from"),
    "sender_rule.remove": gettext_noop("%(who)s took back whom %(what)s wants mail from"),
    "sending.lift": gettext_noop("%(who)s let %(what)s send again"),
    "sending.stop": gettext_noop("%(who)s stopped %(what)s from sending"),
    "spam.thresholds": gettext_noop("%(who)s changed what happens to unwanted mail for %(what)s"),
    "submission.cancel": gettext_noop("%(who)s took back the sending of %(what)s"),
    "suppression.add": gettext_noop("%(who)s suppressed %(what)s"),
    "suppression.remove": gettext_noop("%(who)s let mail go to %(what)s again"),
    "tenant.create": gettext_noop("%(who)s founded %(what)s"),
    "tenant.remove": gettext_noop("%(who)s removed the organisation %(what)s"),
    "tenant.rename": gettext_noop("%(who)s renamed the organisation %(what)s"),
    "tenant.resume": gettext_noop("%(who)s let the organisation %(what)s work again"),
    "tenant.retention": gettext_noop("%(who)s changed how long %(what)s keeps things"),
    "tenant.source_pool": gettext_noop("%(who)s changed from which addresses mail of %(what)s leaves"),
    "tenant.suspend": gettext_noop("%(who)s suspended the organisation %(what)s"),
    "token.issue": gettext_noop("%(who)s made the API key %(what)s"),
    "token.revoke": gettext_noop("%(who)s revoked the API key %(what)s"),
    "user.activate": gettext_noop("%(who)s let %(what)s sign in again"),
    "user.create": gettext_noop("%(who)s made the account of %(what)s"),
    "user.deactivate": gettext_noop("%(who)s kept %(what)s from signing in"),
    "user.password": gettext_noop("%(who)s changed the password of %(what)s"),
    "user.recovery": gettext_noop("%(who)s changed the recovery address of %(what)s"),
    "user.remove": gettext_noop("%(who)s removed the account of %(what)s"),
    "user.revoke_everything": gettext_noop("%(who)s ended all keys and sessions of %(what)s"),
    "webhook.add": gettext_noop("%(who)s added the webhook %(what)s"),
    "webhook.change": gettext_noop("%(who)s changed the webhook %(what)s"),
    "webhook.remove": gettext_noop("%(who)s removed the webhook %(what)s"),
    "webhook.replay": gettext_noop("%(who)s had the webhook %(what)s posted to once more"),
    "webhook.test": gettext_noop("%(who)s tried the webhook %(what)s"),
}
_DAYS = [MinValueValidator(dt.date(1970, 1, 1)), MaxValueValidator(dt.date(2999, 12, 31))]


class FilterForm(forms.Form):
    who = forms.CharField(label=gettext_lazy("Person"), max_length=254, required=False)
    kind = forms.ChoiceField(
        label=gettext_lazy("About"), required=False,
        choices=[("", gettext_lazy("Everything")), *((kind, name) for kind, (name, _icon) in KINDS.items())],
    )  # fmt: skip
    since = forms.DateField(
        label=gettext_lazy("From"), required=False, validators=_DAYS,
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
    )  # fmt: skip
    until = forms.DateField(
        label=gettext_lazy("Until"), required=False, validators=_DAYS,
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Shown:
    title: str
    text: str
    at: dt.datetime
    icon: str


def shown(rows: Iterable[AuditEntry]) -> list[Shown]:
    """Entries as people read them."""
    found = []
    for row in rows:
        names = {"who": row.actor_name, "what": row.object_name}
        sentence = SENTENCES.get(row.verb)
        title = _(sentence) % names if sentence else f"{row.actor_name}: {row.verb} {row.object_name}"
        text = " - ".join(filter(None, (_told(row.data), row.address or "")))
        icon = KINDS.get(row.verb.partition(".")[0], ("", "activity"))[1]
        found.append(Shown(title, text, row.at, icon))
    return found


def _told(data: Any) -> str:
    """The particulars in one line."""
    if not isinstance(data, Mapping):
        return ""
    parts = []
    for name, value in data.items():
        words = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
        if name == "quota" and isinstance(value, int):
            words = filesizeformat(value)
        elif name == "rights" and isinstance(value, int):
            words = rights_text(value)
        parts.append(f"{str(name).replace('_', ' ')}: {words}")
    return "; ".join(parts)[:500]


def _matching(tenant: Tenant, asked: Mapping[str, Any]) -> QuerySet[AuditEntry]:
    rows = AuditEntry.objects.filter(tenant=tenant)
    if asked.get("who"):
        rows = rows.filter(actor_name__icontains=asked["who"])
    if asked.get("kind"):
        rows = rows.filter(verb__startswith=f"{asked['kind']}.")
    if asked.get("since"):
        rows = rows.filter(at__gte=_midnight(asked["since"]))
    if asked.get("until"):
        rows = rows.filter(at__lt=_midnight(asked["until"]) + dt.timedelta(days=1))
    return rows


def _midnight(day: dt.date) -> dt.datetime:
    return dt.datetime.combine(day, dt.time(), dt.UTC)


def _asked(request: HttpRequest) -> tuple[FilterForm, dict[str, Any]]:
    """The form as filled in, and those of its values that make sense."""
    form = FilterForm(request.GET)
    form.is_valid()
    return form, form.cleaned_data


@place.for_admins
def listing(request: HttpRequest, tenant: Tenant) -> HttpResponse:
    form, asked = _asked(request)
    found, newest, following = place.newest_first(request, _matching(tenant, asked))
    parameters = request.GET.copy()
    parameters.pop("before", None)
    context = {
        "tenant": tenant, "form": form, "entries": shown(found), "first": newest, "next": following,
        "is_filtered": any(asked.values()),
        "csv_url": f"{reverse('web:audit_csv', args=[tenant.slug])}?{parameters.urlencode()}",
    }  # fmt: skip
    return render(request, "web/audit.html", context, status=422 if form.errors else 200)


@place.for_admins
def as_csv(request: HttpRequest, tenant: Tenant) -> HttpResponse:
    """The newest entries that match, at most limits.AUDIT_CSV_ROWS; a shorter time gives the older ones."""
    _form, asked = _asked(request)
    text = io.StringIO()
    sheet = csv.writer(text)
    sheet.writerow(["at", "who", "did", "kind", "what", "from", "particulars"])
    for row in _matching(tenant, asked).order_by("-id")[: limits.AUDIT_CSV_ROWS]:
        cells = (
            row.actor_name,
            row.verb,
            row.object_kind,
            row.object_name,
            row.address or "",
            _told(row.data),
        )
        sheet.writerow([row.at.isoformat(), *map(_cell, cells)])
    response = HttpResponse(text.getvalue(), content_type="text/csv; charset=utf-8")
    response.headers["Content-Disposition"] = f'attachment; filename="{tenant.slug}-audit.csv"'
    return response


def _cell(value: str) -> str:
    """A text that spreadsheets do not take for a formula: names in it were typed by strangers."""
    return f"'{value}" if value.startswith(("=", "+", "-", "@", "\t", "\r")) else value


routes = [
    path("o/<slug:slug>/audit/", listing, name="audit"),
    path("o/<slug:slug>/audit/csv/", as_csv, name="audit_csv"),
]
