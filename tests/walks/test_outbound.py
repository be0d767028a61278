"""The second walk of the style guide, whole: somebody presses Send, and the remote host has it, or a bounce
comes home. Real sockets, a real name server and real mail hosts on loopback."""

import email
import email.policy
import json
import smtplib
import time

import dkim
import pytest

from hostmail.env import SourceAddress
from mailcore import limits
from mailcore.message import dsn
from mailcore.models import Attempt, Event, Message, QueueEntry
from mailcore.outside.remote_smtp import Timeouts
from mailcore.postman import Postman
from mailcore.services import addresses, inbound, mailboxes, messages, outbound, queue, relays, tenants
from tests.cast import Cast, make_domain, make_person
from tests.fakes import FakeClock, FakeDNS, FakeRemote, MemoryWorker
from tests.service import Service, wait_for

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


@pytest.fixture
def clock():
    with FakeClock() as fake:
        yield fake


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


def reports(person):
    """The reports in a mailbox, each as {recipient, action, status}."""
    found = []
    for message in Message.objects.filter(mailbox_id=person.mailbox.pk).order_by("uid"):
        raw = messages.raw_of(message.content_id)
        for one in dsn.parse_dsn(raw.header + raw.body) or ():
            found.append({"recipient": one.recipient, "action": one.action, "status": one.status})
    return found


def test_a_submission_reaches_the_remote_host_signed(alice, remote, names, postman):
    submission = send(alice)
    run(postman)
    (got,) = remote.wait(1)
    assert (got.recipients, got.tls) == ([BOB], True)
    assert got.reverse_path.startswith("bounce+")
    assert got.reverse_path.endswith("@acme.test")
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


# --- Where it goes ---------------------------------------------------------------------------------------


def test_goes_to_the_next_host_when_the_best_is_down(alice, remote, names, postman):
    names.set("example.org", "MX", ["10 down.example.org", "20 mx.example.org"])
    names.add_host("down.example.org", "127.0.0.9")
    send(alice)
    run(postman)
    remote.wait(1)
    assert entry().state == "relayed"
    assert list(Attempt.objects.values_list("host", "outcome", "phase")) == [
        ("down.example.org", "deferred", "connect"),
        ("mx.example.org", "relayed", "end"),
    ]


def test_prefers_the_lower_preference(alice, remote, names, postman):
    names.set("example.org", "MX", ["20 spare.example.org", "10 mx.example.org"])
    names.add_host("spare.example.org", "127.0.0.2")
    with FakeRemote("spare.example.org", address="127.0.0.2", port=remote.port) as spare:
        for number in range(5):
            send(alice, f"r{number}@example.org")
        run(postman)
        assert len(remote.wait(5)) == 5
        assert spare.connections == 0


def test_falls_back_to_the_address_of_the_domain(alice, remote, names, postman):
    names.add_host("plain.test", "127.0.0.1")
    send(alice, "x@plain.test")
    run(postman)
    assert remote.wait(1)[0].recipients == ["x@plain.test"]


@pytest.mark.parametrize(
    ("break_it", "status"),
    [
        (lambda names: names.set("example.org", "MX", ["0 ."]), "5.1.10"),
        (lambda names: names.fail("example.org", "NXDOMAIN"), "5.1.2"),
        (lambda names: names.set("mx.example.org", "A", []), "5.4.4"),
        (
            lambda names: names.set("example.org", "MX", ["10 localhost"]).add_host("localhost", "127.0.0.1"),
            "5.4.6",
        ),
    ],
    ids=["null MX", "no such domain", "no address", "ourselves"],
)
def test_gives_up_at_once_where_there_is_no_way(alice, remote, names, postman, break_it, status):
    break_it(names)
    send(alice)
    run(postman)
    row = entry()
    assert (row.state, row.last_status, row.attempt_count) == ("bounced", status, 1)
    assert remote.connections == 0
    assert reports(alice)[0]["status"] == status


