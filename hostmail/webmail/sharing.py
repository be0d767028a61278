"""Who else may use a folder, in three words; told to those whose mailbox it is."""

from __future__ import annotations

from typing import Any

from django.contrib import messages as toasts
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from hostmail.webmail import listing as lists
from hostmail.webmail.place import Place, label_of, view
from mailcore.errors import BadValue, MailError
from mailcore.models import Right, Rights
from mailcore.services import guests, sharing
from mailcore.services import rights as folder_rights

WORDS = {
    "read": gettext_lazy("can read"),
    "edit": gettext_lazy("can edit"),
    "manage": gettext_lazy("can manage"),
}
_LONGEST = 320  # of an address


@view(Rights.ADMINISTER)
def share(request: HttpRequest, place: Place, serial: int) -> HttpResponse:
    """The people of a folder: added, given another word, taken away."""
    state = place.folder(serial)
    found = sharing.find(guests.who(place.mailbox, request.user), state.name)  # type: ignore[arg-type]
    error, name = "", ""
    if request.method == "POST":
        name = request.POST.get("who", "").strip()[:_LONGEST]
        try:
            toasts.success(request, _change(request, found, name))
            return redirect(place.url("share", serial))
        except MailError as refused:
            error = refused.public
    context = lists.context(request, place, state)
    context |= {
        "error": error,
        "who": name,
        "words": WORDS.items(),
        "entries": [_shown(entry) for entry in sharing.given(state.folder_id)],
        "title": label_of(state),
    }
    return render(request, "webmail/share.html", context, status=422 if error else 200)


def _change(request: HttpRequest, found: sharing.Open, name: str) -> str:
    if request.POST.get("action") == "remove":
        sharing.give(found, name, Right(0), actor=request.user)  # type: ignore[arg-type]
        return _("%s has no access any more.") % _label(name)
    meant = folder_rights.WORDS.get(request.POST.get("word", ""))
    if meant is None:
        raise BadValue
    sharing.give(found, name, meant, actor=request.user)  # type: ignore[arg-type]
    return _("%s has access now.") % _label(name)


def _label(identifier: str) -> str:
    return _("Everybody here") if identifier.casefold() == sharing.ANYONE else identifier


def _shown(entry: sharing.Entry) -> dict[str, Any]:
    word = folder_rights.word_of(entry.rights)
    return {
        "who": entry.identifier,
        "label": _label(entry.identifier),
        "word": word,
        # What a mail program has put together otherwise.
        "other": "" if word else folder_rights.letters(entry.rights),
    }
