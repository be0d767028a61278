"""What follows from what a host said."""

import datetime as dt
from dataclasses import replace

import pytest

from mailcore import limits
from mailcore.models import Attempt, Event, Mailbox, Message, QueueEntry
from mailcore.outside import clock as clock_door
from mailcore.outside.smtp_replies import Reply
from mailcore.services import mailboxes, messages, outbound, queue
from mailcore.services.outbound import outcome, submission
from mailcore.services.outbound.attempt import Outcome, Try
from tests.cast import Cast
from tests.fakes import FakeClock, MemoryWorker

pytestmark = pytest.mark.django_db(transaction=True)
RAW = b"From: alice@acme.test\r\nSubject: Hello\r\n\r\nHow are you?\r\n"


@pytest.fixture
def clock():
    with FakeClock() as fake:
        yield fake


@pytest.fixture
def alice(clock, data_dir):
    with MemoryWorker():
        yield Cast().alice


def claimed(person, *recipients, owner="me", **more):
    more = {"source": "api", "reverse_path": person.address, **more}
    outbound.submit(person.mailbox, RAW, recipients or ["a@example.org"], user_id=person.user.pk, **more)
    return queue.claim(owner, queue.due()[0], 100)


def said(entry, code, status, phase="end", **more):
    reply = Reply(code, status, "as it said", phase, **more)
    return Outcome(entry, [Try(reply, clock_door.now(), "mx.example.org", "192.0.2.1")])


def judged(entry, *words):
    return outcome.judge(said(entry, *words), clock_door.now())


def test_2xx_is_relayed_4xx_waits_5xx_bounces(alice):
    (entry,) = claimed(alice)
    assert judged(entry, 250, "2.0.0").state == "relayed"
    assert judged(entry, 450, "4.2.1").state == "waiting"
    assert judged(entry, 0, "4.4.2").state == "waiting"
    assert judged(entry, 550, "5.1.1", "rcpt").state == "bounced"
    assert judged(entry, 0, "5.6.7", "mail").state == "bounced"


@pytest.mark.parametrize("phase", ["greeting", "ehlo", "starttls", "auth"])
def test_a_host_that_has_not_heard_of_the_message_refuses_nothing_for_good(alice, phase):
    (entry,) = claimed(alice)
    assert judged(entry, 554, "5.7.1", phase).state == "waiting"


def test_retries_grow_to_hours_and_are_never_at_one_moment():
    delays = [outcome.retry_delay(number).total_seconds() for number in range(30)]
    assert 50 < delays[0] < 70
    assert all(1.0 < later / before < 4 for before, later in zip(delays[:6], delays[1:7], strict=True))
    assert 3 * 3600 < min(delays[10:]) <= max(delays[10:]) < 5 * 3600
    assert len({outcome.retry_delay(3) for _ in range(20)}) == 20


def test_the_last_try_is_at_the_end_of_its_life(alice, clock):
    (entry,) = claimed(alice)
    clock.advance(limits.QUEUE_LIFETIME_SECONDS - 30)
    assert judged(entry, 450, "4.2.1").due_at == entry.born_at + dt.timedelta(
        seconds=limits.QUEUE_LIFETIME_SECONDS
    )
    clock.advance(30)
    last = judged(entry, 450, "4.2.1")
    assert (last.state, last.status) == ("bounced", "5.4.7")


def test_writes_entry_attempt_and_event(alice, clock):
    (entry,) = claimed(alice)
    clock.advance(3)
    outbound.settle("me", [said(entry, 250, "2.6.0")])
    row = QueueEntry.objects.get()
    assert (row.state, row.attempt_count, row.last_code, row.last_status, row.last_reply) == (
        "relayed", 1, 250, "2.6.0", "as it said"
    )  # fmt: skip
    assert (row.lease_owner, row.lease_until, row.finished_at) == ("", None, clock.now())
    made = Attempt.objects.get()
    assert (made.outcome, made.host, made.address, made.status) == (
        "relayed", "mx.example.org", "192.0.2.1", "2.6.0"
    )  # fmt: skip
    event = Event.objects.get(kind="relayed")
    assert (event.recipient, event.data["host"], event.data["code"]) == (
        "a@example.org", "mx.example.org", 250
    )  # fmt: skip


def test_a_report_and_its_bounce_stand_or_fall_together(alice):
    first, second = claimed(alice, "a@example.org", "b@example.org")
    queue.drop(QueueEntry.objects.get(pk=second.pk), actor=None)
    outbound.settle("me", [said(first, 550, "5.1.1"), said(second, 550, "5.1.1")])
    states = dict(QueueEntry.objects.values_list("recipient", "state"))
    assert states == {"a@example.org": "bounced", "b@example.org": "dropped"}


def test_what_another_worker_has_is_left_alone(alice):
    (entry,) = claimed(alice)
    QueueEntry.objects.update(lease_owner="other")
    outbound.settle("me", [said(entry, 550, "5.1.1")])
    row = QueueEntry.objects.get()
    assert (row.state, row.lease_owner) == ("waiting", "other")
    assert not Message.objects.exists()


def test_relayed_is_the_truth_whoever_has_it(alice):
    (entry,) = claimed(alice)
    QueueEntry.objects.update(lease_owner="other")
    outbound.settle("me", [said(entry, 250, "2.0.0")])
    row = QueueEntry.objects.get()
    assert (row.state, row.lease_owner, row.lease_until) == ("relayed", "", None)


