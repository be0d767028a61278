"""MTA-STS records and policies: what is read, what is refused, which hosts match."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailcore import limits
from mailcore.tlspolicy.mta_sts import Broken, Mode, Policy, parse_policy, record_id

GOOD = "version: STSv1\nmode: enforce\nmx: mail.example.com\nmx: *.example.net\nmax_age: 604800\n"


@pytest.mark.parametrize(
    ("texts", "found"),
    [
        (["v=STSv1; id=20160831085700Z;"], "20160831085700Z"),
        (["v=STSv1; id=1"], "1"),
        (["v=STSv1 ;\tid=1 ; later=x"], "1"),
        (["other text", "v=STSv1; id=2"], "2"),
        (["v=STSv1; id=1", "v=STSv1; id=2"], ""),  # several are none (RFC 8461 §3.1)
        (["v=STSv1"], ""),
        (["v=STSv1;"], ""),
        (["v=STSv1; id="], ""),
        (["v=STSv1; id=1;; x=y"], ""),
        (["v=STSv1; id=" + "a" * 33], ""),
        (["v=STSv1; id=a-b"], ""),
        (["v=STSv1; id=1; id=2"], ""),
        (["V=STSv1; id=1"], ""),
        (["v=STSv12; id=1"], ""),
        ([" v=STSv1; id=1"], ""),
        ([], ""),
    ],
)
def test_reads_the_record(texts, found):
    assert record_id(texts) == found


def test_reads_a_policy_with_either_line_end():
    wanted = Policy(Mode.ENFORCE, 604800, ("mail.example.com", "*.example.net"))
    assert parse_policy(GOOD) == parse_policy(GOOD.replace("\n", "\r\n")) == wanted


def test_passes_over_what_it_does_not_know_and_counts_the_first():
    assert parse_policy(GOOD + "mode: none\nfuture: yes\n").mode == Mode.ENFORCE


def test_a_policy_of_none_needs_no_hosts():
    assert parse_policy("version: STSv1\nmode: none\nmax_age: 86400") == Policy(Mode.NONE, 86400, ())


def test_believes_no_age_above_a_year():
    assert parse_policy(GOOD.replace("604800", "9999999999")).max_age == limits.STS_MAX_AGE_SECONDS


@pytest.mark.parametrize(
    "text",
    [
        "",
        "<html>Not found</html>",
        GOOD.replace("STSv1", "STSv2"),
        GOOD.replace("enforce", "Enforce"),
        GOOD.replace("mode: enforce\n", ""),
        GOOD.replace("max_age: 604800\n", ""),
        GOOD.replace("604800", "a week"),
        GOOD.replace("604800", "-1"),
        GOOD.replace("604800", "1" * 11),
        GOOD.replace("mx: mail.example.com\nmx: *.example.net\n", ""),
        GOOD.replace("mail.example.com", "mail..example.com"),
        GOOD.replace("mail.example.com", "ma*l.example.com"),
        GOOD.replace("*.example.net", "*"),
        GOOD.replace("mail.example.com", ""),
        GOOD + "and some prose\n",
        GOOD + "x: y\n" * 20_000,
        "version: STSv1\nmode: testing\nmax_age: 1\n" + "".join(f"mx: a{n}.test\n" for n in range(1001)),
    ],
)
def test_refuses_what_is_no_policy(text):
    with pytest.raises(Broken):
        parse_policy(text)


@pytest.mark.parametrize(
    ("host", "allowed"),
    [
        ("mail.example.com", True),
        ("MAIL.example.COM.", True),
        ("mx1.example.net", True),
        ("example.net", False),
        ("a.mx1.example.net", False),  # one label, not two
        ("mail2.example.com", False),
        ("x.mail.example.com", False),
        ("net", False),
        ("", False),
    ],
)
def test_matches_hosts(host, allowed):
    assert parse_policy(GOOD).allows(host) is allowed


LABELS = st.from_regex(r"[a-z0-9]{1,5}", fullmatch=True)
PATTERNS = st.builds(
    lambda wild, labels: wild + ".".join(labels), st.sampled_from(["", "*."]), st.lists(LABELS, min_size=2)
).filter(lambda pattern: len(pattern) < 200)


@given(
    st.builds(
        Policy,
        st.sampled_from(Mode),
        st.integers(0, limits.STS_MAX_AGE_SECONDS),
        st.lists(PATTERNS, min_size=1, max_size=5, unique=True).map(tuple),
    )
)
def test_reads_what_it_writes(policy):
    assert parse_policy(policy.text) == policy


@given(st.text(max_size=300))
def test_is_total(text):
    record_id([text])
    try:
        parse_policy(text)
    except Broken:
        pass
