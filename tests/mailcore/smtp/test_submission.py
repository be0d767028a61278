"""What our own people's programs meet at ports 587 and 465."""

import base64
import smtplib
import socket
import ssl

import pytest

from mailcore import limits
from mailcore.models import Event, Message, QueueEntry, Submission
from mailcore.outside import clock
from mailcore.services import mailboxes, messages, tenants
from tests.cast import Cast, make_domain
from tests.fakes import MemoryWorker

RAW = b"From: alice@acme.test\r\nTo: bob@example.org\r\nSubject: Hello\r\n\r\nHow are you?\r\n"
LAX = ssl._create_unverified_context()


@pytest.fixture
def cast(maild):
    with MemoryWorker() as woken:
        made = Cast(keys=True)
        made.woken = woken
        yield made


@pytest.fixture
def alice(cast):
    return cast.alice


def connect(settings, *, login=None):
    smtp = smtplib.SMTP("127.0.0.1", settings.HOSTMAIL_SUBMISSION_PORT, timeout=10)
    smtp.ehlo("laptop.home")
    if login:
        smtp.login(login.address, login.password)
    return smtp


def b64(text) -> str:
    return base64.b64encode(text.encode() if isinstance(text, str) else text).decode()


def said(answer) -> str:
    code, text = answer
    return f"{code} {text.decode()}"


# --- Sending ---------------------------------------------------------------------------------------------


def test_takes_signs_and_queues_a_mail(alice, cast, settings):
    with connect(settings) as smtp:
        smtp.starttls(context=LAX)
        smtp.login(alice.address, alice.password)
        assert smtp.sendmail(alice.address, ["bob@example.org"], RAW) == {}
    submission = Submission.objects.get()
    assert (submission.source, submission.reverse_path) == ("smtp", alice.address)
    entry = QueueEntry.objects.get()
    assert (entry.recipient, entry.state, entry.route) == ("bob@example.org", "waiting", "example.org")
    assert ("mailcore.tasks.run_queue", ()) in cast.woken.woken
    kept = messages.raw_of(submission.content_id)
    assert kept.raw.count(b"DKIM-Signature:") == 2
    assert b"\r\nDate: " in kept.raw
    assert b"\r\nMessage-ID: <" in kept.raw or b"\r\nMessage-Id: <" in kept.raw
    assert kept.body == b"How are you?\r\n"


def test_received_does_not_say_where_the_client_is(alice, settings):
    with connect(settings) as smtp:
        smtp.starttls(context=LAX)
        smtp.ehlo("laptop.home")
        smtp.login(alice.address, alice.password)
        smtp.sendmail(alice.address, ["bob@example.org"], RAW)
    prefix = messages.raw_of(Submission.objects.get().content_id).prefix
    assert b"laptop" not in prefix
    assert b"from authenticated ([127.0.0.1])" in prefix
    assert b"with ESMTPSA id" in prefix


def test_implicit_tls(alice, settings):
    with smtplib.SMTP_SSL("127.0.0.1", settings.HOSTMAIL_SUBMISSIONS_PORT, context=LAX, timeout=10) as smtp:
        smtp.login(alice.address, alice.password)
        assert not smtp.has_extn("starttls")
        smtp.sendmail(alice.address, ["bob@example.org"], RAW)
    assert Submission.objects.count() == 1


def test_delivers_to_local_recipients_at_once(cast, settings):
    with connect(settings, login=cast.alice) as smtp:
        smtp.sendmail(cast.alice.address, [cast.bob.address, "x@example.org"], RAW)
    message = Message.objects.get()
    assert message.mailbox_id == cast.bob.mailbox.pk
    kept = messages.raw_of(message.content_id)
    assert kept.prefix.startswith(b"Return-Path: <alice@acme.test>\r\nReceived: ")
    states = dict(QueueEntry.objects.values_list("recipient", "state"))
    assert states == {"bob@acme.test": "delivered", "x@example.org": "waiting"}


def test_normalises_line_ends(alice, settings):
    with connect(settings, login=alice) as smtp:
        smtp.docmd("MAIL", f"FROM:<{alice.address}>")
        smtp.docmd("RCPT", "TO:<bob@example.org>")
        smtp.docmd("DATA")
        smtp.send(b"From: alice@acme.test\nSubject: x\n\none\rtwo\nthree\r\n.\r\n")
        assert smtp.getreply()[0] == 250
    assert messages.raw_of(Submission.objects.get().content_id).body == b"one\r\ntwo\r\nthree\r\n"