def test_refuses_a_loop_to_our_own_port(alice, names, postman, settings):
    settings.HOSTMAIL_OUTBOUND_PORT = settings.HOSTMAIL_SMTP_PORT
    send(alice)
    run(postman)
    assert (entry().state, entry().last_status) == ("bounced", "5.4.6")


def test_tries_again_when_dns_does_not_answer(alice, remote, names, postman, clock):
    names.fail("example.org", "SERVFAIL")
    send(alice)
    run(postman)
    assert (entry().state, entry().last_status) == ("waiting", "4.4.3")
    names.remove("example.org").add_mail("example.org", "mx.example.org", "127.0.0.1")
    clock.advance(120)
    run(postman)
    remote.wait(1)
    assert entry().state == "relayed"


def test_everything_goes_to_the_smart_host(alice, names, postman, settings):
    with FakeRemote("smart.test", auth={"us": "secret"}) as smart:
        from hostmail.env import SmartHost

        settings.HOSTMAIL_SMART_HOST = SmartHost("127.0.0.1", smart.port, "us", "secret")
        send(alice, "x@nowhere.test", "y@example.org")
        run(postman)
        got = smart.wait(2)
        assert sorted(message.recipients[0] for message in got) == ["x@nowhere.test", "y@example.org"]
        assert {message.user for message in got} == {"us"}
        assert smart.connections == 1


# --- TLS -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tls", ["broken", ""])
def test_goes_on_without_tls_where_none_works(alice, names, postman, settings, tls):
    with FakeRemote(tls=tls) as remote:
        settings.HOSTMAIL_OUTBOUND_PORT = remote.port
        send(alice)
        run(postman)
        (got,) = remote.wait(1)
        assert not got.tls
    made = Attempt.objects.get()
    assert (made.tls_version, made.tls_verdict) == ("", "none")
    assert ("TLS failed" in made.reply) == (tls == "broken")


# --- What the host says ----------------------------------------------------------------------------------


def test_a_temporary_refusal_is_tried_again(alice, remote, names, postman, clock):
    remote.say("rcpt", "450 4.7.1 Greylisted, come back", times=1)
    send(alice)
    run(postman)
    row = entry()
    assert (row.state, row.last_code, row.last_status, row.last_reply) == (
        "waiting", 450, "4.7.1", "Greylisted, come back"
    )  # fmt: skip
    assert 50 <= (row.due_at - clock.now()).total_seconds() <= 70
    run(postman)
    assert remote.messages == []  # not before its time
    clock.advance(80)
    run(postman)
    remote.wait(1)
    row.refresh_from_db()
    assert (row.state, row.attempt_count) == ("relayed", 2)
    assert [made.outcome for made in row.attempts.all()] == ["deferred", "relayed"]
    kinds = list(Event.objects.order_by("id").values_list("kind", flat=True))
    assert kinds == ["submitted", "deferred", "relayed"]
    assert reports(alice) == []


def test_a_refusal_comes_home_as_a_report_people_understand(alice, remote, names, postman):
    remote.say("rcpt", "550 5.1.1 <bob@example.org>: no such user", recipient=BOB)
    submission = send(alice, BOB, "carol@example.org", raw=mail(subject="Invoice €5"))
    run(postman)
    assert remote.wait(1)[0].recipients == ["carol@example.org"]
    assert (entry().state, entry("carol@example.org").state) == ("bounced", "relayed")
    made = entry().attempts.get()
    assert (made.outcome, made.phase, made.code, made.status) == ("refused", "rcpt", 550, "5.1.1")

    (message,) = Message.objects.filter(mailbox_id=alice.mailbox.pk)
    kept = messages.raw_of(message.content_id)
    assert kept.prefix == b"Return-Path: <>\r\n"
    report = email.message_from_bytes(kept.header + kept.body, policy=email.policy.default)
    assert report.get_content_type() == "multipart/report"
    assert report["To"] == alice.address
    assert report["Auto-Submitted"] == "auto-replied"
    assert "Invoice €5" in report["Subject"]
    human, machine, original = report.iter_parts()
    assert "bob@example.org" in human.get_content()
    assert "does not exist" in human.get_content()
    assert "no such user" in human.get_content()
    final = machine.get_payload()[1]
    assert final["Final-Recipient"] == "rfc822; bob@example.org"
    assert final["Action"] == "failed"
    assert final["Status"] == "5.1.1"
    assert final["Remote-MTA"] == "dns; mx.example.org"
    assert "Message-ID" in original.get_payload()
    bounced = Event.objects.get(kind="bounced")
    assert (bounced.trace, bounced.recipient, bounced.data["code"]) == (submission.trace, BOB, 550)


