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

from hostmail.middleware import content_security_policy
from hostmail.webmail import listing as lists
from hostmail.webmail.place import Place, label_of, view
from hostmail.webmail.place import message as find
from mailcore.errors import FolderGone
from mailcore.message import display, flags, sanitize
from mailcore.services import messages
from mailcore.services.messages import listing
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


@view()
def message(request: HttpRequest, place: Place, serial: int, uid: int) -> HttpResponse:
    state, row = find(place, serial, uid)
    if place.may_write and not row.flags & flags.SEEN:
        messages.set_flags(state.folder_id, [(uid, uid)], add=flags.SEEN, via="webmail")
        place.folders = messages.folder_rows(place.mailbox.pk)
        state = place.folder(serial)
    context = lists.context(request, place, state, uid)
    context["thread"] = [one for one in (_in_thread(place, each) for each in thread_of(place, row)) if one]
    context["message"] = opened(place, row, show_remote=request.GET.get("pictures") == "yes")
    context["back"] = f"{context['here']}{context['query_string']}"
    return render(request, "webmail/message.html", context)


def thread_of(place: Place, row: Listed) -> list[Listed]:
    """The thread's messages, oldest first, the same mail once."""
    found = listing.thread(place.mailbox.pk, row.thread_id)
    if all((one.folder_id, one.uid) != (row.folder_id, row.uid) for one in found):
        found.append(row)
    opened = {row.message_id or row.content_id}
    kept = []
    for one in found:
        is_opened = (one.folder_id, one.uid) == (row.folder_id, row.uid)
        name = one.message_id or one.content_id
        if is_opened or name not in opened:
            opened.add(name)
            kept.append(one)
    return kept


def _in_thread(place: Place, row: Listed) -> dict[str, Any] | None:
    try:
        state = place.by_id(row.folder_id)
    except StopIteration:
        return None
    return {**lists.shown(place, state, row), "folder": label_of(state), "key": (row.folder_id, row.uid)}


def opened(place: Place, row: Listed, *, show_remote: bool) -> dict[str, Any]:
    """Everything the page shows of the message that is open."""
    state = place.by_id(row.folder_id)
    mail = display.read(messages.raw_of(row.content_id).raw)
    at = (state.object_serial, row.uid)
    cleaned = sanitize.clean(mail.html, allow_remote=False, cid_url=lambda cid: None) if mail.html else None
    return {
        "mail": mail,
        "key": (row.folder_id, row.uid),
        "author": mail.authors[0] if mail.authors else None,
        "to": ", ".join(map(str, mail.to)),
        "cc": ", ".join(map(str, mail.cc)),
        "date": lists.moment(mail.date if mail.date is not None else row.date),
        "received": lists.moment(row.date),
        "text": mark_safe(sanitize.linkify(mail.text)) if cleaned is None else "",  # noqa: S308 - it escapes
        "frame": place.url("html_remote" if show_remote else "html", *at) if cleaned else "",
        "has_remote": bool(cleaned and cleaned.has_remote),
        "is_cut": bool(cleaned and cleaned.is_cut),
        "show_remote": show_remote,
        "is_starred": bool(row.flags & flags.FLAGGED),
        "uid": row.uid,
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


@view()
@content_security_policy(img_src="'self' data:", **FRAME)
def html(request: HttpRequest, place: Place, serial: int, uid: int) -> HttpResponse:
    return _frame(request, place, serial, uid, allow_remote=False)


@view()
@content_security_policy(img_src="'self' data: https:", **FRAME)
def html_with_remote(request: HttpRequest, place: Place, serial: int, uid: int) -> HttpResponse:
    return _frame(request, place, serial, uid, allow_remote=True)


def _frame(request: HttpRequest, place: Place, serial: int, uid: int, *, allow_remote: bool) -> HttpResponse:
    state, row = find(place, serial, uid)
    try:
        mail = display.read(messages.raw_of(row.content_id).raw)
    except FolderGone:
        mail = None
    sections = {one.content_id: one.section for one in mail.attachments if one.is_image} if mail else {}

    def cid_url(content_id: str) -> str | None:
        section = sections.get(content_id) or sections.get(f"<{content_id}>")
        return place.url("part", state.object_serial, uid, section) + "?inline=1" if section else None

    body = sanitize.clean((mail and mail.html) or "", allow_remote=allow_remote, cid_url=cid_url).html
    response = render(request, "webmail/frame.html", {"body": mark_safe(body)})  # noqa: S308 - it is clean
    response.headers["Referrer-Policy"] = "no-referrer"
    return response
