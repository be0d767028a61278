"""Reports that come home."""

import pytest

from mailcore.errors import MailError, NoSuchAddress, NotHere, TooManyRecipients
from mailcore.message import dsn
from mailcore.models import Event, Message, QueueEntry, Suppression
from mailcore.services import addresses, inbound, messages, outbound, queue
from mailcore.services.outbound import attempt, octets
from tests.cast import Cast
from tests.fakes import FakeClock, MemoryWorker

pytestmark = pytest.mark.django_db(transaction=True)
BOB = "bob@example.org"
RAW = b"From: alice@acme.test\r\nSubject: Hello\r\n\r\nHow are you?\r\n"
REPORT = (
    "From: postmaster@example.org\r\nSubject: failure\r\n"
    "Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n"
    "--b\r\n\r\nSorry.\r\n--b\r\n"
    "Content-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.example.org\r\n\r\n"
    "Final-Recipient: rfc822; {recipient}\r\nAction: {action}\r\nStatus: {status}\r\n"
    "Diagnostic-Code: smtp; 550 no such person\r\n\r\n--b\r\n"
    "Content-Type: text/rfc822-headers\r\n\r\n{header}"
    "Subject: Hello\r\n\r\n--b--\r\n"
)


@pytest.fixture
def clock():
    with FakeClock() as fake:
        yield fake


@pytest.fixture
def cast(clock, data_dir):
    with MemoryWorker():
        yield Cast()


def relayed(person, *recipients, source="api"):
    """A mail that went out; the return path it left from."""
    outbound.submit(
        person.mailbox, RAW, recipients or [BOB], user_id=person.user.pk, source=source,
        reverse_path=person.address,
    )  # fmt: skip
    return gone()


def gone():
    entries = queue.claim("me", queue.due()[0], 100)
    QueueEntry.objects.filter(pk__in=[entry.pk for entry in entries]).update(
        state="relayed", lease_owner="", lease_until=None
    )
    return attempt.leaves_from(entries[0])


def comes(to, raw, reverse_path="", earlier=()):
    transaction = inbound.Transaction("192.0.2.7", "mx.example.org", "ESMTP", "", "", reverse_path)
    for recipient in (*earlier, to):
        transaction.recipients.append(inbound.accept_recipient(transaction, recipient))
    steps = inbound.receive(transaction, raw)
    (filed,) = messages.append_many([next(steps)])
    if isinstance(filed, MailError):
        raise filed
    with pytest.raises(StopIteration):
        steps.send(filed)


def report(recipient=BOB, action="failed", status="5.1.1", header=""):
    return REPORT.format(recipient=recipient, action=action, status=status, header=header).encode()


def inbox(person):
    for message in Message.objects.filter(mailbox_id=person.mailbox.pk).order_by("uid"):
        kept = messages.raw_of(message.content_id)
        yield kept.prefix + kept.header + kept.body


def test_a_report_to_the_return_path_ends_the_entry_and_tells_the_sender_in_our_words(cast):
    path = relayed(cast.alice)
    assert path.startswith("bounce+")
    assert path.endswith("@acme.test")
    comes(path, report())
    assert QueueEntry.objects.get().state == "bounced"
    event = Event.objects.get(kind="bounced")
    assert (event.recipient, event.data["status"], event.mailbox_id) == (
        BOB, "5.1.1", cast.alice.mailbox.pk
    )  # fmt: skip
    (notice,) = inbox(cast.alice)
    assert notice.startswith(b"Return-Path: <>\r\n")
    assert b"The address does not exist there." in notice
    assert b"To: <alice@acme.test>" in notice
    suppressed = Suppression.objects.get()
    assert (suppressed.address, suppressed.status, suppressed.words) == (
        BOB, "5.1.1", "550 no such person"
    )  # fmt: skip


def test_nobody_is_told_twice(cast):
    path = relayed(cast.alice)
    comes(path, report())
    comes(path, report())
    assert len(list(inbox(cast.alice))) == 1
    assert Event.objects.filter(kind="bounced").count() == 1


def test_a_refusal_by_rule_suppresses_nothing(cast):
    comes(relayed(cast.alice), report(status="5.7.1"))
    assert QueueEntry.objects.get().state == "bounced"
    assert not Suppression.objects.exists()


def test_a_delay_elsewhere_changes_nothing(cast):
    comes(relayed(cast.alice), report(action="delayed", status="4.4.1"))
    assert QueueEntry.objects.get().state == "relayed"
    assert not list(inbox(cast.alice))


