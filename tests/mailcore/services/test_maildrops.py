"""The inbox for POP3."""

import pytest

from mailcore.errors import FolderGone, NoSuchMessage
from mailcore.message.flags import SEEN
from mailcore.models import Event, Message
from mailcore.services import folders, maildrops, messages
from mailcore.services.messages import Filing, Mail, Unit
from tests.cast import Cast

RAW = b"Subject: x\r\n\r\nHi.\r\n"


@pytest.fixture
def alice(db, data_dir):
    person = Cast().alice
    unit = Unit([
        Mail(messages.prepare(RAW + b"." * n), [Filing(person.tenant.pk, person.mailbox.pk)], b"X: y\r\n")
        for n in range(3)
    ])  # fmt: skip
    messages.append_many([unit])
    return person


@pytest.fixture
def drop(alice):
    return maildrops.look_into(alice.tenant.pk, alice.mailbox.pk)


def test_lists_the_inbox_and_nothing_else(alice, drop):
    unit = Unit([Mail(messages.prepare(RAW), [Filing(alice.tenant.pk, alice.mailbox.pk, "sent")])])
    messages.append_many([unit])
    again = maildrops.look_into(alice.tenant.pk, alice.mailbox.pk)
    assert list(again.uids) == list(drop.uids) == [1, 2, 3]
    assert list(again.sizes) == [25, 26, 27]
    assert again.uidvalidity == messages.folder_state(folders.by_role(alice.mailbox.pk, "inbox")).uidvalidity
    assert messages.raw_of(again.contents[2]).raw == b"X: y\r\n" + RAW + b".."


def test_lists_an_empty_inbox(db, data_dir):
    bob = Cast().bob
    drop = maildrops.look_into(bob.tenant.pk, bob.mailbox.pk)
    assert (list(drop.uids), list(drop.sizes), list(drop.contents)) == ([], [], [])
    maildrops.leave(drop, [], [])
    assert not Event.objects.filter(mailbox_id=bob.mailbox.pk).exists()


def test_gives_headers(drop):
    assert maildrops.header_of(drop, 1) == b"X: y\r\nSubject: x\r\n\r\n"
    messages.expunge(drop.folder_id, [(2, 2)], only_deleted=False)
    with pytest.raises(NoSuchMessage):
        maildrops.header_of(drop, 1)


def test_removes_just_what_is_deleted(alice, drop):
    maildrops.leave(drop, [3, 1], [3, 1])
    assert list(Message.objects.filter(mailbox_id=alice.mailbox.pk).values_list("uid", flat=True)) == [2]
    facts = Event.objects.filter(mailbox_id=alice.mailbox.pk).values_list("kind", "uids")
    assert list(facts) == [("fetched", "1,3"), ("deleted", "1,3")]


def test_does_not_mind_what_is_gone_already(alice, drop):
    messages.expunge(drop.folder_id, [(1, 1)], only_deleted=False)
    maildrops.leave(drop, [], [1, 2])
    assert list(Message.objects.filter(mailbox_id=alice.mailbox.pk).values_list("uid", flat=True)) == [3]


def test_leaves_all_or_nothing(alice, drop, monkeypatch):
    def gone(*_, **__):
        raise FolderGone

    monkeypatch.setattr(maildrops.messages, "expunge", gone)
    with pytest.raises(FolderGone):
        maildrops.leave(drop, [1], [2])
    assert not Event.objects.filter(kind="fetched").exists()


def test_what_was_fetched_and_stays_has_been_read(alice, drop):
    maildrops.leave(drop, [1, 3], [3], mark_read=True)
    seen = Message.objects.filter(mailbox_id=alice.mailbox.pk).order_by("uid").values_list("uid", "flags")
    assert [(uid, flags & SEEN) for uid, flags in seen] == [(1, SEEN), (2, 0)]
    facts = Event.objects.filter(mailbox_id=alice.mailbox.pk).values_list("kind", "uids")
    assert list(facts) == [("fetched", "1,3"), ("read", "1"), ("deleted", "3")]


def test_marks_nothing_unless_told_to(alice, drop):
    maildrops.leave(drop, [1])
    assert not Message.objects.filter(mailbox_id=alice.mailbox.pk, flags=SEEN).exists()


def test_shows_a_surrogate_to_who_expects_ascii(alice):
    raw = "From: Jörg <jörg@bücher.example>\r\nSubject: Grüße\r\n\r\nÄ\r\n".encode()
    unit = Unit([
        Mail(messages.prepare(raw), [Filing(alice.tenant.pk, alice.mailbox.pk)], "Received: für\r\n".encode())
    ])  # fmt: skip
    messages.append_many([unit])
    drop = maildrops.look_into(alice.tenant.pk, alice.mailbox.pk)
    mail = messages.raw_of(drop.contents[3])
    assert len(mail) == drop.sizes[3]
    assert maildrops.shown(mail, is_utf8=True) is mail
    header, _, body = maildrops.shown(mail, is_utf8=False).raw.partition(b"\r\n\r\n")
    assert header.isascii()
    assert b"<invalid@internationalized-address.invalid>" in header
    assert body == "Ä\r\n".encode()
    assert maildrops.header_of(drop, 3, is_utf8=False) == header + b"\r\n\r\n"
    assert maildrops.header_of(drop, 3) == mail.prefix + mail.header
