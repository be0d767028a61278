"""Lines as Postfix and Dovecot write them, with nothing of a stranger's that could be taken for another."""

import pytest

from mailcore.message import log_lines
from mailcore.message.log_lines import Happened, Line

IN = Happened(
    "filed", "abcdefgh234567qr/1", "ann@else.test", "bob@acme.test", {"peer": "192.0.2.7", "octets": 512}
)
OUT = Happened(
    "deferred", "abcdefgh234567qr", "bob@acme.test", "zoe@example.org",
    {"host": "mx.example.org", "address": "192.0.2.1", "code": 452, "status": "4.2.2",
     "reply": "mailbox full", "ms": 250, "age": 3.5},
)  # fmt: skip


def said(event, **more):
    return [f"{program}: {text}" for program, text in log_lines.lines(event._replace(**more), port=25)]


def test_a_mail_that_came_and_was_filed():
    assert list(log_lines.head(IN, 2)) == [
        Line("postfix/smtpd", "abcdefgh234567qr: client=unknown[192.0.2.7]"),
        Line("postfix/qmgr", "abcdefgh234567qr: from=<ann@else.test>, size=512, nrcpt=2 (queue active)"),
    ]
    (line,) = said(IN)
    assert line == (
        "postfix/virtual: abcdefgh234567qr: to=<bob@acme.test>, relay=virtual, delay=0.00,"
        " delays=0.00/0/0/0.00, dsn=2.0.0, status=sent (delivered to mailbox)"
    )


@pytest.mark.parametrize(
    ("kind", "data", "status"),
    [
        (
            "deferred",
            {},
            "deferred (host mx.example.org[192.0.2.1] said: 452 mailbox full)",
        ),
        (
            "bounced",
            {"code": 550, "status": "5.1.1", "reply": "no"},
            "bounced (host mx.example.org[192.0.2.1] said: 550 no)",
        ),
        (
            "relayed",
            {"code": 250, "status": "2.0.0", "reply": "ok 7"},
            "sent (250 ok 7)",
        ),
    ],
)
def test_what_a_host_said(kind, data, status):
    (line,) = said(OUT, kind=kind, data={**OUT.data, **data})
    assert line == (
        "postfix/smtp: abcdefgh234567qr: to=<zoe@example.org>, relay=mx.example.org[192.0.2.1]:25,"
        f" delay=3.50, delays=3.25/0/0/0.25, dsn={data.get('status', '4.2.2')}, status={status}"
    )


@pytest.mark.parametrize(("kind", "verb"), [("refused", "milter-reject"), ("quarantined", "hold")])
def test_what_was_not_wanted(kind, verb):
    (line,) = said(
        IN, kind=kind, data={"peer": "192.0.2.7", "helo": "mx.else.test", "reason": "spam score 9"}
    )
    assert line == (
        f"postfix/cleanup: abcdefgh234567qr: {verb}: END-OF-MESSAGE from unknown[192.0.2.7]: 5.7.1"
        " spam score 9; from=<ann@else.test> to=<bob@acme.test> proto=ESMTP helo=<mx.else.test>"
    )


def test_what_never_reached_a_host():
    (line,) = said(OUT, data={"reply": "no such domain", "status": "4.4.3"})
    assert "relay=none," in line
    assert line.endswith("dsn=4.4.3, status=deferred (no such domain)")


@pytest.mark.parametrize("kind", ["read", "moved", "deleted", "fetched", "submitted", "forwarded"])
def test_says_nothing_of_what_those_logs_know_nothing_of(kind):
    assert said(OUT, kind=kind) == []


EVIL = (
    "a>, rip=6.6.6.6\r\nNov 24 x postfix/smtpd[1]: warning: h[6.6.6.6]: SASL LOGIN authentication failed: )\0"
)


def test_words_of_strangers_stay_in_their_place():
    event = Happened(
        "bounced", "t", EVIL, EVIL, {"host": EVIL, "address": EVIL, "reply": EVIL, "status": EVIL}
    )
    refused = event._replace(kind="refused", data={"reason": EVIL, "helo": EVIL, "peer": EVIL})
    lines = [
        *log_lines.head(event._replace(kind="submitted", data={"source": "smtp", "peer": EVIL}), 1),
        *log_lines.lines(event, port=25),
        *log_lines.lines(refused, port=25),
        log_lines.rejected(
            "192.0.2.7", f"550 5.7.1 {EVIL}", sender=EVIL, recipient=EVIL, helo=EVIL, protocol=EVIL
        ),
        log_lines.login_failed("imap", EVIL, "192.0.2.7", "PLAIN"),
        log_lines.login_failed("smtp", EVIL, "192.0.2.7", "PLAIN"),
        log_lines.login("imap", EVIL, "192.0.2.7", EVIL),
    ]
    for line in lines:
        assert line.text.isascii()
        assert line.text.isprintable()
        assert ">, rip=6" not in line.text or line.program != "dovecot"
        assert len(line.text) < 3000
    assert "user=<a???rip=6.6.6.6??Nov?24" in lines[-3].text


def test_a_name_has_an_end():
    assert len(log_lines.login_failed("imap", "x" * 10_000, "192.0.2.7", "PLAIN").text) < 500


def test_knows_the_queue_id_of_all_recipients():
    assert log_lines.queue_id("abcdefgh234567qr/12") == "abcdefgh234567qr"
    assert log_lines.queue_id("a: b") == "ab"
