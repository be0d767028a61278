"""The second walk of the style guide, whole: somebody presses Send, and the remote host has it, or a bounce
comes home. Real sockets, a real name server and real mail hosts on loopback."""

import email
import email.policy

import dkim
import pytest

from mailcore.models import Attempt, Event, Message, QueueEntry
from mailcore.outside.remote_smtp import Timeouts
from mailcore.postman import Postman
from mailcore.services import domains, messages, outbound, queue
from tests.cast import Cast, make_domain, make_person
from tests.fakes import FakeClock, FakeDNS, FakeRemote, MemoryWorker

pytestmark = pytest.mark.django_db(transaction=True)
QUICK = Timeouts(*[0.5] * 11)
BOB = "bob@example.org"


@pytest.fixture
def names():
    with FakeDNS() as fake:
        fake.add_mail("example.org", "mx.example.org", "127.0.0.1")
        yield fake


@pytest.fixture
def remote(settings):
    with FakeRemote() as fake:
        settings.HOSTMAIL_OUTBOUND_PORT = fake.port
        yield fake


@pytest.fixture
def woken():
    with MemoryWorker() as worker:
        yield worker


@pytest.fixture
def alice(data_dir, woken, names):
    return Cast(keys=True).alice


@pytest.fixture
def postman():
    made = Postman(timeouts=QUICK)
    yield made
    made.stop()


def mail(author="alice@acme.test", subject="Hello", to=BOB, body="How are you?\r\n", **fields):
    lines = [f"From: {author}", f"To: {to}", f"Subject: {subject}"]
    lines += [f"{name}: {value}" for name, value in fields.items()]
    return ("\r\n".join(lines) + "\r\n\r\n" + body).encode()


def send(person, *recipients, raw=None, source="api", **more):
    more.setdefault("reverse_path", person.address)
    return outbound.submit(
        person.mailbox, raw or mail(person.address), recipients or [BOB], user_id=person.user.pk,
        source=source, **more,
    )  # fmt: skip


def run(postman, seconds=20):
    queue.recover()
    postman.look()
    assert postman.wait(seconds), "the postman is still busy"


def entry(recipient=BOB):
    return QueueEntry.objects.get(recipient=recipient)


def test_a_submission_reaches_the_remote_host_signed(alice, remote, names, postman):
    submission = send(alice)
    run(postman)
    (got,) = remote.wait(1)
    assert (got.reverse_path, got.recipients, got.tls) == (alice.address, [BOB], True)
    row = entry()
    assert (row.state, row.attempt_count, row.last_code, row.last_host) == (
        "relayed", 1, 250, "mx.example.org"
    )  # fmt: skip
    assert (row.lease_owner, row.lease_until) == ("", None)
    made = Attempt.objects.get()
    assert (made.outcome, made.host, made.address, made.code) == (
        "relayed", "mx.example.org", "127.0.0.1", 250
    )  # fmt: skip
    assert made.tls_version == "TLSv1.3"
    assert made.tls_verdict == "self-signed"
    parsed = email.message_from_bytes(got.raw, policy=email.policy.default)
    assert parsed["Message-ID"]
    assert parsed["Date"]
    assert "127.0.0.1" in parsed["Received"]
    assert submission.trace in parsed["Received"]
    assert parsed["Return-Path"] is None
    assert list(Event.objects.order_by("id").values_list("kind", flat=True)) == ["submitted", "relayed"]

    published = {
        f"{key.selector}._domainkey.acme.test.": f"v=DKIM1; k=rsa; p={key.public.split('p=')[-1]}".encode()
        for key in alice.domain.dkim_keys.filter(algorithm="rsa-sha256")
    }
    signatures = [str(field) for field in parsed.get_all("DKIM-Signature")]
    assert ["a=rsa-sha256" in one for one in signatures] == [True, False]
    assert dkim.DKIM(got.raw).verify(idx=0, dnsfunc=lambda name, timeout=5: published[name.decode()])
