"""One Send: what is judged, what is filed, what is queued, and that it happens once."""

import email
import threading

import pytest
from django.db import connection

from mailcore import limits
from mailcore.errors import (
    BadHeader,
    BadMessage,
    DomainUnverified,
    Loop,
    MailboxSuspended,
    MessageTooBig,
    NoSuchAddress,
    NotYours,
    TenantSuspended,
    TooManyRecipients,
)
from mailcore.message import fields, flags
from mailcore.models import Content, Event, Folder, Message, QueueEntry, Rights, Submission
from mailcore.services import addresses, mailboxes, messages, outbound, tenants
from tests.cast import Cast, make_domain, make_mailbox
from tests.fakes import MemoryWorker

pytestmark = pytest.mark.django_db
RAW = b"From: alice@acme.test\r\nTo: bob@example.org\r\nSubject: Hello\r\n\r\nHow are you?\r\n"


@pytest.fixture
def cast(db, data_dir):
    with MemoryWorker() as woken:
        made = Cast()
        made.woken = woken
        yield made


@pytest.fixture
def alice(cast):
    return cast.alice


def send(person, *recipients, raw=RAW, **more):
    more = {"source": "api", "reverse_path": person.address, "user_id": person.user.pk, **more}
    return outbound.submit(person.mailbox, raw, recipients or ["bob@example.org"], **more)


def states():
    return dict(QueueEntry.objects.values_list("recipient", "state"))


def kept(submission):
    return messages.raw_of(submission.content_id)


# --- What is filed and queued ----------------------------------------------------------------------------


def test_mixes_local_and_remote_recipients(cast, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True):
        submission = send(cast.alice, cast.bob.address, "x@example.org", "y@example.net")
    assert states() == {"bob@acme.test": "delivered", "x@example.org": "waiting", "y@example.net": "waiting"}
    (message,) = Message.objects.all()
    assert message.mailbox_id == cast.bob.mailbox.pk
    assert message.content_id == submission.content_id  # kept once
    assert Content.objects.count() == 1
    assert cast.woken.woken == [("mailcore.tasks.run_queue", ())]
    facts = {event.kind: event for event in Event.objects.all()}
    assert facts["submitted"].trace == facts["filed"].trace == submission.trace
    assert facts["submitted"].data["recipients"] == ["bob@acme.test", "x@example.org", "y@example.net"]


def test_one_recipient_named_twice_gets_it_once(cast):
    send(cast.alice, cast.bob.address, "BOB@acme.test", "x@example.org", "x@EXAMPLE.org")
    assert Message.objects.count() == 1
    assert QueueEntry.objects.filter(recipient="x@example.org").count() == 1


def test_webmail_files_a_copy_in_sent(cast):
    submission = send(cast.alice, cast.bob.address, source="webmail")
    sent = Message.objects.get(folder_id=Folder.objects.get(mailbox=cast.alice.mailbox, role="sent").pk)
    assert sent.flags == flags.SEEN
    assert sent.content_id == submission.content_id
    assert kept(submission).prefix == b""
    inbox = Message.objects.get(mailbox_id=cast.bob.mailbox.pk)
    assert messages.raw_of(inbox.content_id).prefix.startswith(
        b"Return-Path: <alice@acme.test>\r\nReceived: "
    )


def test_only_the_senders_own_copy_names_the_blind_recipients(cast):
    raw = (
        b"From: alice@acme.test\r\nTo: x@example.org\r\nBcc: bob@acme.test,\r\n secret@example.net\r\n"
        b"Subject: x\r\n\r\nline\r\n"
    )
    submission = send(
        cast.alice, "x@example.org", "bob@acme.test", "secret@example.net", raw=raw, source="webmail"
    )
    assert b"ecret" not in kept(submission).raw
    sent = Message.objects.get(mailbox_id=cast.alice.mailbox.pk)
    copy = messages.raw_of(sent.content_id)
    assert copy.prefix == b""
    assert fields.get(copy.header, "bcc") == "bob@acme.test, secret@example.net"
    assert (copy.body, sent.content_id != submission.content_id) == (b"line\r\n", True)
    inbox = Message.objects.get(mailbox_id=cast.bob.mailbox.pk)
    assert inbox.content_id not in (sent.content_id,)
    assert b"ecret" not in messages.raw_of(inbox.content_id).raw
    assert states()["secret@example.net"] == "waiting"


