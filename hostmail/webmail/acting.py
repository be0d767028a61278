"""What is done to messages and folders: flags, moves, deleting, junk; making, renaming, removing folders."""

from __future__ import annotations

from django.contrib import messages as toasts
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST

from hostmail.webmail import listing as lists
from hostmail.webmail.place import Place, view
from mailcore.errors import BadValue, MailError, NotFound
from mailcore.imap.wire.seqset import collect
from mailcore.message import flags
from mailcore.models import Rights
from mailcore.services import folders, messages
from mailcore.services.messages import FolderState, listing

FLAGS = {
    "read": (flags.SEEN, 0), "unread": (0, flags.SEEN),
    "star": (flags.FLAGGED, 0), "unstar": (0, flags.FLAGGED),
}  # fmt: skip
MOVES = {"archive": "archive", "junk": "junk", "not_junk": "inbox", "delete": "trash"}


@require_POST
@view(Rights.WRITE)
def act(request: HttpRequest, place: Place, serial: int) -> HttpResponse:
    """One action on the uids that were ticked; the star of a row names its own."""
    state = place.folder(serial)
    if star := request.POST.get("star"):
        _star(state, _uids([star]))
    else:
        uids = _uids(request.POST.getlist("uid"))
        if uids:
            toasts.success(request, _do(request, place, state, uids))
        else:
            toasts.warning(request, _("Select messages first."))
    onward = request.POST.get("next", "")
    if not url_has_allowed_host_and_scheme(onward, None) or not onward.startswith("/mail/"):
        onward = place.url("folder", serial)
    return redirect(onward)


def _uids(values: list[str]) -> list[int]:
    """Raises BadValue."""
    if not all(value.isascii() and value.isdigit() and len(value) < 11 for value in values):
        raise BadValue
    return sorted({int(value) for value in values})


def _star(state: FolderState, uids: list[int]) -> None:
    row = listing.by_uid(state.folder_id, uids[0])
    if row is None:
        raise NotFound
    add, remove = FLAGS["unstar" if row.flags & flags.FLAGGED else "star"]
    messages.set_flags(state.folder_id, collect(uids), add=add, remove=remove, via="webmail")


def _do(request: HttpRequest, place: Place, state: FolderState, uids: list[int]) -> str:
    """Do it; the words that say so. Raises NotFound, BadValue."""
    action, ranges = request.POST.get("action", ""), collect(uids)
    if move := request.POST.get("move"):
        target = place.folder(_uids([move])[0])
        done = messages.move(state.folder_id, ranges, target.folder_id, via="webmail")
        return _moved(len(done.source_uids), target.name)
    if action in FLAGS:
        add, remove = FLAGS[action]
        changed = messages.set_flags(state.folder_id, ranges, add=add, remove=remove, via="webmail")
        return ngettext("Changed %d message.", "Changed %d messages.", len(changed.uids)) % len(changed.uids)
    if action == "delete" and state.role == "trash":
        gone = messages.expunge(state.folder_id, ranges, only_deleted=False, via="webmail")
        return ngettext("Deleted %d message.", "Deleted %d messages.", len(gone.uids)) % len(gone.uids)
    if action in MOVES:
        target_id = folders.by_role(place.mailbox.pk, MOVES[action])
        if target_id == state.folder_id:
            return _("It is there already.")
        done = messages.move(state.folder_id, ranges, target_id, via="webmail")
        return _moved(len(done.source_uids), messages.folder_state(target_id).name)
    raise BadValue


def _moved(count: int, name: str) -> str:
    text = ngettext("Moved %(count)d message to %(name)s.", "Moved %(count)d messages to %(name)s.", count)
    return text % {"count": count, "name": name}


@view(Rights.WRITE)
def folders_page(request: HttpRequest, place: Place) -> HttpResponse:
    """The folders, to be made, renamed and removed."""
    error, name = "", ""
    if request.method == "POST":
        name = request.POST.get("name", "").strip()
        try:
            toasts.success(request, _change(place, request.POST, name))
            return redirect(place.url("folders"))
        except MailError as refused:
            error = refused.public
    inbox = place.with_role("inbox") or place.folders[0]
    context = lists.context(request, place, inbox)
    context |= {"state": inbox, "error": error, "name": name, "action": request.POST.get("action", "")}
    return render(request, "webmail/folders.html", context, status=422 if error else 200)


def _change(place: Place, given: dict[str, str], name: str) -> str:
    box, action = place.mailbox.pk, given.get("action")
    if action == "create":
        folders.create(box, name)
        folders.subscribe(box, name)
        return _("The folder is there.")
    state = place.folder(_uids([given.get("serial", "")])[0])
    if state.role:
        raise BadValue(_("This folder has a use and stays as it is."))
    if action == "rename":
        folders.rename(box, state.name, name)
        return _("Renamed.")
    if action == "delete":
        folders.delete(box, state.name)
        folders.unsubscribe(box, state.name)
        return _("The folder and its messages are gone.")
    raise BadValue
