"""The event stream says that a mailbox changed, and ends when its person may no longer read it."""

import asyncio

import pytest
from asgiref.sync import sync_to_async

from hostmail import server
from hostmail.webmail import live
from mailcore import limits
from mailcore.models import Access
from mailcore.outside import doorbell
from tests.cast import Cast
from tests.hostmail.webmail.test_webmail import file, mail, signed_in

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _own_server(monkeypatch) -> None:
    """Each test has its own event loop, and so its own end of the server."""
    monkeypatch.setattr(server, "_stopping", None)


def test_tells_of_new_mail_and_ends_with_the_right() -> None:
    cast = Cast(keys=True)
    person = cast.alice
    key = signed_in(person).session.session_key or ""

    async def follow() -> list[str]:
        stream = live.stream(person.user, person.mailbox.public_id, person.mailbox.pk, key)
        seen = [await anext(stream)]
        await sync_to_async(file)(person, mail("New"))
        seen.append(await asyncio.wait_for(anext(stream), 10))
        await sync_to_async(Access.objects.filter(mailbox=person.mailbox).delete)()
        doorbell.ring(f"mailbox:{person.mailbox.pk}")
        seen += [event async for event in stream]
        return seen

    seen = asyncio.run(follow())
    assert ": open" in seen[0]
    assert "event: mailbox" in seen[1]
    assert len(seen) == 2


def test_ends_when_its_person_signs_out() -> None:
    person = Cast(keys=True).alice
    client = signed_in(person)
    key = client.session.session_key or ""

    async def follow() -> list[str]:
        stream = live.stream(person.user, person.mailbox.public_id, person.mailbox.pk, key)
        seen = [await anext(stream)]
        await sync_to_async(client.logout)()
        doorbell.ring(f"mailbox:{person.mailbox.pk}")
        async with asyncio.timeout(10):
            seen += [event async for event in stream]
        return seen

    assert len(asyncio.run(follow())) == 1
    assert not live._open


def test_opens_so_many_for_one_person_and_no_more(monkeypatch) -> None:
    person = Cast(keys=True).alice
    url = f"/mail/{person.mailbox.public_id}/live/"
    monkeypatch.setitem(live._open, person.user.pk, limits.LIVE_STREAMS_PER_USER)
    assert signed_in(person).get(url).status_code == 204


def test_ends_with_the_server() -> None:
    person = Cast(keys=True).alice
    key = signed_in(person).session.session_key or ""

    async def follow() -> list[str]:
        stream = live.stream(person.user, person.mailbox.public_id, person.mailbox.pk, key)
        seen = [await anext(stream)]
        server.stopping().set()
        async with asyncio.timeout(5):
            seen += [event async for event in stream]
        return seen

    assert len(asyncio.run(follow())) == 1


def test_is_closed_to_strangers() -> None:
    cast = Cast(keys=True)
    url = f"/mail/{cast.alice.mailbox.public_id}/live/"
    assert signed_in(cast.bob).get(url).status_code == 204
    assert signed_in(cast.alice).get(url).headers["Content-Type"] == "text/event-stream"