@pytest.mark.parametrize("source", ["smtp", "api"])
def test_other_doors_file_a_copy_where_the_mailbox_says_so(alice, source):
    send(alice, source=source)
    assert not Message.objects.exists()
    mailboxes.set_preferences(alice.mailbox, **{f"file_sent_{source}": True}, actor=None)
    send(alice, source=source)
    assert Message.objects.count() == 1
    send(alice, source=source, file_sent=False)
    assert Message.objects.count() == 1


def test_what_is_sent_as_a_shared_mailbox_is_kept_in_its_sent(cast):
    office = make_mailbox(cast.alice.tenant, "office@acme.test", kind="shared")
    mailboxes.grant(office, cast.bob.user, Rights.READ | Rights.SEND_AS, actor=None)
    raw = RAW.replace(b"alice@", b"office@")
    send(cast.bob, raw=raw, reverse_path="office@acme.test", source="webmail")
    sent = Message.objects.get()
    assert sent.folder_id == Folder.objects.get(mailbox=office, role="sent").pk
    # Through the other doors as the shared mailbox has it, not its sender.
    mailboxes.set_preferences(cast.bob.mailbox, file_sent_smtp=True, actor=None)
    send(cast.bob, raw=raw, source="smtp")
    assert Message.objects.count() == 1
    mailboxes.set_preferences(office, file_sent_smtp=True, actor=None)
    send(cast.bob, raw=raw, source="smtp")
    assert Message.objects.filter(mailbox_id=office.pk).count() == 2
    mailboxes.revoke(office, cast.bob.user, actor=None)
    with pytest.raises(NotYours):
        send(cast.bob, raw=raw, source="smtp")


def test_an_alias_of_ones_own_organisation_leads_outside_as_if_written_to(cast):
    addresses.add_alias(cast.alice.tenant, "team@acme.test", ["bob@acme.test", "x@example.org"], actor=None)
    send(cast.alice, "team@acme.test")
    assert states() == {"team@acme.test": "delivered", "x@example.org": "waiting"}
    assert Submission.objects.count() == 1


def test_an_alias_of_another_organisation_sends_on_by_itself(cast):
    addresses.add_alias(cast.charlie.tenant, "on@charlie.test", ["x@example.org"], actor=None)
    send(cast.alice, "on@charlie.test")
    forward = Submission.objects.get(source="forward")
    assert (forward.tenant_id, forward.mailbox_id) == (cast.charlie.tenant.pk, None)
    assert forward.reverse_path == "alice@acme.test"
    assert [entry.recipient for entry in forward.entries.all()] == ["x@example.org"]
    assert Content.objects.get(pk=forward.content_id).tenant_id == cast.charlie.tenant.pk


def test_what_is_missing_is_added_and_bcc_goes(alice):
    raw = b"Subject: x\nBcc: secret@example.org\nReturn-Path: <x@y.z>\n\nline\n"
    submission = send(alice, raw=raw)
    parsed = email.message_from_bytes(kept(submission).raw)
    assert parsed["From"] == "alice@acme.test"
    assert parsed["Date"]
    assert parsed["Message-ID"].endswith("@acme.test>")
    assert parsed["Bcc"] is None
    assert parsed["Return-Path"] is None
    assert kept(submission).body == b"line\r\n"


def test_forged_verdicts_of_a_client_go(alice):
    submission = send(alice, raw=b"Authentication-Results: mx.test; spf=pass\r\n" + RAW)
    assert b"Authentication-Results" not in kept(submission).raw


# --- Once ------------------------------------------------------------------------------------------------


def test_a_second_send_with_the_same_key_is_the_first(cast):
    first = send(cast.alice, key="k1")
    assert send(cast.alice, key="k1") == first
    assert send(cast.alice, key="k2") != first
    assert send(cast.bob, raw=RAW.replace(b"alice", b"bob", 1), key="k1") != first
    assert Submission.objects.count() == 3


