"""The HTTP server behind `manage.py web`: uvicorn, with a readiness line and an orderly end."""

import asyncio
import socket
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import uvicorn
from django.conf import settings

from mailcore import limits

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Any, Any, Any], Awaitable[None]]

_stopping: asyncio.Event | None = None


def stopping() -> asyncio.Event:
    """Return the event that is set when the server begins to stop: long-lived answers end then.

    Called on the event loop by the live views (server-sent events).
    """
    global _stopping  # one server in a process
    if _stopping is None:
        _stopping = asyncio.Event()
    return _stopping


class BodyLimit:
    """ASGI around the application: a request larger than most(path) allows is answered 413.

    By its Content-Length before a byte of it is read, else as soon as it has grown too long: Django would
    first write all of it to disk.
    """

    def __init__(self, application: Application, most: Callable[[str], int]) -> None:
        self._application, self._most = application, most

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._application(scope, receive, send)
            return
        most, taken = self._most(scope["path"]), 0
        declared = dict(scope["headers"]).get(b"content-length", b"0")
        # More digits than that would be refused as well, slowly.
        if len(declared) > 18 or (declared.isdigit() and int(declared) > most):
            await _too_large(send, most)
            return

        async def counted() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            # For the application the client has gone away: it ends without an answer.
            return {"type": "http.disconnect"} if taken > most else message

        await self._application(scope, counted, send)
        if taken > most:
            await _too_large(send, most)


async def _too_large(send: Send, most: int) -> None:
    text = f"This is larger than what is taken here: at most {most // 1024**2} MB.\n".encode()
    headers = [
        (b"content-type", b"text/plain; charset=utf-8"), (b"content-length", str(len(text)).encode()),
        (b"x-content-type-options", b"nosniff"), (b"cache-control", b"no-store"), (b"connection", b"close"),
    ]  # fmt: skip
    await send({"type": "http.response.start", "status": 413, "headers": headers})
    await send({"type": "http.response.body", "body": text})


def most_octets(path: str) -> int:
    """How much a request to path may carry: a whole mail where one is written, else a form."""
    if path.startswith("/mail/") and path.endswith("/compose/"):
        return int(settings.HOSTMAIL_MAX_MESSAGE) + limits.FORM_OCTETS
    return limits.FORM_OCTETS


class Server(uvicorn.Server):
    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        stopping().clear()
        await super().startup(sockets)
        if self.started:
            print("ready", flush=True)  # noqa: T201 - what the supervisor waits for

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        stopping().set()
        await super().shutdown(sockets)
        # uvicorn would now raise SIGTERM again; a stop that was asked for is a success.
        self._captured_signals.clear()


def build() -> Server:
    proxies = [str(network) for network in settings.HOSTMAIL_TRUSTED_PROXIES]
    config = uvicorn.Config(
        "hostmail.asgi:application",
        host=settings.HOSTMAIL_BIND,
        port=settings.HOSTMAIL_HTTP_PORT,
        loop="uvloop",
        http="httptools",
        ws="none",
        lifespan="off",
        timeout_graceful_shutdown=3,
        timeout_keep_alive=30,
        proxy_headers=bool(proxies),
        forwarded_allow_ips=proxies or None,
        server_header=False,
        access_log=False,
        log_config=None,
    )
    return Server(config)