def test_recipients_of_one_mail_go_in_one_transaction(alice, remote, names, postman):
    everybody = [f"r{number}@example.org" for number in range(30)]
    send(alice, *everybody)
    run(postman)
    assert sorted(remote.wait(1)[0].recipients) == sorted(everybody)
    assert remote.connections == 1


def test_one_connection_carries_many_mails(alice, remote, names, postman):
    for number in range(12):
        send(alice, f"r{number}@example.org")
    run(postman)
    assert len(remote.wait(12)) == 12
    assert remote.connections < 6


def test_domains_with_the_same_hosts_share_a_connection(alice, remote, names, postman):
    for number in range(8):
        names.set(f"d{number}.test", "MX", ["10 mx.example.org"])
        send(alice, f"x@d{number}.test")
    run(postman)
    assert len(remote.wait(8)) == 8
    assert remote.connections < 5
    assert remote.most_open <= 6


@pytest.mark.parametrize("phase", ["greeting", "ehlo", "mail", "rcpt", "data", "end"])
def test_a_host_that_stalls_is_tried_again(alice, remote, names, postman, clock, phase):
    remote.stall(phase, times=1)
    send(alice)
    run(postman)
    row = entry()
    assert (row.state, row.attempt_count) == ("waiting", 1)
    assert row.attempts.get().phase == phase
    assert row.last_status.startswith("4.")
    clock.advance(80)
    run(postman)
    remote.wait(1)
    assert entry().state == "relayed"


@pytest.mark.parametrize("phase", ["mail", "rcpt", "data", "end"])
def test_another_host_takes_over_what_one_drops(alice, remote, names, postman, phase):
    """Only where the message cannot have been taken: after its end it waits, so as not to come twice."""
    names.set("example.org", "MX", ["10 bad.example.org", "20 mx.example.org"])
    names.add_host("bad.example.org", "127.0.0.2")
    with FakeRemote("bad.example.org", address="127.0.0.2", port=remote.port) as bad:
        bad.hang_up(phase)
        send(alice)
        run(postman)
    if phase == "end":
        assert entry().state == "waiting"
        assert remote.messages == []
    else:
        remote.wait(1)
        assert entry().state == "relayed"
        assert [made.host for made in entry().attempts.all()] == ["bad.example.org", "mx.example.org"]


def test_a_421_in_the_middle_opens_another_connection(alice, remote, names, postman):
    remote.say("mail", "421 4.3.2 Enough for now", after=2, times=1)
    for number in range(4):
        send(alice, f"r{number}@example.org")
    run(postman)
    assert len(remote.wait(4)) == 4
    assert set(QueueEntry.objects.values_list("state", flat=True)) == {"relayed"}


def test_garbage_is_temporary(alice, remote, names, postman):
    remote.babble("rcpt")
    send(alice)
    run(postman)
    assert (entry().state, entry().last_status) == ("waiting", "4.5.0")


def test_a_host_that_refuses_us_at_the_door_is_tried_again(alice, remote, names, postman):
    """It has heard nothing of the message yet: a block list entry of ours, perhaps, and gone tomorrow."""
    remote.say("greeting", "554 5.7.1 Your address is blocked")
    send(alice)
    run(postman)
    assert (entry().state, entry().last_code) == ("waiting", 554)


