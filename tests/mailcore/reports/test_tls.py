"""TLS reports of others, and of ourselves."""

import datetime as dt
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailcore import limits
from mailcore.errors import BadReport
from mailcore.reports import tls
from mailcore.reports.tls import Row
from mailcore.tlspolicy import tlsrpt
from tests.mailcore.reports import samples


def test_reads_a_report_and_counts_what_its_details_leave_out():
    (report,) = tls.parse(samples.TLS)
    assert (report.organization, report.domain, report.report_id) == (
        "Big Example", "acme.test", "2026-11-23_acme.test"
    )  # fmt: skip
    assert report.begins_at == dt.datetime(2026, 11, 23, tzinfo=dt.UTC)
    assert report.rows == (
        Row("sts", "", 40),
        Row("sts", "certificate-expired", 3, "mx.hostmail.test", "", "192.0.2.3"),
        Row("sts", "unknown", 2),
    )


def test_reads_what_we_write():
    held = tlsrpt.Held("acme.test", tlsrpt.Kind.DANE, ("3 1 1 ab",))
    failed = tlsrpt.Session(held, tlsrpt.Result.TLSA_INVALID, "mx.acme.test", "192.0.2.1", "192.0.2.2", "no")
    day = dt.date(2026, 11, 23)
    written = tlsrpt.report(
        [(tlsrpt.Session(held), 5), (failed, 2)], day=day, organisation="us", contact="me@us", report_id="1"
    )
    (report,) = tls.parse(written)
    assert report.rows == (
        Row("tlsa", "", 5), Row("tlsa", "tlsa-invalid", 2, "mx.acme.test", "192.0.2.1", "192.0.2.2", "no")
    )  # fmt: skip


def test_tells_domains_apart():
    whole = json.loads(samples.TLS)
    other = json.loads(samples.TLS)["policies"][0]
    other["policy"]["policy-domain"] = "Umbrella.test."
    whole["policies"].append(other)
    assert [one.domain for one in tls.parse(json.dumps(whole).encode())] == ["acme.test", "umbrella.test"]


@pytest.mark.parametrize(
    "octets",
    [b"", b"[]", b"{}", b"\xff", b"[" * 100_000, b'{"policies": []}', b'{"policies": [1], "date-range": 2}',
     samples.TLS.replace(b"2026-11-23T00", b"2027-11-23T00"), samples.TLS.replace(b"T00:00:00Z", b"Tx")],
)  # fmt: skip
def test_refuses_what_is_no_report(octets):
    with pytest.raises(BadReport):
        tls.parse(octets)


@pytest.mark.parametrize("count", [b"-5", b"true", b'"5"', b"1e3", b"null", b"[5]"])
def test_counts_only_whole_numbers(count):
    (report,) = tls.parse(samples.TLS.replace(b'count": 40', b'count": ' + count))
    assert "" not in [row.result for row in report.rows]


def test_bounds_counts(monkeypatch):
    (report,) = tls.parse(samples.TLS.replace(b'count": 40', b'count": ' + b"9" * 100))
    assert report.rows[0].count == limits.REPORT_COUNT
    monkeypatch.setattr(limits, "REPORT_ROWS", 2)
    with pytest.raises(BadReport):
        tls.parse(samples.TLS)


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.floats(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["policy", "summary", "failure-details", "policy-domain"]), inner)
    ),
    max_leaves=8,
)


@given(st.sampled_from(["policies", "date-range", "report-id"]), _json)
def test_is_total_on_any_json(name, value):
    whole = json.loads(samples.TLS) | {name: value}
    try:
        tls.parse(json.dumps(whole).encode())
    except BadReport:
        pass
