import re

import pytest
from django.core import mail
from django.test import Client

from mailcore.models import Address
from tests.cast import Cast
from tests.hostmail.api.test_api import api_of
from tests.hostmail.web.test_pages import client_of, page

BOB = "bob@example.org"


@pytest.fixture
def cast(db, settings) -> Cast:
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    return Cast()


def link():
    (letter,) = mail.outbox
    assert letter.to == [BOB]
    return re.search(r"http://[^/]+(/confirm/\S+)", letter.body)[1]


def test_the_page_shows_who_has_not_agreed_and_a_stranger_agrees(cast):
    alice = client_of(cast.alice.user)
    alice.post(page("alias_add"), {"address": "out@acme.test", "targets": BOB})
    assert b"Not confirmed yet" in alice.get(page("aliases")).content
    where, stranger = link(), Client()
    assert BOB in stranger.get(where).content.decode()
    assert Address.objects.get(local_part="out").is_waiting
    assert b"You have agreed" in stranger.post(where).content
    assert not Address.objects.get(local_part="out").is_waiting
    assert b"Not confirmed yet" not in alice.get(page("aliases")).content


def test_a_wrong_link_says_nothing(cast):
    assert Client().get("/confirm/1-2-3/").status_code == 404


def test_the_api_says_who_has_not_agreed(cast):
    alice = api_of(cast.alice.user)
    made = alice("post", "aliases/", {"address": "out@acme.test", "targets": [BOB, "bob@acme.test"]}, 201)
    assert made["unconfirmed"] == [BOB]
    Client().post(link())
    assert alice("get", f"aliases/{made['id']}/", status=200)["unconfirmed"] == []
