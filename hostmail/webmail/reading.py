"""Reading: the thread of one message, that message open; and its HTML, in a frame with a policy of its own.

The mail's markup was cleaned (message/sanitize.py), stands in a sandbox without scripts, and its answer's
policy loads nothing but our own attachments: three walls, each of which would do. Remote pictures are off
until the person asks; then the sender can see that and from where the mail was read, and the page says so.
"""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.safestring import mark_safe
from django.utils.translation import gettext as _

from hostmail.middleware import content_security_policy
from hostmail.webmail import listing as lists
from hostmail.webmail.place import Place, label_of, view
from hostmail.webmail.place import message as find
from mailcore.message import display, flags, sanitize
from mailcore.message.address import parse_list
from mailcore.models import Right
from mailcore.services import messages
from mailcore.services.messages import FolderState, listing
from mailcore.services.messages.listing import Listed

FRAME = {
    "default_src": "'none'",
    "script_src": "'none'",
    "style_src": "'unsafe-inline'",
    "connect_src": "'none'",
    "font_src": "'none'",
    "form_action": "'none'",
    "frame_src": "'none'",
    "frame_ancestors": "'self'",
    "sandbox": "allow-popups allow-popups-to-escape-sandbox allow-same-origin",
}


@view(guests=True)
def message(request: HttpRequest, place: Place, serial: int, uid: int) -> HttpResponse:
    state, row = find(place, serial, uid)
    if place.may(state, Right.SEEN) and not row.has(flags.SEEN):
        messages.set_flags(state.folder_id, [(uid, uid)], add=flags.SEEN, via="webmail")
        place.look_again()
        state, row = find(place, serial, uid)
    shown: dict[str, Any] = {
        "message": opened(place, state, row, show_remote=request.GET.get("pictures") == "yes"),
        "thread": _thread(place, row),
    }
    if request.headers.get("HX-Target") == "reading":
        asked = lists.Asked.of(request)
        back = place.url("folder", serial) + asked.text()
        shown |= {"place": place, "state": state, "targets": lists.targets(place), "back": back}
        return render(request, "webmail/_reading.html", shown | {"query_string": asked.text()})
    return render(request, "webmail/message.html", lists.context(request, place, state, row) | shown)


def _thread(place: Place, row: Listed) -> list[dict[str, Any]]:
    """The conversation as its rows are shown, oldest first; the message that is open marks its own place."""
    thread = []
    for one in listing.thread(place.mailbox.pk, row):
        state = place.known(one.folder_id)
        if state is not None:
            people = parse_list(one.from_text)
            author = (people[0].name or people[0].address) if people else _("(nobody)")
            shown = lists.shown(place, state, one, row)
            thread.append({**shown, "folder": label_of(state), "author": author})
    return thread


def opened(place: Place, state: FolderState, row: Listed, *, show_remote: bool) -> dict[str, Any]:
    """Everything the page shows of the message that is open."""
    mail = display.read(messages.raw_of(row.content_id).raw)
    at = (state.object_serial, row.uid)
    cleaned = sanitize.clean(mail.html, allow_remote=False, cid_url=lambda cid: None) if mail.html else None
    return {
        "mail": mail,
        "key": f"{state.object_serial}.{row.uid}",
        "author": mail.authors[0] if mail.authors else None,
        "to_names": ", ".join(one.name or one.address for one in (*mail.to, *mail.cc)[:5]),
        "reply_to": ", ".join(map(str, mail.reply_to)) if mail.reply_to != mail.authors else "",
        "size": row.size,
        "url": place.url("message", *at),
        "with_pictures": f"{place.url('message', *at)}?pictures=yes",
        "to": ", ".join(map(str, mail.to)),
        "cc": ", ".join(map(str, mail.cc)),
        "date": lists.moment(mail.date if mail.date is not None else row.date),
        "received": lists.moment(row.date),
        "text": mark_safe(sanitize.linkify(mail.text)) if cleaned is None else "",  # noqa: S308 - it escapes
        "frame": place.url("html_remote" if show_remote else "html", *at) if cleaned else "",
        "has_remote": bool(cleaned and cleaned.has_remote),
        "is_cut": bool(cleaned and cleaned.is_cut),
        "show_remote": show_remote,
        "is_starred": row.has(flags.FLAGGED),
        "files": [
            {"name": one.filename, "size": one.size, "url": place.url("part", *at, one.section),
             "icon": icon_of(one.content_type)}
            for one in mail.attachments
            if not (one.is_inline and cleaned)
        ],
        "source": place.url("source", *at),
        "reply": place.url("reply", *at, "one"),
        "reply_all": place.url("reply", *at, "all"),
        "forward": place.url("reply", *at, "forward"),
    }  # fmt: skip


def icon_of(content_type: str) -> str:
    kind, _slash, subtype = content_type.partition("/")
    if kind in ("image", "video"):
        return f"file-{kind}"
    if kind == "audio":
        return "file-music"
    if "zip" in subtype or "tar" in subtype:
        return "file-archive"
    return "file-text" if kind == "text" or subtype in ("pdf", "msword") else "file"


@view(guests=True)
@content_security_policy(img_src="'self' data:", **FRAME)
def html(request: HttpRequest, place: Place, serial: int, uid: int) -> HttpResponse:
    return _frame(request, place, serial, uid, allow_remote=False)


@view(guests=True)
@content_security_policy(img_src="'self' data: https:", **FRAME)
def html_with_remote(request: HttpRequest, place: Place, serial: int, uid: int) -> HttpResponse:
    return _frame(request, place, serial, uid, allow_remote=True)


def _https(url: str) -> str | None:
    return url if url.lower().startswith("https://") else None


def _frame(request: HttpRequest, place: Place, serial: int, uid: int, *, allow_remote: bool) -> HttpResponse:
    state, row = find(place, serial, uid)
    mail = display.read(messages.raw_of(row.content_id).raw)
    sections = {one.content_id.strip("<>"): one.section for one in mail.attachments if one.is_image}

    def cid_url(content_id: str) -> str | None:
        section = sections.get(content_id)
        return place.url("part", state.object_serial, uid, section) + "?inline=1" if section else None

    body = sanitize.clean(mail.html or "", allow_remote=allow_remote, cid_url=cid_url, remote_url=_https).html
    response = render(request, "webmail/frame.html", {"body": mark_safe(body)})  # noqa: S308 - it is clean
    response.headers["Referrer-Policy"] = "no-referrer"
    return response
