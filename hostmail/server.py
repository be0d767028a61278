"""The HTTP server behind `manage.py web`: uvicorn, with a readiness line and an orderly end."""

import asyncio
import socket

import uvicorn
from django.conf import settings

_stopping: asyncio.Event | None = None


def stopping() -> asyncio.Event:
    """Return the event that is set when the server begins to stop: long-lived answers end then.

    Called on the event loop by the live views (server-sent events).
    """
    global _stopping  # one server in a process
    if _stopping is None:
        _stopping = asyncio.Event()
    return _stopping


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
