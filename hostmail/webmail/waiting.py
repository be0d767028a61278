"""What waits to leave: letters for a later moment, and those on hold. Each can be taken back."""

from __future__ import annotations

from typing import Any

from django.contrib import messages as toasts
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from hostmail.webmail import listing as lists
from hostmail.webmail.compose import UNDO
from hostmail.webmail.place import Place, view
from mailcore.errors import BadValue, MailError, NotFound
from mailcore.models import QueueEntry, Rights, Submission
from mailcore.services import mailboxes, messages, outbound


@view(Rights.SEND_AS)
def waiting(request: HttpRequest, place: Place) -> HttpResponse:
    """The letters that wait, and how long each waits before it leaves."""
    error = ""
    if request.method == "POST":
        try:
            seconds = request.POST.get("undo_seconds", "")
            if seconds not in map(str, UNDO):
                raise BadValue
            mailboxes.set_undo(place.mailbox, int(seconds), actor=request.user)  # type: ignore[arg-type]
            toasts.success(request, _("Saved."))
            return redirect(place.url("waiting"))
        except MailError as refused:
            error = refused.public
    inbox = place.with_role("inbox") or place.folders[0]
    context: dict[str, Any] = lists.context(request, place, inbox)
    context |= {
        "error": error,
        "letters": [_shown(one) for one in outbound.later.waiting(place.mailbox.pk)],
        "undo": UNDO,
        "is_waiting": True,
    }
    return render(request, "webmail/waiting.html", context, status=422 if error else 200)


def _shown(sent: Submission) -> dict[str, Any]:
    entries = list(sent.entries.order_by("pk"))
    held = any(one.state == QueueEntry.State.HELD and one.held_because != "moment" for one in entries)
    return {
        "id": sent.public_id,
        "subject": messages.prepare(messages.raw_of(sent.content_id).header).index.subject,
        "recipients": ", ".join(one.recipient for one in entries[:10]),
        "at": sent.hold_until,
        "is_held": held,
    }


@require_POST
@view(Rights.SEND_AS)
def take_back(request: HttpRequest, place: Place, public_id: str) -> HttpResponse:
    """Make a letter that has not left a draft again."""
    sent = Submission.objects.filter(mailbox=place.mailbox, public_id=public_id).first()
    if sent is None:
        raise NotFound
    try:
        draft = outbound.later.back_to_drafts(sent, actor=request.user)  # type: ignore[arg-type]
    except MailError as refused:
        toasts.warning(request, refused.public)
        return redirect(place.url("mailbox"))
    if draft is None:
        toasts.success(request, _("Message taken back."))
        return redirect(place.url("waiting"))
    toasts.success(request, _("Message taken back; it is a draft again."))
    return redirect(place.url("edit", messages.folder_state(draft[0]).object_serial, draft[1]))
