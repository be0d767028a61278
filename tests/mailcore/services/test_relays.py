"""Relays: whose they are, what is refused, and which one an entry takes."""

import io

import pytest
from django.core.management import CommandError, call_command

from mailcore.errors import BadValue, MailError, NotFound, RelayAway
from mailcore.models import AuditEntry, QueueEntry, Relay
from mailcore.services import outbound, queue, relays
from mailcore.services.queue import Pair
from tests.cast import Cast, make_domain
from tests.fakes import FakeDNS, FakeRemote, MemoryWorker

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def cast(data_dir):
    with MemoryWorker():
        yield Cast()


def add(person, host="relay.example.net", **more):
    return relays.add(person.tenant if person else None, host, actor=person and person.user, **more)


def put(person, *recipients, reverse_path=None, **more):
    queue.enqueue(
        tenant_id=person.tenant.pk, mailbox_id=person.mailbox.pk, content_id=1, trace="t", source="api",
        reverse_path=person.address if reverse_path is None else reverse_path, recipients=recipients, **more,
    )  # fmt: skip


def chosen():
    """The relay of all that is due."""
    (pair,) = queue.due()
    return Relay.objects.filter(pk=pair.relay_id).first()


def test_keeps_the_password_sealed_and_out_of_the_audit_log(cast):
    made = add(cast.alice, user="us", password="hunter2")
    assert b"hunter2" not in bytes(Relay.objects.get().password)
    assert relays.credentials(Relay.objects.get()).password == "hunter2"
    entry = AuditEntry.objects.get(verb="relay.add")
    assert (entry.tenant, entry.object_name) == (cast.alice.tenant, "relay.example.net:587")
    assert "hunter2" not in str(entry.data)
    relays.remove(made, actor=cast.alice.user)
    assert not Relay.objects.exists()
    assert AuditEntry.objects.filter(verb="relay.remove").exists()
    with pytest.raises(NotFound):
        relays.remove(made, actor=None)


@pytest.mark.parametrize(
    "values",
    [
        {"host": "no host"},
        {"port": 0},
        {"port": 65536},
        {"tls": "maybe"},
        {"user": "us"},
        {"password": "secret"},
        {"user": "us", "password": "x" * 256},
        {"user": "u\0s", "password": "x"},
        {"after_attempts": -1},
        {"after_attempts": 101},
    ],
)
def test_refuses_what_cannot_work(cast, values):
    with pytest.raises(BadValue):
        add(cast.alice, **values)
    assert not Relay.objects.exists()


def test_takes_only_domains_of_the_tenant(cast):
    for tenant in (cast.alice.tenant, None):
        with pytest.raises(NotFound):
            relays.add(tenant, "relay.example.net", domain=cast.charlie.domain, actor=None)


def test_gives_the_password_to_no_other_host(cast):
    """Whoever may change a relay does not learn its password by pointing it at a host of their own."""
    made = add(cast.alice, user="us", password="secret")
    for values in ({"host": "evil.example"}, {"port": 26}, {"user": "them"}, {"tls": "none"}):
        with pytest.raises(BadValue, match="password"):
            relays.change(Relay.objects.get(), actor=None, **values)
    relays.change(made, actor=None, after_attempts=2, is_enabled=False)
    relays.change(made, actor=None, host="other.example", password="new")
    relays.change(made, actor=None, user="")
    made.refresh_from_db()
    assert (made.host, made.user, bytes(made.password), made.after_attempts, made.is_enabled) == (
        "other.example", "", b"", 2, False
    )  # fmt: skip


@pytest.mark.parametrize("host", ["127.0.0.1", "10.1.2.3", "::1", "[fd00::1]", "169.254.169.254"])
def test_refuses_tenants_what_is_private_or_ours(cast, settings, host):
    settings.HOSTMAIL_PRIVATE_TARGETS = "refuse"
    with pytest.raises(BadValue):
        add(cast.alice, host)
    assert add(cast.alice, host, may_be_private=True).host == host.strip("[]")
    assert add(None, host).host == host.strip("[]")


def test_refuses_private_addresses_behind_names_when_they_are_used(cast, settings):
    settings.HOSTMAIL_PRIVATE_TARGETS = "refuse"
    with FakeDNS() as names:
        names.add_host("relay.example.net", "127.0.0.1")
        relay = add(cast.alice)
        with pytest.raises(RelayAway):
            relays.targets(relay)
        relay.may_be_private = True
        assert [target.address for target in relays.targets(relay)] == ["127.0.0.1"]


def test_lets_mail_wait_while_a_relay_has_no_address(cast):
    """NXDOMAIN of a recipient's domain is the end of a mail; of a relay it is somebody's mistake."""
    with FakeDNS():
        relay = add(cast.alice, "gone.example.net")
        with pytest.raises(MailError) as caught:
            outbound.way(Pair("example.org", cast.alice.tenant.pk, 0, relay.pk))
    assert caught.value.retry


