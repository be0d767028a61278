"""What is done to messages and folders: flags, moves, deleting, junk; making, renaming, removing folders."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from django.contrib import messages as toasts
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.http import url_has_allowed_host_and_scheme, urlencode
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST

from hostmail.webmail import judged
from hostmail.webmail import listing as lists
from hostmail.webmail.place import Place, label_of, view
from mailcore import limits
from mailcore.errors import BadValue, MailError, NotFound
from mailcore.imap.wire.seqset import collect
from mailcore.message import flags
from mailcore.models import Right, Rights
from mailcore.services import folders, messages
from mailcore.services.messages import FolderState, listing
from mailcore.services.rights import flags_of

FLAGS = {
    "read": (flags.SEEN, 0), "unread": (0, flags.SEEN),
    "star": (flags.FLAGGED, 0), "unstar": (0, flags.FLAGGED),
}  # fmt: skip
MOVES = {"archive": "archive", "junk": "junk", "not_junk": "inbox", "delete": "trash"}
# What filters learn from, here and in every client.
KEYWORDS = {"junk": ("$Junk", "$NotJunk"), "not_junk": ("$NotJunk", "$Junk")}
_TICKED = re.compile(r"(?:([0-9]{1,15})\.)?([0-9]{1,10})", re.ASCII)
Ticked = list[tuple[FolderState, list[int]]]
_MOVE = re.compile(
    r"([0-9]{1,15})\.([0-9]{1,15})\.([0-9]{1,10}:[0-9]{1,10}(?:,[0-9]{1,10}:[0-9]{1,10})*)", re.ASCII
)


@dataclass(slots=True)
class Way:
    """What takes a move back: where its messages lie now and lay before, and the keyword it gave them.

    Each of moves is "folder now.folder before.uids now", of serials and of ranges.
    """

    moves: list[str] = field(default_factory=list)
    count: int = 0
    word: str = ""


@require_POST
@view(Rights.WRITE, guests=True)
def act(request: HttpRequest, place: Place, serial: int) -> HttpResponse:
    """One action on what was ticked, "uid" or "folder.uid"; the star of a row names its own."""
    state = place.folder(serial)
    given = request.POST
    if "star" in given:
        _star(place, _ticked(place, state, [given["star"]]))
    elif "sender" in given:
        try:
            ticked = _ticked(place, state, given.getlist("uid")[:1])
            toasts.success(request, judged.say_of(request, place, ticked, given["sender"]))
        except BadValue as refused:
            toasts.warning(request, refused.public)
    elif given.get("action") == "empty":
        toasts.success(request, _empty(state))
    elif ticked := _ticked(place, state, given.getlist("uid")):
        said, back = _do(place, ticked, given.get("action", ""), given.get("move", ""))
        toasts.success(request, said, extra_tags=_undo_url(place, back))
    else:
        toasts.warning(request, _("Select messages first."))
    return redirect(_onward(given.get("next", ""), place.url("folder", serial)))


def _onward(url: str, otherwise: str) -> str:
    return url if url.startswith("/mail/") and url_has_allowed_host_and_scheme(url, None) else otherwise


def _ticked(place: Place, state: FolderState, values: Sequence[str]) -> Ticked:
    """Folders and their uids. Raises BadValue, NotFound."""
    found: dict[int, tuple[FolderState, set[int]]] = {}
    for value in values:
        match = _TICKED.fullmatch(value)
        if match is None:
            raise BadValue
        inside = place.folder(int(match[1])) if match[1] else state
        found.setdefault(inside.folder_id, (inside, set()))[1].add(int(match[2]))
    return [(inside, sorted(uids)) for inside, uids in found.values()]


def _star(place: Place, ticked: Ticked) -> None:
    ((state, uids),) = ticked
    place.allow(state, Right.WRITE)
    row = listing.by_uid(state.folder_id, uids[0])
    if row is None:
        raise NotFound
    add, remove = FLAGS["unstar" if row.has(flags.FLAGGED) else "star"]
    messages.set_flags(state.folder_id, collect(uids), add=add, remove=remove, via="webmail")


def _empty(state: FolderState) -> str:
    if state.role not in lists.APART:
        raise BadValue
    gone = messages.expunge(state.folder_id, only_deleted=False, via="webmail")
    return _deleted(len(gone.uids))


def _do(place: Place, ticked: Ticked, action: str, move: str) -> tuple[str, Way]:
    """Do it in each folder; the words that say so and the way back. Raises NotFound, BadValue."""
    if move:
        if not move.isascii() or not move.isdigit():
            raise BadValue
        target = place.folder(int(move))
        place.allow(target, Right.INSERT)
        back = _move(place, ticked, target)
        return _moved(back, label_of(target)), back
    if action in FLAGS:
        return _mark(place, ticked, *FLAGS[action]), Way()
    if action not in MOVES:
        raise BadValue
    return _put_away(place, ticked, action)


def _mark(place: Place, ticked: Ticked, add: int, remove: int) -> str:
    for state, _uids in ticked:
        place.allow(state, Right.SEEN if (add | remove) & flags.SEEN else Right.WRITE)
    count = 0
    for state, uids in ticked:
        messages.set_flags(state.folder_id, collect(uids), add=add, remove=remove, via="webmail")
        count += len(uids)
    return ngettext("Changed %d message.", "Changed %d messages.", count) % count


def _put_away(place: Place, ticked: Ticked, action: str) -> tuple[str, Way]:
    """Move where the action says, and tell filters what it means; what lies in the trash goes for good."""
    for state, _uids in ticked:
        place.allow(state, Right.DELETE | Right.EXPUNGE)
    gone = 0
    if action == "delete":
        for state, uids in ticked:
            if state.role == "trash":
                done = messages.expunge(state.folder_id, collect(uids), only_deleted=False, via="webmail")
                gone += len(done.uids)
        ticked = [(state, uids) for state, uids in ticked if state.role != "trash"]
        if not ticked:
            return _deleted(gone), Way()
    if action in KEYWORDS:
        add_word, remove_word = KEYWORDS[action]
        for state, uids in ticked:
            if place.may(state, Right.WRITE):
                messages.set_flags(
                    state.folder_id, collect(uids), add_keywords=[add_word], remove_keywords=[remove_word]
                )
    # A guest's go to their own mailbox: of another's folders they know no uses.
    target = messages.folder_state(folders.by_role((place.home or place.mailbox).pk, MOVES[action]))
    back = _move(place, ticked, target)
    back.word = KEYWORDS[action][0] if action in KEYWORDS else ""
    return _moved(back, label_of(target)), back


def _move(place: Place, ticked: Ticked, target: FolderState) -> Way:
    for state, _uids in ticked:
        place.allow(state, Right.DELETE | Right.EXPUNGE)
    kept = messages.Kept()
    if place.guest is not None and target.folder_id in place.guest:
        rights = place.guest[target.folder_id]
        kept = messages.Kept(flags_of(rights), bool(rights & Right.WRITE))
    back = Way()
    for state, uids in ticked:
        if state.folder_id != target.folder_id:
            done = messages.move(state.folder_id, collect(uids), target.folder_id, keep=kept, via="webmail")
            if done.target_uids:
                where = ",".join(f"{first}:{last}" for first, last in collect(done.target_uids))
                back.moves.append(f"{target.object_serial}.{state.object_serial}.{where}")
            back.count += len(done.target_uids)
    return back


def _moved(back: Way, name: str) -> str:
    text = ngettext(
        "Moved %(count)d message to %(name)s.", "Moved %(count)d messages to %(name)s.", back.count
    )
    return text % {"count": back.count, "name": name}


def _undo_url(place: Place, back: Way) -> str:
    """Where a toast's button posts to; "" when there is nothing to take back, or too much for an address."""
    if not back.moves or place.guest is not None:  # what a guest took out goes back only as they may put in
        return ""
    url = f"{place.url('undo')}?{urlencode({'move': back.moves, 'word': back.word}, doseq=True)}"
    return url if len(url) <= limits.UNDO_URL_OCTETS else ""