def test_a_dead_destination_does_not_delay_others(alice, remote, names, settings):
    names.add_mail("dead.test", "mx.dead.test", "127.0.0.2")
    slow = Timeouts(*[5.0] * 11)
    postman = Postman(timeouts=slow)
    with FakeRemote("mx.dead.test", address="127.0.0.2", port=remote.port) as dead:
        dead.stall("greeting")
        for number in range(5):
            send(alice, f"x{number}@dead.test")
        for number in range(5):
            send(alice, f"r{number}@example.org")
        started = time.monotonic()
        postman.look()
        assert len(remote.wait(5)) == 5
        assert time.monotonic() - started < 3
        assert dead.connections == 1  # one thread waits there, not five
    assert postman.wait(20)
    postman.stop()
    waiting = QueueEntry.objects.filter(route="dead.test", state="waiting")
    assert sorted(waiting.values_list("attempt_count", flat=True)) == [0, 0, 0, 0, 1]  # one asked for all


def test_a_host_without_smtputf8_bounces_what_needs_it(alice, names, postman, settings):
    with FakeRemote(smtputf8=False) as remote:
        settings.HOSTMAIL_OUTBOUND_PORT = remote.port
        send(alice, "bücher@example.org")
        run(postman)
    assert (entry("bücher@example.org").state, entry("bücher@example.org").last_status) == (
        "bounced",
        "5.6.7",
    )


# --- Time ------------------------------------------------------------------------------------------------


def test_a_delay_is_told_once_and_the_end_after_five_days(alice, remote, names, postman, clock):
    remote.say("rcpt", "451 4.3.0 not now")
    send(alice)
    told = []
    for _ in range(60):
        run(postman)
        row = entry()
        told.append((row.state, [report["action"] for report in reports(alice)]))
        if row.state != "waiting":
            break
        clock.advance((row.due_at - clock.now()).total_seconds() + 1)
    assert row.state == "bounced"
    assert row.last_status == "5.4.7"
    assert [report["action"] for report in reports(alice)] == ["delayed", "failed"]
    age = (row.finished_at - row.created_at).total_seconds()
    assert 5 * 86400 <= age < 5 * 86400 + 60
    first = next(number for number, (_, actions) in enumerate(told) if actions)
    assert first == next(
        number for number, made in enumerate(row.attempts.all())
        if (made.started_at - row.created_at).total_seconds() >= 4 * 3600
    )  # fmt: skip
    assert 20 < row.attempt_count < 60


# --- Nobody to tell, and mail that is sent on ------------------------------------------------------------


def test_a_bounce_never_bounces(alice, remote, names, postman):
    remote.say("rcpt", "550 5.1.1 no")
    send(alice, reverse_path="")
    run(postman)
    assert entry().state == "bounced"
    assert reports(alice) == []
    assert QueueEntry.objects.count() == 1


def forwarded(alice, reverse_path):
    """Mail from outside for an alias that leads outside, as the MX files it."""
    addresses.add_alias(alice.tenant, "out@acme.test", ["target@example.org"], actor=None)
    transaction = inbound.Transaction("192.0.2.7", "mx.else.test", "ESMTP", "", "", reverse_path)
    transaction.recipients.append(inbound.accept_recipient(transaction, "out@acme.test"))
    steps = inbound.receive(transaction, b"From: ann@else.test\r\nSubject: Hi\r\n\r\nbody\r\n")
    (filed,) = messages.append_many([next(steps)])
    with pytest.raises(StopIteration):
        steps.send(filed)


