"""BDAT as its own clients use it. How it goes on the wire stands in tests/transcripts/smtp/chunks*.txt."""

import hashlib
import smtplib
import ssl

import pytest

from mailcore import limits
from mailcore.models import Message, Submission
from mailcore.senderauth import dkim
from mailcore.services import messages
from mailcore.smtp.protocol import Protocol
from tests.cast import Cast
from tests.fakes.dns import FakeDNS
from tests.servers import wait_for

LAX = ssl._create_unverified_context()
PNG = b"Content-Type: image/png\r\nContent-Transfer-Encoding: binary\r\n\r\n\x89PNG\r\n\x1a\n\0\xff\n.\n"


@pytest.fixture
def alice(maild):
    return Cast(keys=True).alice


def kept(person) -> bytes:
    newest = Message.objects.filter(mailbox_id=person.mailbox.pk).latest("pk")
    return messages.raw_of(newest.content_id).raw


def bdat(client: smtplib.SMTP, sender: str, to: str, *chunks: bytes, mail: str = "") -> list[int]:
    """The codes of the replies to all of it, sent at once."""
    out = b"MAIL FROM:<%b>%b\r\nRCPT TO:<%b>\r\n" % (sender.encode(), mail.encode(), to.encode())
    for number, chunk in enumerate(chunks, 1):
        out += b"BDAT %d%b\r\n" % (len(chunk), b" LAST" if number == len(chunks) else b"") + chunk
    client.send(out)
    return [client.getreply()[0] for _ in range(len(chunks) + 2)]


def test_keeps_big_chunks_to_the_octet(alice, settings):
    chunks = [b"Subject: x\r\n\r\n", (b".\r\n" + b"x" * 61 + b"\r\n") * 20_000, b"end\r\n"]
    with smtplib.SMTP("127.0.0.1", settings.HOSTMAIL_SMTP_PORT, local_hostname="mx.example.org") as client:
        client.ehlo()
        assert client.has_extn("chunking")
        assert client.has_extn("binarymime")
        assert bdat(client, "ann@example.org", alice.address, *chunks) == [250] * 5
    whole = b"".join(chunks)
    assert hashlib.sha256(kept(alice)[-len(whole) :]).digest() == hashlib.sha256(whole).digest()


def test_judges_a_signature_by_what_came(alice, settings):
    key = dkim.load_key(dkim.generate_key("ed25519"))
    raw = b"From: Ann <ann@example.org>\r\n" + PNG
    settings.HOSTMAIL_VERIFY_SENDERS = "on"
    with FakeDNS() as names, smtplib.SMTP("127.0.0.1", settings.HOSTMAIL_SMTP_PORT) as client:
        names.set("k._domainkey.example.org", "TXT", [dkim.public_record(key)])
        client.ehlo("mx.example.org")
        signed = dkim.sign(raw, domain="example.org", keys=[("k", key)], timestamp=1) + raw
        assert bdat(client, "ann@example.org", alice.address, signed, mail=" BODY=BINARYMIME") == [250] * 3
    found = kept(alice)
    assert b"dkim=pass header.d=example.org" in found
    assert found.endswith(b"Content-Transfer-Encoding: base64\r\n\r\niVBORw0KGgoA/wouCg==\r\n")


def test_takes_binary_mail_of_our_own_people(alice, settings):
    with smtplib.SMTP("127.0.0.1", settings.HOSTMAIL_SUBMISSION_PORT) as client:
        client.starttls(context=LAX)
        client.login(alice.address, alice.password)
        raw = b"From: %b\r\n" % alice.address.encode() + PNG
        assert bdat(client, alice.address, alice.address, raw, mail=" BODY=BINARYMIME RET=HDRS") == [250] * 3
    submission = Submission.objects.get()
    assert submission.dsn_ret == "HDRS"
    assert b"iVBORw0KGgoA/wouCg==\r\n" in messages.raw_of(submission.content_id).raw


def test_wants_a_login_first_where_mail_is_submitted(alice, settings):
    with smtplib.SMTP("127.0.0.1", settings.HOSTMAIL_SUBMISSION_PORT) as client:
        client.ehlo("laptop")
        assert bdat(client, alice.address, alice.address, b"QUIT\r\n") == [530, 530, 503]


@pytest.mark.parametrize("end", ["RSET", "QUIT", ""])
def test_counts_what_is_in_hand_until_it_is_not(alice, settings, monkeypatch, end):
    """A second message finds room again, however the first one ended."""
    monkeypatch.setattr(limits, "SMTP_OCTETS_IN_HAND", 1000)
    monkeypatch.setattr(limits, "SMTP_SMALL_OCTETS", 10)
    counts = []
    forget = Protocol.connection_lost

    def lost(self, error):
        forget(self, error)
        counts.append(self.sessions.octets)

    monkeypatch.setattr(Protocol, "connection_lost", lost)
    client = smtplib.SMTP("127.0.0.1", settings.HOSTMAIL_SMTP_PORT)
    client.ehlo("mx.example.org")
    client.send(b"MAIL FROM:<ann@example.org>\r\nRCPT TO:<%b>\r\n" % alice.address.encode())
    client.send(b"BDAT 800\r\n" + b"x" * 800 + b"BDAT 800\r\n" + b"x" * 800)
    assert [client.getreply()[0] for _ in range(4)] == [250, 250, 250, 421]
    assert bdat(client, "ann@example.org", alice.address, b"x" * 800, b"") == [250] * 4
    client.send(b"MAIL FROM:<ann@example.org>\r\nRCPT TO:<%b>\r\n" % alice.address.encode())
    client.send(b"BDAT 800\r\n" + b"x" * 800)
    assert [client.getreply()[0] for _ in range(3)] == [250, 250, 250]
    if end:
        client.docmd(end)
    client.close()
    wait_for(lambda: counts)
    assert counts == [0]
