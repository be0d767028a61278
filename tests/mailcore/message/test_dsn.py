import datetime as dt
import email
import email.policy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailcore.message import dsn
from tests.messages import corpus

NOW = dt.datetime(2026, 11, 24, 12, 0, tzinfo=dt.UTC)
ORIGINAL = (
    b"From: Ann <ann@example.org>\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\nMessage-ID: <1@example.org>\r\n"
    b"Bad: lone\rCR\r\n\r\nsecret body\r\n"
)


def build(*failures: dsn.Failure, **more) -> bytes:
    return dsn.build_dsn(
        **{
            "reporting_mta": "mx.test",
            "sender": "mailer-daemon@mx.test",
            "to": "ann@example.org",
            "failures": failures
            or [dsn.Failure("bob@example.net", "5.1.1", "550 5.1.1 no Bob here", "mx.example.net")],
            "original": ORIGINAL,
            "arrival": NOW - dt.timedelta(minutes=5),
            "now": NOW,
            "message_id": "<r1@mx.test>",
            **more,
        }
    )


def read(raw: bytes):
    return email.message_from_bytes(raw, policy=email.policy.default)


def test_is_a_report_that_programs_understand():
    mail = read(build())
    assert mail.get_content_type() == "multipart/report"
    assert mail.get_param("report-type") == "delivery-status"
    human, status, header = mail.iter_parts()
    assert status.get_content_type() == "message/delivery-status"
    about_message, about_recipient = status.get_payload()
    assert about_message["Reporting-MTA"] == "dns; mx.test"
    assert about_recipient["Final-Recipient"] == "rfc822; bob@example.net"
    assert (about_recipient["Action"], about_recipient["Status"]) == ("failed", "5.1.1")
    assert header.get_content_type() == "text/rfc822-headers"
    assert "secret body" not in header.get_content()
    assert mail["Auto-Submitted"] == "auto-replied"
    assert mail["In-Reply-To"] == "<1@example.org>"


def test_says_first_what_happened_and_what_to_do():
    human = next(read(build()).iter_parts()).get_content()
    assert "Grüße" in human
    assert "The address does not exist there." in human
    assert "Check the spelling" in human
    assert "550 5.1.1 no Bob here" in human


def test_tells_a_delay_apart_from_a_failure():
    failure = dsn.Failure("bob@example.net", "4.4.1", will_retry_until=NOW + dt.timedelta(days=4))
    mail = read(build(failure, action=dsn.DELAYED))
    human, status, _ = mail.iter_parts()
    assert "has not been delivered yet" in human.get_content()
    assert status.get_payload()[1]["Action"] == "delayed"
    assert mail["Subject"].startswith("Not delivered yet: ")


def test_lets_no_words_of_others_begin_a_field():
    failure = dsn.Failure("bob@example.net\r\nEvil: 1", "5.0.0", "no\r\nStatus: 2.0.0\u2028x", "mx\nx")
    raw = build(failure, to="ann@example.org\r\nBcc: x@y")
    assert b"\r\nEvil:" not in raw
    assert b"\r\nBcc:" not in raw
    assert raw.count(b"\r\nStatus:") == 1
    assert raw.count(b"\n") == raw.count(b"\r\n") == raw.count(b"\r")


def test_reads_its_own_reports():
    reported = dsn.parse_dsn(build(dsn.Failure("a@x", "5.1.1", "no"), dsn.Failure("zoë@x", "5.2.2")))
    assert [(one.recipient, one.action, one.status) for one in reported] == [
        ("a@x", "failed", "5.1.1"),
        ("zoë@x", "failed", "5.2.2"),
    ]
    assert reported[0].diagnostic == "no"


def test_reads_the_reports_of_others():
    found = {path.name: dsn.parse_dsn(path.read_bytes()) for path in corpus()}
    assert found["delivery-status.txt"]
    assert found["bounce.eml"]
    assert found["basic-plain.msg"] is None


def test_explains_by_the_longest_code_known():
    assert dsn.explain("5.1.1") != dsn.explain("5.1.99")
    assert dsn.explain("5.9.9") == dsn.explain("5.0.0")


@given(st.binary(max_size=1000))
def test_never_fails_on_what_claims_to_be_a_report(raw):
    dsn.parse_dsn(b"Content-Type: message/delivery-status\r\n\r\n" + raw)


def test_names_what_the_sender_had_written_itself():
    failure = dsn.Failure("bob@example.net", "5.1.1", original="rfc822;Bob+2BX@example.org")
    raw = build(failure, envelope_id="QQ+2B1")
    assert b"Original-Envelope-Id: QQ+1\r\n" in raw
    assert b"Original-Recipient: rfc822;Bob+X@example.org\r\n" in raw
    assert dsn.parse_dsn(raw)[0].original == "Bob+X@example.org"
    assert dsn.from_xtext(dsn.to_xtext("a+b=c d@x")) == "a+b=c d@x"


@pytest.mark.parametrize(
    ("action", "words"), [(dsn.DELIVERED, "has been delivered to"), (dsn.RELAYED, "has been passed on to")]
)
def test_tells_of_success_in_words_and_to_programs(action, words):
    raw = build(dsn.Failure("bob@example.net", "2.1.5"), action=action)
    human, status, _ = read(raw).iter_parts()
    assert words in human.get_content()
    assert "not be tried again" not in human.get_content()
    assert status.get_payload()[1]["Action"] == action


def test_brings_the_whole_mail_back_where_it_is_wanted():
    assert read(build(full=ORIGINAL)).get_payload()[2].get_content_type() == "message/rfc822"
    assert b"secret body" in build(full=ORIGINAL)
