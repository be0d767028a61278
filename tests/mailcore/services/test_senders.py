"""Mail that comes in by SMTP is looked into: real sockets, a real name server."""

from __future__ import annotations

import smtplib

import pytest

from mailcore import limits
from mailcore.errors import BadValue
from mailcore.models import Event, Folder, Message
from mailcore.senderauth import arc, dkim
from mailcore.services import domains, messages, sender_rules
from tests.fakes.dns import FakeDNS

KEY = dkim.load_key(dkim.generate_key("ed25519"))
RAW = b"From: Ann <ann@example.org>\r\nSubject: Hi\r\n\r\nbody\r\n"


@pytest.fixture
def names():
    with FakeDNS() as fake:
        fake.set("example.org", "TXT", ["v=spf1 ip4:127.0.0.1 -all"])
        fake.set("k._domainkey.example.org", "TXT", [dkim.public_record(KEY)])
        fake.set("_dmarc.example.org", "TXT", ["v=DMARC1; p=none"])
        fake.set("1.0.0.127.in-addr.arpa", "PTR", ["mx.example.org"]).add_host("mx.example.org", "127.0.0.1")
        yield fake


@pytest.fixture
def alice(maild):
    return maild.person()


def send(maild, to: str, raw: bytes, sender: str = "ann@example.org") -> None:
    with smtplib.SMTP("127.0.0.1", maild.ports["smtp"], local_hostname="mx.example.org") as client:
        client.sendmail(sender, [to], raw)


def arrived(person) -> bytes:
    newest = Message.objects.filter(mailbox_id=person.mailbox.pk).order_by("-pk")[0]
    return messages.raw_of(newest.content_id).raw


def signed(raw: bytes = RAW) -> bytes:
    return dkim.sign(raw, domain="example.org", keys=[("k", KEY)], timestamp=1) + raw


def test_writes_what_was_found_into_mail_and_event(maild, alice, names, settings):
    settings.HOSTMAIL_VERIFY_SENDERS = "on"
    send(maild, alice.address, signed())
    head = arrived(alice).partition(b"Received:")[0].decode()
    assert f"Authentication-Results: {settings.HOSTMAIL_HOSTNAME};" in head
    for line in (
        "dkim=pass header.d=example.org",
        "spf=pass smtp.mailfrom=ann@example.org",
        "spf=none smtp.helo=mx.example.org",
        "dmarc=pass header.from=example.org",
        "iprev=pass policy.iprev=127.0.0.1 (mx.example.org)",
    ):
        assert line in head
    assert Event.objects.get(kind="filed").data["sender"] == {
        "spf": "pass example.org",
        "dkim": ["pass example.org"],
        "dmarc": "pass example.org",
        "iprev": "pass mx.example.org",
    }


@pytest.mark.once
def test_asks_once_for_mails_of_one_sender(maild, alice, names, settings):
    settings.HOSTMAIL_VERIFY_SENDERS = "on"
    send(maild, alice.address, signed())
    before = len(names.asked)
    send(maild, alice.address, signed())
    assert len(names.asked) == before
    assert len(set(names.asked)) == before


@pytest.mark.once
@pytest.mark.parametrize(("how", "trusted"), [("outside", []), ("off", []), ("on", ["127.0.0.0/8"])])
def test_asks_nobody_where_it_shall_not(maild, alice, names, settings, how, trusted):
    from ipaddress import ip_network

    settings.HOSTMAIL_VERIFY_SENDERS = how
    settings.HOSTMAIL_TRUSTED_SENDERS = [ip_network(one) for one in trusted]
    send(maild, alice.address, signed())
    assert b"Authentication-Results" not in arrived(alice)
    assert names.asked == []
    assert "sender" not in Event.objects.get(kind="filed").data


@pytest.mark.once
def test_takes_mail_when_dns_cannot_tell(maild, alice, names, settings):
    settings.HOSTMAIL_VERIFY_SENDERS = "on"
    for name in ("example.org", "k._domainkey.example.org", "_dmarc.example.org", "1.0.0.127.in-addr.arpa"):
        names.fail(name, "SERVFAIL")
    send(maild, alice.address, signed())
    head = arrived(alice)
    for method in (b"spf", b"dkim", b"dmarc", b"iprev"):
        assert method + b"=temperror" in head


@pytest.mark.once
def test_takes_mail_when_time_is_over(maild, alice, names, settings, monkeypatch):
    settings.HOSTMAIL_VERIFY_SENDERS = "on"
    monkeypatch.setattr(limits, "DNS_RUN_SECONDS", 0)
    send(maild, alice.address, signed())
    assert b"dmarc=temperror" in arrived(alice)
    monkeypatch.undo()
    settings.HOSTMAIL_VERIFY_SENDERS = "on"
    send(maild, alice.address, signed())
    assert b"dmarc=pass" in arrived(alice), "the time that was over is not held against the name"


@pytest.mark.once
def test_verifies_a_big_mail_too(maild, alice, names, settings):
    settings.HOSTMAIL_VERIFY_SENDERS = "on"
    send(maild, alice.address, signed(RAW + b"x" * 70 + b"\r\n" + (b"y " * 35 + b"\r\n") * 3000))
    assert b"dkim=pass" in arrived(alice)


@pytest.mark.once
@pytest.mark.parametrize(
    ("how", "name"), [("on", b"Authentication-Results"), ("off", b"aUTHentication-reSults")]
)
def test_takes_away_what_others_wrote_in_our_name(maild, alice, names, settings, how, name):
    settings.HOSTMAIL_VERIFY_SENDERS = how
    ours = settings.HOSTMAIL_HOSTNAME.encode()
    send(maild, alice.address, name + b': (x (y)) "' + ours + b'"; dkim=pass header.d=forged.test\r\n' + RAW)
    assert b"forged.test" not in arrived(alice)
    send(maild, alice.address, name + b": other.test; dkim=pass header.d=theirs.test\r\n" + RAW)
    assert b"theirs.test" in arrived(alice)


