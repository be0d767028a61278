"""Where in webmail a request is: which mailbox, folder and message, if its person may be there.

Everything that is not theirs is 404. Addresses of pages carry the mailbox's public id, the folder's
serial, which stays through a rename, and the message's uid.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _

from mailcore.errors import Forbidden, NotFound
from mailcore.models import Access, Mailbox, Rights
from mailcore.services import messages
from mailcore.services.messages import FolderState, listing
from mailcore.services.messages.listing import Listed

ICONS = {
    "inbox": "inbox", "drafts": "file-pen", "sent": "send", "junk": "shield-alert", "trash": "trash-2",
    "archive": "archive",
}  # fmt: skip
ORDER = list(ICONS)


@dataclass(frozen=True, slots=True)
class FolderLink:
    """One line of the folder list."""

    state: FolderState
    url: str
    label: str
    icon: str
    depth: int


@dataclass(slots=True)
class Place:
    """A mailbox this person reads, with their rights and its folders."""

    mailbox: Mailbox
    rights: int
    folders: list[FolderState]

    def folder(self, serial: int) -> FolderState:
        """Raises NotFound."""
        for state in self.folders:
            if state.object_serial == serial:
                return state
        raise NotFound

    def by_id(self, folder_id: int) -> FolderState:
        return next(state for state in self.folders if state.folder_id == folder_id)

    def with_role(self, role: str) -> FolderState | None:
        return next((state for state in self.folders if state.role == role), None)

    def url(self, name: str, *args: Any) -> str:
        return reverse(f"webmail:{name}", args=[self.mailbox.public_id, *args])

    def need(self, right: Rights) -> None:
        """Raises Forbidden."""
        if not self.rights & right:
            raise Forbidden(_("You may read this mailbox, but not do that in it."))

    @property
    def may_write(self) -> bool:
        return bool(self.rights & Rights.WRITE)

    @property
    def may_send(self) -> bool:
        return bool(self.rights & Rights.SEND_AS)

    def links(self) -> list[FolderLink]:
        """The folders as shown: those with a use first, then by name."""

        def key(state: FolderState) -> tuple[int, str]:
            return (ORDER.index(state.role) if state.role in ICONS else len(ORDER), state.name.casefold())

        links = []
        for state in sorted(self.folders, key=key):
            depth = 0 if state.role else state.name.count("/")
            links.append(
                FolderLink(
                    state,
                    self.url("folder", state.object_serial),
                    label_of(state),
                    ICONS.get(state.role, "folder"),
                    depth,
                )
            )
        return links


def label_of(state: FolderState) -> str:
    """A folder's name for people."""
    return _("Inbox") if state.role == "inbox" else state.name.rpartition("/")[2]


def view(needs: Rights = Rights.READ) -> Callable[[Any], Any]:
    """Resolve the first argument of a view's address to a Place; sign-in, 404 and suspension come before."""

    def decorate(function: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
        @login_required
        @wraps(function)
        def placed(request: HttpRequest, mailbox: str, *args: Any, **kwargs: Any) -> HttpResponse:
            place, refusal = enter(request, mailbox)
            if place is None:
                assert refusal is not None
                return refusal
            place.need(needs)
            response = function(request, place, *args, **kwargs)
            response.headers.setdefault("Cache-Control", "no-store")
            return response

        return placed

    return decorate


def enter(request: HttpRequest, public_id: str) -> tuple[Place | None, HttpResponse | None]:
    """The place, or the page that says why not. Raises NotFound."""
    found = (
        Mailbox.objects.readable_by(request.user)  # type: ignore[arg-type]
        .filter(public_id=public_id)
        .select_related("tenant")
        .first()
    )
    if found is None or found.tenant.state == "closing":
        raise NotFound
    access = Access.objects.filter(mailbox=found, user=request.user).first()  # type: ignore[misc]
    if access is None or not access.rights & Rights.READ:
        raise NotFound
    if found.state != Mailbox.State.ACTIVE or found.tenant.state != "active":
        context = {"mailbox": found, "mailboxes": mailboxes_of(request)}
        return None, render(request, "webmail/suspended.html", context, status=403)
    return Place(found, access.rights, messages.folder_rows(found.pk)), None


def mailboxes_of(request: HttpRequest) -> list[Mailbox]:
    return list(Mailbox.objects.readable_by(request.user).order_by("kind", "pk"))  # type: ignore[arg-type]


def message(place: Place, serial: int, uid: int) -> tuple[FolderState, Listed]:
    """Raises NotFound."""
    state = place.folder(serial)
    found = listing.by_uid(state.folder_id, uid)
    if found is None:
        raise NotFound
    return state, found
