"""Sending limits: what is counted, what waits, who sets them, and that nobody gets the last place twice."""

import datetime as dt
import threading

import pytest
from django.db import connection

from mailcore.errors import BadValue, SendingStopped
from mailcore.models import Acquaintance, Allowance, AuditEntry, Event, QueueEntry, SendingDay
from mailcore.outside import clock
from mailcore.services import allowances, messages, outbound
from tests.cast import Cast, make_domain, make_person, make_tenant
from tests.fakes import FakeClock, MemoryWorker

pytestmark = pytest.mark.django_db
RAW = b"From: alice@acme.test\r\nTo: bob@example.org\r\nSubject: Hello\r\n\r\nHow are you?\r\n"


@pytest.fixture(autouse=True)
def nobody_is_remembered():
    allowances.forget_acquaintances()
    yield
    allowances.forget_acquaintances()


@pytest.fixture
def alice(db, data_dir):
    with MemoryWorker():
        yield Cast().alice


def send(person, *recipients, raw=RAW):
    return outbound.submit(
        person.mailbox, raw, recipients, source="api", reverse_path=person.address, user_id=person.user.pk
    )


def states():
    return dict(QueueEntry.objects.values_list("recipient", "state"))


def test_holds_what_goes_over_the_limit_of_a_mailbox(alice):
    allowances.set_limits(alice.mailbox, recipients=2, first=None, actor=None)
    send(alice, "a@x.test", "b@x.test")
    send(alice, "c@x.test")
    assert states() == {"a@x.test": "waiting", "b@x.test": "waiting", "c@x.test": "held"}
    assert QueueEntry.objects.get(recipient="c@x.test").held_because == "limit"
    stands = allowances.today(alice.mailbox)
    assert (stands.recipients, stands.first_recipients, stands.held, stands.recipient_limit) == (2, 2, 1, 2)
    assert Event.objects.get(kind="held").recipient == "c@x.test"


def test_lets_a_mail_through_that_fits_after_one_that_did_not(alice):
    allowances.set_limits(alice.mailbox, recipients=2, first=None, actor=None)
    send(alice, "a@x.test", "b@x.test", "c@x.test")
    send(alice, "d@x.test")
    assert states() == {"a@x.test": "held", "b@x.test": "held", "c@x.test": "held", "d@x.test": "waiting"}


def test_counts_nobody_in_the_house(alice):
    allowances.set_limits(alice.mailbox, recipients=0, first=0, actor=None)
    send(alice, "bob@acme.test")
    assert states() == {"bob@acme.test": "delivered"}
    assert not SendingDay.objects.exists()


def test_counts_strangers_once_and_never_old_acquaintances(alice):
    allowances.set_limits(alice.mailbox, recipients=None, first=2, actor=None)
    send(alice, "a@x.test")
    send(alice, "A@X.test")
    send(alice, "b@x.test")
    send(alice, "c@x.test")
    send(alice, "a@x.test")
    held = QueueEntry.objects.filter(state="held")
    assert [entry.recipient for entry in held] == ["c@x.test"]
    assert allowances.today(alice.mailbox).first_recipients == 2
    assert Acquaintance.objects.count() == 2, "whom nothing went to is not known"


def test_counts_all_mailboxes_of_an_organisation_together(alice):
    allowances.set_limits(alice.tenant, recipients=2, first=None, actor=None)
    send(alice, "a@x.test", "b@x.test")
    send(alice, "c@x.test")
    assert states()["c@x.test"] == "held"
    assert allowances.today(alice.tenant).recipients == 2