# --- DMARC ----------------------------------------------------------------------------------------------


@pytest.fixture
def forged(names, settings):
    """A host that may not send for example.org, which asks for a policy."""
    settings.HOSTMAIL_VERIFY_SENDERS = "on"
    settings.HOSTMAIL_JUNK_SCORE = 0
    names.set("example.org", "TXT", ["v=spf1 -all"])

    def ask(policy: str) -> None:
        names.set("_dmarc.example.org", "TXT", [f"v=DMARC1; p={policy}"])

    return ask


def folder_of(person) -> str:
    return Folder.objects.get(pk=Message.objects.get(mailbox_id=person.mailbox.pk).folder_id).role


def refusal(maild, people, raw: bytes = RAW) -> tuple[int, bytes]:
    with smtplib.SMTP("127.0.0.1", maild.ports["smtp"], local_hostname="mx.example.org") as client:
        with pytest.raises(smtplib.SMTPDataError) as caught:
            client.sendmail("ann@example.org", [one.address for one in people], raw)
        assert client.noop()[0] == 250, "the session goes on"
        return caught.value.smtp_code, caught.value.smtp_error


def test_refuses_what_the_authors_domain_wants_refused(maild, alice, forged):
    forged("reject")
    code, text = refusal(maild, [alice])
    assert (code, text.split()[0]) == (550, b"5.7.26")
    assert not Message.objects.filter(mailbox_id=alice.mailbox.pk).exists()
    event = Event.objects.get(tenant_id=alice.tenant.pk)
    assert (event.kind, event.sender, event.recipient) == ("refused", "ann@example.org", alice.address)
    assert event.data["reason"] == "DMARC: example.org does not stand behind it and asks for reject"
    assert event.data["subject"] == "Hi"
    assert event.data["sender"]["dmarc"] == "fail example.org reject"


@pytest.mark.once
def test_files_in_junk_what_it_wants_apart(maild, alice, forged):
    forged("quarantine")
    send(maild, alice.address, RAW)
    assert folder_of(alice) == "junk"
    assert Event.objects.get(kind="filed").data["reason"].endswith("asks for quarantine")


@pytest.mark.once
@pytest.mark.parametrize(
    ("policy", "chosen", "folder"),
    [("reject", "junk", "junk"), ("quarantine", "ignore", "inbox"), ("none", "junk", "inbox")],
)
def test_does_what_the_recipients_domain_chose(maild, alice, forged, policy, chosen, folder):
    forged(policy)
    domains.set_dmarc_policy(alice.domain, chosen, actor=None)
    send(maild, alice.address, RAW)
    assert folder_of(alice) == folder


def test_refuses_for_nobody_what_one_wants_to_have(maild, alice, forged):
    forged("reject")
    bob = maild.person("bob")
    domains.set_dmarc_policy(bob.domain, "ignore", actor=None)
    with smtplib.SMTP("127.0.0.1", maild.ports["smtp"], local_hostname="mx.example.org") as client:
        client.sendmail("ann@example.org", [alice.address, bob.address], RAW)
    assert (folder_of(alice), folder_of(bob)) == ("junk", "inbox")


@pytest.mark.once
def test_refuses_for_all_what_nobody_wants_to_have(maild, alice, forged):
    forged("reject")
    bob = maild.person("bob")
    assert refusal(maild, [alice, bob])[0] == 550
    assert {one.recipient for one in Event.objects.filter(kind="refused")} == {alice.address, bob.address}


@pytest.mark.once
def test_spares_lists_and_postmasters(maild, alice, forged):
    forged("reject")
    send(maild, alice.address, b"List-Id: <talk.list.test>\r\n" + RAW)
    assert folder_of(alice) == "junk"
    postmaster = maild.person("Postmaster", domain=alice.domain)
    send(maild, postmaster.address, RAW)
    assert folder_of(postmaster) == "junk"


@pytest.mark.once
def test_never_refuses_for_want_of_an_answer(maild, alice, forged, names):
    forged("reject")
    names.fail("example.org", "SERVFAIL")
    send(maild, alice.address, RAW)
    assert folder_of(alice) == "inbox"


@pytest.mark.once
@pytest.mark.parametrize(("trusted", "folder"), [([], "junk"), (["list.test"], "inbox")])
def test_lets_in_whom_a_trusted_sealer_vouches_for(maild, alice, forged, names, settings, trusted, folder):
    forged("reject")
    settings.HOSTMAIL_TRUSTED_SEALERS = trusted
    names.set("k._domainkey.list.test", "TXT", [dkim.public_record(KEY)])
    said = b"mx.list.test; dmarc=pass header.from=example.org"
    seal = arc.seal(RAW, arc.NO_CHAIN, results=said, domain="list.test", selector="k", key=KEY, timestamp=1)
    send(maild, alice.address, seal + RAW)
    assert folder_of(alice) == folder
    assert b"\tarc=pass (i=1) header.oldest-pass=0;" in arrived(alice)


def test_knows_three_choices(maild, alice):
    with pytest.raises(BadValue):
        domains.set_dmarc_policy(alice.domain, "maybe", actor=None)


@pytest.mark.once
def test_files_by_what_a_mailbox_said_of_the_sender(maild, alice, names, settings):
    settings.HOSTMAIL_VERIFY_SENDERS = "on"
    sender_rules.add(alice.mailbox, "@example.org", is_wanted=False, actor=None)
    send(maild, alice.address, signed())
    assert folder_of(alice) == "junk"
    assert Event.objects.get(kind="filed").data["reason"] == "the mailbox does not want this sender"