def test_what_an_alias_sends_on_keeps_its_octets_and_trace(alice, remote, names, postman):
    forwarded(alice, "ann@else.test")
    run(postman)
    (got,) = remote.wait(1)
    assert got.reverse_path.startswith("bounce+")
    assert (got.reverse_path.partition("@")[2], got.recipients) == ("acme.test", ["target@example.org"])
    assert got.raw.startswith(
        b"Delivered-To: <out@acme.test>\r\nReceived: from mx.else.test ([192.0.2.7])"
    ) or (got.raw.startswith(b"Delivered-To: out@acme.test\r\nReceived: from mx.else.test ([192.0.2.7])"))
    assert got.raw.endswith(b"From: ann@else.test\r\nSubject: Hi\r\n\r\nbody\r\n")
    assert b"Return-Path" not in got.raw


def test_the_end_of_what_an_alias_sent_on_is_told_to_no_stranger(alice, remote, names, postman):
    names.add_mail("else.test", "mx.example.org", "127.0.0.1")
    remote.say("rcpt", "550 5.1.1 no", recipient="target@example.org")
    forwarded(alice, "ann@else.test")
    run(postman)
    run(postman)
    assert dict(QueueEntry.objects.values_list("recipient", "state")) == {"target@example.org": "bounced"}
    assert Event.objects.get(kind="bounced").tenant_id == alice.tenant.pk
    assert remote.messages == []


def test_one_of_our_own_hears_what_became_of_mail_that_an_alias_elsewhere_sent_on(
    alice, remote, names, postman
):
    other = make_domain(tenants.create("Other", actor=None), "other.test", keys=True)
    addresses.add_alias(other.tenant, "out@other.test", ["target@example.org"], actor=None)
    remote.say("rcpt", "550 5.1.1 no", recipient="target@example.org")
    send(alice, "out@other.test", raw=mail(alice.address, to="out@other.test"))
    run(postman)
    assert reports(alice) == [{"recipient": "target@example.org", "action": "failed", "status": "5.1.1"}]


# --- Steering and suspensions ----------------------------------------------------------------------------


def test_a_suspended_tenant_sends_nothing_until_resumed(alice, remote, names, postman):
    send(alice)
    tenants.suspend(alice.tenant, "late", actor=None)
    run(postman)
    assert remote.connections == 0
    tenants.resume(alice.tenant, actor=None)
    run(postman)
    remote.wait(1)


def test_a_suspended_mailbox_sends_nothing_until_resumed(alice, remote, names, postman):
    send(alice)
    mailboxes.suspend(alice.mailbox, "late", actor=None)
    run(postman)
    assert remote.connections == 0
    mailboxes.resume(alice.mailbox, actor=None)
    run(postman)
    remote.wait(1)


def test_what_is_held_waits_and_goes_when_released(alice, remote, names, postman):
    send(alice)
    queue.hold(entry(), actor=None)
    run(postman)
    assert remote.connections == 0
    queue.release(entry(), actor=None)
    run(postman)
    remote.wait(1)


def test_what_was_relayed_while_it_was_dropped_is_relayed(alice, remote, names):
    """The truth wins over the wish: the host has it."""
    send(alice)
    postman = Postman(timeouts=Timeouts(*[5.0] * 11))
    before = outbound.attempt.begin
    dropped = []

    def begin(*arguments):
        made = before(*arguments)
        if not dropped:
            dropped.append(queue.drop(entry(), actor=None))
        return made

    outbound.attempt.begin = begin
    try:
        run(postman)
    finally:
        outbound.attempt.begin = before
        postman.stop()
    remote.wait(1)
    assert entry().state == "relayed"


# --- Leases ----------------------------------------------------------------------------------------------


def test_what_a_dead_worker_held_goes_out_with_the_same_message_id(alice, remote, names, postman, clock):
    submission = send(alice)
    (pair,) = queue.due()
    (held,) = queue.claim("dead-worker", pair, 10)
    Attempt.objects.create(tenant=alice.tenant, entry_id=held.pk, started_at=clock.now(), phase="end")
    run(postman)
    assert remote.connections == 0  # its lease still stands
    clock.advance(91)
    run(postman)
    (got,) = remote.wait(1)
    kept = messages.raw_of(submission.content_id)
    assert email.message_from_bytes(got.raw)["Message-ID"] == email.message_from_bytes(kept.raw)["Message-ID"]
    assert [made.outcome for made in entry().attempts.all()] == ["lost", "relayed"]
    assert Event.objects.get(kind="deferred").data["may_be_double"] is True