@pytest.mark.django_db(transaction=True)
def test_a_double_click_sends_once(cast):
    found = []

    def click():
        found.append(send(cast.alice, cast.bob.address, "x@example.org", key="once"))
        connection.close()

    clicks = [threading.Thread(target=click) for _ in range(4)]
    for one in clicks:
        one.start()
    for one in clicks:
        one.join(20)
    assert len({one.pk for one in found}) == 1
    assert len(found) == 4
    assert Message.objects.count() == 1
    assert Submission.objects.count() == 1


# --- What is refused, and then nothing is kept -----------------------------------------------------------


def refuses(error, person, *recipients, **more):
    with pytest.raises(error) as refusal:
        send(person, *recipients, **more)
    assert not Submission.objects.exists()
    assert not Message.objects.exists()
    assert not Content.objects.exists()
    return refusal.value.public


def test_refuses_other_senders(cast):
    refuses(NotYours, cast.alice, reverse_path="bob@acme.test")
    refuses(NotYours, cast.alice, reverse_path="alice@example.org")
    refuses(NotYours, cast.alice, raw=RAW.replace(b"alice", b"bob", 1))
    refuses(NotYours, cast.alice, raw=b"Sender: bob@acme.test\r\n" + RAW)
    refuses(BadHeader, cast.alice, raw=RAW + b"" if False else b"From: al@acme.test\r\n" + RAW)


def test_refuses_an_unproven_domain(alice):
    make_domain(alice.tenant, "new.test", verified=False)
    addresses.add_to_mailbox(alice.mailbox, "alice@new.test", actor=None)
    refuses(DomainUnverified, alice, reverse_path="alice@new.test")
    refuses(DomainUnverified, alice, raw=RAW.replace(b"acme.test", b"new.test", 1))


def test_refuses_suspended_senders(cast):
    mailboxes.suspend(cast.alice.mailbox, "late", actor=None)
    refuses(MailboxSuspended, cast.alice)
    tenants.suspend(cast.bob.tenant, "late", actor=None)
    refuses(TenantSuspended, cast.bob, raw=RAW.replace(b"alice", b"bob", 1))


def test_refuses_local_recipients_as_rcpt_does_and_names_them(cast):
    words = refuses(NoSuchAddress, cast.alice, "x@example.org", "nobody@acme.test")
    assert words == "nobody@acme.test: No such address here"


def test_refuses_too_much(alice, settings, monkeypatch):
    monkeypatch.setattr(limits, "SMTP_RECIPIENTS", 2)
    refuses(TooManyRecipients, alice, "a@x.test", "b@x.test", "c@x.test")
    refuses(BadMessage, alice, raw=RAW + b"\0")
    refuses(BadMessage, alice, raw=RAW + b"x" * (limits.LINE_OCTETS + 10))
    refuses(BadHeader, alice, raw=b"X: " + b"y" * limits.HEADER_OCTETS + b"\r\n" + RAW)
    refuses(Loop, alice, raw=b"Received: x\r\n" * (limits.RECEIVED_FIELDS + 1) + RAW)
    settings.HOSTMAIL_MAX_MESSAGE = 1000
    refuses(MessageTooBig, alice, raw=RAW + b"y" * 1000)


def test_refuses_a_mail_for_nobody(alice):
    with pytest.raises(BadMessage):
        outbound.submit(
            alice.mailbox, RAW, [], user_id=alice.user.pk, source="api", reverse_path=alice.address
        )


def test_a_colleague_may_send_as_a_shared_mailbox(cast):
    shared = make_mailbox(cast.alice.tenant, "info@acme.test", kind="shared")
    raw = RAW.replace(b"alice@", b"info@", 1)
    refuses(NotYours, cast.bob, raw=raw, reverse_path="info@acme.test")
    mailboxes.grant(shared, cast.bob.user, 1 | 4, actor=None)
    assert send(cast.bob, raw=raw, reverse_path="info@acme.test")


def test_needs_smtputf8_only_for_what_is_not_ascii(alice):
    assert not send(alice, raw="From: alice@acme.test\r\nSubject: Ä\r\n\r\nx\r\n".encode()).needs_smtputf8
    assert send(alice, "bücher@example.org").needs_smtputf8
