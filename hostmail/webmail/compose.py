"""Writing: a new letter, an answer, a forwarded mail, a draft taken up again; and Send."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.conf import settings
from django.contrib import messages as toasts
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.utils import formats, timezone
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _

from hostmail.webmail import drafts
from hostmail.webmail import listing as lists
from hostmail.webmail.drafts import Letter
from hostmail.webmail.place import Place, view
from hostmail.webmail.place import message as find
from mailcore.errors import BadMessage, BadValue, MailError, NotFound, NotYours
from mailcore.message import display, flags
from mailcore.message import reply as replies
from mailcore.message.address import format_address
from mailcore.message.compose import Attachment
from mailcore.models import Mailbox, Rights, Submission
from mailcore.outside import clock
from mailcore.secrets import random_id
from mailcore.services import addresses, messages, outbound
from mailcore.services.messages import listing

# Seconds in which a letter can be taken back, as people choose them.
UNDO = (0, 5, 10, 30)


@view(Rights.SEND_AS)
def compose(request: HttpRequest, place: Place) -> HttpResponse:
    if request.method == "POST":
        return _posted(request, place)
    letter = Letter(to=request.GET.get("to", "")[:500], key=random_id())
    if place.mailbox.signature:
        letter.text = f"\n\n-- \n{place.mailbox.signature}"
    return _page(request, place, letter)


@view(Rights.SEND_AS)
def edit(request: HttpRequest, place: Place, serial: int, uid: int) -> HttpResponse:
    state, row = find(place, serial, uid)
    if not row.flags & flags.DRAFT or state.role != "drafts":
        raise NotFound
    return _page(request, place, drafts.load(place, serial, uid, random_id()))


@view(Rights.SEND_AS)
def reply(request: HttpRequest, place: Place, serial: int, uid: int, kind: str) -> HttpResponse:
    if kind not in ("one", "all", "forward"):
        raise NotFound
    _state, row = find(place, serial, uid)
    mail = display.read(messages.raw_of(row.content_id).raw)
    own = addresses.own_addresses(place.mailbox)
    letter = Letter(key=random_id(), about=f"{serial}.{uid}.{kind}")
    if kind == "forward":
        prepared = replies.forward(mail)
        letter.source, letter.keep = (serial, uid), [one.section for one in mail.attachments]
    else:
        prepared = replies.reply(mail, to_all=kind == "all", own_addresses=own)
    letter.to = ", ".join(format_address(*person) for person in prepared.to)
    letter.cc = ", ".join(format_address(*person) for person in prepared.cc)
    letter.subject, letter.references = prepared.subject, prepared.references
    letter.in_reply_to = prepared.in_reply_to or ""
    letter.text = prepared.text if kind == "forward" else f"\n\n{prepared.text}"
    written_to = {one.address.lower() for one in (*mail.to, *mail.cc)}
    letter.author = next((address for address in own if address.lower() in written_to), "")
    return _page(request, place, letter)


@view(Rights.SEND_AS)
def people(request: HttpRequest, place: Place) -> JsonResponse:
    """Whom this mailbox knows, for the address fields: text is how one stands in them."""
    known = [
        {"name": name, "address": address, "text": format_address(name, address)}
        for name, address in listing.correspondents(place.mailbox.pk)
    ]
    return JsonResponse({"people": known})


def _pair(text: str) -> tuple[int, int] | None:
    parts = text.split(".")
    if len(parts) >= 2 and all(part.isascii() and part.isdigit() and len(part) < 19 for part in parts[:2]):
        return int(parts[0]), int(parts[1])
    return None


def _read(request: HttpRequest) -> Letter:
    given = request.POST
    remove = given.get("remove")
    return Letter(
        author=given.get("from", ""),
        to=given.get("to", ""),
        cc=given.get("cc", ""),
        bcc=given.get("bcc", ""),
        subject=given.get("subject", ""),
        text=given.get("body", "").replace("\r\n", "\n"),
        html=given.get("html", ""),
        key=given.get("key", "")[:64] or random_id(),
        about=given.get("about", "")[:64],
        in_reply_to=given.get("in_reply_to", ""),
        references=given.get("references", "").split(),
        draft=_pair(given.get("draft", "")),
        source=_pair(given.get("source", "")),
        keep=[section for section in given.getlist("keep") if section != remove],
        files=[
            Attachment(one.name or "file", one.content_type or "application/octet-stream", one.read())
            for one in request.FILES.getlist("attachments")
        ],
    )


def _posted(request: HttpRequest, place: Place) -> HttpResponse:
    letter, action = _read(request), request.POST.get("action", "")
    sent_before = Submission.objects.filter(mailbox=place.mailbox, idempotency_key=letter.key).exists()
    if action == "autosave":
        return _autosaved(request, place, letter, sent_before=sent_before)
    if action == "send" and sent_before:
        return _sent(request, place)
    try:
        if letter.author not in _identities(request, place):
            raise NotYours
        if action == "discard":
            drafts.discard(place, letter)
            toasts.success(request, _("Draft discarded."))
            return redirect(place.url("mailbox"))
        if action == "send":
            return _sent(request, place, _send(request, place, letter))
        at = drafts.store(place, letter, _name(request, place, letter))
    except MailError as error:
        rescued = drafts.rescue(place, letter, _name(request, place, letter))
        return _page(request, place, rescued, error=error.public)
    toasts.success(request, _("Draft saved."))
    return redirect(place.url("edit", *at))


def _autosaved(request: HttpRequest, place: Place, letter: Letter, *, sent_before: bool) -> JsonResponse:
    """What js/drafts.js asks while somebody writes: kept or not, when, and where the draft lies now.

    A draft that another tab has saved or sent meanwhile is left as it is; this letter goes on as its own.
    """
    if sent_before:  # the last save of a letter that was sent in the meantime must not bring it back
        return JsonResponse({"state": "sent"})
    letter.files = []  # they stay in the form, and come with Send or Save
    try:
        if letter.author not in addresses.own_addresses(place.mailbox):
            raise NotYours
        whole, is_cut = drafts.without_half_addresses(letter)
        is_elsewhere = letter.draft is not None and not drafts.exists(place, letter.draft)
        at = drafts.store(place, whole, _name(request, place, whole))
    except MailError as error:
        return JsonResponse({"state": "failed", "text": error.public}, status=error.http)
    stored = drafts.load(place, *at, letter.key)
    note = ""
    if is_elsewhere:
        note = _("This draft was changed or sent elsewhere; yours is kept as one of its own.")
    elif is_cut:
        note = _("without the address that is not whole yet")
    where = ".".join(map(str, at))
    return JsonResponse({
        "state": "saved",
        "text": _("Saved %s") % formats.date_format(timezone.localtime(clock.now()), "H:i"),
        "note": note,
        "draft": where,
        "source": where,
        "keep": [{"section": one, "url": place.url("part", *at, one)} for one in stored.keep],
        "url": place.url("edit", *at),
    })  # fmt: skip


def _sent(request: HttpRequest, place: Place, sent: Submission | None = None) -> HttpResponse:
    if sent is None or sent.hold_until is None:
        toasts.success(request, _("Message sent."))
    else:
        back = place.url("take_back", sent.public_id)
        if (sent.hold_until - clock.now()).total_seconds() > max(UNDO):
            at = formats.date_format(timezone.localtime(sent.hold_until), "SHORT_DATETIME_FORMAT")
            toasts.success(request, _("Message waits until %s.") % at, extra_tags=back)
        else:
            toasts.success(request, _("Message sent."), extra_tags=back)
    return redirect(place.url("mailbox"))


def _moment(request: HttpRequest, place: Place) -> dt.datetime | None:
    """When the letter shall leave: as chosen, else after the time in which it may be taken back."""
    if typed := request.POST.get("send_at", "").strip():
        try:
            moment = parse_datetime(typed[:40])
        except ValueError:  # such as the 31st of February
            moment = None
        if moment is None:
            raise BadValue(_("That is no date and time."))
        return moment if timezone.is_aware(moment) else timezone.make_aware(moment)
    seconds = place.mailbox.undo_seconds
    return clock.now() + dt.timedelta(seconds=seconds) if seconds else None


def _identities(request: HttpRequest, place: Place) -> dict[str, Mailbox]:
    return addresses.identities(place.mailbox, request.user)  # type: ignore[arg-type]


def _name(request: HttpRequest, place: Place, letter: Letter) -> str:
    """Whose name stands before the address: that of the mailbox it is sent as."""
    mailbox = _identities(request, place).get(letter.author, place.mailbox)
    if mailbox.pk != place.mailbox.pk:
        return mailbox.name
    return place.mailbox.name or (request.user.name if place.mailbox.kind == "personal" else "")  # type: ignore[union-attr]


def _send(request: HttpRequest, place: Place, letter: Letter) -> Submission:
    raw, recipients = drafts.build(place, letter, _name(request, place, letter))
    if not recipients:
        raise BadMessage(_("Say who it is for."))
    sent = outbound.submit(
        place.mailbox,
        raw,
        recipients,
        user_id=request.user.pk,
        source=Submission.Source.WEBMAIL,
        reverse_path=letter.author,
        key=letter.key,
        hold_until=_moment(request, place),
    )
    # It is sent: nothing from here on may look as if it were not.
    try:
        drafts.discard(place, letter)
        if place.may_write and (about := _pair(letter.about)):
            forwarded = letter.about.endswith(".forward")
            messages.set_flags(
                place.folder(about[0]).folder_id,
                [(about[1], about[1])],
                add=0 if forwarded else flags.ANSWERED,
                add_keywords=["$Forwarded"] if forwarded else [],
                via="webmail",
            )
    except MailError:
        toasts.warning(
            request, _("It was sent, but its draft or the mark on the original could not be changed.")
        )
    return sent


def _page(request: HttpRequest, place: Place, letter: Letter, *, error: str = "") -> HttpResponse:
    inbox = place.with_role("inbox") or place.folders[0]
    own = list(_identities(request, place))
    context: dict[str, Any] = lists.context(request, place, inbox)
    context |= {"letter": letter, "own": own, "error": error, "kept": _kept(place, letter)}
    # Base64 makes three octets four.
    context["most_octets"] = settings.HOSTMAIL_MAX_MESSAGE * 3 // 4
    context["draft"] = ".".join(map(str, letter.draft or ()))
    context["source"] = ".".join(map(str, letter.source or ()))
    context["references"] = " ".join(letter.references)
    return render(request, "webmail/compose.html", context, status=422 if error else 200)


def _kept(place: Place, letter: Letter) -> list[dict[str, Any]]:
    if not letter.source or not letter.keep:
        return []
    try:
        _state, row = find(place, *letter.source)
    except NotFound:
        return []
    mail = display.read(messages.raw_of(row.content_id).raw)
    return [
        {
            "section": one.section,
            "name": one.filename,
            "size": one.size,
            "url": place.url("part", *letter.source, one.section),
        }
        for one in mail.attachments
        if one.section in letter.keep
    ]
