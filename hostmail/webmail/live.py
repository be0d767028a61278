"""Server-sent events: tells open pages that their mailbox changed. The page then asks for what it shows.

A stream holds no database connection while it waits; before each event it looks whether its person is
still signed in and may still read the mailbox, and ends when not, and when the server stops.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from importlib import import_module

from asgiref.sync import sync_to_async
from django.conf import settings
from django.contrib.auth import get_user
from django.contrib.auth.models import AnonymousUser
from django.db import connections
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase

from hostmail.server import stopping
from mailcore import limits
from mailcore.models import Mailbox, User
from mailcore.outside import doorbell
from mailcore.services import guests, messages

# Streams that each person has open in this process.
_open: Counter[int] = Counter()


def _is_signed_in(user: User | AnonymousUser, session_key: str) -> bool:
    """Whether the session still stands for user: not signed out, ended, or of an older password."""
    request = HttpRequest()
    request.session = import_module(settings.SESSION_ENGINE).SessionStore(session_key)
    try:
        return get_user(request).pk == user.pk
    finally:
        connections.close_all()


def _may_read(user: User | AnonymousUser, public_id: str) -> int | None:
    """The mailbox's key, None when it is not (or no longer) theirs."""
    try:
        if not user.is_authenticated or not User.objects.filter(pk=user.pk, is_active=True).exists():
            return None
        found = Mailbox.objects.readable_by(user).filter(public_id=public_id, state="active").first()
        if found is None:
            shared = guests.reachable(user, public_id)
            return shared[0].owner.pk if shared else None
        return found.pk if found.tenant.state == "active" else None
    finally:
        connections.close_all()


async def events(request: HttpRequest, mailbox: str) -> HttpResponseBase:
    user = await request.auser()
    pk = await sync_to_async(_may_read)(user, mailbox)
    if pk is None:
        # 204 tells an EventSource not to come back; a stranger learns no more than that.
        return HttpResponse(status=204 if user.is_authenticated else 403)
    if _open[user.pk or 0] >= limits.LIVE_STREAMS_PER_USER:
        # Pages of this one look once a minute.
        return HttpResponse(status=204)
    session_key = request.session.session_key or ""
    response = StreamingHttpResponse(stream(user, mailbox, pk, session_key), content_type="text/event-stream")
    response.headers["Cache-Control"] = "no-cache"
    response.headers["X-Accel-Buffering"] = "no"
    return response


async def stream(user: User | AnonymousUser, public_id: str, pk: int, session_key: str) -> AsyncIterator[str]:
    """Yield an event when the mailbox changed (several rings at once are one), a comment while it did not."""
    person = user.pk or 0
    rung = asyncio.Event()
    loop = asyncio.get_running_loop()
    handle = doorbell.listen(f"mailbox:{pk}", lambda: _wake(loop, rung))
    _open[person] += 1
    try:
        known = await sync_to_async(_modseq)(pk)
        yield "retry: 3000\n: open\n\n"
        while True:
            await _either(rung, stopping(), min(limits.LIVE_HEARTBEAT_SECONDS, doorbell.poll_seconds()))
            if stopping().is_set():
                return
            rung.clear()
            if await sync_to_async(_may_read)(user, public_id) is None:
                return
            if not await sync_to_async(_is_signed_in)(user, session_key):
                return
            now = await sync_to_async(_modseq)(pk)
            yield "event: mailbox\ndata: changed\n\n" if now != known else ": still here\n\n"
            known = now
    finally:
        handle.close()
        _open[person] -= 1
        if not _open[person]:
            del _open[person]


async def _either(one: asyncio.Event, other: asyncio.Event, seconds: float) -> None:
    """Wait until one of two events is set, for so long at most."""
    waits = [asyncio.ensure_future(event.wait()) for event in (one, other)]
    try:
        await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()


def _modseq(pk: int) -> int:
    try:
        return messages.mailbox_modseq(pk)
    finally:
        connections.close_all()


def _wake(loop: asyncio.AbstractEventLoop, rung: asyncio.Event) -> None:
    loop.call_soon_threadsafe(rung.set)
