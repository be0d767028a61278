"""Mail out under what a domain demands of TLS: a small internet whose hosts keep their word or lie."""

import hashlib
import json

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from mailcore.models import Attempt, DeadDestination, QueueEntry, STSPolicy, Submission, TLSCount
from mailcore.outside import clock as clock_door
from mailcore.outside.remote_smtp import Timeouts
from mailcore.services import outbound, queue
from mailcore.services.outbound import sts_policies, tlsrpt
from mailcore.tlspolicy.tlsrpt import Result
from tests.cast import Cast
from tests.fakes import FakeClock, FakeDNS, FakeRemote, MemoryWorker
from tests.fakes.policies import FakePolicies
from tests.fakes.remote import authority

pytestmark = pytest.mark.django_db(transaction=True)
RAW = b"From: alice@acme.test\r\nSubject: Hello\r\n\r\nHow are you?\r\n"
HOST, DOMAIN = "mx.example.org", "example.org"
FAST = Timeouts(connect=2, greeting=2, ehlo=2, starttls=2, mail=2, rcpt=2, data=2, block=2, end=2, quit=1)


@pytest.fixture
def internet(settings, data_dir):
    """Names with example.org at mx.example.org, signed."""
    settings.HOSTMAIL_PRIVATE_TARGETS = "allow"
    with MemoryWorker(), FakeDNS() as names:
        names.authenticated = True
        names.add_mail(DOMAIN, HOST, "127.0.0.1")
        yield names


@pytest.fixture
def alice(internet):
    return Cast().alice


def carry(person, *, wish="", domain=DOMAIN, host=None, courier=None):
    """One message to domain through a courier; the outcome and the courier."""
    outbound.submit(
        person.mailbox, RAW, [f"bob@{domain}"], user_id=person.user.pk, source="api",
        reverse_path=person.address,
    )  # fmt: skip
    Submission.objects.update(tls_wish=wish)
    (pair,) = queue.due()
    batch = queue.claim("me", pair, 10)
    is_mine = courier is None
    courier = courier or outbound.Courier("me", outbound.way(queue.Pair(domain, 0)), FAST)
    (outcome,) = courier.send(batch)
    if is_mine:
        courier.close()
    outbound.settle("me", [outcome])
    return outcome


@pytest.fixture
def listen(settings):
    """Start a mail host where the port of others may be told."""
    started = []

    def start(**more):
        fake = FakeRemote(HOST, **{"port": settings.HOSTMAIL_OUTBOUND_PORT if started else 0, **more}).start()
        settings.HOSTMAIL_OUTBOUND_PORT = fake.port
        started.append(fake)
        return fake

    yield start
    for fake in started:
        fake.stop()


def spki(certificate):
    key = x509.load_der_x509_certificate(certificate).public_key()
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def publish(names, remote, *records, host=HOST):
    """TLSA records of a host; by default the right one."""
    if not records:
        records = [f"3 1 1 {hashlib.sha256(spki(remote.certificate)).hexdigest()}"]
    names.set(f"_{remote.port}._tcp.{host}", "TLSA", records)


def announce(names, web, mode, *mx, number="1"):
    names.set(f"_mta-sts.{DOMAIN}", "TXT", f"v=STSv1; id={number}")
    names.add_host(f"mta-sts.{DOMAIN}", "127.0.0.1")
    hosts = "".join(f"mx: {each}\n" for each in mx or [HOST])
    web.say(f"version: STSv1\nmode: {mode}\n{hosts}max_age: 86400\n")


WRONG = "3 1 1 " + "ab" * 32


def test_dane_takes_a_certificate_that_its_records_name(internet, alice, listen):
    remote = listen(tls="self-signed")
    publish(internet, remote)
    outcome = carry(alice)
    assert outcome.reply.is_ok
    (attempt,) = Attempt.objects.all()
    assert (attempt.tls_policy, attempt.tls_verdict) == ("dane", "dane")
    assert attempt.tls_version.startswith("TLSv1.")


@pytest.mark.parametrize("tls", ["wrong-name", "expired"])
def test_dane_takes_a_named_certificate_whatever_its_name_and_dates(internet, alice, listen, tls):
    publish(internet, listen(tls=tls))
    assert carry(alice).reply.is_ok


