"""The dry run: what would become of a mail, with hosts that answer and hosts that do not."""

import json

import pytest
from django.core.management import call_command

from mailcore.errors import BadAddress
from mailcore.models import Attempt, Submission
from mailcore.services import outbound
from tests.cast import Cast
from tests.fakes import FakeDNS, FakeRemote

pytestmark = pytest.mark.django_db(transaction=True)
BOB = "bob@example.org"


@pytest.fixture
def remote(settings):
    with FakeRemote() as fake:
        settings.HOSTMAIL_OUTBOUND_PORT = fake.port
        yield fake


@pytest.fixture
def names(settings, remote):
    settings.HOSTMAIL_PRIVATE_TARGETS = "allow"
    with FakeDNS() as fake:
        fake.add_mail("example.org", "mx.example.org", "127.0.0.1")
        yield fake


def test_says_what_would_be_and_sends_nothing(names, remote):
    found = outbound.probe(BOB)
    assert found.would == "relayed"
    assert found.sentences[0] == "Mail for example.org goes to mx.example.org."
    assert found.sentences[-1] == "A mail would be handed over now."
    assert any("takes the recipient: 250" in sentence for sentence in found.sentences)
    (host,) = found.hosts
    assert (host.host, host.policy, host.verdict) == ("mx.example.org", "opportunistic", "self-signed")
    assert host.tls.startswith("TLSv1.")
    said = [command.split()[0] for command in remote.commands]
    assert said == ["EHLO", "STARTTLS", "EHLO", "MAIL", "RCPT", "RSET", "QUIT"]
    assert not remote.messages
    assert not Attempt.objects.exists()
    assert not Submission.objects.exists()


@pytest.mark.parametrize(
    ("phase", "said", "would"),
    [
        ("rcpt", "550 5.1.1 no such user", "bounced"),
        ("rcpt", "450 4.2.1 slowly", "deferred"),
        ("mail", "554 5.7.1 go away", "bounced"),
        ("greeting", "554 5.7.1 go away", "deferred"),
    ],
)
def test_says_what_the_host_says(names, remote, phase, said, would):
    remote.say(phase, said)
    found = outbound.probe(BOB)
    assert found.would == would
    assert said.partition(" ")[2] in found.sentences[-2]


def test_a_host_that_hangs_up_is_no_host(names, remote):
    remote.hang_up("rcpt")
    assert outbound.probe(BOB).would == "deferred"


def test_says_that_a_host_may_not_be_used(names, remote):
    names.authenticated = True
    names.fail(f"_{remote.port}._tcp.mx.example.org", "SERVFAIL")
    found = outbound.probe(BOB)
    assert found.would == "deferred"
    assert "is not asked: The TLSA records of mx.example.org cannot be looked up now" in found.sentences[1]
    assert remote.connections == 0


def test_says_what_dns_says(names):
    assert outbound.probe("a@nowhere.test").would == "bounced"
    names.fail("broken.test", "SERVFAIL")
    assert outbound.probe("a@broken.test").would == "deferred"


def test_asks_nobody_about_addresses_here(names, remote):
    cast = Cast()
    assert outbound.probe(cast.alice.address).would == "here"
    assert outbound.probe("nobody@acme.test").would == "bounced"
    assert remote.connections == 0
    with pytest.raises(BadAddress):
        outbound.probe("nobody")


def test_the_command_ends_with_a_status_that_says_it(names, remote, capsys):
    call_command("probe", BOB)
    assert "A mail would be handed over now." in capsys.readouterr().out
    remote.say("rcpt", "550 5.1.1 no")
    with pytest.raises(SystemExit) as ended:
        call_command("probe", BOB, "--json")
    assert ended.value.code == 3
    assert json.loads(capsys.readouterr().out)["would"] == "bounced"
