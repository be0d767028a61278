"""Mail that comes in by SMTP is looked into: real sockets, a real name server."""

from __future__ import annotations

import smtplib

import pytest

from mailcore import limits
from mailcore.models import Event, Message
from mailcore.senderauth import dkim
from mailcore.services import messages
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


def test_asks_once_for_mails_of_one_sender(maild, alice, names, settings):
    settings.HOSTMAIL_VERIFY_SENDERS = "on"
    send(maild, alice.address, signed())
    before = len(names.asked)
    send(maild, alice.address, signed())
    assert len(names.asked) == before
    assert len(set(names.asked)) == before


@pytest.mark.parametrize(("how", "trusted"), [("outside", []), ("off", []), ("on", ["127.0.0.0/8"])])
def test_asks_nobody_where_it_shall_not(maild, alice, names, settings, how, trusted):
    from ipaddress import ip_network

    settings.HOSTMAIL_VERIFY_SENDERS = how
    settings.HOSTMAIL_TRUSTED_SENDERS = [ip_network(one) for one in trusted]
    send(maild, alice.address, signed())
    assert b"Authentication-Results" not in arrived(alice)
    assert names.asked == []
    assert "sender" not in Event.objects.get(kind="filed").data


def test_takes_mail_when_dns_cannot_tell(maild, alice, names, settings):
    settings.HOSTMAIL_VERIFY_SENDERS = "on"
    for name in ("example.org", "k._domainkey.example.org", "_dmarc.example.org", "1.0.0.127.in-addr.arpa"):
        names.fail(name, "SERVFAIL")
    send(maild, alice.address, signed())
    head = arrived(alice)
    for method in (b"spf", b"dkim", b"dmarc", b"iprev"):
        assert method + b"=temperror" in head


def test_takes_mail_when_time_is_over(maild, alice, names, settings, monkeypatch):
    settings.HOSTMAIL_VERIFY_SENDERS = "on"
    monkeypatch.setattr(limits, "DNS_RUN_SECONDS", 0)
    send(maild, alice.address, signed())
    assert b"dmarc=temperror" in arrived(alice)
    monkeypatch.undo()
    settings.HOSTMAIL_VERIFY_SENDERS = "on"
    send(maild, alice.address, signed())
    assert b"dmarc=pass" in arrived(alice), "the time that was over is not held against the name"


def test_verifies_a_big_mail_too(maild, alice, names, settings):
    settings.HOSTMAIL_VERIFY_SENDERS = "on"
    send(maild, alice.address, signed(RAW + b"x" * 70 + b"\r\n" + (b"y " * 35 + b"\r\n") * 3000))
    assert b"dkim=pass" in arrived(alice)


@pytest.mark.parametrize("how", ["on", "off"])
@pytest.mark.parametrize("name", [b"Authentication-Results", b"aUTHentication-reSults"])
def test_takes_away_what_others_wrote_in_our_name(maild, alice, names, settings, how, name):
    settings.HOSTMAIL_VERIFY_SENDERS = how
    ours = settings.HOSTMAIL_HOSTNAME.encode()
    send(maild, alice.address, name + b': (x (y)) "' + ours + b'"; dkim=pass header.d=forged.test\r\n' + RAW)
    assert b"forged.test" not in arrived(alice)
    send(maild, alice.address, name + b": other.test; dkim=pass header.d=theirs.test\r\n" + RAW)
    assert b"theirs.test" in arrived(alice)
