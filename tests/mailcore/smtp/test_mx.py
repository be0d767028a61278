"""How the MX treats hosts that it does not know. Everybody here is on loopback, and a stranger."""

import asyncio
import smtplib
import socket
import threading

import pytest

from mailcore import limits
from mailcore.models import Message
from mailcore.outside import counters
from mailcore.services import domains, newcomers, strangers
from mailcore.smtp.mx import MX
from tests.cast import Cast
from tests.fakes import FakeClock
from tests.fakes.dns import FakeDNS

RAW = b"From: Ann <ann@example.org>\r\nSubject: Hi\r\n\r\nbody\r\n"
EARLY = b"421 4.7.0 You spoke before your turn, goodbye\r\n"


@pytest.fixture(autouse=True)
def counts():
    counters.forget_all()
    yield
    counters.forget_all()


@pytest.fixture
def alice(maild, settings):
    settings.HOSTMAIL_VERIFY_SENDERS = "on"
    with FakeDNS() as names:
        names.set("example.org", "TXT", ["v=spf1 ip4:127.0.0.1 -all"])
        yield Cast().alice


def said(settings, *pieces: bytes) -> bytes:
    """All that the MX says to who sends the first piece at once and each other one after a reply."""
    with socket.create_connection(("127.0.0.1", settings.HOSTMAIL_SMTP_PORT), timeout=10) as client:
        heard = b""
        for number, piece in enumerate(pieces):
            if number:
                heard += client.recv(4096)
            client.sendall(piece)
        while octets := client.recv(4096):
            heard += octets
    return heard


def deliver(settings, alice) -> None:
    with smtplib.SMTP("127.0.0.1", settings.HOSTMAIL_SMTP_PORT, local_hostname="mx.example.org") as client:
        client.sendmail("ann@example.org", [alice.address], RAW)


def test_hangs_up_on_who_speaks_before_the_greeting(alice, settings):
    settings.HOSTMAIL_MX_BANNER_SECONDS = 10  # never waited for: the client speaks
    mail = b"MAIL FROM:<ann@example.org>\r\nRCPT TO:<%b>\r\nDATA\r\nSubject: x\r\n.\r\n"
    assert said(settings, b"EHLO mx.example.org\r\n" + mail % alice.address.encode()) == EARLY
    assert not Message.objects.exists()


def test_hangs_up_on_who_sends_more_before_ehlo_is_answered(alice, settings):
    heard = said(settings, b"", b"EHLO mx.example.org\r\nMAIL FROM:<ann@example.org>\r\n")
    assert heard.startswith(b"220 ")
    assert heard.endswith(EARLY)
    assert b"250" not in heard


def test_lets_those_speak_that_are_known(alice, settings):
    deliver(settings, alice)
    assert strangers.arrive("127.0.0.1") is True
    settings.HOSTMAIL_MX_BANNER_SECONDS = 10
    heard = said(settings, b"EHLO mx.example.org\r\nQUIT\r\n")
    assert heard.startswith(b"220 ")
    assert heard.endswith(b"\r\n221 2.0.0 Bye\r\n")


def test_knows_nobody_for_mail_that_no_domain_stands_behind(alice, settings):
    with smtplib.SMTP("127.0.0.1", settings.HOSTMAIL_SMTP_PORT, local_hostname="mx.example.org") as client:
        client.sendmail("ann@nothing.example", [alice.address], RAW)
    assert Message.objects.count() == 1
    assert strangers.arrive("127.0.0.1") is False


def test_counts_none_of_our_relays(alice, settings):
    settings.HOSTMAIL_VERIFY_SENDERS = "outside"
    settings.HOSTMAIL_MX_CONNECTIONS = settings.HOSTMAIL_MX_MESSAGES = 1
    for _ in range(3):
        deliver(settings, alice)
    assert said(settings, b"EHLO a\r\nQUIT\r\n").startswith(b"220 ")
    assert Message.objects.count() == 3