def test_a_report_names_one_of_several(cast):
    path = relayed(cast.alice, BOB, "eve@example.org")
    comes(path, report("EVE@example.org"))
    states = dict(QueueEntry.objects.values_list("recipient", "state"))
    assert states == {BOB: "relayed", "eve@example.org": "bounced"}


def test_a_report_on_somebody_else_is_believed_of_nobody(cast):
    comes(relayed(cast.alice, BOB, "eve@example.org"), report("victim@example.net"))
    assert set(QueueEntry.objects.values_list("state", flat=True)) == {"relayed"}
    assert not Suppression.objects.exists()
    (raw,) = inbox(cast.alice)
    assert b"victim@example.net" in raw


def test_a_rewritten_name_is_the_only_one_it_can_be(cast):
    comes(relayed(cast.alice), report("bob@internal.example.org"))
    assert QueueEntry.objects.get().state == "bounced"
    assert Suppression.objects.get().address == BOB


def test_an_automatic_answer_goes_to_who_sent_the_mail(cast):
    comes(relayed(cast.alice), b"From: bob@example.org\r\nSubject: Away\r\n\r\nBack soon.\r\n", BOB)
    (raw,) = inbox(cast.alice)
    assert b"Back soon." in raw
    assert QueueEntry.objects.get().state == "relayed"


def test_a_forged_path_is_refused_at_rcpt(cast):
    path = relayed(cast.alice)
    forged = path[:9] + ("b" if path[9] != "b" else "c") + path[10:]
    with pytest.raises(NoSuchAddress):
        comes(forged, report())


def test_a_mail_that_is_forgotten_has_no_return_path_any_more(cast):
    path = relayed(cast.alice)
    QueueEntry.objects.all().delete()
    with pytest.raises(NoSuchAddress):
        comes(path, report())


def test_a_return_path_comes_alone(cast):
    path = relayed(cast.alice)
    with pytest.raises(TooManyRecipients):
        comes(path, report(), earlier=["alice@acme.test"])
    with pytest.raises(TooManyRecipients):
        comes("alice@acme.test", report(), earlier=[path])


def test_people_keep_their_own_return_path_and_reports_on_it_are_known_by_our_trace(cast):
    assert relayed(cast.alice, source="webmail") == "alice@acme.test"
    sent = octets.wire_octets(queue._load([QueueEntry.objects.get().pk])[0])
    trace_field = sent[: sent.index(b"\r\nFrom:") + 2].decode()
    comes("alice@acme.test", report(header=trace_field[trace_field.index("Received:") :]))
    assert QueueEntry.objects.get().state == "bounced"
    assert Suppression.objects.get().address == BOB
    assert any(dsn.parse_dsn(raw) for raw in inbox(cast.alice))


def test_a_report_that_brings_nothing_of_ours_back_is_filed_and_believed_of_nobody(cast):
    relayed(cast.alice, source="webmail")
    comes("alice@acme.test", report())
    assert QueueEntry.objects.get().state == "relayed"
    assert not Suppression.objects.exists()


def test_a_report_to_one_says_nothing_of_the_mail_of_another(cast):
    relayed(cast.alice, source="webmail")
    sent = octets.wire_octets(queue._load([QueueEntry.objects.get().pk])[0]).decode()
    comes("charlie@charlie.test", report(header=sent[sent.index("Received:") : sent.index("From:")]))
    assert QueueEntry.objects.get().state == "relayed"


def forwarded(cast):
    addresses.add_alias(cast.alice.tenant, "out@acme.test", [BOB], actor=None)
    comes("out@acme.test", b"From: ann@else.test\r\nSubject: Hi\r\n\r\nbody\r\n", "ann@else.test")
    return gone()


def test_what_an_alias_sends_on_leaves_from_its_own_domain(cast):
    path = forwarded(cast)
    assert path.startswith("bounce+")
    assert path.endswith("@acme.test")


def test_a_report_on_what_an_alias_sent_on_tells_the_organisation_and_no_stranger(cast):
    comes(forwarded(cast), report())
    assert QueueEntry.objects.get().state == "bounced"
    assert Event.objects.get(kind="bounced").tenant_id == cast.alice.tenant.pk
    assert Suppression.objects.get().tenant_id == cast.alice.tenant.pk
    assert not Message.objects.exists()


def test_other_mail_to_the_path_of_an_alias_is_refused(cast):
    path = forwarded(cast)
    with pytest.raises(NotHere):
        comes(path, b"From: bob@example.org\r\nSubject: Win a prize\r\n\r\nnow\r\n", BOB)