@require_POST
@view(Rights.WRITE)
def undo(request: HttpRequest, place: Place) -> HttpResponse:
    """Put messages back where they lay. What somebody else moved on meanwhile stays there."""
    asked = [_MOVE.fullmatch(text) for text in request.GET.getlist("move")]
    word = request.GET.get("word", "")
    if not asked or not all(asked) or word not in ("", *(pair[0] for pair in KEYWORDS.values())):
        raise BadValue
    count = 0
    for match in filter(None, asked):
        now, before = place.folder(int(match[1])), place.folder(int(match[2]))
        pairs = [part.split(":") for part in match[3].split(",")]
        ranges = sorted((int(first), int(last)) for first, last in pairs)
        if any(first > last for first, last in ranges) or any(a[1] >= b[0] for a, b in pairwise(ranges)):
            raise BadValue
        if word:
            messages.set_flags(now.folder_id, ranges, remove_keywords=[word])
        count += len(messages.move(now.folder_id, ranges, before.folder_id, via="webmail").target_uids)
    text = ngettext("Put %d message back.", "Put %d messages back.", count) % count
    toasts.success(request, text)
    return redirect(_onward(request.POST.get("next", ""), place.url("mailbox")))


def _deleted(count: int) -> str:
    return ngettext("Deleted %d message.", "Deleted %d messages.", count) % count


