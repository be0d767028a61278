"""What becomes of mail that looks like spam: real sockets, a real name server."""

from __future__ import annotations

import smtplib
from ipaddress import ip_network

import pytest

from mailcore.errors import BadValue
from mailcore.filters.spam import Thresholds
from mailcore.models import Acquaintance, AuditEntry, Event, Folder, Message
from mailcore.outside import clock
from mailcore.services import allowances, messages, sender_rules, spam
from tests.fakes.clamd import FakeClamd
from tests.fakes.dns import FakeDNS

RAW = (
    b"From: Ann <ann@example.org>\r\nSubject: Hi\r\nDate: Thu, 1 Jan 2026 00:00:00 +0000\r\n"
    b"Message-ID: <1@example.org>\r\n\r\nbody\r\n"
)


@pytest.fixture
def names(settings):
    """A host that may send for example.org, and has a name."""
    settings.HOSTMAIL_VERIFY_SENDERS = "on"
    with FakeDNS() as fake:
        fake.set("example.org", "TXT", ["v=spf1 ip4:127.0.0.1 -all"])
        fake.set("1.0.0.127.in-addr.arpa", "PTR", ["mx.example.org"]).add_host("mx.example.org", "127.0.0.1")
        yield fake


@pytest.fixture
def forged(names):
    """The same host may not send for it, and has no name: SPF_FAIL, NO_AUTH, NO_REVERSE_NAME, 5.0 in all."""
    names.set("example.org", "TXT", ["v=spf1 -all"]).remove("1.0.0.127.in-addr.arpa")
    return names


@pytest.fixture
def alice(maild):
    return maild.person()


def send(maild, to, raw: bytes = RAW) -> None:
    with smtplib.SMTP("127.0.0.1", maild.ports["smtp"], local_hostname="mx.example.org") as client:
        client.sendmail("ann@example.org", to, raw)


def folder_of(person) -> str:
    return Folder.objects.get(pk=Message.objects.get(mailbox_id=person.mailbox.pk).folder_id).role


def arrived(person) -> bytes:
    newest = Message.objects.filter(mailbox_id=person.mailbox.pk).order_by("-pk")[0]
    return messages.raw_of(newest.content_id).raw


def test_lets_an_honest_mail_in_and_says_so(maild, alice, names):
    send(maild, alice.address)
    assert folder_of(alice) == "inbox"
    assert b"\r\nX-Spam-Status: No, score=0.0 required=5.0\r\n\ttests=none\r\n" in arrived(alice)
    data = Event.objects.get(kind="filed").data
    assert data["spam"] == {"score": 0, "action": "inbox", "tests": []}
    assert "reason" not in data


def test_files_in_junk_what_looks_like_spam_and_says_why(maild, alice, forged):
    send(maild, alice.address)
    assert folder_of(alice) == "junk"
    assert b"X-Spam-Status: Yes, score=5.0 required=5.0\r\n" in arrived(alice)
    assert b"\r\nX-Spam-Flag: YES\r\n" in arrived(alice)
    data = Event.objects.get(kind="filed").data
    assert data["spam"]["tests"] == ["SPF_FAIL 2.5", "NO_AUTH 1", "NO_REVERSE_NAME 1.5"]
    assert data["reason"].startswith(
        "spam score 5: example.org says that this host may not send for it (2.5); "
    )


def test_refuses_from_the_operators_score_on(maild, alice, forged, settings):
    settings.HOSTMAIL_REFUSE_SCORE = 5
    with pytest.raises(smtplib.SMTPDataError) as caught:
        send(maild, alice.address)
    assert (caught.value.smtp_code, caught.value.smtp_error.split()[0]) == (550, b"5.7.1")
    assert not Message.objects.filter(mailbox_id=alice.mailbox.pk).exists()
    event = Event.objects.get(tenant_id=alice.tenant.pk)
    assert (event.kind, event.recipient) == ("refused", alice.address)
    assert event.data["reason"].startswith("spam score 5: ")


def test_never_refuses_mail_for_postmaster(maild, alice, forged, settings):
    settings.HOSTMAIL_REFUSE_SCORE = 5
    postmaster = maild.person("Postmaster", domain=alice.domain)
    send(maild, postmaster.address)
    assert folder_of(postmaster) == "junk"


def test_asks_the_block_lists_of_the_operator(maild, alice, names, settings):
    settings.HOSTMAIL_DNS_BLOCKLISTS = [("bad.example", 2.0), ("worse.example", 3.5)]
    names.set("1.0.0.127.bad.example", "A", ["127.0.0.2"]).set("1.0.0.127.worse.example", "A", ["127.0.0.3"])
    send(maild, alice.address)
    assert folder_of(alice) == "junk"
    assert Event.objects.get(kind="filed").data["spam"]["tests"] == ["LISTED 2", "LISTED 3.5"]


def test_asks_no_block_list_by_itself(maild, alice, names):
    send(maild, alice.address)
    assert not [name for name, kind in names.asked if name.startswith("1.0.0.127.") and kind == "A"]


def test_asks_the_lists_of_domains_about_links_author_and_envelope(maild, alice, names, settings):
    settings.HOSTMAIL_DNS_DOMAIN_BLOCKLISTS = [("dbl.example", 5.0), ("uri.example", 1.0)]
    names.set("evil.test.dbl.example", "A", ["127.0.1.4"]).set("example.org.uri.example", "A", ["127.0.0.2"])
    send(maild, alice.address, RAW.replace(b"body", b"look at https://shop.evil.test/now"))
    assert folder_of(alice) == "junk"
    data = Event.objects.get(kind="filed").data
    assert data["spam"]["tests"] == ["DOMAIN_LISTED 5", "DOMAIN_LISTED 1"]
    assert "it names evil.test, which is on the block list dbl.example (5)" in data["reason"]
    assert ("shop.evil.test.dbl.example.", "A") in names.asked or (
        "shop.evil.test.dbl.example",
        "A",
    ) in names.asked


