"""What a mailbox's people say about its senders, and what they do with mail that is kept in quarantine."""

from __future__ import annotations

from collections.abc import Sequence

from django.contrib import messages as toasts
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _

from hostmail.webmail import listing as lists
from hostmail.webmail.place import Place, view
from mailcore.errors import BadValue, Forbidden, MailError, NotFound
from mailcore.message import fields
from mailcore.models import Quarantined, Rights, SenderRule
from mailcore.services import messages, quarantine, sender_rules
from mailcore.services.messages import FolderState, listing

SHOWN = 200  # of the quarantine, the newest first; what is done with them lets the others move up


@view()
def kept(request: HttpRequest, place: Place) -> HttpResponse:
    """The quarantine: released, also with its author allowed, or deleted."""
    rows = Quarantined.objects.filter(mailbox=place.mailbox)
    error = ""
    if request.method == "POST":
        place.need(Rights.WRITE)
        entry = rows.filter(public_id=request.POST.get("id", "")[:24]).first()
        try:
            if entry is None:
                raise NotFound
            toasts.success(request, _decide(request, entry, request.POST.get("action", "")))
            return redirect(place.url("quarantine"))
        except MailError as refused:
            error = refused.public
    context = _context(request, place) | {
        "error": error,
        "entries": rows.order_by("-pk")[:SHOWN],
        "is_quarantine": True,
    }
    return render(request, "webmail/quarantine.html", context, status=422 if error else 200)


def _decide(request: HttpRequest, entry: Quarantined, action: str) -> str:
    actor = request.user
    if action in ("release", "allow"):
        quarantine.release(entry, actor=actor, allow=action == "allow")  # type: ignore[arg-type]
        return _("It is in the Inbox now.")
    if action == "delete":
        quarantine.discard(entry, actor=actor)  # type: ignore[arg-type]
        return _("Deleted for good.")
    raise BadValue


@view(Rights.WRITE)
def senders(request: HttpRequest, place: Place) -> HttpResponse:
    """Who is always wanted here, and who never: added and taken back."""
    error, who = "", ""
    if request.method == "POST":
        who = request.POST.get("who", "").strip()[:320]
        try:
            toasts.success(request, _say(request, place, who, request.POST.get("action", "")))
            return redirect(place.url("senders"))
        except MailError as refused:
            error = refused.public
    context = _context(request, place) | {
        "error": error,
        "who": who,
        "rules": SenderRule.objects.filter(mailbox=place.mailbox),
        "is_senders": True,
    }
    return render(request, "webmail/senders.html", context, status=422 if error else 200)


def say_of(
    request: HttpRequest, place: Place, ticked: Sequence[tuple[FolderState, list[int]]], what: str
) -> str:
    """What the menu of a message says of its author: block, block_domain or want. Raises MailError."""
    if place.guest is not None:
        raise Forbidden(_("Only the people of a mailbox say whom it wants to hear from."))
    ((state, uids),) = ticked
    row = listing.by_uid(state.folder_id, uids[0])
    if row is None:
        raise NotFound
    raw = messages.raw_of(row.content_id).raw
    authors = sender_rules.authors_of(raw[: fields.body_start(raw)])
    if len(authors) != 1:
        raise BadValue(_("This message does not name one author."))
    action, _underscore, part = what.partition("_")
    who = "@" + authors[0].rpartition("@")[2] if part == "domain" else authors[0]
    return _say(request, place, who, action)


def _say(request: HttpRequest, place: Place, who: str, action: str) -> str:
    actor = request.user
    if action == "remove":
        sender_rules.remove(place.mailbox, who, actor=actor)  # type: ignore[arg-type]
        return _("Nothing is said of %s any more.") % who
    if action not in ("want", "block"):
        raise BadValue
    is_wanted = action == "want"
    rule = sender_rules.add(place.mailbox, who, is_wanted=is_wanted, actor=actor)  # type: ignore[arg-type]
    if is_wanted:
        return _("Mail of %s comes to the Inbox if it is proven to be theirs.") % rule
    return _("Mail of %s goes to Junk from now on.") % rule


def _context(request: HttpRequest, place: Place) -> dict[str, object]:
    return lists.context(request, place, place.with_role("inbox") or place.folders[0])
