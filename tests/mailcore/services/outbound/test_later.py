"""Mail for a moment: it comes then and not before, here in the house too, and is taken back until then."""

import datetime as dt

import pytest

from mailcore.errors import NotAllowedNow
from mailcore.message import flags
from mailcore.models import Event, Folder, Message, QueueEntry, Submission
from mailcore.services import addresses, allowances, folders, mailboxes, messages, outbound, queue, tenants
from tests.cast import Cast
from tests.fakes import FakeClock, MemoryWorker

pytestmark = pytest.mark.django_db
RAW = (
    b"From: alice@acme.test\r\nTo: bob@acme.test\r\nBcc: x@example.org\r\nSubject: Hello\r\n"
    b"Message-ID: <one@acme.test>\r\n\r\nHow are you?\r\n"
)


@pytest.fixture
def cast(db, data_dir):
    with MemoryWorker():
        yield Cast()


@pytest.fixture
def time():
    with FakeClock() as clock:
        yield clock


def send(cast, time, *recipients, seconds=60, **more):
    return outbound.submit(
        cast.alice.mailbox, RAW, recipients, source="webmail", reverse_path=cast.alice.address,
        user_id=cast.alice.user.pk, hold_until=time.now() + dt.timedelta(seconds=seconds), **more,
    )  # fmt: skip


def states():
    return dict(QueueEntry.objects.values_list("recipient", "state"))


def inbox(person):
    folder = folders.by_role(person.mailbox.pk, "inbox")
    rows = Message.objects.filter(mailbox_id=person.mailbox.pk, folder_id=folder).order_by("pk")
    return [messages.raw_of(row.content_id).raw.decode() for row in rows]


def test_comes_to_people_here_at_its_moment(cast, time):
    send(cast, time, "bob@acme.test", "x@example.org")
    assert states() == {"bob@acme.test": "held", "x@example.org": "waiting"}
    assert outbound.later.release_due() == 0
    assert inbox(cast.bob) == []
    time.advance(60)
    assert outbound.later.release_due() == 1
    (mail,) = inbox(cast.bob)
    assert mail.startswith("Return-Path: <alice@acme.test>\r\nReceived: ")
    assert "Bcc" not in mail
    assert states()["bob@acme.test"] == "delivered"
    assert outbound.later.release_due() == 0
    assert QueueEntry.objects.get(recipient="x@example.org").due_at == time.now()


def test_goes_on_to_where_an_alias_leads_then(cast, time):
    both = ["bob@acme.test", "y@example.net"]
    addresses.add_alias(cast.alice.tenant, "both@acme.test", both, actor=None)
    send(cast, time, "both@acme.test")
    time.advance(60)
    assert outbound.later.release_due() == 1
    assert len(inbox(cast.bob)) == 1
    assert states() == {"both@acme.test": "delivered", "y@example.net": "waiting"}
    assert set(Submission.objects.values_list("source", flat=True)) == {"webmail", "forward"}


def test_reports_who_has_gone_by_then(cast, time):
    send(cast, time, "bob@acme.test")
    mailboxes.suspend(cast.bob.mailbox, "left", actor=None)
    time.advance(60)
    assert outbound.later.release_due() == 1
    assert states() == {"bob@acme.test": "bounced"}
    (report,) = inbox(cast.alice)
    assert "Status: 5.2.1" in report
    assert Event.objects.filter(kind="bounced", recipient="bob@acme.test").exists()


def test_tries_again_whose_organisation_is_suspended_for_a_while(cast, time):
    send(cast, time, "charlie@charlie.test")
    tenants.suspend(cast.charlie.tenant, "unpaid", actor=None)
    time.advance(60)
    assert outbound.later.release_due() == 0
    assert states() == {"charlie@charlie.test": "held"}
    assert QueueEntry.objects.get().due_at > time.now()
    time.advance(days=6)
    assert outbound.later.release_due() == 1
    assert states() == {"charlie@charlie.test": "bounced"}


def test_tells_who_asked_that_it_arrived(cast, time):
    recipient = outbound.accept_recipient("bob@acme.test")
    asked = outbound.Recipient(recipient.address, recipient.route, queue.Wish("SUCCESS", "rfc822;b@x.test"))
    origin = outbound.Origin(
        cast.alice.mailbox.pk, cast.alice.user.pk, "smtp", cast.alice.address,
        hold_until=time.now() + dt.timedelta(seconds=5),
    )  # fmt: skip
    outbound.submission.drive(outbound.steps(origin, RAW, [asked]))
    assert inbox(cast.alice) == []
    time.advance(5)
    outbound.later.release_due()
    (report,) = inbox(cast.alice)
    assert "Action: delivered" in report


def test_is_taken_back_whole(cast, time):
    sent = send(cast, time, "bob@acme.test", "x@example.org")
    outbound.later.cancel(sent, actor=cast.alice.user)
    assert set(states().values()) == {"dropped"}
    time.advance(60)
    assert outbound.later.release_due() == 0
    assert inbox(cast.bob) == []
    assert Event.objects.filter(kind="dropped").count() == 2


def test_is_not_taken_back_when_some_of_it_has_left(cast, time):
    sent = send(cast, time, "bob@acme.test", "x@example.org")
    time.advance(60)
    outbound.later.release_due()
    with pytest.raises(NotAllowedNow):
        outbound.later.cancel(sent, actor=cast.alice.user)
    assert states() == {"bob@acme.test": "delivered", "x@example.org": "waiting"}


def test_is_not_taken_back_while_it_is_tried(cast, time):
    sent = send(cast, time, "x@example.org")
    QueueEntry.objects.update(lease_owner="w", lease_until=time.now() + dt.timedelta(seconds=30))
    with pytest.raises(NotAllowedNow):
        outbound.later.cancel(sent, actor=cast.alice.user)
    assert states() == {"x@example.org": "waiting"}


def test_becomes_a_draft_again_with_its_blind_copies(cast, time):
    sent = send(cast, time, "bob@acme.test", "x@example.org")
    found = outbound.later.back_to_drafts(sent, actor=cast.alice.user)
    (message,) = Message.objects.filter(mailbox_id=cast.alice.mailbox.pk)
    assert (message.folder_id, message.uid) == found
    assert Folder.objects.get(pk=message.folder_id).role == "drafts"
    assert message.flags & flags.DRAFT
    assert "Bcc: x@example.org" in messages.raw_of(message.content_id).raw.decode()


def test_is_listed_until_its_moment(cast, time):
    soon = send(cast, time, "x@example.org", seconds=60)
    late = send(cast, time, "bob@acme.test", seconds=600)
    allowances.set_limits(cast.alice.mailbox, recipients=0, first=None, actor=None)
    over = outbound.submit(
        cast.alice.mailbox, RAW, ["y@example.org"], source="api", reverse_path=cast.alice.address,
        user_id=cast.alice.user.pk,
    )  # fmt: skip
    assert set(outbound.later.waiting(cast.alice.mailbox.pk)) == {soon, late, over}
    outbound.later.cancel(late, actor=None)
    time.advance(61)
    assert outbound.later.waiting(cast.alice.mailbox.pk) == [over]
    assert outbound.later.waiting(cast.bob.mailbox.pk) == []