def test_dane_takes_what_a_named_authority_has_signed(internet, alice, listen):
    remote = listen(tls="good")
    root = x509.load_pem_x509_certificate(authority().cert_pem.bytes()).public_bytes(Encoding.DER)
    publish(internet, remote, f"2 0 1 {hashlib.sha256(root).hexdigest()}")
    assert carry(alice).reply.is_ok


@pytest.mark.parametrize(
    ("tls", "words"),
    [
        ("good", "no TLSA record names the host's certificate"),
        ("self-signed", "no TLSA record names the host's certificate"),
        ("broken", "TLS handshake failed"),
        ("", "TLS is required, and not offered"),
    ],
)
def test_dane_keeps_mail_from_a_host_that_does_not_meet_it(internet, alice, listen, tls, words):
    remote = listen(tls=tls)
    publish(internet, remote, WRONG)
    reply = carry(alice).reply
    assert reply.is_temporary
    assert words in reply.text
    assert reply.text.startswith("TLS with a certificate that the TLSA records name is demanded (dane)")
    assert QueueEntry.objects.get().state == "waiting"
    assert not remote.messages
    assert not any(command.startswith("MAIL") for command in remote.commands)


def test_dane_goes_on_to_the_next_host(internet, alice, listen, settings):
    bad, good = listen(tls="good"), listen(tls="good", address="127.0.0.2")
    internet.set(DOMAIN, "MX", [f"10 {HOST}", "20 mx2.example.org"])
    internet.add_host("mx2.example.org", "127.0.0.2")
    publish(internet, bad, WRONG)
    publish(internet, good, host="mx2.example.org")
    outcome = carry(alice)
    assert outcome.reply.is_ok
    assert [made.host for made in outcome.tries] == [HOST, "mx2.example.org"]
    assert (len(bad.messages), len(good.messages)) == (0, 1)


@pytest.mark.parametrize("unsigned", [DOMAIN, HOST, "tlsa"])
def test_records_that_nobody_has_signed_demand_nothing(internet, alice, listen, unsigned):
    remote = listen()
    publish(internet, remote, WRONG)
    internet.unsigned.add(f"_{remote.port}._tcp.{HOST}" if unsigned == "tlsa" else unsigned)
    assert carry(alice).reply.is_ok
    assert Attempt.objects.get().tls_policy == "opportunistic"


def test_a_resolver_that_is_not_trusted_signs_nothing(internet, alice, listen, settings):
    settings.HOSTMAIL_DNS_VALIDATING = "no"
    publish(internet, listen(), WRONG)
    assert carry(alice).reply.is_ok


def test_records_that_cannot_be_had_keep_mail_back(internet, alice, listen):
    remote = listen()
    internet.fail(f"_{remote.port}._tcp.{HOST}", "SERVFAIL")
    reply = carry(alice).reply
    assert reply.is_temporary
    assert "cannot be looked up now" in reply.text
    assert remote.connections == 0


def test_records_that_cannot_be_used_demand_tls_and_no_more(internet, alice, listen):
    remote = listen(tls="self-signed")
    publish(internet, remote, "1 1 1 " + "ab" * 32)
    assert carry(alice).reply.is_ok
    (attempt,) = Attempt.objects.all()
    assert (attempt.tls_policy, attempt.tls_verdict) == ("dane", "self-signed")


def test_records_may_stand_at_the_end_of_an_alias(internet, alice, listen):
    remote = listen(tls="self-signed")
    internet.remove(HOST)
    internet.set(HOST, "CNAME", ["real.example.net"]).add_host("real.example.net", "127.0.0.1")
    publish(internet, remote, host="real.example.net")
    assert carry(alice).reply.is_ok
    assert Attempt.objects.get().tls_policy == "dane"


# --- MTA-STS ---------------------------------------------------------------------------------------------


@pytest.fixture
def web(internet):
    internet.authenticated = False
    with FakePolicies(DOMAIN) as fake:
        yield fake


