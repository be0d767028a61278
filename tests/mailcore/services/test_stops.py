"""Mailboxes that look stolen: each sign stops them, says why, and one call lets them go on."""

import datetime as dt

import pytest

from mailcore import limits
from mailcore.errors import SendingStopped
from mailcore.models import Allowance, AuditEntry, Event, QueueEntry, SendingDay
from mailcore.outside import clock, counters
from mailcore.services import allowances, mailboxes, outbound, stops
from tests.cast import PASSWORD, Cast
from tests.fakes import MemoryWorker

pytestmark = pytest.mark.django_db
RAW = b"From: alice@acme.test\r\nTo: bob@example.org\r\nSubject: Hello\r\n\r\nHow are you?\r\n"


@pytest.fixture
def alice(db, data_dir):
    allowances.forget_acquaintances()
    counters.forget_all()
    with MemoryWorker():
        yield Cast().alice


def send(person, *recipients):
    return outbound.submit(
        person.mailbox, RAW, recipients, source="api", reverse_path=person.address, user_id=person.user.pk
    )


def lived(person, *days):
    """A history: recipients written to for the first time on the days before today."""
    for number, first in enumerate(days, 1):
        SendingDay.objects.create(
            tenant=person.tenant, box=person.mailbox.pk, recipients=first + 5, first_recipients=first,
            day=clock.now().date() - dt.timedelta(days=number),
        )  # fmt: skip


def reason(person):
    row = Allowance.objects.filter(mailbox=person.mailbox).first()
    return row.stopped_because if row and row.stopped_at else ""


def many(count):
    return [f"r{number}@x.test" for number in range(count)]


def states():
    return dict(QueueEntry.objects.values_list("recipient", "state"))


def test_stops_who_writes_to_far_more_strangers_than_ever(alice):
    lived(alice, 2, 9, 4)
    send(alice, "early@x.test")
    send(alice, *many(limits.STOLEN_FIRST))
    assert "never wrote to before" in reason(alice)
    assert set(QueueEntry.objects.values_list("state", "held_because")) == {("held", "stopped")}
    with pytest.raises(SendingStopped):
        send(alice, "next@x.test")
    assert mailboxes.authenticate(alice.address, PASSWORD, protocol="imap", peer="192.0.2.1"), "reads on"
    assert "stopped" in Event.objects.values_list("kind", flat=True)
    assert AuditEntry.objects.get(verb="sending.stop").tenant == alice.tenant


@pytest.mark.parametrize("days", [(), (1, 1), (50, 3, 3)])
def test_measures_only_by_a_history_that_says_something(alice, days):
    lived(alice, *days)
    send(alice, *many(limits.STOLEN_FIRST))
    assert not reason(alice)


def test_stops_who_works_through_a_list_of_people_who_do_not_exist(alice):
    stops.note_unknown([(alice.tenant.pk, alice.mailbox.pk)] * (limits.STOLEN_BOUNCES - 1))
    assert not reason(alice)
    stops.note_unknown([(alice.tenant.pk, alice.mailbox.pk), (alice.tenant.pk, None)])
    assert "do not exist" in reason(alice)


def test_stops_who_sends_from_many_networks_at_once(alice):
    for number in range(limits.STOLEN_NETWORKS - 1):
        for host in (1, 2):
            mailboxes.authenticate(alice.address, PASSWORD, protocol="smtp", peer=f"203.0.{number}.{host}")
            mailboxes.authenticate(alice.address, PASSWORD, protocol="imap", peer=f"198.51.{number}.1")
    assert not reason(alice)
    mailboxes.authenticate(alice.address, PASSWORD, protocol="smtp", peer="203.0.113.1")
    assert "networks" in reason(alice)


def test_lets_a_mailbox_go_on_and_leaves_it_in_peace_for_a_day(alice):
    send(alice, "early@x.test")
    stops.stop(alice.mailbox, "somebody said so", actor=alice.user)
    assert states() == {"early@x.test": "held"}
    assert stops.lift(alice.mailbox, actor=alice.user) == 1
    assert states() == {"early@x.test": "waiting"}
    stops.note_unknown([(alice.tenant.pk, alice.mailbox.pk)] * limits.STOLEN_BOUNCES)
    assert not reason(alice)
    Allowance.objects.update(lifted_at=clock.now() - dt.timedelta(seconds=limits.STOLEN_PEACE_SECONDS))
    stops.note_unknown([(alice.tenant.pk, alice.mailbox.pk)])
    assert reason(alice)


def test_drops_what_a_thief_left(alice):
    send(alice, "early@x.test")
    stops.stop(alice.mailbox, "stolen", actor=None)
    assert stops.lift(alice.mailbox, drop=True, actor=None) == 1
    assert states() == {"early@x.test": "dropped"}
    assert Event.objects.filter(kind="dropped", recipient="early@x.test").exists()