@pytest.mark.parametrize(
    ("default", "ceiling", "own", "effective"),
    [
        (5, None, None, 5), (0, None, None, None), (5, 9, None, 9), (5, 9, 3, 3), (5, None, 3, 3),
        (5, None, 7, 5), (5, 2, 7, 2), (0, None, 7, 7), (5, 0, None, 0),
    ],
)  # fmt: skip
def test_takes_the_least_of_ceiling_and_own_limit(alice, settings, default, ceiling, own, effective):
    settings.HOSTMAIL_MAILBOX_RECIPIENTS = settings.HOSTMAIL_TENANT_FIRST_RECIPIENTS = default
    allowances.set_ceilings(alice.mailbox, recipients=ceiling, first=None, actor=None)
    allowances.set_limits(alice.mailbox, recipients=own, first=None, actor=None)
    allowances.set_ceilings(alice.tenant, recipients=None, first=ceiling, actor=None)
    allowances.set_limits(alice.tenant, recipients=None, first=own, actor=None)
    found = allowances.of(alice.mailbox.pk)
    assert (found.recipients, found.tenant_first) == (effective, effective)
    assert allowances.today(alice.mailbox).recipient_limit == effective
    assert allowances.today(alice.tenant).first_limit == effective


def test_begins_each_day_anew(alice):
    allowances.set_limits(alice.mailbox, recipients=1, first=None, actor=None)
    with FakeClock() as time:
        send(alice, "a@x.test")
        time.advance(24 * 3600)
        send(alice, "b@x.test")
    assert set(states().values()) == {"waiting"}


def test_writes_down_who_set_a_limit(alice):
    allowances.set_limits(alice.mailbox, recipients=7, first=None, actor=alice.user)
    entry = AuditEntry.objects.get(verb="allowance.limit")
    assert (entry.actor, entry.tenant, entry.data["recipient_limit"]) == (alice.user, alice.tenant, 7)


def test_refuses_limits_that_are_none(alice):
    with pytest.raises(BadValue):
        allowances.set_limits(alice.mailbox, recipients=-1, first=None, actor=None)


@pytest.mark.parametrize("whole", [False, True])
def test_takes_no_mail_of_who_is_stopped(alice, whole):
    row = allowances.row_of(alice.tenant if whole else alice.mailbox)
    Allowance.objects.filter(pk=row.pk).update(stopped_at=clock.now() - dt.timedelta(days=1))
    with pytest.raises(SendingStopped):
        send(alice, "a@x.test")


def test_asks_nothing_about_whom_it_remembers(alice, monkeypatch):
    asked = []
    real = allowances.sql.rows
    monkeypatch.setattr(allowances.sql, "rows", lambda text, *args: asked.append(text) or real(text, *args))
    key = allowances.key_of("a@x.test")
    allowances._met.add_all([(alice.mailbox.pk, key)])
    assert allowances.count(alice.tenant.pk, alice.mailbox.pk, ["a@x.test"], allowances.FREE).fits
    assert len(asked) == 1


@pytest.mark.django_db(transaction=True)
def test_gives_the_last_places_to_as_many_as_there_are(alice):
    allowances.set_limits(alice.mailbox, recipients=3, first=None, actor=None)
    failed = []

    def work(number):
        try:
            send(alice, f"{number}@x.test")
        except Exception as error:
            failed.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    assert sorted(states().values()) == ["held"] * 3 + ["waiting"] * 3
    assert allowances.today(alice.mailbox).recipients == 3


def test_takes_organisations_in_their_order_within_a_batch(alice, monkeypatch):
    """Else two processes could each hold one row and wait for the other's."""
    other = make_tenant("Other")
    there = make_person(other, make_domain(other, "other.test"), "olga")
    units = [steps_of(there), steps_of(alice)]
    asked = []
    monkeypatch.setattr(allowances, "charge", lambda tenant_id, *args: asked.append(tenant_id) or GOES)
    messages.append_many(units)
    assert asked == [alice.tenant.pk, other.pk]


GOES = allowances.Charge(True, 0, 0)


def steps_of(person):
    raw = RAW.replace(b"alice@acme.test", person.address.encode())
    origin = outbound.Origin(person.mailbox.pk, person.user.pk, "api", person.address)
    return next(outbound.steps(origin, raw, [outbound.accept_recipient("a@x.test")]))


def test_forgets_days_long_over(alice):
    with FakeClock() as time:
        send(alice, "a@x.test")
        time.advance(days=91)
        send(alice, "a@x.test")
        assert allowances.prune() == 2
    assert SendingDay.objects.count() == 2
