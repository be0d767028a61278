"""Lines of a reply to a value."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailcore import limits
from mailcore.outside.smtp_replies import Reply, Surprise, as_recipient_reply, as_refusal, parse


@pytest.mark.parametrize(
    ("lines", "code", "status", "text"),
    [
        (["250 2.1.5 Ok"], 250, "2.1.5", "Ok"),
        (["250 Ok"], 250, "2.0.0", "Ok"),
        (["250"], 250, "2.0.0", ""),
        (["250 "], 250, "2.0.0", ""),
        (["550-5.1.1 No such", "550 5.1.1 user"], 550, "5.1.1", "No such / user"),
        (["550 4.1.1 the classes disagree"], 550, "5.0.0", "4.1.1 the classes disagree"),
        (["451 4.7.1234 too many digits"], 451, "4.0.0", "4.7.1234 too many digits"),
        (["552 5.2.2"], 552, "5.2.2", ""),
        (["354 go on"], 354, "4.5.0", "go on"),
        (["550 a\x00\tb \u2028c"], 550, "5.0.0", "a b c"),
    ],
)
def test_reads_code_status_and_text(lines, code, status, text):
    reply = parse(lines, "rcpt", 7)
    assert (reply.code, reply.status, reply.text, reply.phase, reply.milliseconds) == (
        code,
        status,
        text,
        "rcpt",
        7,
    )
    assert [reply.is_ok, reply.is_temporary, reply.is_permanent].count(True) == 1


@pytest.mark.parametrize(
    "lines", [["", "250 ok"], ["25 ok"], ["650 x"], ["250ok"], ["250-a", "251 b"], ["٢٥٠ ok"]]
)
def test_calls_all_else_a_surprise(lines):
    with pytest.raises(Surprise):
        parse(lines, "rcpt", 0)


@given(st.lists(st.text(), min_size=1))
def test_says_only_printable_bounded_text(texts):
    reply = parse([f"550-{text}" for text in texts[:-1]] + [f"550 {texts[-1]}"], "mail", 0)
    assert len(reply.text) <= limits.REMOTE_REPLY_TEXT
    assert "\n" not in reply.text
    assert "\r" not in reply.text
    assert "\0" not in reply.text


def test_keeps_the_meaning_of_a_code_at_its_place():
    assert as_refusal(Reply(250, "2.0.0", "what", "data")).is_temporary
    assert as_refusal(Reply(550, "5.1.1", "no", "rcpt")).is_permanent
    assert as_recipient_reply(Reply(552, "5.0.0", "too many", "rcpt")).is_temporary
    assert as_recipient_reply(Reply(552, "5.2.2", "full", "rcpt")).is_permanent
    assert as_recipient_reply(Reply(250, "2.1.5", "ok", "rcpt")).is_ok
