"""Requests are judged by their size before they are read, and streams end with the server."""

import asyncio

import pytest

from hostmail import server
from hostmail.asgi import application
from mailcore import limits


def ask(
    pieces: list[bytes], headers: list[tuple[bytes, bytes]] = (), path: str = "/x", most: int = 10
) -> tuple:
    """(status, body, what the application heard) of one request through BodyLimit."""
    heard: list[bytes] = []
    sent: list[dict] = []
    messages = [{"type": "http.request", "body": one, "more_body": True} for one in pieces]
    messages.append({"type": "http.request", "body": b"", "more_body": False})

    async def app(scope, receive, send):
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            heard.append(message["body"])
            if not message["more_body"]:
                break
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"taken"})

    async def receive():
        return messages.pop(0)

    async def send(message):
        sent.append(message)

    scope = {"type": "http", "path": path, "headers": list(headers)}
    asyncio.run(server.BodyLimit(app, lambda path: most)(scope, receive, send))
    assert len(sent) == 2
    return sent[0]["status"], sent[1]["body"], b"".join(heard)


def test_lets_through_what_is_small_enough():
    assert ask([b"12345", b"67890"], [(b"content-length", b"10")]) == (200, b"taken", b"1234567890")
    assert ask([]) == (200, b"taken", b"")


@pytest.mark.parametrize("length", [b"11", b"1" * 19, b"1" * 5000])
def test_reads_nothing_of_what_says_it_is_too_large(length):
    status, text, heard = ask([b"12345"], [(b"content-length", length)])
    assert (status, heard) == (413, b"")
    assert b"at most" in text


def test_stops_reading_what_grows_too_large():
    status, _text, heard = ask([b"12345", b"678901", b"never read"])
    assert (status, heard) == (413, b"12345")


def test_takes_a_whole_mail_only_where_one_is_written(settings):
    settings.HOSTMAIL_MAX_MESSAGE = 100
    assert server.most_octets("/mail/abc/compose/") == 100 + limits.FORM_OCTETS
    for path in ("/mail/abc/folder/1/act/", "/accounts/login/", "/api/v1/aliases/", "/compose/"):
        assert server.most_octets(path) == limits.FORM_OCTETS
    assert isinstance(application, server.BodyLimit)