def test_two_postmen_never_send_the_same(alice, remote, names):
    for number in range(20):
        send(alice, f"r{number}@example.org")
    both = [Postman(timeouts=QUICK), Postman(timeouts=QUICK)]
    for one in both:
        one.look()
    for one in both:
        assert one.wait(20)
        one.stop()
    sent = [message.recipients[0] for message in remote.wait(20)]
    assert len(sent) == len(set(sent)) == 20


def test_a_lease_taken_over_sends_nothing(alice, remote, names, postman, clock):
    """The heart of a worker that slept: the other one has it now, so it stops before the final dot."""
    send(alice)
    (pair,) = queue.due()
    entries = queue.claim("sleeper", pair, 10)
    clock.advance(91)
    queue.recover()
    courier = outbound.Courier("sleeper", outbound.way(pair), QUICK)
    with pytest.raises(outbound.LeaseLost):
        courier.send(entries)
    courier.close()
    assert remote.messages == []
    run(postman)
    assert len(remote.wait(1)) == 1


def test_two_tenants_take_turns(alice, remote, names, postman, monkeypatch):
    """A tenant with a thousand mails for a host does not keep another's one mail waiting for all of them."""
    monkeypatch.setattr(limits, "QUEUE_BATCH", 5)
    monkeypatch.setattr(limits, "QUEUE_CONNECTIONS", 1)
    other = tenants.create("Other", actor=None)
    other_domain = make_domain(other, "other.test")
    olga = make_person(other, other_domain, "olga")
    for number in range(25):
        send(alice, f"r{number}@example.org")
    send(olga, "late@example.org", raw=mail("olga@other.test"))
    run(postman)
    order = [message.recipients[0] for message in remote.wait(26)]
    assert order.index("late@example.org") <= 10


# --- A worker as a program -------------------------------------------------------------------------------


@pytest.mark.timeout(180)
def test_a_killed_worker_loses_nothing(start_service, tmp_path):
    """kill -9 in the middle of a conversation; the next worker sends it soon after the lease has lapsed."""
    with FakeDNS() as names, FakeRemote() as remote:
        names.add_mail("example.org", "mx.example.org", "127.0.0.1")
        host, port = names.address
        service = start_service(
            "worker", started=False,
            env={
                "HOSTMAIL_DNS_SERVERS": f"{host}:{port}",
                "HOSTMAIL_OUTBOUND_PORT": str(remote.port),
                "HOSTMAIL_QUEUE_LEASE_SECONDS": "3",
            },
        )  # fmt: skip
        service.manage("migrate", "-v0")
        service.manage("tenant", "add", "Acme", "--slug", "acme")
        service.manage("domain", "add", "acme.test", "--tenant", "acme", "--verified")
        service.manage(
            "mailbox", "add", "ann@acme.test", "--password-stdin", given="a long enough password\n"
        )
        remote.stall("end", times=1)
        with_maild = Service(
            service.folder, "maild", "--only", "submission", env={**service.env, "PYTHONUNBUFFERED": "1"}
        )
        with_maild.env, with_maild.ports = service.env, service.ports
        with_maild.start()
        with smtplib.SMTP("127.0.0.1", service.ports["submission"], timeout=10) as smtp:
            smtp.login("ann@acme.test", "a long enough password")
            for number in range(5):
                smtp.sendmail("ann@acme.test", [f"r{number}@example.org"], mail("ann@acme.test"))
        with_maild.stop()
        service.start()
        wait_for(lambda: "DATA" in remote.commands, 20, "the worker is in the middle of a message")
        time.sleep(0.5)
        service.kill()
        started = time.monotonic()
        service.start()
        got = remote.wait(5, seconds=60)
        assert time.monotonic() - started < 40
        assert sorted(one.recipients[0] for one in got) == [f"r{number}@example.org" for number in range(5)]
        wait_for(lambda: listed(service) == {"relayed"}, 20, "everything is relayed")
        service.stop()