# --- Folders ---------------------------------------------------------------------------------------------


@view(Rights.WRITE)
def folders_page(request: HttpRequest, place: Place) -> HttpResponse:
    """The folders, to be made and renamed."""
    error, name, serial = "", "", ""
    if request.method == "POST":
        name, serial = request.POST.get("name", "").strip(), request.POST.get("serial", "")
        try:
            toasts.success(request, _change(place, request.POST.get("action", ""), name, serial))
            return redirect(place.url("folders"))
        except MailError as refused:
            error = refused.public
    inbox = place.with_role("inbox") or place.folders[0]
    context = lists.context(request, place, inbox)
    context |= {"error": error, "name": name, "wrong": serial, "is_folders": True}
    return render(request, "webmail/folders.html", context, status=422 if error else 200)


def _change(place: Place, action: str, name: str, serial: str) -> str:
    box = place.mailbox.pk
    if action == "create":
        folders.create(box, name)
        folders.subscribe(box, name)
        return _("The folder is there.")
    state = _changeable(place, int(serial) if serial.isascii() and serial.isdigit() else 0)
    if action == "rename":
        folders.rename(box, state.name, name)
        folders.unsubscribe(box, state.name)
        folders.subscribe(box, name)
        return _("Renamed.")
    if action == "delete":
        folders.delete(box, state.name)
        folders.unsubscribe(box, state.name)
        return _("The folder and its messages are gone.")
    raise BadValue


def _changeable(place: Place, serial: int) -> FolderState:
    state = place.folder(serial)
    if state.role:
        raise BadValue(_("This folder has a use and stays as it is."))
    return state


@view(Rights.WRITE)
def folder_delete(request: HttpRequest, place: Place, serial: int) -> HttpResponse:
    """Are you sure? Also what a dialog shows."""
    state = _changeable(place, serial)
    if request.method == "POST":
        toasts.success(request, _change(place, "delete", "", str(serial)))
        return redirect(place.url("folders"))
    count = state.message_count
    text = ngettext(
        "%d message in it is deleted with it. Folders below it stay.",
        "%d messages in it are deleted with it. Folders below it stay.",
        count,
    )
    return _confirm(
        request, _("Delete the folder %s?") % state.name, text % count, _("Delete"), place.url("folders")
    )


@view(Rights.WRITE)
def folder_empty(request: HttpRequest, place: Place, serial: int) -> HttpResponse:
    """Are you sure? For the junk and the trash."""
    state = place.folder(serial)
    back = place.url("folder", serial)
    if state.role not in lists.APART:
        raise NotFound
    if request.method == "POST":
        toasts.success(request, _empty(state))
        return redirect(back)
    text = ngettext(
        "%d message is deleted for good.", "%d messages are deleted for good.", state.message_count
    )
    title = _("Empty %s?") % label_of(state)
    return _confirm(request, title, text % state.message_count, _("Empty it"), back)


def _confirm(request: HttpRequest, title: str, text: str, action: str, back: str) -> HttpResponse:
    context = {"title": title, "text": text, "label": action, "kind": "danger", "back": back}
    return render(request, "webmail/confirm.html", {**context, "action": request.path})