def test_refuses_nul(alice, settings):
    with connect(settings, login=alice) as smtp:
        with pytest.raises(smtplib.SMTPDataError) as refusal:
            smtp.sendmail(alice.address, ["bob@example.org"], RAW + b"\0")
    assert refusal.value.smtp_code == 554
    assert not Submission.objects.exists()


def test_one_connection_sends_several(alice, settings):
    with connect(settings, login=alice) as smtp:
        for _ in range(3):
            smtp.sendmail(alice.address, ["bob@example.org"], RAW)
    assert Submission.objects.count() == 3
    assert Event.objects.filter(kind="submitted").count() == 3


# --- Who may send as whom --------------------------------------------------------------------------------


@pytest.mark.parametrize("sender", ["bob@acme.test", "alice@example.org", "charlie@charlie.test"])
def test_refuses_a_return_address_of_somebody_else(alice, settings, sender):
    with connect(settings, login=alice) as smtp:
        assert said(smtp.docmd("MAIL", f"FROM:<{sender}>")).startswith("553 5.7.1")


def test_refuses_an_author_who_is_somebody_else(alice, settings):
    with connect(settings, login=alice) as smtp:
        with pytest.raises(smtplib.SMTPDataError) as refusal:
            smtp.sendmail(alice.address, ["x@example.org"], RAW.replace(b"From: alice", b"From: bob"))
    assert (refusal.value.smtp_code, refusal.value.smtp_error[:5]) == (553, b"5.7.1")
    assert not Submission.objects.exists()


def test_takes_the_null_path_for_notifications(alice, settings):
    with connect(settings, login=alice) as smtp:
        smtp.sendmail("", ["x@example.org"], RAW)
    assert Submission.objects.get().reverse_path == ""


def test_refuses_unknown_local_recipients(alice, settings):
    with connect(settings, login=alice) as smtp:
        smtp.docmd("MAIL", f"FROM:<{alice.address}>")
        assert said(smtp.docmd("RCPT", "TO:<nobody@acme.test>")).startswith("550 5.1.1")
        assert said(smtp.docmd("RCPT", "TO:<x@example.org>")).startswith("250")
        assert said(smtp.docmd("RCPT", "TO:<x@[192.0.2.1]>")).startswith("553 5.1.3")


def test_takes_the_auth_parameter_and_no_unknown_one(alice, settings):
    with connect(settings, login=alice) as smtp:
        assert smtp.docmd("MAIL", f"FROM:<{alice.address}> AUTH=<> BODY=8BITMIME")[0] == 250
        smtp.rset()
        assert smtp.docmd("MAIL", f"FROM:<{alice.address}> XAUTH=<>")[0] == 555


def test_a_suspension_counts_at_the_next_mail(alice, settings):
    with connect(settings, login=alice) as smtp:
        assert smtp.docmd("MAIL", f"FROM:<{alice.address}>")[0] == 250
        smtp.rset()
        mailboxes.suspend(alice.mailbox, "late", actor=None)
        assert said(smtp.docmd("MAIL", f"FROM:<{alice.address}>")).startswith("530 5.7.0")


def test_a_suspension_between_rcpt_and_data_counts(alice, settings):
    with connect(settings, login=alice) as smtp:
        smtp.docmd("MAIL", f"FROM:<{alice.address}>")
        smtp.docmd("RCPT", "TO:<x@example.org>")
        tenants.suspend(alice.tenant, "late", actor=None)
        assert smtp.data(RAW)[0] == 450
    assert not Submission.objects.exists()


def test_an_unproven_domain_sends_nothing(alice, settings):
    domain = make_domain(alice.tenant, "unproven.test", verified=False)
    mailboxes_address = "alice@unproven.test"
    from mailcore.services import addresses

    addresses.add_to_mailbox(alice.mailbox, mailboxes_address, actor=None)
    assert domain.state == "pending"
    with connect(settings, login=alice) as smtp:
        assert said(smtp.docmd("MAIL", f"FROM:<{mailboxes_address}>")).startswith("550 5.7.1")


# --- Signing in ------------------------------------------------------------------------------------------


