"""The postman's threads; what they carry is tried in tests/walks/test_outbound.py."""

import threading
import time

import pytest

from mailcore import limits, postman
from mailcore.models import QueueEntry
from mailcore.outside.remote_smtp import Timeouts
from mailcore.postman import Postman
from mailcore.services import outbound, queue
from tests.cast import Cast
from tests.fakes import FakeDNS, FakeRemote, MemoryWorker

pytestmark = pytest.mark.django_db(transaction=True)
RAW = b"From: alice@acme.test\r\nSubject: Hello\r\n\r\nHow are you?\r\n"


@pytest.fixture
def remote(settings):
    with FakeRemote() as fake:
        settings.HOSTMAIL_OUTBOUND_PORT = fake.port
        yield fake


@pytest.fixture
def alice(data_dir, remote):
    with MemoryWorker(), FakeDNS() as names:
        names.add_mail("example.org", "mx.example.org", "127.0.0.1")
        made = Cast().alice
        made_names[0] = names
        yield made


made_names = [None]


def send(person, *recipients):
    for recipient in recipients:
        outbound.submit(
            person.mailbox, RAW, [recipient], user_id=person.user.pk, source="api",
            reverse_path=person.address,
        )  # fmt: skip


def states():
    return sorted(QueueEntry.objects.values_list("state", flat=True))


def test_looking_twice_at_once_sends_once(alice, remote):
    send(alice, *(f"r{number}@example.org" for number in range(10)))
    made = Postman()
    looks = [threading.Thread(target=made.look) for _ in range(5)]
    for one in looks:
        one.start()
    for one in looks:
        one.join()
    assert made.wait(20)
    made.stop()
    assert len(remote.wait(10)) == 10
    assert states() == ["relayed"] * 10


def test_what_comes_while_it_works_is_taken_with_the_next_look(alice, remote):
    made = Postman()
    for number in range(5):
        send(alice, f"r{number}@example.org")
        made.look()
    assert made.wait(20)
    made.stop()
    assert len(remote.wait(5)) == 5


def test_a_connection_waits_a_moment_for_more_and_then_goes(alice, remote, monkeypatch):
    monkeypatch.setattr(limits, "QUEUE_LINGER_SECONDS", 1.0)
    made = Postman()
    for number in range(3):
        send(alice, f"r{number}@example.org")
        made.look()
        assert made.wait(20)
    assert len(remote.wait(3)) == 3
    assert remote.connections == 1
    until = time.monotonic() + 5
    while remote.commands[-1] != "QUIT" and time.monotonic() < until:
        time.sleep(0.02)
    assert remote.commands[-1] == "QUIT"
    made.stop()


def test_a_busy_destination_has_no_more_connections_than_it_may(alice, remote, monkeypatch):
    monkeypatch.setattr(limits, "QUEUE_CONNECTIONS", 3)
    monkeypatch.setattr(limits, "QUEUE_BATCH", 4)
    send(alice, *(f"r{number}@example.org" for number in range(40)))
    made = Postman()
    made.look()
    assert made.wait(30)
    made.stop()
    assert len(remote.wait(40)) == 40
    assert 1 < remote.most_open <= 3


def test_one_thread_is_enough_for_everybody(alice, remote):
    names = made_names[0]
    for number in range(4):
        names.add_mail(f"d{number}.test", f"mx{number}.test", "127.0.0.1")
        send(alice, f"x@d{number}.test")
    made = Postman(threads=1)
    made.look()
    assert made.wait(30)
    made.stop()
    assert len(remote.wait(4)) == 4


def test_stopping_gives_back_what_was_not_begun(alice, remote):
    send(alice, *(f"r{number}@example.org" for number in range(5)))
    remote.stall("data")
    made = Postman(timeouts=Timeouts(*[3.0] * 11))
    made.look()
    while "DATA" not in remote.commands:
        time.sleep(0.02)
    made.stop(seconds=0.2)
    leased = QueueEntry.objects.exclude(lease_owner="").count()
    assert leased == 1  # the one under way: its lease lapses if nothing comes of it
    assert made.wait(20)
    made.look()
    assert made.wait(0)
    assert sorted(states()) == ["waiting"] * 5
    assert QueueEntry.objects.exclude(lease_owner="").count() == 0


def test_the_heart_keeps_the_lease_of_a_slow_conversation(alice, remote, settings):
    settings.HOSTMAIL_QUEUE_LEASE_SECONDS = 2
    send(alice, "slow@example.org")
    remote.stall("mail", times=1)
    made = Postman(timeouts=Timeouts(*[4.0] * 11))
    made.look()
    until = time.monotonic() + 3.5
    while time.monotonic() < until:
        assert queue.recover() == 0
        time.sleep(0.2)
    assert made.wait(20)
    made.stop()


def test_a_fault_of_ours_defers_and_the_others_go(alice, remote, monkeypatch, caplog):
    send(alice, "bad@example.org", "good@example.org")
    usual = outbound.Courier.send

    def send_or_fail(self, entries):
        if entries[0].recipient.startswith("bad"):
            raise RuntimeError("our bug")
        return usual(self, entries)

    monkeypatch.setattr(outbound.Courier, "send", send_or_fail)
    made = Postman()
    made.look()
    assert made.wait(20)
    made.stop()
    assert dict(QueueEntry.objects.values_list("recipient", "state")) == {
        "bad@example.org": "waiting", "good@example.org": "relayed",
    }  # fmt: skip
    assert "could not be tried" in caplog.text


def test_there_is_one_in_a_process():
    assert postman.postman() is postman.postman()
