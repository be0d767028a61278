"""Listeners behind a load balancer on 127.0.0.1: real sockets, what it says first, and whom they see then."""

import contextlib
import ipaddress
import smtplib
import socket
import ssl

import pytest

from mailcore.models import Message
from mailcore.outside import proxy
from mailcore.services import messages
from tests.cast import Cast

LAX = ssl._create_unverified_context()
V1 = b"PROXY TCP4 192.0.2.7 127.0.0.1 5000 25\r\n"
V2 = proxy.SIGNATURE + b"\x21\x11\0\x0c" + bytes([192, 0, 2, 7, 127, 0, 0, 1]) + bytes(4)


@pytest.fixture
def balanced(settings):
    settings.HOSTMAIL_PROXY_PEERS = [ipaddress.ip_network("127.0.0.1/32")]


def connect(settings, port: str, first: bytes) -> socket.socket:
    client = socket.create_connection(("127.0.0.1", getattr(settings, f"HOSTMAIL_{port}_PORT")), timeout=10)
    client.sendall(first)
    return client


@pytest.mark.parametrize("first", [V1, V2])
def test_takes_the_client_for_whom_it_is(balanced, maild, settings, first):
    # For who is no relay of ours this is too much at once.
    settings.HOSTMAIL_VERIFY_SENDERS = "off"
    settings.HOSTMAIL_TRUSTED_SENDERS = [ipaddress.ip_network("192.0.2.7/32")]
    alice = Cast().alice
    lines = (
        b"EHLO mx\r\n",
        b"MAIL FROM:<a@example.org>\r\nRCPT TO:<%b>\r\n" % alice.address.encode(),
        b"DATA\r\n",
    )
    with connect(settings, "SMTP", first) as client, client.makefile("rb") as heard:
        assert heard.readline().startswith(b"220 ")
        client.sendall(b"".join(lines) + b"Subject: x\r\n\r\nx\r\n.\r\nQUIT\r\n")
        assert b"250 2.0.0 OK: filed as" in heard.read()
    raw = messages.raw_of(Message.objects.get(mailbox_id=alice.mailbox.pk).content_id).raw
    assert b"[192.0.2.7]" in raw.partition(b"Subject")[0]


def test_speaks_tls_after_the_introduction_and_takes_nobody_for_local(balanced, maild, settings):
    alice = Cast(keys=True).alice
    with LAX.wrap_socket(connect(settings, "SUBMISSIONS", V2)) as wire:
        client = smtplib.SMTP()
        client.sock, client.file = wire, None
        assert client.getreply()[0] == 220
        client.login(alice.address, alice.password)
    with connect(settings, "SUBMISSION", V1) as plain:
        client = smtplib.SMTP()
        client.sock = plain
        assert client.getreply()[0] == 220
        client.ehlo()
        assert not client.has_extn("auth")


@pytest.mark.parametrize(
    "first", [b"EHLO mx.example.org\r\n", V1.replace(b"TCP4", b"TCP9"), V2[:13] + b"\0" * 20]
)
def test_hangs_up_on_a_balancer_that_introduces_nobody(balanced, maild, settings, first):
    with connect(settings, "SMTP", first) as client:
        heard = b""
        with contextlib.suppress(OSError):  # it may be gone already
            client.shutdown(socket.SHUT_WR)
            heard = client.recv(100)
        assert heard == b""


def test_believes_nobody_else(maild, settings):
    settings.HOSTMAIL_PROXY_PEERS = []
    with connect(settings, "SMTP", V1) as client, client.makefile("rb") as heard:
        assert heard.readline().startswith(b"220 ")
        assert heard.readline().startswith(b"500 ")
