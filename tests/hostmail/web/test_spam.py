"""Thresholds and the quarantine, by the dashboard and by the API."""

import pytest
from django.test import Client

from mailcore.filters.spam import Thresholds
from mailcore.models import Event, Message, Quarantined, SenderRule
from mailcore.services import spam
from tests.cast import Cast
from tests.hostmail.api.test_api import api_of
from tests.hostmail.web.test_pages import client_of, page
from tests.hostmail.webmail.test_judged import keep


@pytest.fixture
def cast(data_dir, db) -> Cast:
    return Cast()


@pytest.fixture
def alice(cast) -> Client:
    return client_of(cast.alice.user)


def in_force(person) -> Thresholds:
    place = person.tenant.pk, person.mailbox.pk
    return spam.thresholds([place])[place]


def test_sets_thresholds_for_all_and_for_one(cast, alice):
    box = cast.bob.mailbox.public_id
    assert b"Empty: 5, as set above" in alice.get(page("spam")).content
    assert alice.post(page("spam"), {"junk": "4", "refuse": "20"}).status_code == 302
    assert b"Empty: 20, as set above" in alice.get(page("mailbox_spam", box)).content
    alice.post(page("mailbox_spam", box), {"junk": "2.5", "quarantine": "8", "refuse": "0"})
    assert in_force(cast.bob) == Thresholds(2.5, refuse=0, quarantine=8)
    assert in_force(cast.alice) == Thresholds(4, refuse=20)
    assert b'value="2.5"' in alice.get(page("mailbox_spam", box)).content
    alice.post(page("mailbox_spam", box), {})
    assert in_force(cast.bob) == Thresholds(4, refuse=20)
    assert alice.post(page("spam"), {"junk": "-1"}).status_code == 422


def test_lists_and_releases_what_is_kept(cast, alice):
    entry = keep(cast.bob)
    text = alice.get(page("quarantine")).content.decode()
    for word in ("Win", "carol@example.net", cast.bob.address, "the &lt;host&gt; is known for it (9.5)"):
        assert word in text
    assert alice.get(page("quarantine_release", entry.public_id)).status_code == 200
    assert Quarantined.objects.exists()
    assert alice.post(page("quarantine_release", entry.public_id)).status_code == 302
    assert Message.objects.get().mailbox_id == cast.bob.mailbox.pk
    assert alice.post(page("quarantine_release", entry.public_id)).status_code == 404


def test_deletes_and_says_so_in_the_story_of_the_mail(cast, alice):
    entry = keep(cast.bob)
    assert client_of(cast.bob.user).post(page("quarantine_remove", entry.public_id)).status_code == 404
    assert client_of(cast.charlie.user).post(page("quarantine_remove", entry.public_id)).status_code == 404
    assert alice.post(page("quarantine_remove", entry.public_id)).status_code == 302
    assert not Quarantined.objects.exists()
    assert [row.kind for row in Event.objects.filter(trace="t1").order_by("pk")] == [
        "quarantined", "discarded",
    ]  # fmt: skip
    shown = alice.get(page("trace", "t1")).content.decode()
    assert "Deleted from quarantine" in shown
    assert b"was deleted from the quarantine" in alice.get(page("events")).content


def test_the_api_sets_thresholds(cast):
    alice, charlie = api_of(cast.alice.user), api_of(cast.charlie.user)
    at = f"mailboxes/{cast.bob.mailbox.public_id}/spam/"
    alice("patch", f"tenants/{cast.alice.tenant.public_id}/spam/", {"quarantine": 9}, 200)
    found = alice("patch", at, {"junk": 3}, 200)
    assert found == {
        "junk": 3, "quarantine": None, "refuse": None,
        "in_force": {"junk": 3, "quarantine": 9, "refuse": 0},
    }  # fmt: skip
    assert alice("get", at, status=200) == found
    for wrong in ({"junk": -1}, {"junk": 1001}, {"junk": "nan"}, {"jnk": 3}):
        alice("patch", at, wrong, 400)
    charlie("patch", at, {"junk": 3}, 404)
    charlie("patch", f"tenants/{cast.alice.tenant.public_id}/spam/", {"junk": 3}, 404)


def test_the_api_says_whom_a_mailbox_wants(cast):
    alice, charlie = api_of(cast.alice.user), api_of(cast.charlie.user)
    at = f"mailboxes/{cast.bob.mailbox.public_id}/senders/"
    made = alice("post", at, {"who": "Eve@Example.org", "is_wanted": False}, 201)
    assert (made["who"], made["is_wanted"]) == ("eve@example.org", False)
    assert [row["who"] for row in alice("get", at, status=200)] == ["eve@example.org"]
    charlie("get", at, status=404)
    charlie("delete", f"{at}?who=eve@example.org", status=404)
    assert SenderRule.objects.exists()
    alice("delete", f"{at}?who=eve@example.org", status=204)
    alice("delete", f"{at}?who=eve@example.org", status=404)
    assert not SenderRule.objects.exists()


def test_the_api_releases_and_deletes(cast):
    alice, charlie = api_of(cast.alice.user), api_of(cast.charlie.user)
    first, second = keep(cast.bob), keep(cast.alice)
    listed = alice("get", f"quarantine/?mailbox={cast.bob.mailbox.public_id}", status=200)["results"]
    assert [(row["id"], row["subject"], row["author"]) for row in listed] == [
        (first.public_id, "Win", "carol@example.net")
    ]
    assert listed[0]["reasons"] == [{"name": "R", "points": 9.5, "text": "the <host> is known for it"}]
    assert charlie("get", "quarantine/", status=200)["results"] == []
    charlie("post", f"quarantine/{first.public_id}/release/", {}, 404)
    assert alice("post", f"quarantine/{first.public_id}/release/", {"allow_sender": True}, 200)["uid"] == 1
    assert SenderRule.objects.get().mailbox == cast.bob.mailbox
    alice("delete", f"quarantine/{second.public_id}/", status=204)
    assert not Quarantined.objects.exists()
