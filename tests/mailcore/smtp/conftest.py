"""maild inside the test's process: an event loop in a thread, real sockets, the test's database."""

import asyncio
import os
import threading

import pytest
from django.db import connection

from mailcore import server
from mailcore.smtp import server as smtp_server


@pytest.fixture
def maild(transactional_db, data_dir, settings, free_port, monkeypatch):
    """The SMTP listeners, running; ports are in settings."""
    for name in ("SMTP", "SUBMISSION", "SUBMISSIONS"):
        setattr(settings, f"HOSTMAIL_{name}_PORT", free_port())
    settings.HOSTMAIL_TLS_CERT = settings.HOSTMAIL_DATA_DIR / "tls" / "cert.pem"
    settings.HOSTMAIL_TLS_KEY = settings.HOSTMAIL_DATA_DIR / "tls" / "key.pem"
    monkeypatch.setitem(os.environ, "DJANGO_ALLOW_ASYNC_UNSAFE", "1")
    ready = threading.Event()
    stopping: list[asyncio.Event] = []
    loop = asyncio.new_event_loop()

    async def serve() -> None:
        stop = asyncio.Event()
        stopping.append(stop)
        made = server.Maild(("mx", "submission"))
        made.clerk.start()
        made._listeners += await smtp_server.start(made)
        ready.set()
        await stop.wait()
        await made._end()
        connection.close()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()), daemon=True)
    thread.start()
    assert ready.wait(10), "maild does not start"
    yield
    loop.call_soon_threadsafe(stopping[0].set)
    thread.join(10)
    loop.close()
    assert not thread.is_alive()