def test_refuses_too_many_connections_and_too_much_mail(alice, settings):
    settings.HOSTMAIL_MX_MESSAGES, settings.HOSTMAIL_MX_CONNECTIONS = 1, 2
    deliver(settings, alice)
    with pytest.raises(smtplib.SMTPDataError) as refused:
        deliver(settings, alice)
    assert refused.value.smtp_code == 450
    assert said(settings, b"").startswith(b"421 4.7.0 Too many connections from your network")
    assert Message.objects.count() == 1


def test_slows_down_and_shuts_out_who_guesses_at_addresses(alice, settings, monkeypatch):
    settings.HOSTMAIL_MX_GUESSES = 4
    monkeypatch.setattr(limits, "SMTP_TARPIT_SECONDS", 0.001)
    name = alice.address.partition("@")[2].encode()
    guesses = b"".join(b"RCPT TO:<a%d@%b>\r\n" % (number, name) for number in range(9))
    heard = said(settings, b"", b"EHLO mx.example.org\r\n", b"MAIL FROM:<ann@example.org>\r\n" + guesses)
    assert heard.count(b"550 5.1.1 ") == 4
    assert heard.endswith(b"421 4.7.0 Too many recipients that do not exist, please try again in an hour\r\n")
    assert said(settings, b"").startswith(b"421 4.7.0 Too many recipients")


# --- Newcomers ------------------------------------------------------------------------------------------


def test_asks_a_newcomer_to_come_again(alice, settings):
    domains.set_newcomers(alice.domain, "greylist", actor=None)
    with FakeClock() as clock:
        for seconds, code in ((0, 451), (10, 451), (200, 250), (1, 250)):
            clock.advance(seconds=seconds)
            assert code_of(settings, alice, "ann@nothing.example") == code
        assert code_of(settings, alice, "ben@nothing.example") == 451
    assert Message.objects.count() == 2


def test_takes_mail_at_once_from_where_proven_mail_came(alice, settings):
    deliver(settings, alice)
    domains.set_newcomers(alice.domain, "greylist", actor=None)
    assert code_of(settings, alice, "ben@nothing.example") == 250


def test_holds_the_reply_to_a_newcomer(alice, settings, monkeypatch):
    domains.set_newcomers(alice.domain, "delay", actor=None)
    monkeypatch.setattr(limits, "NEWCOMER_DELAY_SECONDS", 3600)
    held, wait = threading.Event(), MX._wait_for_newcomers

    async def hold(mx, octets):
        asyncio.get_running_loop().call_soon(held.set)  # when it sleeps
        await wait(mx, octets)

    monkeypatch.setattr(MX, "_wait_for_newcomers", hold)
    mail = b"EHLO a\r\n", b"MAIL FROM:<a@nothing.example>\r\nRCPT TO:<%b>\r\n" % alice.address.encode()
    with socket.create_connection(("127.0.0.1", settings.HOSTMAIL_SMTP_PORT), timeout=10) as client:
        for piece in (*mail, b"DATA\r\n"):
            client.recv(4096)
            client.sendall(piece)
        while not client.recv(4096).endswith(b"<CR><LF>.<CR><LF>\r\n"):
            pass
        client.sendall(b"Subject: x\r\n.\r\n")
        assert held.wait(10)
    assert not newcomers.has_met("127.0.0.1", "a@nothing.example", alice.address)
    monkeypatch.setattr(limits, "NEWCOMER_DELAY_SECONDS", 0)
    assert code_of(settings, alice, "a@nothing.example") == 250
    assert newcomers.has_met("127.0.0.1", "a@nothing.example", alice.address)
    assert Message.objects.count() == 1


def code_of(settings, alice, sender: str) -> int:
    with smtplib.SMTP("127.0.0.1", settings.HOSTMAIL_SMTP_PORT, local_hostname="mx.example.org") as client:
        client.ehlo()
        client.mail(sender)
        code, _text = client.rcpt(alice.address)
        return client.data(RAW)[0] if code == 250 else code
