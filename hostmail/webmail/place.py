"""Where in webmail a request is: which mailbox, folder and message, if its person may be there.

Everything that is not theirs is 404. Addresses of pages carry the mailbox's public id, the folder's
serial, which stays through a rename, and the message's uid.
"""

from __future__ import annotations

import zoneinfo
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import wraps
from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from mailcore.errors import Forbidden, NotFound
from mailcore.models import ALL_RIGHTS, Access, Mailbox, Right, Rights
from mailcore.services import guests as guests_service
from mailcore.services import messages, sharing
from mailcore.services.messages import FolderState, listing
from mailcore.services.messages.listing import Listed
from mailcore.services.rights import CHANGING

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
    # Of who is here by rights on single folders: what these are, and their own mailbox.
    guest: dict[int, Right] | None = None
    home: Mailbox | None = None

    def allow(self, state: FolderState, needs: Right) -> None:
        """Raises Forbidden without these rights on a folder; who has the mailbox whole has them by view()."""
        if self.guest is not None and self.guest.get(state.folder_id, Right(0)) & needs != needs:
            raise Forbidden(_("You may read this folder, but not do that in it."))

    def may(self, state: FolderState, needs: Right) -> bool:
        if self.guest is None:
            return self.may_write
        return self.guest.get(state.folder_id, Right(0)) & needs == needs

    @property
    def may_share(self) -> bool:
        """Whether this person says who else may use the folders."""
        return self.guest is None and bool(self.rights & Rights.ADMINISTER)

    @property
    def may_manage(self) -> bool:
        """Whether this person makes, renames and removes folders here."""
        return self.guest is None and self.may_write

    def tree(self) -> Place:
        """Whose folders stand beside the list: of a guest, their own mailbox's."""
        if self.home is None:
            return self
        return Place(self.home, int(ALL_RIGHTS), messages.folder_rows(self.home.pk))

    def look_again(self) -> None:
        """Read the counters of the folders anew."""
        known = {state.folder_id for state in self.folders}
        rows = messages.folder_rows(self.mailbox.pk)
        if self.guest is not None:
            rows = [replace(state, role="") for state in rows if state.folder_id in known]
        self.folders = rows

    def folder(self, serial: int) -> FolderState:
        """Raises NotFound."""
        for state in self.folders:
            if state.object_serial == serial:
                return state
        raise NotFound

    def known(self, folder_id: int) -> FolderState | None:
        """The folder with this key, None when it was made a moment ago or is gone."""
        return next((state for state in self.folders if state.folder_id == folder_id), None)

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
        """The folders as shown: those with a use first, what lies below a folder after it, else by name."""
        ranks = {state.name: ORDER.index(state.role) for state in self.folders if state.role in ICONS}
        names = {state.name for state in self.folders}

        def key(state: FolderState) -> tuple[int, list[str]]:
            rank = ranks.get(state.name, ranks.get(state.name.partition("/")[0], len(ORDER)))
            return rank, state.name.casefold().split("/")

        links = []
        for state in sorted(self.folders, key=key):
            above = [name for name in _parents(state.name) if name in names]
            label = label_of(state) if state.role or not above else state.name[len(above[-1]) + 1 :]
            links.append(
                FolderLink(
                    state,
                    self.url("folder", state.object_serial),
                    label if state.role or above else state.name,
                    ICONS.get(state.role, "folder"),
                    0 if state.role else len(above),
                )
            )
        return links


def _parents(name: str) -> list[str]:
    levels = name.split("/")
    return ["/".join(levels[:depth]) for depth in range(1, len(levels))]


def label_of(state: FolderState) -> str:
    """A folder's name for people."""
    return _("Inbox") if state.name == "INBOX" else state.name.rpartition("/")[2]


