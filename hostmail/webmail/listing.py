"""The list: a folder's messages in pages, or what a search finds in it."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.http import urlencode
from django.utils.translation import gettext as _

from hostmail.webmail.place import Place, label_of, mailboxes_of, view
from mailcore import limits
from mailcore.message import flags
from mailcore.message.address import parse_list
from mailcore.services.messages import FolderState, listing
from mailcore.services.messages.listing import Listed

FIELDS = ("from", "to", "subject")


@login_required
def home(request: HttpRequest) -> HttpResponse:
    mailboxes = mailboxes_of(request)
    if not mailboxes:
        return render(request, "webmail/none.html")
    return redirect("webmail:mailbox", mailboxes[0].public_id)


@view()
def mailbox(request: HttpRequest, place: Place) -> HttpResponse:
    inbox = place.with_role("inbox") or place.folders[0]
    return redirect(place.url("folder", inbox.object_serial))


@view()
def folder(request: HttpRequest, place: Place, serial: int) -> HttpResponse:
    return render(request, "webmail/folder.html", context(request, place, place.folder(serial)))


def context(
    request: HttpRequest, place: Place, state: FolderState, current: int | None = None
) -> dict[str, Any]:
    """What every page beside a list needs."""
    query = request.GET.get("q", "").replace("\0", "").strip()[:200]
    before = _number(request.GET.get("before"))
    rows = listing.search_page(state.folder_id, words_of(query), before, limits.LIST_PAGE + 1)
    more = len(rows) > limits.LIST_PAGE
    rows = rows[: limits.LIST_PAGE]
    here = place.url("folder", state.object_serial)
    kept: dict[str, str] = {"q": query} if query else {}
    older = f"{here}?{urlencode({**kept, 'before': str(rows[-1].uid)})}" if more else ""
    return {
        "place": place,
        "mailboxes": mailboxes_of(request),
        "folders": place.links(),
        "state": state,
        "label": label_of(state),
        "here": here,
        "query": query,
        "query_string": f"?{urlencode(kept)}" if kept else "",
        "rows": [shown(place, state, row, current) for row in rows],
        "older": older,
        "newest": f"{here}?{urlencode(kept)}" if before else "",
        "is_first": before is None,
        "page_url": request.get_full_path() if request.path == here else here,
        "targets": [link for link in place.links() if link.state.folder_id != state.folder_id],
        "searched": limits.LIST_SEARCHED,
    }


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 11 else None


def words_of(query: str) -> list[tuple[str, str]]:
    """from:carol subject:"new contract" hello -> pairs of field and text."""
    pairs: list[tuple[str, str]] = []
    field, text, quoted = "", "", False
    for char in query + " ":
        if char == '"':
            quoted = not quoted
        elif char == ":" and not quoted and not field and text.lower() in FIELDS:
            field, text = text.lower(), ""
        elif char.isspace() and not quoted:
            if text:
                pairs.append((field, text))
            field, text = "", ""
        else:
            text += char
    if text.strip():
        pairs.append((field, text.strip()))
    return pairs


def shown(place: Place, state: FolderState, row: Listed, current: int | None = None) -> dict[str, Any]:
    """One row as its template shows it."""
    people = parse_list(row.to_text if state.role in ("sent", "drafts") else row.from_text)
    name = ", ".join(one.name or one.address for one in people[:3]) or _("(nobody)")
    is_draft = bool(row.flags & flags.DRAFT) and place.may_send
    return {
        "uid": row.uid,
        "url": place.url("edit", state.object_serial, row.uid)
        if is_draft
        else place.url("message", state.object_serial, row.uid),
        "is_draft": is_draft,
        "name": name,
        "subject": row.subject or _("(no subject)"),
        "preview": row.preview,
        "is_unread": not row.flags & flags.SEEN,
        "is_starred": bool(row.flags & flags.FLAGGED),
        "is_answered": bool(row.flags & flags.ANSWERED),
        "is_current": row.uid == current,
        "has_attachments": row.has_attachments,
        "date": moment(row.date),
    }


def moment(epoch: int | None) -> dt.datetime | None:
    """A time as templates show it; None when it is none."""
    try:
        return None if epoch is None else timezone.localtime(dt.datetime.fromtimestamp(epoch, dt.UTC))
    except (ValueError, OverflowError, OSError):
        return None