def test_nobody_sends_without_signing_in(alice, settings):
    with connect(settings) as smtp:
        assert said(smtp.docmd("MAIL", f"FROM:<{alice.address}>")).startswith("530 5.7.0")
        assert smtp.docmd("RCPT", "TO:<x@example.org>")[0] == 530
        assert smtp.docmd("DATA")[0] == 530


def test_offers_no_auth_without_tls_when_told_never(alice, settings):
    settings.HOSTMAIL_PLAINTEXT_AUTH = "never"
    with connect(settings) as smtp:
        assert not smtp.has_extn("auth")
        token = b64(f"\0{alice.address}\0{alice.password}")
        assert said(smtp.docmd("AUTH", f"PLAIN {token}")).startswith("538 5.7.11")
        smtp.starttls(context=LAX)
        smtp.ehlo()
        assert smtp.esmtp_features["auth"].split() == [
            "PLAIN",
            "LOGIN",
            "SCRAM-SHA-256",
            "SCRAM-SHA-256-PLUS",
        ]
        assert smtp.docmd("AUTH", f"PLAIN {token}")[0] == 235


def test_login_from_before_starttls_is_forgotten(alice, settings):
    with connect(settings, login=alice) as smtp:
        smtp.starttls(context=LAX)
        smtp.ehlo()
        assert smtp.docmd("MAIL", f"FROM:<{alice.address}>")[0] == 530


def test_plain_with_and_without_an_initial_answer(alice, settings):
    token = b64(f"\0{alice.address}\0{alice.password}")
    with connect(settings) as smtp:
        assert said(smtp.docmd("AUTH", "PLAIN")) == "334 "
        assert said(smtp.docmd(token)).startswith("235 2.7.0")
    with connect(settings) as smtp:
        assert smtp.docmd("AUTH", f"plain {token}")[0] == 235
        assert smtp.docmd("AUTH", f"PLAIN {token}")[0] == 503


def test_login_with_and_without_an_initial_answer(alice, settings):
    with connect(settings) as smtp:
        assert said(smtp.docmd("AUTH", "LOGIN")) == "334 VXNlcm5hbWU6"
        assert said(smtp.docmd(b64(alice.address))) == "334 UGFzc3dvcmQ6"
        assert smtp.docmd(b64(alice.password))[0] == 235
    with connect(settings) as smtp:
        assert said(smtp.docmd("AUTH", f"LOGIN {b64(alice.address)}")) == "334 UGFzc3dvcmQ6"
        assert smtp.docmd(b64(alice.password))[0] == 235


@pytest.mark.parametrize(
    ("lines", "answer"),
    [
        (["AUTH PLAIN", "*"], "501 5.7.0"),
        (["AUTH LOGIN", "*"], "501 5.7.0"),
        (["AUTH PLAIN !!!!"], "501 5.5.2"),
        (["AUTH PLAIN ="], "501 5.5.2"),
        (["AUTH PLAIN " + b64("no nuls")], "501 5.5.2"),
        (["AUTH PLAIN " + b64("\0a\0b\0c")], "501 5.5.2"),
        (["AUTH LOGIN " + b64("a\0b")], "501 5.5.2"),
        (["AUTH PLAIN " + b64("bob@acme.test\0alice@acme.test\0correct horse battery staple")], "535 5.7.8"),
        (["AUTH PLAIN " + b64(b"\0\xff\xfe\0x")], "535 5.7.8"),
        (["AUTH CRAM-MD5"], "504 5.5.4"),
        (["AUTH"], "501 5.5.4"),
        (["AUTH PLAIN " + b64("\0alice@acme.test\0" + "x" * 2000)], "535 5.7.8"),
    ],
)
def test_a_broken_exchange_harms_nobody(alice, settings, lines, answer):
    with connect(settings) as smtp:
        for line in lines:
            last = smtp.docmd(line)
        assert said(last).startswith(answer)
        smtp.login(alice.address, alice.password)


def test_an_endless_answer_ends_the_connection(alice, settings):
    with socket.create_connection(("127.0.0.1", settings.HOSTMAIL_SUBMISSION_PORT), 10) as sock:
        reader = sock.makefile("rb")
        reader.readline()
        sock.sendall(b"EHLO x\r\nAUTH PLAIN\r\n")
        while not reader.readline().startswith(b"334"):
            pass
        sock.sendall(b"A" * (limits.SMTP_AUTH_OCTETS * 4))
        assert reader.readline().startswith(b"500 5.5.6")
        assert reader.readline() == b""