def test_mta_sts_takes_a_good_certificate_of_a_named_host(internet, alice, listen, web):
    remote = listen(tls="good")
    announce(internet, web, "enforce", "*.example.org")
    with remote.trusted():
        assert carry(alice).reply.is_ok
    assert web.asked == [(f"mta-sts.{DOMAIN}:{sts_policies.HTTPS_PORT}", "/.well-known/mta-sts.txt")]
    (attempt,) = Attempt.objects.all()
    assert (attempt.tls_policy, attempt.tls_verdict) == ("mta-sts enforce", "verified")


@pytest.mark.parametrize(
    ("tls", "result"),
    [
        ("self-signed", "certificate-not-trusted"),
        ("wrong-name", "certificate-host-mismatch"),
        ("expired", "certificate-expired"),
        ("broken", "validation-failure"),
        ("", "starttls-not-supported"),
    ],
)
def test_mta_sts_enforced_keeps_mail_from_a_bad_host_and_tested_only_counts(
    internet, alice, listen, web, tls, result
):
    remote = listen(tls=tls)
    internet.set(f"_smtp._tls.{DOMAIN}", "TXT", "v=TLSRPTv1; rua=mailto:tls@example.org")
    with remote.trusted():
        announce(internet, web, "testing")
        assert carry(alice).reply.is_ok
        QueueEntry.objects.all().delete()
        announce(internet, web, "enforce", number="2")
        reply = carry(alice).reply
    assert reply.is_temporary
    assert len(remote.messages) == 1
    counted = TLSCount.objects.values_list("policy_type", "result", "count", "host")
    assert sorted(counted) == [("sts", result, 1, HOST)] * 2
    report = json.loads(tlsrpt.report(clock_door.now().date(), DOMAIN))
    assert [each["policy"]["policy-string"][1] for each in report["policies"]] == [
        "mode: enforce", "mode: testing",
    ]  # fmt: skip


def test_mta_sts_uses_no_host_that_is_not_named(internet, alice, listen, web):
    remote = listen(tls="good")
    announce(internet, web, "enforce", "other.example.org")
    with remote.trusted():
        reply = carry(alice).reply
    assert "not among the mail hosts that the MTA-STS policy of example.org names" in reply.text
    assert reply.is_temporary
    assert remote.connections == 0


@pytest.mark.parametrize(
    ("say", "failure"),
    [
        ({"text": "moved", "code": 301, "Location": "https://example.com/"}, Result.FETCH_ERROR),
        ({"text": "none", "code": 404}, Result.FETCH_ERROR),
        ({"text": "version: STSv1", "kind": "text/plain; charset=utf-8"}, Result.POLICY_INVALID),
        ({"text": "version: STSv1\nmode: none\nmax_age: 1\n", "kind": "text/html"}, Result.POLICY_INVALID),
        ({"text": "version: STSv1\nmode: none\nmax_age: 1\n" + "x: y\n" * 20_000}, Result.POLICY_INVALID),
    ],
)
def test_what_is_no_policy_demands_nothing_and_is_counted(internet, alice, listen, web, say, failure):
    remote = listen()
    announce(internet, web, "enforce")
    internet.set(f"_smtp._tls.{DOMAIN}", "TXT", "v=TLSRPTv1; rua=mailto:tls@example.org")
    with remote.trusted():
        web.say(**say)
        assert carry(alice).reply.is_ok
    assert sorted(TLSCount.objects.values_list("policy_type", "result")) == [
        ("no-policy-found", ""), ("sts", failure.value),
    ]  # fmt: skip


def test_a_policy_host_with_a_bad_certificate_says_nothing(internet, alice, listen):
    with FakePolicies(names=("elsewhere.test",)) as web:
        remote = listen()
        announce(internet, web, "enforce", "other.test")
        internet.authenticated = False
        with remote.trusted():
            assert carry(alice).reply.is_ok
        assert web.asked == []
    assert STSPolicy.objects.get().failure == "sts-webpki-invalid"


