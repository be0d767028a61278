"""Parts of messages and whole messages as files. Only pictures are ever shown in place."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.utils.http import content_disposition_header

from hostmail.middleware import content_security_policy
from hostmail.webmail.place import Place, message, view
from mailcore.errors import NotFound
from mailcore.message import display
from mailcore.services import messages

INLINE = {"image/png", "image/jpeg", "image/gif", "image/webp"}


@view(guests=True)
@content_security_policy(default_src="'none'", script_src="'none'", sandbox="")
def part(request: HttpRequest, place: Place, serial: int, uid: int, section: str) -> HttpResponse:
    _state, row = message(place, serial, uid)
    found = display.attachment(messages.raw_of(row.content_id).raw, section)
    if found is None:
        raise NotFound
    filename, content_type, octets = found
    if content_type in INLINE and request.GET.get("inline"):
        return _file(octets, content_type, filename, as_attachment=False)
    # What the sender calls it decides nothing: a browser that would show it gets octets only.
    safe = (
        content_type if content_type in INLINE or content_type == "text/plain" else "application/octet-stream"
    )
    return _file(octets, safe, filename, as_attachment=True)


@view(guests=True)
@content_security_policy(default_src="'none'", script_src="'none'", sandbox="")
def source(request: HttpRequest, place: Place, serial: int, uid: int) -> HttpResponse:
    _state, row = message(place, serial, uid)
    raw = messages.raw_of(row.content_id).raw
    if request.GET.get("view"):
        return _file(raw, "text/plain; charset=utf-8", "message.txt", as_attachment=False)
    return _file(raw, "application/octet-stream", f"message-{uid}.eml", as_attachment=True)


def _file(octets: bytes, content_type: str, filename: str, *, as_attachment: bool) -> HttpResponse:
    response = HttpResponse(octets, content_type=content_type)
    response.headers["Content-Disposition"] = (
        content_disposition_header(as_attachment, filename) or "attachment"
    )
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Cross-Origin-Resource-Policy"] = "same-origin"
    return response
