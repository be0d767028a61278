"""The list: a folder's messages in pages, or what a search finds in it or in all of a mailbox."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import formats, timezone
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from hostmail.webmail import query
from hostmail.webmail.place import FolderLink, Place, label_of, mailboxes_of, shared_with, view
from mailcore import limits
from mailcore.message import flags
from mailcore.message.address import parse_list
from mailcore.models import Right
from mailcore.outside import clock
from mailcore.services.messages import FolderState, listing
from mailcore.services.messages.listing import Found, Listed

# Searched by themselves only: nobody looks for what was thrown away.
APART = ("junk", "trash")


@dataclass(frozen=True, slots=True)
class Asked:
    """Which part of which list a page shows: what its address says behind the question mark."""

    query: str = ""
    here_only: bool = False
    before: int | None = None
    after: int | None = None

    @classmethod
    def of(cls, request: HttpRequest) -> Asked:
        given = request.GET
        text = given.get("q", "").replace("\0", "").strip()[: limits.SEARCH_CHARS]
        return cls(text, given.get("in") == "here", number(given.get("before")), number(given.get("after")))

    def text(self, **changes: Any) -> str:
        """As the end of an address, with some of it changed."""
        values = {
            "q": self.query,
            "in": "here" if self.query and self.here_only else "",
            "before": self.before,
            "after": self.after,
        }
        kept = {name: value for name, value in (values | changes).items() if value}
        return f"?{urlencode(kept)}" if kept else ""


def number(text: str | None) -> int | None:
    digits = limits.SERIAL_DIGITS
    return int(text) if text and text.isascii() and text.isdigit() and len(text) <= digits else None


@login_required
def home(request: HttpRequest) -> HttpResponse:
    mailboxes = mailboxes_of(request)
    if not mailboxes:
        return render(request, "webmail/none.html")
    return redirect("webmail:mailbox", mailboxes[0].public_id)


@view(guests=True)
def mailbox(request: HttpRequest, place: Place) -> HttpResponse:
    inbox = place.with_role("inbox") or place.folders[0]
    return redirect(place.url("folder", inbox.object_serial))


@view(guests=True)
def folder(request: HttpRequest, place: Place, serial: int) -> HttpResponse:
    return render(request, "webmail/folder.html", context(request, place, place.folder(serial)))


def context(
    request: HttpRequest, place: Place, state: FolderState, opened: Listed | None = None
) -> dict[str, Any]:
    """What every page beside a list needs."""
    asked = Asked.of(request)
    here = place.url("folder", state.object_serial)
    tree = place.tree()
    made = {
        "place": place,
        "mailboxes": mailboxes_of(request),
        "shared": shared_with(request),
        "tree": tree,
        "folders": tree.links(),
        "state": state,
        "label": label_of(state),
        "here": here,
        "query": asked.query,
        "here_only": asked.here_only,
        "query_string": asked.text(),
        "page_url": here + asked.text(),
        "back": here + asked.text(),
        "targets": targets(place),
    }
    if asked.query:
        return made | _searched(place, state, asked, here, opened)
    return made | _paged(place, state, asked, here, opened)


def targets(place: Place) -> list[FolderLink]:
    """Where messages may be moved."""
    return [link for link in place.links() if place.may(link.state, Right.INSERT)]


def _paged(
    place: Place, state: FolderState, asked: Asked, here: str, opened: Listed | None
) -> dict[str, Any]:
    page = listing.list_page(state.folder_id, before=asked.before, after=asked.after)
    rows = page.rows
    newer = asked.text(before=None, after=rows[0].uid) if page.has_newer and rows else asked.text(before=None)
    return {
        "rows": [shown(place, state, row, opened) for row in rows],
        "newer": here + newer if page.has_newer else "",
        "older": here + asked.text(after=None, before=rows[-1].uid) if page.has_older else "",
        "is_first": not page.has_newer,
    }


def _searched(
    place: Place, state: FolderState, asked: Asked, here: str, opened: Listed | None
) -> dict[str, Any]:
    is_everywhere = not asked.here_only and state.role not in APART and place.guest is None
    found = listing.search_page(
        place.mailbox.pk,
        query.parse(asked.query),
        folder_id=None if is_everywhere else state.folder_id,
        before=asked.before,
    )
    rows = []
    for row in found.rows:
        lies_in = place.known(row.folder_id)
        if lies_in is not None:
            rows.append(shown(place, lies_in, row, opened, is_everywhere=is_everywhere))
    may_widen = asked.here_only and state.role not in APART and place.guest is None
    goes_on = found.next_before is not None
    return {
        "rows": rows,
        "label": _("Results"),
        "is_everywhere": is_everywhere,
        "wider": here + Asked(asked.query).text() if may_widen else "",
        "narrower": here + Asked(asked.query, here_only=True).text() if is_everywhere else "",
        "folder_label": label_of(state),
        "newer": here + asked.text(before=None) if asked.before else "",
        "older": here + asked.text(before=found.next_before) if goes_on else "",
        "is_first": asked.before is None,
        "notes": _notes(found),
    }


def _notes(found: Found) -> list[str]:
    """What a search left out, so that nobody takes its silence for an answer."""
    notes = []
    if found.is_partial:
        notes.append(
            _("Of %d messages the whole text was searched, of others subject, people and beginning.")
            % limits.SEARCH_BODIES
        )
    if found.next_before is not None and len(found.rows) < limits.PAGE_ROWS:
        text = ngettext("%d message was looked at.", "%d messages were looked at.", found.looked_at)
        notes.append(text % found.looked_at)
    return notes


def shown(
    place: Place,
    state: FolderState,
    row: Listed,
    opened: Listed | None = None,
    *,
    is_everywhere: bool = False,
) -> dict[str, Any]:
    """One row as its template shows it."""
    is_ours = state.role in ("sent", "drafts")
    people = parse_list(row.to_text if is_ours else row.from_text)
    names = ", ".join(one.name or one.address for one in people[:3])
    is_draft = row.has(flags.DRAFT) and state.role == "drafts" and place.may_send
    when = moment(row.date)
    return {
        "key": f"{state.object_serial}.{row.uid}",
        "url": place.url("edit" if is_draft else "message", state.object_serial, row.uid),
        "is_draft": is_draft,
        "name": names or (_("(no recipient)") if is_ours else _("(nobody)")),
        "is_to": is_ours and bool(names),
        "subject": row.subject or _("(no subject)"),
        "preview": row.preview,
        "is_unread": not row.has(flags.SEEN),
        "is_starred": row.has(flags.FLAGGED),
        "is_answered": row.has(flags.ANSWERED),
        "is_opened": opened is not None and row.serial == opened.serial,
        "has_attachments": row.has_attachments,
        "folder": label_of(state) if is_everywhere else "",
        "date": when,
        "when": brief(when),
    }


def moment(epoch: int | None) -> dt.datetime | None:
    """A time as templates show it; None when it is none."""
    try:
        return None if epoch is None else timezone.localtime(dt.datetime.fromtimestamp(epoch, dt.UTC))
    except (ValueError, OverflowError, OSError):
        return None


def brief(when: dt.datetime | None) -> str:
    """A time in a list: the hour today, else the day, with its year when that is another."""
    if when is None:
        return ""
    now = timezone.localtime(clock.now())
    if when.date() == now.date():
        return formats.date_format(when, "H:i")
    return formats.date_format(when, "j M" if when.year == now.year else "j M Y")