def test_keeps_viruses_from_whoever_wants_their_sender_and_says_when_nobody_looked(
    maild, alice, names, settings
):
    sender_rules.add(alice.mailbox, "ann@example.org", is_wanted=True, actor=None)
    names.set("_dmarc.example.org", "TXT", ["v=DMARC1; p=none"])
    with FakeClamd({b"body": "Bad-1"}) as fake:
        settings.HOSTMAIL_CLAMD = [fake.endpoint]
        send(maild, alice.address)
        assert folder_of(alice) == "junk"
    data = Event.objects.get(kind="filed").data
    assert data["spam"]["tests"] == ["VIRUS 100"]
    assert "it carries Bad-1 (100)" in data["reason"]
    send(maild, alice.address)
    last = Event.objects.filter(kind="filed").latest("pk").data
    assert (last["spam"]["tests"], last["spam"]["action"]) == (["VIRUS_UNKNOWN 0"], "inbox")


def test_minds_a_stranger_who_writes_as_the_recipients_own(maild, alice, names):
    send(maild, alice.address, RAW.replace(b"ann@example.org", alice.address.encode()))
    assert Event.objects.get(kind="filed").data["spam"]["tests"] == ["OWN_DOMAIN 2.5"]


def test_takes_away_what_others_said_of_spam(maild, alice, names):
    forged = b"X-Spam-Status: No, score=-100\r\nx-spam-flag : NO\r\nX-Spammy: stays\r\n"
    send(maild, alice.address, forged + RAW)
    assert b"-100" not in arrived(alice)
    assert b"x-spam-flag :" not in arrived(alice)
    assert b"X-Spammy: stays" in arrived(alice)


def test_leaves_mail_of_a_trusted_relay_as_it_is(maild, alice, names, settings):
    settings.HOSTMAIL_TRUSTED_SENDERS = [ip_network("127.0.0.0/8")]
    send(maild, alice.address, b"X-Spam-Status: Yes, score=9.0\r\n" + RAW)
    assert arrived(alice).count(b"X-Spam-") == 1
    assert folder_of(alice) == "inbox"
    assert "spam" not in Event.objects.get(kind="filed").data


def test_trusts_a_proven_sender_more_whom_the_mailbox_has_written_to(maild, alice, names):
    names.set("_dmarc.example.org", "TXT", ["v=DMARC1; p=none"]).remove("1.0.0.127.in-addr.arpa")
    Acquaintance.objects.create(
        mailbox=alice.mailbox, address_key=allowances.key_of("Ann@example.org"), since=clock.now().date()
    )
    send(maild, alice.address)
    data = Event.objects.get(kind="filed").data
    assert data["spam"]["tests"] == ["NO_REVERSE_NAME 1.5", "KNOWN_SENDER -2"]
    assert data["spam"]["score"] == -0.5
    assert b"NO_REVERSE_NAME=1.5,KNOWN_SENDER=-2" in arrived(alice)
    bob = maild.person("bob", domain=alice.domain)
    send(maild, [alice.address, bob.address])
    assert Event.objects.filter(kind="filed").latest("pk").data["spam"]["tests"] == ["NO_REVERSE_NAME 1.5"]


def test_does_not_know_somebody_by_an_unproven_name(maild, alice, forged):
    Acquaintance.objects.create(
        mailbox=alice.mailbox, address_key=allowances.key_of("ann@example.org"), since=clock.now().date()
    )
    send(maild, alice.address)
    assert folder_of(alice) == "junk"
    assert "KNOWN_SENDER -2" not in Event.objects.get(kind="filed").data["spam"]["tests"]


# --- Thresholds ------------------------------------------------------------------------------------------


def test_lets_a_mailbox_say_otherwise_than_its_organisation_and_that_than_the_service(alice, settings):
    settings.HOSTMAIL_REFUSE_SCORE, settings.HOSTMAIL_QUARANTINE_SCORE = 15, 12
    place, passed_on = (alice.tenant.pk, alice.mailbox.pk), (alice.tenant.pk, None)
    assert spam.thresholds([place])[place] == Thresholds(5, refuse=15, quarantine=12)
    spam.set_thresholds(alice.tenant, None, junk=4, refuse=0, actor=alice.user)
    spam.set_thresholds(alice.tenant, alice.mailbox, junk=2.5, actor=alice.user)
    assert spam.thresholds([place, passed_on]) == {
        place: Thresholds(2.5, refuse=0, quarantine=12),
        passed_on: Thresholds(4, refuse=0, quarantine=12),
    }
    spam.set_thresholds(alice.tenant, alice.mailbox, junk=None, actor=alice.user)
    assert spam.thresholds([place])[place].junk == 4
    assert AuditEntry.objects.filter(verb="spam.thresholds", actor=alice.user).count() == 3


@pytest.mark.parametrize("number", [-1, 1001, float("nan"), float("inf")])
def test_takes_no_threshold_that_makes_no_sense(alice, number):
    with pytest.raises(BadValue):
        spam.set_thresholds(alice.tenant, None, junk=number, actor=None)


def test_files_by_the_threshold_of_the_mailbox(maild, alice, forged):
    spam.set_thresholds(alice.tenant, alice.mailbox, junk=5.1, actor=None)
    send(maild, alice.address)
    assert folder_of(alice) == "inbox"
    assert b"X-Spam-Status: No, score=5.0 required=5.1" in arrived(alice)
