"""Mail that is kept apart: what puts it there, what lets it out, and what ends it."""

from __future__ import annotations

import datetime as dt

import pytest

from mailcore import limits
from mailcore.errors import BadValue, NoSuchMessage, NotFound, OverQuota
from mailcore.models import AuditEntry, Content, Event, Folder, Message, Quarantined, SenderRule
from mailcore.outside import clock
from mailcore.services import closing, mailboxes, messages, quarantine, spam, storage
from tests.mailcore.services.test_spam import RAW, alice, folder_of, forged, names, send

__all__ = ["alice", "forged", "names"]


@pytest.fixture
def kept(maild, alice, forged):
    """A mail of 5 points in Alice's quarantine."""
    spam.set_thresholds(alice.tenant, None, quarantine=4, actor=None)
    send(maild, alice.address)
    return Quarantined.objects.get()


def test_keeps_mail_out_of_sight(alice, kept):
    assert not Message.objects.filter(mailbox_id=alice.mailbox.pk).exists()
    assert [row.role for row in Folder.objects.filter(mailbox_id=alice.mailbox.pk, uidnext__gt=1)] == []
    assert (kept.mailbox, kept.recipient, kept.author) == (alice.mailbox, alice.address, "ann@example.org")
    assert (kept.sender, kept.subject, kept.score) == ("ann@example.org", "Hi", 5.0)
    assert [reason[0] for reason in kept.reasons] == ["SPF_FAIL", "NO_AUTH", "NO_REVERSE_NAME"]
    assert messages.raw_of(kept.content_id).raw.endswith(RAW)
    event = Event.objects.get(kind="quarantined")
    assert (event.mailbox_id, event.recipient, event.trace) == (alice.mailbox.pk, alice.address, kept.trace)
    assert event.data["reason"].startswith("spam score 5: ")
    assert event.data["spam"]["action"] == "quarantine"
    alice.mailbox.refresh_from_db()
    assert (alice.mailbox.used_octets, alice.mailbox.message_count) == (0, 0)


def test_files_for_who_wants_it_and_keeps_it_from_who_does_not(maild, alice, forged):
    bob = maild.person("bob", domain=alice.domain)
    spam.set_thresholds(alice.tenant, alice.mailbox, refuse=4, quarantine=3, actor=None)
    spam.set_thresholds(alice.tenant, bob.mailbox, junk=9, actor=None)
    send(maild, [alice.address, bob.address])
    assert folder_of(bob) == "inbox"
    assert Quarantined.objects.get().mailbox == alice.mailbox
    assert (
        b"X-Spam-Status: No, score=5.0 required=9.0" in messages.raw_of(Message.objects.get().content_id).raw
    )
    assert len(set(Event.objects.values_list("trace", flat=True))) == 2


def test_releases_to_the_inbox_as_it_came(alice, kept):
    raw = messages.raw_of(kept.content_id).raw
    quarantine.release(kept, actor=alice.user)
    assert folder_of(alice) == "inbox"
    message = Message.objects.get()
    assert messages.raw_of(message.content_id).raw == raw
    assert message.internal_date == int(kept.at.timestamp())
    assert list(Content.objects.values_list("pk", flat=True)) == [message.content_id]
    assert not Quarantined.objects.exists()
    assert Event.objects.get(kind="filed").trace == kept.trace
    assert AuditEntry.objects.get(verb="quarantine.release").actor == alice.user
    with pytest.raises(NoSuchMessage):
        quarantine.release(kept, actor=None)
    assert Message.objects.count() == 1


def test_can_allow_the_author_with_it(alice, kept):
    quarantine.release(kept, actor=None, allow=True)
    rule = SenderRule.objects.get()
    assert (rule.who, rule.is_wanted, rule.mailbox) == ("ann@example.org", True, alice.mailbox)


def test_cannot_allow_nobody(kept):
    kept.author = ""
    with pytest.raises(BadValue):
        quarantine.release(kept, actor=None, allow=True)
    assert Quarantined.objects.exists()


def test_releases_nothing_into_a_full_mailbox(alice, kept):
    mailboxes.set_quota(alice.mailbox, 1, actor=None)
    with pytest.raises(OverQuota):
        quarantine.release(kept, actor=None)
    assert Quarantined.objects.exists()
    assert Content.objects.exists()


def test_deletes_for_good(kept):
    quarantine.discard(kept, actor=None)
    assert not Quarantined.objects.exists()
    assert not Content.objects.exists()
    assert Event.objects.get(kind="discarded").data["quarantine"] == "deleted"
    with pytest.raises(NotFound):
        quarantine.discard(kept, actor=None)
    assert Event.objects.filter(kind="discarded").count() == 1


def test_ends_by_itself(kept, monkeypatch):
    assert quarantine.sweep() == 0
    later = clock.now() + dt.timedelta(days=31)
    monkeypatch.setattr(clock, "now", lambda: later)
    assert quarantine.sweep() == 1
    assert not Content.objects.exists()
    assert Event.objects.get(kind="discarded").data["quarantine"] == "expired"


def test_is_left_alone_by_the_sweep_of_contents(kept, monkeypatch):
    later = clock.now() + dt.timedelta(days=20)
    monkeypatch.setattr(clock, "now", lambda: later)
    assert storage.sweep_contents() == 0
    assert Content.objects.filter(pk=kept.content_id).exists()


def test_goes_with_its_mailbox(alice, kept):
    mailboxes.remove(alice.mailbox, actor=None)
    closing.finish()
    assert not Quarantined.objects.exists()
    assert not Content.objects.exists()


@pytest.mark.parametrize("limit", ["QUARANTINE_MESSAGES", "QUARANTINE_OCTETS"])
def test_gives_to_junk_what_has_no_room(maild, alice, kept, monkeypatch, limit):
    monkeypatch.setattr(limits, limit, 1)
    send(maild, alice.address)
    assert folder_of(alice) == "junk"
    assert Quarantined.objects.count() == 1
