"""Who wants TLS reports, and what stands in them."""

import datetime as dt
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailcore import limits
from mailcore.tlspolicy.tlsrpt import Held, Kind, Result, Session, report, rua

DAY = dt.date(2026, 11, 24)
STS = Held("example.org", Kind.STS, ("version: STSv1", "mode: testing", "mx: *.example.org", "max_age: 9"))
NONE = Held("example.org", Kind.NONE)


def made(counted):
    octets = report(counted, day=DAY, organisation="mail.ours.test", contact="postmaster@x", report_id="1@x")
    return json.loads(octets)


@pytest.mark.parametrize(
    ("texts", "found"),
    [
        (["v=TLSRPTv1; rua=mailto:tls@example.org"], ("mailto:tls@example.org",)),
        (
            ["v=TLSRPTv1;rua=mailto:tls@example.org , https://r.example.org/in?a=b;"],
            ("mailto:tls@example.org", "https://r.example.org/in?a=b"),
        ),
        (["spf", "v=TLSRPTv1; rua=mailto:a@b; later=x"], ("mailto:a@b",)),
        (["v=TLSRPTv1; rua=mailto:a@b,mailto:a@b"], ("mailto:a@b",)),
        (["v=TLSRPTv1; rua=http://plain.example.org/,ftp://x/,mailto:a@b"], ("mailto:a@b",)),
        (["v=TLSRPTv1; rua=mailto:nobody"], ()),
        (["v=TLSRPTv1; rua=https://"], ()),
        (["v=TLSRPTv1; rua=https://[::1/"], ()),
        (["v=TLSRPTv1; rua=mailto:a@b", "v=TLSRPTv1; rua=mailto:c@d"], ()),
        (["v=TLSRPTv1"], ()),
        (["v=TLSRPTv12; rua=mailto:a@b"], ()),
        (["v=TLSRPTv1; rua=mailto:a@b;; x=y"], ()),
        (["v=TLSRPTv1; rua=mailto:" + "a" * 600 + "@b"], ()),
        ([], ()),
    ],
)
def test_reads_where_reports_go(texts, found):
    assert rua(texts) == found


def test_sends_to_so_many_places_and_no_more():
    many = ",".join(f"mailto:a{n}@b" for n in range(50))
    assert len(rua([f"v=TLSRPTv1; rua={many}"])) == limits.TLSRPT_URIS


def test_reports_what_went_well_and_what_did_not():
    bad = Session(STS, Result.HOST_MISMATCH, "mx1.example.org", "192.0.2.1", "198.51.100.7", "for other.test")
    found = made([(Session(STS), 5), (bad, 2), (Session(NONE), 1), (Session(STS), 1)])
    assert found["organization-name"] == "mail.ours.test"
    assert found["contact-info"] == "postmaster@x"
    assert found["report-id"] == "1@x"
    assert found["date-range"] == {
        "start-datetime": "2026-11-24T00:00:00Z", "end-datetime": "2026-11-24T23:59:59Z",
    }  # fmt: skip
    none, sts = found["policies"]
    assert none == {
        "policy": {"policy-type": "no-policy-found", "policy-domain": "example.org"},
        "summary": {"total-successful-session-count": 1, "total-failure-session-count": 0},
    }
    assert sts["policy"] == {
        "policy-type": "sts",
        "policy-domain": "example.org",
        "policy-string": list(STS.lines),
        "mx-host": ["*.example.org"],
    }
    assert sts["summary"] == {"total-successful-session-count": 6, "total-failure-session-count": 2}
    assert sts["failure-details"] == [
        {
            "result-type": "certificate-host-mismatch",
            "sending-mta-ip": "198.51.100.7",
            "receiving-mx-hostname": "mx1.example.org",
            "receiving-ip": "192.0.2.1",
            "failure-reason-code": "for other.test",
            "failed-session-count": 2,
        }
    ]


def test_leaves_out_what_is_not_known():
    (policy,) = made([(Session(STS, Result.FETCH_ERROR), 1)])["policies"]
    assert policy["failure-details"] == [{"result-type": "sts-policy-fetch-error", "failed-session-count": 1}]


SESSIONS = st.builds(
    Session,
    st.builds(Held, st.just("a.test"), st.sampled_from(Kind), st.lists(st.text(max_size=9)).map(tuple)),
    st.none() | st.sampled_from(Result),
    st.text(max_size=9),
)


@given(st.lists(st.tuples(SESSIONS, st.integers(1, 9)), max_size=8), st.randoms())
def test_does_not_depend_on_the_order(counted, random):
    shuffled = list(counted)
    random.shuffle(shuffled)
    assert made(counted) == made(shuffled)
    summaries = [policy["summary"] for policy in made(counted)["policies"]]
    assert sum(sum(each.values()) for each in summaries) == sum(count for _, count in counted)