def listed(service):
    return {row["state"] for row in json.loads(service.manage("queue", "list", "--all", "--json"))}


# --- Relays ----------------------------------------------------------------------------------------------


def test_a_relay_takes_its_tenants_mail_and_is_named(alice, names, postman):
    with FakeRemote("relay.test", auth={"us": "secret"}) as relay, FakeRemote("other.test") as other:
        relays.add(
            alice.tenant, "127.0.0.1", port=relay.port, tls="opportunistic", user="us", password="secret",
            actor=None,
        )  # fmt: skip
        olga = make_person(
            tenant := tenants.create("Other", actor=None), make_domain(tenant, "other.test"), "olga"
        )
        relays.add(tenant, "127.0.0.1", port=other.port, tls="opportunistic", actor=None)
        send(alice, "x@nowhere.test", "y@example.org")
        send(olga, "z@nowhere.test", raw=mail("olga@other.test"))
        run(postman)
        got = relay.wait(2)
        assert sorted(message.recipients[0] for message in got) == ["x@nowhere.test", "y@example.org"]
        assert {message.user for message in got} == {"us"}
        (theirs,) = other.wait(1)
        assert (theirs.recipients, theirs.user) == (["z@nowhere.test"], None)
        name = f"127.0.0.1:{relay.port}"
        assert entry("y@example.org").attempts.get().relay == name
        assert Event.objects.filter(kind="relayed", data__relay=name).count() == 2


def test_a_relay_with_a_bad_certificate_or_password_gets_nothing(alice, names, postman):
    """The demand and the password are the relay's own mistakes: the mail waits."""
    with FakeRemote("relay.test", auth={"us": "secret"}) as relay:
        made = relays.add(
            alice.tenant, "127.0.0.1", port=relay.port, user="us", password="secret", actor=None
        )
        send(alice)
        run(postman)
        assert entry().state == "waiting"
        assert "AUTH" not in " ".join(relay.commands)
        relays.change(made, tls="opportunistic", password="wrong", actor=None)
        queue.retry(entry(), actor=None)
        run(postman)
        row = entry()
        assert (row.state, row.last_status) == ("waiting", "4.7.8")
        assert relay.messages == []


def test_a_relay_of_last_resort_takes_over(alice, names, postman, clock, settings):
    """Its hosts are down: one entry asks for all, and yet all of them have failed in the end."""
    settings.HOSTMAIL_OUTBOUND_PORT = 1
    with FakeRemote("relay.test") as relay:
        relays.add(alice.tenant, "127.0.0.1", port=relay.port, tls="none", after_attempts=2, actor=None)
        for number in range(5):
            send(alice, f"r{number}@example.org")
        run(postman)
        assert relay.messages == []
        assert {row.attempt_count for row in QueueEntry.objects.all()} == {1}
        clock.advance(600)
        run(postman)
        clock.advance(600)
        run(postman)
        assert len(relay.wait(5)) == 5
        assert {row.state for row in QueueEntry.objects.all()} == {"relayed"}


def test_says_which_of_our_addresses_it_left_from(alice, remote, names, postman, settings):
    settings.HOSTMAIL_SOURCE_ADDRESSES = [SourceAddress("", "127.0.0.2", "out.ours.test")]
    send(alice)
    run(postman)
    (got,) = remote.wait(1)
    assert got.ehlo == "out.ours.test"
    assert entry().attempts.get().own_address == "127.0.0.2"
    assert Event.objects.get(kind="relayed").data["own_address"] == "127.0.0.2"
