"""The mail log is read by the tools it is for."""

import logging
import re
import shutil
import subprocess

import pytest
from django.db import transaction

from hostmail.log import MailLine
from mailcore.errors import MailError
from mailcore.models import QueueEntry
from mailcore.outside.smtp_replies import Reply
from mailcore.services import inbound, mail_log, mailboxes, messages, outbound, queue
from mailcore.services.inbound import Transaction, accept_recipient
from mailcore.services.outbound.attempt import Outcome, Try
from tests.cast import Cast
from tests.fakes import FakeClock, MemoryWorker

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def cast(data_dir):
    with FakeClock(), MemoryWorker():
        yield Cast()


@pytest.fixture
def written(tmp_path):
    """The path of the mail log of this test."""
    handler = logging.FileHandler(tmp_path / "mail.log")
    handler.setFormatter(MailLine("mail.acme.test"))
    before = mail_log.log.level
    mail_log.log.addHandler(handler)
    mail_log.log.setLevel(logging.INFO)
    yield tmp_path / "mail.log"
    mail_log.log.removeHandler(handler)
    mail_log.log.setLevel(before)
    handler.close()


def receive(recipient, raw=b"From: ann@else.test\r\nSubject: Hi\r\n\r\nHello\r\n"):
    incoming = Transaction("192.0.2.7", "mx.else.test", "ESMTP", "", "", "ann@else.test")
    incoming.recipients.append(accept_recipient(incoming, recipient))
    steps = inbound.receive(incoming, raw)
    (filed,) = messages.append_many([next(steps)])
    assert not isinstance(filed, MailError)
    with pytest.raises(StopIteration):
        steps.send(filed)


def submit(person, *recipients):
    raw = f"From: {person.address}\r\nSubject: Hello\r\n\r\nHow are you?\r\n".encode()
    outbound.submit(
        person.mailbox, raw, recipients, user_id=person.user.pk, source="api", reverse_path=person.address
    )


def settle(entry, code, status, text):
    tried = Try(Reply(code, status, text, "end"), entry.submitted_at, "mx.example.org", "192.0.2.1")
    outbound.settle("me", [Outcome(entry, [tried])])


def banned(written, filter_name):
    """The addresses that fail2ban's filter finds."""
    command = ["fail2ban-regex", "-o", "<ip>", str(written), filter_name]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()


@pytest.mark.skipif(not shutil.which("pflogsumm"), reason="pflogsumm is not installed")
def test_pflogsumm_counts_right(cast, written):
    receive("bob@acme.test")
    receive("alice@acme.test")
    submit(cast.alice, "a@example.org", "b@example.org", "c@example.org", "bob@acme.test")
    first, second, third = queue.claim("me", queue.due()[0], 100)
    settle(first, 250, "2.0.0", "ok")
    settle(second, 452, "4.2.2", "full (really)")
    settle(third, 550, "5.1.1", "no such user\r\npostfix/smtpd[1]: x: client=evil[6.6.6.6]")
    mail_log.rejected(
        "192.0.2.8", "550 5.1.1 No such address here", sender="x@spam.test", recipient="no@acme.test",
        helo="spam.test", protocol="ESMTP",
    )  # fmt: skip
    done = subprocess.run(["pflogsumm", str(written)], capture_output=True, text=True, check=True)
    totals = {
        line.split(maxsplit=1)[1].split("  ")[0].strip(): line.split()[0]
        for line in done.stdout.splitlines()
        if re.match(r" +\d+k? +[a-z]", line)
    }
    assert (totals["received"], totals["delivered"], totals["bounced"], totals["forwarded"]) == (
        "3", "4", "1", "0"
    ), done.stdout  # fmt: skip
    assert totals["deferred"] == "1", done.stdout
    assert totals["rejected (20%)"] == "1", done.stdout
    assert "evil" not in totals
    assert "User unknown in virtual mailbox table" in done.stdout


@pytest.mark.skipif(not shutil.which("fail2ban-regex"), reason="fail2ban is not installed")
@pytest.mark.parametrize(
    ("filter_name", "protocol", "mechanism"),
    [
        ("postfix[mode=auth]", "smtp", "PLAIN"),
        ("dovecot", "imap", "PLAIN"),
        ("dovecot", "pop3", "SCRAM-SHA-256"),
        ("dovecot", "smtp", "SCRAM-SHA-256"),
    ],
)
def test_fail2ban_finds_failed_logins(cast, written, filter_name, protocol, mechanism):
    names = (
        "bob@acme.test",
        "a>, rip=6.6.6.6, x=<",
        "no\nNov 24 10:00:00 h postfix/smtpd[1]: warning: h[6.6.6.6]: SASL LOGIN authentication failed: x",
    )
    for name in names:
        mail_log.login_failed(protocol, name, "192.0.2.66", mechanism)
    mail_log.login(protocol, "bob@acme.test", "192.0.2.67", mechanism)
    submit(cast.alice, "a@example.org")
    assert banned(written, filter_name) == ["192.0.2.66"] * 3


@pytest.mark.skipif(not shutil.which("fail2ban-regex"), reason="fail2ban is not installed")
def test_fail2ban_finds_who_tries_addresses(cast, written):
    mail_log.rejected(
        "2001:db8::8", "550 5.1.1 No such address", sender="x@spam.test", recipient="no@acme.test",
        helo="[6.6.6.6]", protocol="ESMTP",
    )  # fmt: skip
    receive("bob@acme.test")
    assert banned(written, "postfix") == ["2001:db8::8"]


@pytest.mark.parametrize("password", ["", "wrong"])
def test_says_who_did_not_get_in_and_who_did(cast, written, password):
    with pytest.raises(MailError):
        mailboxes.authenticate("Bob@acme.test", password, protocol="imap", peer="192.0.2.66")
    mailboxes.authenticate("bob@acme.test", cast.bob.password, protocol="pop3", peer="192.0.2.67")
    failed, came = written.read_text().splitlines()
    assert "imap-login: Disconnected (auth failed, 1 attempts in 1 secs): user=<Bob@acme.test>, " in failed
    assert failed.endswith("rip=192.0.2.66")
    assert "pop3-login: Login: user=<bob@acme.test>, method=PLAIN, rip=192.0.2.67" in came


def test_says_nothing_of_what_was_rolled_back(cast, written):
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        submit(cast.alice, "a@example.org")
        raise ZeroDivisionError
    assert written.read_text() == ""
    assert not QueueEntry.objects.exists()


def test_costs_nothing_while_nobody_reads_it(cast, monkeypatch):
    monkeypatch.setattr(mail_log, "note", None)
    monkeypatch.setattr(mail_log, "say", None)
    receive("bob@acme.test")
    mailboxes.authenticate("bob@acme.test", cast.bob.password, protocol="imap", peer="192.0.2.67")
