"""Quarantine and senders in the browser."""

import pytest
from django.test import Client

from mailcore.filters.spam import Reason, Thresholds, decide
from mailcore.models import Message, Quarantined, Rights, SenderRule
from mailcore.services import delivery, folders, mailboxes, messages, quarantine
from mailcore.services.messages import Filing, Mail, Unit
from tests.cast import Cast

pytestmark = pytest.mark.django_db
RAW = b"From: Carol <carol@example.net>\r\nSubject: Win\r\nMessage-ID: <1@x>\r\n\r\nNow\r\n"


@pytest.fixture
def cast(data_dir) -> Cast:
    return Cast()


def signed_in(person) -> Client:
    client = Client()
    client.force_login(person.user)
    return client


def keep(person) -> Quarantined:
    """A mail in the quarantine of somebody."""
    filing = Filing(person.tenant.pk, person.mailbox.pk, recipient=person.address)
    judged = decide([Reason("R", 9.5, "the <host> is known for it")], Thresholds(5, quarantine=9))
    facts = quarantine.Kept(
        [filing], judged, "t1", "bounce@example.net", "carol@example.net", "Win", len(RAW), "", {}
    )
    mail = Mail(messages.prepare(RAW), [], keep_for=(person.tenant.pk, None))
    delivery.deliver(Unit([mail], within=lambda contents: quarantine.keep(facts, contents[0])))
    return Quarantined.objects.get(mailbox=person.mailbox)


def at(person, name: str) -> str:
    return f"/mail/{person.mailbox.public_id}/{name}/"


def test_shows_who_wrote_what_and_why_it_is_kept(cast):
    keep(cast.alice)
    text = signed_in(cast.alice).get(at(cast.alice, "quarantine")).text
    for word in ("Win", "carol@example.net", "the &lt;host&gt; is known for it (9.5)"):
        assert word in text
    assert "Nothing is in quarantine" in signed_in(cast.bob).get(at(cast.bob, "quarantine")).text


@pytest.mark.parametrize(("action", "rules"), [("release", 0), ("allow", 1)])
def test_releases(cast, action, rules):
    entry = keep(cast.alice)
    answer = signed_in(cast.alice).post(
        at(cast.alice, "quarantine"), {"id": entry.public_id, "action": action}, follow=True
    )
    assert "It is in the Inbox now" in answer.text
    message = Message.objects.get(mailbox_id=cast.alice.mailbox.pk)
    assert message.folder_id == folders.by_role(cast.alice.mailbox.pk, "inbox")
    assert SenderRule.objects.filter(who="carol@example.net", is_wanted=True).count() == rules


def test_deletes(cast):
    entry, alice = keep(cast.alice), signed_in(cast.alice)
    given = {"id": entry.public_id, "action": "delete"}
    assert alice.post(at(cast.alice, "quarantine"), given).status_code == 302
    assert not Quarantined.objects.exists()
    assert alice.post(at(cast.alice, "quarantine"), given).status_code == 422


def test_is_for_the_people_of_the_mailbox_alone(cast):
    entry = keep(cast.alice)
    given = {"id": entry.public_id, "action": "release"}
    assert signed_in(cast.bob).post(at(cast.alice, "quarantine"), given).status_code == 404
    assert signed_in(cast.bob).post(at(cast.bob, "quarantine"), given).status_code == 422
    mailboxes.grant(cast.alice.mailbox, cast.bob.user, Rights.READ, actor=None)
    assert "Release" not in signed_in(cast.bob).get(at(cast.alice, "quarantine")).text
    assert signed_in(cast.bob).post(at(cast.alice, "quarantine"), given).status_code == 403
    assert Quarantined.objects.exists()


def test_lists_and_changes_senders(cast):
    alice, where = signed_in(cast.alice), at(cast.alice, "senders")
    alice.post(where, {"who": "Eve@Example.org", "action": "block"})
    alice.post(where, {"who": "@example.net", "action": "want"})
    assert dict(SenderRule.objects.values_list("who", "is_wanted")) == {
        "eve@example.org": False, "@example.net": True,
    }  # fmt: skip
    text = alice.get(where).text
    assert "eve@example.org" in text
    assert "@example.net" in text
    assert alice.post(where, {"who": "nobody", "action": "block"}).status_code == 422
    assert alice.post(where, {"who": "a@b.example", "action": "love"}).status_code == 422
    alice.post(where, {"who": "eve@example.org", "action": "remove"})
    assert SenderRule.objects.get().who == "@example.net"
    assert signed_in(cast.charlie).get(where).status_code == 404


@pytest.mark.parametrize(
    ("what", "who", "is_wanted"),
    [("block", "carol@example.net", False), ("block_domain", "@example.net", False),
     ("want", "carol@example.net", True)],
)  # fmt: skip
def test_says_it_from_the_menu_of_a_message(cast, what, who, is_wanted):
    box = cast.alice.mailbox
    delivery.deliver(Unit([Mail(messages.prepare(RAW), [Filing(cast.alice.tenant.pk, box.pk)])]))
    alice, inbox = signed_in(cast.alice), messages.folder_state(folders.by_role(box.pk, "inbox"))
    where = f"/mail/{box.public_id}/folder/{inbox.object_serial}/"
    assert f'value="{what}"' in alice.get(f"{where}1/").text
    answer = alice.post(f"{where}act/", {"uid": "1", "sender": what}, follow=True)
    assert who in answer.text
    rule = SenderRule.objects.get()
    assert (rule.mailbox, rule.who, rule.is_wanted) == (box, who, is_wanted)


def test_says_nothing_of_a_message_without_an_author(cast):
    box = cast.alice.mailbox
    raw = RAW.replace(b"Carol <carol@example.net>", b"nobody")
    delivery.deliver(Unit([Mail(messages.prepare(raw), [Filing(cast.alice.tenant.pk, box.pk)])]))
    inbox = messages.folder_state(folders.by_role(box.pk, "inbox"))
    where = f"/mail/{box.public_id}/folder/{inbox.object_serial}/act/"
    answer = signed_in(cast.alice).post(where, {"uid": "1", "sender": "block"}, follow=True)
    assert "does not name one author" in answer.text
    assert not SenderRule.objects.exists()
