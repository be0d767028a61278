"""Complaints about mail that went out from here."""

import pytest

from mailcore.errors import Suppressed
from mailcore.models import Event, QueueEntry, Submission, Suppression
from mailcore.services import outbound, queue, suppressions, webhooks
from mailcore.services.outbound import attempt
from tests.cast import Cast
from tests.fakes import FakeClock, MemoryWorker
from tests.mailcore.reports import samples
from tests.mailcore.services.reports.posting import comes

pytestmark = pytest.mark.django_db(transaction=True)
BOB, EVE = "bob@example.org", "eve@example.org"
RAW = b"From: alice@acme.test\r\nSubject: Hello\r\n\r\nBuy!\r\n"


@pytest.fixture
def cast(data_dir):
    with FakeClock(), MemoryWorker():
        yield Cast()


def relayed(person, *recipients, source="api"):
    """The return path and the trace of a mail that went out."""
    outbound.submit(
        person.mailbox, RAW, recipients, user_id=person.user.pk, source=source, reverse_path=person.address
    )
    entries = queue.claim("me", queue.due()[0], 100)
    QueueEntry.objects.update(state="relayed", lease_owner="", lease_until=None)
    return attempt.leaves_from(entries[0]), Submission.objects.get().trace


def received(trace):
    return f"Received: from x by localhost with ESMTPA id {trace}; Tue, 24 Nov 2026 14:00:00 +0000\r\n"


def test_a_return_path_names_the_mail_and_its_reader(cast):
    path, trace = relayed(cast.alice, BOB, EVE)
    comes("feedback@localhost", samples.complaint(mail_from=path, recipient="redacted@example.org"))
    (event,) = Event.objects.filter(kind="complained")
    assert (event.trace, event.mailbox_id) == (trace, cast.alice.mailbox.pk)
    assert event.data["reason"] == "abuse, told by SomeGenerator/1.0"
    entry = Suppression.objects.get()
    assert (entry.address, entry.reason, entry.expires_at) == (event.recipient, "complaint", None)
    with pytest.raises(Suppressed, match="complained of your mail"):
        suppressions.check(cast.alice.tenant.pk, event.recipient)


def test_our_trace_in_the_mail_names_it(cast):
    _, trace = relayed(cast.alice, BOB, source="smtp")
    comes("feedback@localhost", samples.complaint(header=received(trace), recipient="x@redacted.invalid"))
    assert Event.objects.get(kind="complained").recipient == BOB


def test_of_several_only_who_is_named_is_suppressed(cast):
    _, trace = relayed(cast.alice, BOB, EVE, source="smtp")
    comes("feedback@localhost", samples.complaint(header=received(trace), recipient="x@redacted.invalid"))
    assert not Suppression.objects.exists()
    comes("feedback@localhost", samples.complaint(header=received(trace), recipient=EVE.upper()))
    assert [one.address for one in Suppression.objects.all()] == [EVE]


def test_is_not_believed_without_proof(cast):
    path, trace = relayed(cast.alice, BOB)
    local, _, domain = path.partition("@")
    for raw in (
        samples.complaint(),
        samples.complaint(mail_from=f"{local[:-2]}zz@{domain}"),
        samples.complaint(header=received("a" * 16)),
        samples.complaint(header=received(trace).replace("localhost", "elsewhere.example")),
    ):
        comes("feedback@localhost", raw)
    assert not Event.objects.filter(kind="complained").exists()
    assert not Suppression.objects.exists()


def test_the_same_complaint_changes_nothing_the_second_time(cast):
    path, _ = relayed(cast.alice, BOB)
    comes("feedback@localhost", samples.complaint(mail_from=path))
    suppressions.remove(Suppression.objects.get(), actor=None)
    comes("feedback@localhost", samples.complaint(mail_from=path))
    assert Event.objects.filter(kind="complained").count() == 1
    assert not Suppression.objects.exists()


def test_not_spam_suppresses_nobody(cast):
    path, _ = relayed(cast.alice, BOB)
    comes("feedback@localhost", samples.complaint(mail_from=path, kind="not-spam"))
    assert not Suppression.objects.exists()


def test_what_an_alias_sent_on_is_told_and_suppresses_nobody(cast):
    path, _ = relayed(cast.alice, BOB)
    Submission.objects.update(source="forward")
    comes("feedback@localhost", samples.complaint(mail_from=path))
    assert Event.objects.filter(kind="complained").exists()
    assert not Suppression.objects.exists()


def test_an_entry_made_by_hand_stays(cast):
    path, _ = relayed(cast.alice, BOB)
    suppressions.add(cast.alice.tenant, BOB, words="asked by phone", actor=None)
    comes("feedback@localhost", samples.complaint(mail_from=path))
    assert Suppression.objects.get().reason == "manual"


def test_webhooks_hear_of_it(cast):
    webhook, _ = webhooks.add(cast.alice.tenant, "https://hooks.example/x", ["complained"], actor=None)
    path, _ = relayed(cast.alice, BOB)
    comes("feedback@localhost", samples.complaint(mail_from=path))
    webhooks.gather()
    assert [post.kind for post in webhook.posts.all()] == ["complained"]