def test_chooses_the_nearest_that_has_its_turn(cast):
    put(cast.alice, "a@example.org")
    assert chosen() is None
    everybody = add(None)
    assert chosen() == everybody
    late = add(None, after_attempts=2)
    assert chosen() == everybody
    ours = add(cast.alice)
    assert chosen() == ours
    domain = add(cast.alice, domain=cast.alice.domain)
    assert chosen() == domain
    add(cast.alice, domain=make_domain(cast.alice.tenant, "me.test"))
    add(cast.charlie)
    assert chosen() == domain
    QueueEntry.objects.update(attempt_count=2)
    assert chosen() == domain
    last = add(cast.alice, domain=cast.alice.domain, after_attempts=2)
    assert chosen() == last
    for relay, following in ((last, domain), (domain, ours), (ours, late), (late, everybody)):
        relays.change(relay, is_enabled=False, actor=None)
        assert chosen() == following


def test_goes_by_the_domain_that_a_mail_leaves_from(cast):
    relay = add(cast.alice, domain=cast.alice.domain)
    put(cast.alice, "a@example.org", reverse_path="x@sub.acme.test")
    put(cast.alice, "b@example.org", reverse_path="x@notacme.test")
    put(cast.alice, "c@example.org", reverse_path="")
    assert {pair.relay_id for pair in queue.due()} == {0}
    QueueEntry.objects.all().delete()
    put(cast.alice, "d@example.org", reverse_path="far@away.test", return_domain="acme.test")
    assert chosen() == relay


def test_claims_only_what_takes_that_relay(cast):
    relay = add(cast.alice, domain=cast.alice.domain)
    put(cast.alice, "a@example.org")
    put(cast.alice, "b@example.org", reverse_path="")
    tenant = cast.alice.tenant.pk
    assert set(queue.due()) == {Pair("example.org", tenant, 0, relay.pk), Pair("example.org", tenant)}
    (direct,) = queue.claim("me", Pair("example.org", tenant), 10)
    assert direct.recipient == "b@example.org"
    relays.remove(relay, actor=None)
    assert queue.claim("me", Pair("example.org", tenant, 0, relay.pk), 10) == []
    (other,) = queue.claim("me", Pair("example.org", tenant), 10)
    assert other.recipient == "a@example.org"


def test_shares_connections_with_no_other_relay(cast):
    with FakeDNS() as names:
        names.add_host("relay.example.net", "127.0.0.1")
        made = [
            add(cast.alice),
            add(cast.charlie),
            add(cast.alice, user="us", password="secret"),
            add(cast.alice, port=26),
        ]
        ways = [outbound.way(Pair("example.org", 1, 0, relay.pk)) for relay in made]
        before = ways[2].key
        relays.change(made[2], password="other", actor=None)
        after = outbound.way(Pair("example.org", 1, 0, made[2].pk))
    assert len({way.key for way in ways}) == 4
    assert after.key != before
    assert "secret" not in before
    assert [way.demands.of("smart.test").level for way in ways] == ["verified"] * 4


def test_is_tried_without_sending(cast):
    with FakeRemote("relay.test", auth={"us": "secret"}) as remote:
        relay = add(
            cast.alice, "127.0.0.1", port=remote.port, tls="opportunistic", user="us", password="secret"
        )
        found = relays.try_out(relay, recipient="bob@example.org", actor=cast.alice.user)
        assert (found.is_fine, found.tls_version, found.tls_verdict) == (True, "TLSv1.3", "self-signed")
        assert remote.commands[-4:] == [
            "MAIL FROM:<postmaster@acme.test>", "RCPT TO:<bob@example.org>", "RSET", "QUIT"
        ]  # fmt: skip
        assert remote.messages == []
        remote.say("rcpt", "550 5.7.1 not by us")
        refused = relays.try_out(relay, actor=None)
        assert (refused.is_fine, "not by us" in refused.said) == (False, True)
        remote.hang_up("mail")
        assert not relays.try_out(relay, actor=None).is_fine
        relays.change(relay, password="wrong", actor=None)
        assert relays.try_out(relay, actor=None).said.startswith("auth: 535")
        relays.change(relay, tls="verified", password="secret", actor=None)
        assert relays.try_out(relay, actor=None).said.startswith("starttls:")
    assert not relays.try_out(relay, actor=None).is_fine


def test_is_set_up_at_the_command_line(cast, monkeypatch, capsys):
    monkeypatch.setattr("sys.stdin", io.StringIO("secret\n"))
    with FakeRemote("relay.test", auth={"us": "secret"}) as remote:
        call_command(
            "relay", "add", "127.0.0.1", "--port", str(remote.port), "--tls", "opportunistic", "--user", "us",
            "--tenant", cast.alice.tenant.slug, "--domain", "acme.test", "--after", "3",
        )  # fmt: skip
        relay = Relay.objects.get()
        assert (relay.tenant, relay.domain, relay.after_attempts) == (
            cast.alice.tenant, cast.alice.domain, 3
        )  # fmt: skip
        call_command("relay", "test", relay.public_id)
        assert "Fine: rcpt: 250" in capsys.readouterr().out
        remote.say("mail", "550 no")
        with pytest.raises(CommandError):
            call_command("relay", "test", relay.public_id)
    call_command("relay", "list")
    shown = capsys.readouterr().out
    assert relay.public_id in shown
    assert "secret" not in shown
    call_command("relay", "remove", relay.public_id, "--yes")
    assert not Relay.objects.exists()
