import pytest
from django.test import Client

from mailcore.models import Suppression
from mailcore.services import addresses, suppressions
from tests.cast import Cast
from tests.hostmail.api.test_api import api_of
from tests.hostmail.web.test_pages import client_of, page

BOB = "bob@example.org"


@pytest.fixture
def cast(db) -> Cast:
    return Cast()


@pytest.fixture
def alice(cast) -> Client:
    return client_of(cast.alice.user)


def test_shows_why_and_lets_an_address_go_again(cast, alice):
    suppressions.note_bounces([(cast.alice.tenant.pk, BOB, "5.1.1", "550 <no> Bob here")])
    text = alice.get(page("suppressions")).content.decode()
    assert BOB in text
    assert "550 &lt;no&gt; Bob here" in text
    assert BOB not in alice.get(page("suppressions"), {"q": "eve"}).content.decode()
    where = page("suppression_remove", Suppression.objects.get().public_id)
    assert client_of(cast.bob.user).post(where).status_code == 404
    assert client_of(cast.charlie.user).post(where).status_code == 404
    assert Suppression.objects.exists()
    assert alice.post(where).status_code == 302
    assert not Suppression.objects.exists()


def test_takes_an_address_by_hand(cast, alice):
    assert alice.post(page("suppression_add"), {"address": "nobody"}).status_code == 422
    alice.post(page("suppression_add"), {"address": BOB, "words": "asked us to stop"})
    row = Suppression.objects.get()
    assert (row.address, row.words, row.tenant) == (BOB, "asked us to stop", cast.alice.tenant)


def test_the_api_lists_adds_and_deletes(cast):
    alice, charlie = api_of(cast.alice.user), api_of(cast.charlie.user)
    made = alice("post", "suppressions/", {"address": "Bob@example.org"}, 201)
    assert (made["address"], made["reason"], made["expires_at"]) == (BOB, "manual", None)
    alice("post", "suppressions/", {"address": "x", "typo": 1}, 400)
    found = alice("get", f"suppressions/?address={BOB.upper()}", status=200)["results"]
    assert [row["id"] for row in found] == [made["id"]]
    assert charlie("get", "suppressions/", status=200)["results"] == []
    charlie("delete", f"suppressions/{made['id']}/", status=404)
    alice("delete", f"suppressions/{made['id']}/", status=204)
    assert not Suppression.objects.exists()


def test_the_page_of_aliases_says_which_target_gets_nothing(cast, alice):
    addresses.add_alias(cast.alice.tenant, "out@acme.test", [BOB, "eve@example.org"], actor=None)
    assert b"Bounces: gets nothing" not in alice.get(page("aliases")).content
    suppressions.note_bounces([(cast.alice.tenant.pk, BOB, "5.1.1", "550 no Bob here")])
    assert alice.get(page("aliases")).content.count(b"Bounces: gets nothing") == 1
