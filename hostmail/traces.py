"""Mails that were looked for, as pages show them: the dashboard of an organisation and the staff's.

What there is to say is decided in mailcore/services/traces; here are its icons, tones and the form.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django import forms
from django.core.validators import MaxValueValidator, MinValueValidator
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from mailcore.message import clues
from mailcore.services import traces
from mailcore.services.traces import Outcome, Step, Story, words

_DAYS = [MinValueValidator(dt.date(1970, 1, 1)), MaxValueValidator(dt.date(2999, 12, 31))]

# kind -> icon, tone
_LOOKS = {
    "filed": ("inbox", "ok"), "accepted": ("inbox", "note"), "kept": ("archive", "note"),
    "reported": ("mail", "note"),
    "refused": ("circle-x", "bad"), "submitted": ("send", "note"), "forwarded": ("forward", "note"),
    "attempted": ("route", "note"), "deferred": ("clock", "wait"), "relayed": ("circle-check", "ok"),
    "bounced": ("triangle-alert", "bad"), "dropped": ("trash-2", "bad"), "held": ("circle-pause", "wait"),
    "discarded": ("trash-2", "bad"), "released": ("refresh-cw", "note"), "retried": ("refresh-cw", "note"),
    "quarantined": ("shield-alert", "wait"), "read": ("mail-open", "note"), "moved": ("folder", "note"),
    "copied": ("copy", "note"), "marked": ("trash-2", "note"), "deleted": ("trash-2", "note"),
    "complained": ("triangle-alert", "bad"),
    "fetched": ("download", "note"), "exported": ("download", "note"),
}  # fmt: skip
# state of an outcome -> state of components/_badge.html
_BADGES = {
    "delivered": "delivered", "relayed": "relayed", "sending": "queued", "waiting": "deferred",
    "held": "held", "bounced": "bounced", "dropped": "failed", "refused": "refused", "quarantined": "held",
}  # fmt: skip
_WORST = (
    "bounced",
    "refused",
    "held",
    "quarantined",
    "dropped",
    "waiting",
    "sending",
    "relayed",
    "delivered",
)


class FilterForm(forms.Form):
    q = forms.CharField(
        label=gettext_lazy("What you know of it"), required=False, strip=True,
        help_text=gettext_lazy("An address, words of the subject, a Message-ID or a trace."),
    )  # fmt: skip
    since = forms.DateField(
        label=gettext_lazy("From"), required=False, validators=_DAYS,
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
    )  # fmt: skip
    until = forms.DateField(
        label=gettext_lazy("Until"), required=False, validators=_DAYS,
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
    )  # fmt: skip


class PasteForm(forms.Form):
    header = forms.CharField(
        label=gettext_lazy("Header section"), strip=True,
        help_text=gettext_lazy("Its Received and Message-ID fields say which mail it is."),
        widget=forms.Textarea(attrs={"rows": 6, "spellcheck": "false", "autocomplete": "off"}),
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Listed:
    """One found mail."""

    story: Story
    whom: str
    headline: str
    badge: str
    label: str


@dataclass(frozen=True, slots=True)
class Result:
    """What a search page shows. following is the number for ?before= of the next page, "" on the last."""

    form: FilterForm
    rows: list[Listed]
    following: str
    is_filtered: bool


def look_for(parameters: Mapping[str, str], tenant_ids: Collection[int] | None) -> Result:
    """What ?q=, ?since=, ?until= and ?before= ask for; days are those of UTC."""
    form = FilterForm(parameters)
    form.is_valid()
    wanted = form.cleaned_data
    asked = traces.Asked(
        clues.read(wanted.get("q") or ""), _midnight(wanted.get("since")), _midnight(wanted.get("until"), 1)
    )
    given = parameters.get("before", "")
    before = int(given) if given.isascii() and given.isdigit() and len(given) < 19 else None
    found = traces.find(tenant_ids, asked, before=before)
    stories = traces.summaries([(hit.tenant_id, hit.trace) for hit in found.hits])
    following = "" if found.before is None else str(found.before)
    return Result(form, [listed(story) for story in stories], following, any(wanted.values()))


def _midnight(day: dt.date | None, later: int = 0) -> dt.datetime | None:
    if day is None:
        return None
    return dt.datetime.combine(day, dt.time(), dt.UTC) + dt.timedelta(days=later)


def listed(story: Story) -> Listed:
    """A mail in a list."""
    names = [one.recipient for one in story.outcomes if one.recipient]
    whom = ", ".join(names[:2])
    if len(names) > 2:
        more = len(names) - 2
        whom = ngettext("%(whom)s and %(more)d more", "%(whom)s and %(more)d more", more) % {
            "whom": whom, "more": more,
        }  # fmt: skip
    return Listed(story, whom or _("several people"), words.headline(story), badge(story), label(story))


def label(story: Story) -> str:
    """What the badge says where its own words are not right."""
    return _("In Junk") if _is_junk(story.outcomes) else ""


def _is_junk(outcomes: Sequence[Outcome]) -> bool:
    return bool(outcomes) and all(one.state == "delivered" and one.role == "junk" for one in outcomes)


def badge(story: Story) -> str:
    """The badge of the recipient with whom it stands worst."""
    if _is_junk(story.outcomes):
        return "differs"
    worst = min((_WORST.index(one.state) for one in story.outcomes), default=len(_WORST) - 1)
    return _BADGES[_WORST[worst]]


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the time line, as components/_event.html wants it."""

    title: str
    text: str
    at: dt.datetime
    icon: str
    kind: str


def line(step: Step, *, is_told: bool = False) -> Line:
    icon, tone = _LOOKS.get(step.kind, ("activity", "note"))
    return Line(words.line(step), " · ".join(words.details(step, is_told=is_told)), step.at, icon, tone)


@dataclass(frozen=True, slots=True)
class One:
    """One recipient of several."""

    outcome: Outcome
    text: str
    badge: str
    advice: words.Advice


def page_of(story: Story) -> dict[str, Any]:
    """What a template needs to tell one story."""
    several = len(story.outcomes) > 1
    tried = {step.recipient for step in story.steps if step.kind == "attempted"}
    ones = [
        One(one, words.sentence(story, one), _BADGES[one.state], words.advise(story, one))
        for one in (story.outcomes if several else ())
    ]
    return {
        "story": story, "headline": words.headline(story), "advice": words.advice(story),
        "badge": badge(story), "label": label(story), "ones": ones,
        "lines": [line(step, is_told=step.recipient in tried) for step in story.steps],
    }  # fmt: skip
