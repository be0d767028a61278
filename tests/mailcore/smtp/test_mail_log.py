"""A conversation leaves its lines in the mail log."""

import logging
import re
import smtplib

import pytest

from hostmail.log import MailLine
from mailcore.services import mail_log
from tests.cast import Cast
from tests.fakes import MemoryWorker


@pytest.fixture
def written(tmp_path):
    handler = logging.FileHandler(tmp_path / "mail.log")
    handler.setFormatter(MailLine("mail.acme.test"))
    before = mail_log.log.level
    mail_log.log.addHandler(handler)
    mail_log.log.setLevel(logging.INFO)
    yield tmp_path / "mail.log"
    mail_log.log.removeHandler(handler)
    mail_log.log.setLevel(before)
    handler.close()


def test_tells_of_each_step(maild, settings, written):
    cast = Cast()
    mail = "From: {0}\r\nSubject: Hi\r\n\r\nHello\r\n"
    with MemoryWorker():
        with smtplib.SMTP("127.0.0.1", settings.HOSTMAIL_SMTP_PORT) as mx:
            refused = mx.sendmail(
                "ann@else.test", ["nobody@acme.test", "bob@acme.test"], mail.format("ann@else.test")
            )
            assert list(refused) == ["nobody@acme.test"]
        with smtplib.SMTP("127.0.0.1", settings.HOSTMAIL_SUBMISSION_PORT) as client:
            with pytest.raises(smtplib.SMTPAuthenticationError):
                client.login("alice@acme.test", "wrong")
            client.login("alice@acme.test", cast.alice.password)
            client.sendmail("alice@acme.test", ["zoe@example.org"], mail.format("alice@acme.test"))
    lines = [re.sub(r"^\S+ \S+ (\S+)\[\d+\]", r"\1", line) for line in written.read_text().splitlines()]
    told = "\n".join(re.sub(r"\b[a-z2-7]{16}\b", "QID", line) for line in lines)
    assert (
        "postfix/smtpd: NOQUEUE: reject: RCPT from unknown[127.0.0.1]: 550 5.1.1 <nobody@acme.test>:"
        " Recipient address rejected: User unknown in virtual mailbox table; from=<ann@else.test>"
        " to=<nobody@acme.test>"
    ) in told
    assert "postfix/smtpd: QID: client=unknown[127.0.0.1]" in told
    assert "postfix/virtual: QID: to=<bob@acme.test>, relay=virtual" in told
    assert "postfix/submission/smtpd: warning: unknown[127.0.0.1]: SASL PLAIN authentication failed" in told
    assert "submission-login: Login: user=<alice@acme.test>, method=PLAIN, rip=127.0.0.1" in told
    assert "postfix/submission/smtpd: QID: client=unknown[127.0.0.1], sasl_method=LOGIN" in told
    assert "postfix/qmgr: QID: from=<alice@acme.test>, size=" in told
    assert written.read_text().startswith("20")