def test_the_last_good_policy_counts_until_it_ends(internet, web):
    with FakeClock() as clock, FakeRemote().trusted():
        announce(internet, web, "enforce")
        first = sts_policies.known(DOMAIN, "1")
        assert sts_policies.known(DOMAIN, "1") == first
        assert len(web.asked) == 1
        # Its record vanishes, its host breaks, a new id cannot be had: it counts.
        web.say("gone", code=503)
        assert sts_policies.known(DOMAIN, "").policy == first.policy
        assert sts_policies.known(DOMAIN, "2").policy == first.policy
        assert sts_policies.known(DOMAIN, "2").failure == Result.FETCH_ERROR
        assert len(web.asked) == 2  # not asked again at once
        clock.advance(301)
        announce(internet, web, "testing", number="2")
        assert sts_policies.known(DOMAIN, "2").policy.mode == "testing"
        assert sts_policies.known(DOMAIN, "2").failure is None
        clock.advance(43_300)
        web.say("gone", code=503)
        assert sts_policies.refresh() == 1
        assert len(web.asked) == 4
        clock.advance(43_300)
        assert sts_policies.known(DOMAIN, "").policy is None
        assert sts_policies.prune() == 0
        clock.advance(86_400)
        assert sts_policies.prune() == 1


def test_a_policy_is_looked_at_anew_before_it_ends(internet, web):
    with FakeClock() as clock, FakeRemote().trusted():
        announce(internet, web, "enforce")
        sts_policies.known(DOMAIN, "1")
        assert sts_policies.refresh() == 0
        clock.advance(43_300)
        announce(internet, web, "testing")
        assert sts_policies.refresh() == 1
        assert sts_policies.known(DOMAIN, "").policy.mode == "testing"


def test_mail_that_demands_less_does_not_share_connections_with_mail_that_demands_more(internet, listen, web):
    remote = listen(tls="good")
    internet.set("b.test", "MX", [f"10 {HOST}"])
    internet.set("c.test", "MX", [f"10 {HOST}"])
    announce(internet, web, "enforce")
    with remote.trusted():
        keys = {domain: outbound.way(queue.Pair(domain, 0)).key for domain in (DOMAIN, "b.test", "c.test")}
    assert keys["b.test"] == keys["c.test"] == HOST
    assert keys[DOMAIN] != HOST


# --- What the sender wishes ------------------------------------------------------------------------------


def test_requiretls_is_passed_on_to_a_host_that_offers_it(internet, alice, listen, web):
    remote = listen(tls="good", requiretls=True)
    announce(internet, web, "testing")
    with remote.trusted():
        assert carry(alice, wish="yes").reply.is_ok
    assert any(command.startswith("MAIL") and "REQUIRETLS" in command for command in remote.commands)
    assert Attempt.objects.get().tls_policy == "requiretls"


def test_requiretls_ends_where_no_host_offers_it(internet, alice, listen, web):
    remote = listen(tls="good")
    announce(internet, web, "testing")
    with remote.trusted():
        reply = carry(alice, wish="yes").reply
    assert reply.status == "5.7.30"
    assert not remote.messages
    assert QueueEntry.objects.filter(state="bounced").count() == 1
    assert not DeadDestination.objects.exists()


def test_requiretls_ends_where_nobody_vouches_for_the_hosts(internet, alice, listen):
    internet.authenticated = False
    remote = listen(tls="good", requiretls=True)
    with remote.trusted():
        reply = carry(alice, wish="yes").reply
    assert reply.status == "5.7.30"
    assert remote.connections == 0


def test_requiretls_waits_where_the_certificate_is_bad(internet, alice, listen):
    remote = listen(tls="self-signed", requiretls=True)
    assert carry(alice, wish="yes").reply.is_temporary
    assert not remote.messages


def test_requiretls_does_not_use_a_connection_made_for_less(internet, alice, listen):
    remote = listen(tls="good", requiretls=True)
    with remote.trusted():
        courier = outbound.Courier("me", outbound.way(queue.Pair(DOMAIN, 0)), FAST)
        assert carry(alice, courier=courier).reply.is_ok
        QueueEntry.objects.all().delete()
        assert carry(alice, wish="yes", courier=courier).reply.is_ok
        QueueEntry.objects.all().delete()
        assert carry(alice, wish="no", courier=courier).reply.is_ok
        courier.close()
    assert [message.connection for message in remote.messages] == [1, 2, 2]


def test_a_sender_who_waives_tls_gets_it_if_it_works(internet, alice, listen):
    remote = listen(tls="self-signed")
    publish(internet, remote, WRONG)
    assert carry(alice, wish="no").reply.is_ok
    assert Attempt.objects.get().tls_policy == "opportunistic"