def view(needs: Rights = Rights.READ, *, guests: bool = False) -> Callable[[Any], Any]:
    """Resolve the first argument of a view's address to a Place; sign-in, 404 and suspension come before.

    guests: also for who has rights on single folders, which the view then asks for by Place.allow().
    """

    def decorate(function: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
        @wraps(function)
        def placed(request: HttpRequest, mailbox: str, *args: Any, **kwargs: Any) -> HttpResponse:
            place, refusal = enter(request, mailbox, guests=guests)
            if place is None:
                assert refusal is not None
                return refusal
            place.need(needs)
            with timezone.override(_zone(request)):
                response = function(request, place, *args, **kwargs)
            response.headers.setdefault("Cache-Control", "no-store")
            return response

        signed_in = login_required(placed)

        @wraps(function)
        def asked(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            if request.headers.get("HX-Request") and not request.user.is_authenticated:
                # The sign-in page must not be swapped into what somebody was writing.
                return HttpResponse(status=401)
            return signed_in(request, *args, **kwargs)

        return asked

    return decorate


def _zone(request: HttpRequest) -> zoneinfo.ZoneInfo:
    """The time zone this person has chosen."""
    name = getattr(request.user, "timezone", "UTC")
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return zoneinfo.ZoneInfo("UTC")


def enter(
    request: HttpRequest, public_id: str, *, guests: bool = False
) -> tuple[Place | None, HttpResponse | None]:
    """The place, or the page that says why not. Raises NotFound."""
    found = (
        Mailbox.objects.readable_by(request.user)  # type: ignore[arg-type]
        .filter(public_id=public_id)
        .select_related("tenant")
        .first()
    )
    if found is None and guests:
        return _as_guest(request, public_id), None
    if found is None or found.tenant.state == "closing":
        raise NotFound
    access = Access.objects.filter(mailbox=found, user=request.user).first()  # type: ignore[misc]
    if access is None or not access.rights & Rights.READ:
        raise NotFound
    if found.state != Mailbox.State.ACTIVE or found.tenant.state != "active":
        context = {"mailbox": found, "mailboxes": mailboxes_of(request)}
        return None, render(request, "webmail/suspended.html", context, status=403)
    return Place(found, access.rights, messages.folder_rows(found.pk)), None


def _as_guest(request: HttpRequest, public_id: str) -> Place:
    """The folders of another's mailbox that this person may read. Raises NotFound."""
    found = guests_service.reachable(request.user, public_id)  # type: ignore[arg-type]
    if not found:
        raise NotFound
    held = {one.found.state.folder_id: one.found.rights for one in found}
    may_write = any(rights & CHANGING for rights in held.values())
    states = [replace(one.found.state, name=one.found.own_name) for one in found]
    rights = Rights.READ | Rights.WRITE if may_write else Rights.READ
    return Place(found[0].owner, int(rights), states, held, found[0].home)


@dataclass(frozen=True, slots=True)
class SharedLink:
    """One folder of another in the list."""

    folder_id: int
    url: str
    label: str
    owner: str
    unseen_count: int


def shared_with(request: HttpRequest) -> list[SharedLink]:
    """The folders of others that are shared with this person, by whose they are."""
    return [
        SharedLink(
            one.found.state.folder_id,
            reverse("webmail:folder", args=[one.owner.public_id, one.found.state.object_serial]),
            _("Inbox") if one.found.own_name == "INBOX" else one.found.own_name,
            sharing.place_of(one.found).partition("/")[2],
            one.found.state.unseen_count,
        )
        for one in guests_service.reachable(request.user)  # type: ignore[arg-type]
    ]


def mailboxes_of(request: HttpRequest) -> list[Mailbox]:
    return list(Mailbox.objects.readable_by(request.user).order_by("kind", "pk"))  # type: ignore[arg-type]


def message(place: Place, serial: int, uid: int) -> tuple[FolderState, Listed]:
    """Raises NotFound."""
    state = place.folder(serial)
    found = listing.by_uid(state.folder_id, uid) if uid < 2**32 else None
    if found is None:
        raise NotFound
    return state, found
