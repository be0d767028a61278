"""What limits hold: it goes by itself when there is room, and people are told."""

import datetime as dt

import pytest

from mailcore.models import Message, QueueEntry, Submission
from mailcore.services import allowances, mailboxes, messages, outbound, queue, stops
from tests.cast import Cast
from tests.fakes import FakeClock, MemoryWorker

pytestmark = pytest.mark.django_db
RAW = b"From: bob@acme.test\r\nTo: x@example.org\r\nSubject: Hello\r\n\r\nHow are you?\r\n"


@pytest.fixture
def cast(db, data_dir):
    allowances.forget_acquaintances()
    with MemoryWorker():
        yield Cast()


@pytest.fixture
def time():
    with FakeClock() as clock:
        yield clock


def send(person, *recipients):
    return outbound.submit(
        person.mailbox, RAW, recipients, source="api", reverse_path=person.address, user_id=person.user.pk
    )


def held():
    return list(QueueEntry.objects.filter(state="held").order_by("pk").values_list("recipient", flat=True))


def texts(mailbox):
    mine = Message.objects.filter(mailbox_id=mailbox.pk).order_by("pk")
    return [messages.raw_of(message.content_id).raw.decode() for message in mine]


def test_goes_oldest_first_when_the_day_has_room(cast, time):
    allowances.set_limits(cast.bob.mailbox, recipients=2, first=None, actor=None)
    send(cast.bob, "a@x.test", "b@x.test", "c@x.test")
    send(cast.bob, "d@x.test", "e@x.test", "f@x.test")
    assert outbound.held.release_due() == 2, "as far as there is room today"
    assert outbound.held.release_due() == 0
    time.advance(days=1)
    assert outbound.held.release_due() == 2
    assert held() == ["e@x.test", "f@x.test"]
    assert allowances.today(cast.bob.mailbox).recipients == 2
    first, second = Submission.objects.order_by("pk")
    assert second.hold_until == time.now(), "its five days in the queue begin now"
    assert first.entries.get(recipient="c@x.test").due_at == time.now()


def test_goes_at_once_when_the_limit_is_raised(cast, time):
    allowances.set_limits(cast.bob.mailbox, recipients=0, first=None, actor=None)
    send(cast.bob, "a@x.test")
    allowances.set_limits(cast.bob.mailbox, recipients=None, first=None, actor=None)
    assert outbound.held.release_due() == 1
    assert held() == []


def test_keeps_what_somebody_held_by_hand(cast, time):
    send(cast.bob, "a@x.test")
    queue.hold(QueueEntry.objects.get(), actor=None)
    assert outbound.held.release_due() == 0
    assert held() == ["a@x.test"]


def test_keeps_what_a_stopped_or_suspended_mailbox_wrote(cast, time):
    allowances.set_limits(cast.bob.mailbox, recipients=0, first=None, actor=None)
    send(cast.bob, "a@x.test")
    allowances.set_limits(cast.bob.mailbox, recipients=None, first=None, actor=None)
    stops.stop(cast.bob.mailbox, "stolen", actor=None)
    assert outbound.held.release_due() == 0
    stops.lift(cast.bob.mailbox, actor=None)
    mailboxes.suspend(cast.bob.mailbox, "unpaid", actor=None)
    assert outbound.held.release_due() == 0


def test_waits_for_the_moment_that_was_asked_for(cast, time):
    allowances.set_limits(cast.bob.mailbox, recipients=0, first=None, actor=None)
    later = time.now() + dt.timedelta(days=3)
    outbound.submit(
        cast.bob.mailbox, RAW, ["a@x.test"], source="api", reverse_path=cast.bob.address,
        user_id=cast.bob.user.pk, hold_until=later,
    )  # fmt: skip
    allowances.set_limits(cast.bob.mailbox, recipients=None, first=None, actor=None)
    assert outbound.held.release_due() == 1
    assert QueueEntry.objects.get().due_at == later


def test_tells_sender_and_owner_of_a_limit_once_a_day(cast, time):
    allowances.set_limits(cast.bob.mailbox, recipients=1, first=None, actor=None)
    send(cast.bob, "a@x.test", "b@x.test")
    assert outbound.held.tell() == 1
    send(cast.bob, "c@x.test", "d@x.test")
    assert outbound.held.tell() == 0
    (notice,) = texts(cast.bob.mailbox)
    assert "Subject: Your mail waits: the limit of the day is reached" in notice
    assert "Auto-Submitted: auto-generated" in notice
    assert texts(cast.alice.mailbox) == [notice], "Alice runs the organisation"
    assert texts(cast.charlie.mailbox) == []
    time.advance(days=1)
    send(cast.bob, "e@x.test", "f@x.test")
    assert outbound.held.tell() == 1


def test_tells_sender_and_owner_of_a_stop_and_why(cast, time):
    stops.stop(cast.bob.mailbox, "14 networks signed in", actor=None)
    assert outbound.held.tell() == 1
    assert outbound.held.tell() == 0
    (notice,) = texts(cast.bob.mailbox)
    assert "Subject: Sending from bob@acme.test is stopped" in notice
    assert "14 networks signed in" in notice
    assert texts(cast.alice.mailbox) == [notice]


def test_tells_owners_outside_by_mail(cast, time):
    cast.alice.user.email = "alice@elsewhere.test"
    cast.alice.user.save()
    stops.stop(cast.bob.mailbox, "stolen", actor=None)
    assert outbound.held.tell() == 1
    entry = QueueEntry.objects.get()
    assert (entry.recipient, entry.submission.source) == ("alice@elsewhere.test", "system")