def test_hangs_up_on_who_keeps_guessing(alice, settings):
    with connect(settings) as smtp:
        for number in range(limits.SMTP_AUTH_FAILURES - 1):
            answer = smtp.docmd("AUTH", "PLAIN " + b64(f"\0{alice.address}\0wrong"))
            assert said(answer).startswith("535 5.7.8"), number
        smtp.docmd("AUTH", "PLAIN " + b64(f"\0{alice.address}\0wrong"))
        assert smtp.getreply()[0] == 421
        with pytest.raises(smtplib.SMTPServerDisconnected):
            smtp.noop()


def test_a_suspended_mailbox_cannot_sign_in(alice, settings):
    mailboxes.suspend(alice.mailbox, "late", actor=None)
    with connect(settings) as smtp:
        with pytest.raises(smtplib.SMTPAuthenticationError) as refusal:
            smtp.login(alice.address, alice.password)
    assert refusal.value.smtp_code == 535


def test_keeps_which_reports_a_sender_wants(alice, settings):
    with connect(settings) as smtp:
        smtp.starttls(context=LAX)
        smtp.login(alice.address, alice.password)
        smtp.ehlo("laptop.home")
        assert smtp.has_extn("dsn")
        smtp.sendmail(
            alice.address, ["bob@example.org"], RAW, mail_options=["RET=FULL", "ENVID=e+2B1"],
            rcpt_options=["NOTIFY=SUCCESS,DELAY", "ORCPT=rfc822;Bob@example.org"],
        )  # fmt: skip
        assert smtp.mail(alice.address, ["RET=SOME"])[0] == 501
        smtp.sendmail(alice.address, ["eve@example.org"], RAW)
    first, second = Submission.objects.order_by("pk")
    assert (first.dsn_ret, first.dsn_envid, second.dsn_ret, second.dsn_envid) == ("FULL", "e+2B1", "", "")
    wishes = list(QueueEntry.objects.order_by("pk").values_list("dsn_notify", "dsn_orcpt"))
    assert wishes == [("SUCCESS,DELAY", "rfc822;Bob@example.org"), ("", "")]


def test_keeps_a_mail_until_the_moment_that_mail_names(alice, settings):
    with connect(settings) as smtp:
        smtp.starttls(context=LAX)
        smtp.login(alice.address, alice.password)
        smtp.ehlo("laptop.home")
        assert smtp.esmtp_features["futurerelease"].split()[0] == "2592000"
        assert smtp.mail(alice.address, ["HOLDFOR=2592001"])[0] == 501
        before = clock.now()
        smtp.sendmail(alice.address, ["bob@example.org", alice.address], RAW, mail_options=["HOLDFOR=3600"])
        smtp.sendmail(alice.address, ["eve@example.org"], RAW)
    held, plain = Submission.objects.order_by("pk")
    assert 3600 <= (held.hold_until - before).total_seconds() < 3660
    assert plain.hold_until is None
    states = dict(QueueEntry.objects.filter(submission=held).values_list("recipient", "state"))
    assert states == {"bob@example.org": "waiting", alice.address: "held"}


# --- What a sender wishes of TLS (RFC 8689) --------------------------------------------------------------


def test_keeps_what_a_sender_wishes_of_tls_with_the_mail(alice, settings):
    waived = b"TLS-Required: No\r\n" + RAW
    with connect(settings) as smtp:
        assert not smtp.has_extn("requiretls")
        smtp.starttls(context=LAX)
        smtp.login(alice.address, alice.password)
        assert smtp.has_extn("requiretls")
        smtp.sendmail(alice.address, ["a@example.org"], RAW, ["REQUIRETLS"])
        smtp.sendmail(alice.address, ["b@example.org"], RAW)
        smtp.sendmail(alice.address, ["c@example.org"], waived)
        smtp.sendmail(alice.address, ["d@example.org"], waived, ["REQUIRETLS"])
    wishes = QueueEntry.objects.order_by("recipient").values_list("submission__tls_wish", flat=True)
    assert list(wishes) == ["yes", "", "no", "yes"]


def test_knows_no_requiretls_in_clear(alice, settings):
    with connect(settings, login=alice) as smtp:
        assert said(smtp.mail(alice.address, ["REQUIRETLS"])).startswith("555 5.5.4")
