"""A destination that is down: one entry asks for all, nobody is forgotten, and others are not held up."""

import threading

import pytest

from mailcore.models import Attempt, DeadDestination, QueueEntry
from mailcore.outside.remote_smtp import Timeouts
from mailcore.postman import Postman
from mailcore.services import outbound, queue
from tests.cast import Cast
from tests.fakes import FakeClock, FakeDNS, FakeRemote, MemoryWorker

pytestmark = pytest.mark.django_db(transaction=True)
RAW = b"From: alice@acme.test\r\nSubject: Hello\r\n\r\nHow are you?\r\n"
DOWN = "127.0.0.2"  # nobody listens there, unless a test says so


@pytest.fixture
def clock():
    with FakeClock() as fake:
        yield fake


@pytest.fixture
def remote(settings):
    with FakeRemote() as fake:
        settings.HOSTMAIL_OUTBOUND_PORT = fake.port
        yield fake


@pytest.fixture
def names():
    with FakeDNS() as fake:
        fake.add_mail("down.test", "mx.down.test", DOWN)
        fake.add_mail("also-down.test", "mx.down.test", DOWN)
        fake.add_mail("example.org", "mx.example.org", "127.0.0.1")
        yield fake


@pytest.fixture
def alice(data_dir, names, clock, remote):
    with MemoryWorker():
        yield Cast().alice


@pytest.fixture
def postman():
    made = Postman(timeouts=Timeouts(*[3.0] * 11))
    yield made
    made.stop()


def send(person, *recipients, **more):
    for recipient in recipients:
        outbound.submit(
            person.mailbox, RAW, [recipient], user_id=person.user.pk, source="api",
            reverse_path=person.address, **more,
        )  # fmt: skip


def run(postman):
    queue.recover()
    postman.look()
    assert postman.wait(20), "the postman is still busy"


def many(count=6):
    domains = ("down.test", "also-down.test")
    return [f"r{number}@{domains[number % 2]}" for number in range(count)]


def until_probe(clock):
    clock.advance((DeadDestination.objects.get().probe_at - clock.now()).total_seconds() + 1)


def test_one_entry_asks_for_all_domains_of_the_hosts(alice, postman):
    send(alice, *many())
    run(postman)
    assert Attempt.objects.count() == 1
    dead = DeadDestination.objects.get()
    assert (dead.hosts, dead.failures) == ("mx.down.test", 1)
    waiting = QueueEntry.objects.filter(state="waiting", attempt_count=0)
    assert waiting.count() == 5
    assert set(waiting.values_list("due_at", "last_reply")) == {(dead.probe_at, dead.last_reply)}


def test_new_mail_waits_with_the_others(alice, clock, postman):
    send(alice, *many())
    run(postman)
    clock.advance(5)
    send(alice, "late@down.test")
    run(postman)
    assert Attempt.objects.count() == 1
    assert QueueEntry.objects.get(recipient="late@down.test").due_at == DeadDestination.objects.get().probe_at


def test_each_probe_that_fails_makes_the_next_one_later(alice, clock, postman):
    send(alice, *many())
    pauses = []
    for failures in range(1, 5):
        run(postman)
        dead = DeadDestination.objects.get()
        assert dead.failures == failures
        pauses.append(dead.probe_at - clock.now())
        until_probe(clock)
    assert pauses == sorted(pauses)
    assert pauses[3] > 4 * pauses[0]
    assert Attempt.objects.count() == 4


def test_all_go_out_when_a_probe_finds_it_up(alice, remote, clock, postman):
    send(alice, *many())
    run(postman)
    with FakeRemote("mx.down.test", address=DOWN, port=remote.port) as back:
        until_probe(clock)
        clock.advance(60)  # the one that was tried has a time of its own
        run(postman)
        assert len(back.wait(6)) == 6
    assert not DeadDestination.objects.exists()
    assert set(QueueEntry.objects.values_list("state", flat=True)) == {"relayed"}


@pytest.mark.parametrize("which", [0, 3])
def test_who_wants_a_retry_gets_one(alice, clock, postman, which):
    """Be it the entry that asked for all, or one that waits with it."""
    send(alice, *many())
    run(postman)
    clock.advance(1)
    tried_first = QueueEntry.objects.order_by("-attempt_count", "pk")
    queue.retry(tried_first[which], actor=None)
    run(postman)
    assert Attempt.objects.count() == 2
    assert DeadDestination.objects.get().failures == 2


def test_senders_hear_of_delay_and_end_though_nobody_tries(alice, clock, postman):
    send(alice, *many(4))
    run(postman)
    clock.advance(hours=4, minutes=1)
    run(postman)
    assert QueueEntry.objects.filter(route__contains="down", delay_notified_at=None).count() == 0
    clock.advance(days=5)
    run(postman)
    states = QueueEntry.objects.filter(route__contains="down").values_list("state", "last_status")
    assert set(states) == {("bounced", "5.4.7")}


def test_strangers_that_stall_leave_threads_to_hosts_that_took_mail(alice, names, remote, settings):
    """Two of three threads knock; the third is for those who are known, and they wait for nobody."""
    made = Postman(threads=3, timeouts=Timeouts(*[3.0] * 11))
    send(alice, "first@example.org")
    made.look()
    assert made.wait(20)
    with FakeRemote("stall.test", address="127.0.0.3", port=remote.port) as stalled:
        stalled.stall("greeting")
        for number in range(6):
            names.add_mail(f"s{number}.test", f"mx{number}.stall.test", "127.0.0.3")
            send(alice, f"x@s{number}.test")
        made.look()
        send(alice, *[f"r{number}@example.org" for number in range(5)])
        made.look(only_new=True)
        assert len(remote.wait(6)) == 6
        assert stalled.connections <= 2
        assert not made.wait(0)
    made.stop()


def test_a_flood_of_looks_begins_each_pair_once(alice, remote, postman):
    send(alice, *[f"r{number}@example.org" for number in range(10)])
    looks = [threading.Thread(target=postman.look, kwargs={"only_new": each % 2 > 0}) for each in range(6)]
    for one in looks:
        one.start()
    for one in looks:
        one.join()
    assert postman.wait(20)
    assert len(remote.wait(10)) == 10
