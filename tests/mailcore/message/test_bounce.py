"""Reports as hosts really write them. The addresses were replaced by those who collected them."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailcore.message import bounce
from tests.messages import corpus

BOUNCES = Path(__file__).parents[2] / "messages" / "bounces"

FAILED = {
    "caiwireless_01": ("userx@example.com", "5.0.0"),
    "dsn_11": ("joem@example.com", "5.1.1"),
    "dsn_12": ("userx@example.jp", "5.1.1"),
    "dsn_13": ("userx@example.com", "5.1.1"),
    "dsn_15": ("userx@example.com", "5.1.1"),
    "dsn_18": ("email@replaced.net", "5.0.0"),
    "exim_01": ("userx@its.example.nl", "5.1.1"),
    "microsoft_02": ("userx@example.COM", "5.1.1"),
    "microsoft_04": ("userx@example.COM", "5.1.1"),
    "netscape_01": ("aaaaa@corel.com bbbbb@corel.com", "5.0.0"),
    "newmailru_01": ("zzzzz@newmail.ru", "5.0.0"),
    "postfix_01": ("xxxxx@local.ie", "5.1.1"),
    "postfix_02": ("yyyyy@digicool.com", "5.0.0"),
    "qmail_01": ("userx@example.de", "5.0.0"),
    "qmail_03": ("userx@example.jp", "5.1.1"),
    "qmail_05": ("userx@example.com", "5.1.1"),
    "sendmail_01": ("zzzzz@nfg.nl zzzzz@shaft.coal.nl", "5.0.0"),
    "simple_05": ("userx@example.net", "5.1.1"),
    "simple_08": ("userx@example.de", "5.1.1"),
    "simple_30": ("userx@example.com", "5.3.0"),
    "smtp32_04": ("after_another@example.net one_bad_address@example.net", "5.3.0"),
    "yahoo_03": ("userx@example.com", "5.0.0"),
    "yahoo_10": ("userx@example.com usery@example.com userz@example.com", "5.1.1"),
    "yahoo_11": ("bad_user@aol.com", "5.1.1"),
    "yahoo_13": ("bogus-address@example.net", "5.1.1"),
}


def read(name: str) -> list[bounce.Reported]:
    return bounce.read((BOUNCES / f"{name}.txt").read_bytes()) or []


@pytest.mark.parametrize("name", FAILED)
def test_finds_who_was_not_reached_and_why(name):
    addresses, status = FAILED[name]
    found = read(name)
    assert sorted({one.recipient for one in found}) == addresses.split()
    assert {(one.action, one.status) for one in found} == {("failed", status)}


@pytest.mark.parametrize("name", ["dsn_05", "dsn_08"])
def test_tells_a_delay_from_a_failure(name):
    assert {one.status[0] for one in read(name)} == {"4"}
    assert {one.action for one in read(name)} == {"delayed"}


@pytest.mark.parametrize("name", ["simple_03", "simple_21", "simple_28", "simple_40"])
def test_takes_no_warning_in_words_for_a_failure(name):
    assert read(name) == []


@pytest.mark.parametrize("name", ["qmail_08", "groupwise_03"])
def test_takes_other_mail_for_no_report(name):
    assert read(name) == []


def test_a_letter_that_says_4xx_tells_of_nothing_for_good():
    assert [one.status for one in read("qmail_07")] == ["4.0.0"]


def test_names_what_the_sender_had_written_when_the_report_says_so():
    raw = (
        b"Content-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; x\r\n\r\n"
        b"Original-Recipient: rfc822;info@example.org\r\nFinal-Recipient: X400; /S=bob/C=de/\r\n"
        b"Action: failed\r\nStatus: 5.1.1\r\n"
    )
    (one,) = bounce.read(raw)
    assert (one.recipient, one.original) == ("info@example.org", "info@example.org")


def test_finds_our_traces_in_the_mail_that_came_back_and_nowhere_else():
    ours = (
        b"Received: from authenticated ([127.0.0.1])\r\n\tby mail.ours.test with ESMTPSA id abcdefghabcdefgh;"
    )
    raw = b"Subject: failure\r\n%s x\r\n\r\nSorry.\r\n\r\n%s x\r\n"
    later = ours.replace(b"abcdefgh;", b"bcdefgha;")
    assert bounce.traces(raw % (ours, later), "Mail.ours.test") == ["abcdefghbcdefgha"]
    assert bounce.traces(raw % (ours, later), "ours.test") == []


@pytest.mark.parametrize("path", corpus(), ids=lambda path: path.name)
def test_is_total_on_the_corpus(path):
    raw = path.read_bytes()
    assert bounce.read(raw) != []
    bounce.traces(raw, "x")


@given(
    st.lists(
        st.sampled_from([b"<a@b.example> ", b"5.1.1 ", b"undeliverable ", b"---- copy\n", b"\n", b"\xff"])
    )
)
def test_never_fails_on_what_claims_to_be_a_letter(pieces):
    bounce.read(b"Subject: failure notice\r\n\r\n" + b"".join(pieces))