def test_what_was_held_meanwhile_stays_on_hold(alice):
    (entry,) = claimed(alice)
    queue.hold(QueueEntry.objects.get(), actor=None)
    outbound.settle("me", [said(entry, 450, "4.2.1")])
    row = QueueEntry.objects.get()
    assert (row.state, row.attempt_count, row.lease_until) == ("held", 1, None)


def test_a_bounce_for_a_removed_mailbox_ends_untold(alice):
    (entry,) = claimed(alice)
    mailboxes.remove(alice.mailbox, actor=None)
    outbound.settle("me", [said(entry, 550, "5.1.1")])
    assert QueueEntry.objects.get().state == "bounced"
    assert Event.objects.filter(kind="bounced").count() == 1
    assert not Message.objects.exists()


def test_one_report_tells_of_all_recipients_of_a_mail(alice):
    entries = claimed(alice, "a@example.org", "b@example.org", "c@example.org")
    outbound.settle("me", [said(entry, 550, "5.1.1") for entry in entries])
    assert Message.objects.count() == 1
    assert Mailbox.objects.get(pk=alice.mailbox.pk).message_count == 1


def test_one_notice_of_delay(alice, clock):
    (entry,) = claimed(alice)
    clock.advance(limits.QUEUE_NOTICE_SECONDS)
    outbound.settle("me", [said(entry, 450, "4.2.1")])
    assert Message.objects.count() == 1
    assert QueueEntry.objects.get().delay_notified_at == clock.now()
    clock.advance(hours=5)
    (entry,) = queue.claim("me", queue.due()[0], 10)
    assert entry.delay_notified_at
    outbound.settle("me", [said(entry, 450, "4.2.1")])
    assert Message.objects.count() == 1


# --- RFC 3461 --------------------------------------------------------------------------------------------


def wished(person, notify, *, ret="", recipient="a@example.org"):
    """A mail whose sender said which reports they want, claimed."""
    accepted = replace(outbound.accept_recipient(recipient), wish=queue.Wish(notify, "rfc822;A@example.org"))
    origin = outbound.Origin(
        person.mailbox.pk, person.user.pk, "smtp", person.address, ret=ret, envid="E1"
    )  # fmt: skip
    submission.drive(outbound.steps(origin, RAW, [accepted]))
    due = queue.due()
    return queue.claim("me", due[0], 100) if due else []


def reports(person):
    found = []
    for message in Message.objects.filter(mailbox_id=person.mailbox.pk):
        kept = messages.raw_of(message.content_id)
        found += [kept.raw] if b"multipart/report" in kept.header else []
    return found


@pytest.mark.parametrize("notify", ["NEVER", "SUCCESS", "DELAY"])
def test_no_failure_is_told_to_who_wants_none(alice, notify):
    (entry,) = wished(alice, notify)
    outbound.settle("me", [said(entry, 550, "5.1.1", "rcpt")])
    assert QueueEntry.objects.get().state == "bounced"
    assert reports(alice) == []


def test_a_failure_names_the_recipient_and_the_mail_as_the_sender_did(alice):
    (entry,) = wished(alice, "FAILURE")
    outbound.settle("me", [said(entry, 550, "5.1.1", "rcpt")])
    (raw,) = reports(alice)
    assert b"Original-Recipient: rfc822;A@example.org\r\n" in raw
    assert b"Original-Envelope-Id: E1\r\n" in raw
    assert b"How are you?" not in raw


def test_ret_full_brings_the_whole_mail_back(alice):
    (entry,) = wished(alice, "", ret="FULL")
    outbound.settle("me", [said(entry, 550, "5.1.1", "rcpt")])
    (raw,) = reports(alice)
    assert b"message/rfc822" in raw
    assert b"How are you?" in raw


@pytest.mark.parametrize(("notify", "told"), [("FAILURE", 0), ("DELAY", 1), ("", 1)])
def test_a_delay_is_told_to_who_wants_to_know(alice, clock, notify, told):
    (entry,) = wished(alice, notify)
    clock.advance(limits.QUEUE_NOTICE_SECONDS + 1)
    outbound.settle("me", [said(entry, 450, "4.2.1", "rcpt")])
    assert len(reports(alice)) == told


def test_success_is_told_unless_the_host_tells_it(alice):
    (entry,) = wished(alice, "SUCCESS,FAILURE")
    outbound.settle("me", [said(entry, 250, "2.0.0")])
    (raw,) = reports(alice)
    assert b"Action: relayed\r\n" in raw
    (entry,) = wished(alice, "SUCCESS")
    outcome_ = said(entry, 250, "2.0.0")
    outcome_.tries[-1].reports = True
    outbound.settle("me", [outcome_])
    assert len(reports(alice)) == 1
    (entry,) = wished(alice, "")
    outbound.settle("me", [said(entry, 250, "2.0.0")])
    assert len(reports(alice)) == 1


def test_success_here_is_told_at_once(alice):
    assert wished(alice, "SUCCESS", recipient="bob@acme.test") == []
    (raw,) = reports(alice)
    assert b"Action: delivered\r\n" in raw
    assert b"Final-Recipient: rfc822; bob@acme.test\r\n" in raw
