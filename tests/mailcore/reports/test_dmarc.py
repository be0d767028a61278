"""Aggregate reports of others."""

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailcore import limits
from mailcore.errors import BadReport
from mailcore.reports import dmarc
from mailcore.reports.dmarc import Checked, Row
from tests.mailcore.reports import samples


def test_reads_a_report_in_the_shape_of_the_largest_reporter():
    report = dmarc.parse(samples.GOOGLE)
    assert (report.organization, report.domain, report.report_id) == (
        "big.example", "acme.test", "17263514882071160419"
    )  # fmt: skip
    assert report.begins_at == dt.datetime(2026, 11, 23, tzinfo=dt.UTC)
    assert dict(report.policy) == {"p": "none", "sp": "none", "adkim": "r", "aspf": "r", "pct": "100"}
    assert report.rows == (
        Row(
            "192.0.2.10", 12, "none", True, True, "acme.test",
            checked=(Checked("dkim", "acme.test", "pass", "s1"), Checked("spf", "acme.test", "pass")),
        ),
        Row(
            "2001:db8::7", 3, "quarantine", False, False, "acme.test", "spam.example",
            reasons=("local_policy arc=fail",), checked=(Checked("spf", "spam.example", "softfail"),),
        ),
    )  # fmt: skip


def test_reads_the_form_of_the_successor():
    report = dmarc.parse(samples.SUCCESSOR)
    (row,) = report.rows
    assert (row.disposition, row.dkim, row.spf) == ("none", True, False)
    assert dict(report.policy)["discovery_method"] == "treewalk"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"<begin>1795392000", b"<begin>yesterday"),
        (b"<begin>1795392000", b"<begin>99999999999999999999"),
        (b"<begin>1795392000", b"<begin>1895392000"),
        (b"<domain>acme.test</domain><adkim>", b"<adkim>"),
        (b"report_metadata>", b"other>"),
        (b"feedback>", b"foodback>"),
    ],
)
def test_refuses_a_report_that_says_neither_when_nor_what_about(old, new):
    assert old in samples.GOOGLE
    with pytest.raises(BadReport):
        dmarc.parse(samples.GOOGLE.replace(old, new))


@pytest.mark.parametrize(
    ("old", "new"),
    [(b"<count>12", b"<count>-12"), (b"<count>12", b"<count>many"), (b"192.0.2.10", b"localhost")],
)
def test_passes_over_rows_that_count_nothing(old, new):
    assert [row.count for row in dmarc.parse(samples.GOOGLE.replace(old, new)).rows] == [3]


def test_bounds_counts_and_rows(monkeypatch):
    huge = samples.GOOGLE.replace(b"<count>12", b"<count>" + b"9" * 30)
    assert dmarc.parse(huge).rows[0].count == limits.REPORT_COUNT
    monkeypatch.setattr(limits, "REPORT_ROWS", 1)
    with pytest.raises(BadReport, match="too many rows"):
        dmarc.parse(samples.GOOGLE)


@given(st.integers(0, len(samples.GOOGLE) - 1), st.binary(max_size=8), st.integers(0, 40))
def test_is_total_on_damaged_reports(at, octets, gone):
    try:
        report = dmarc.parse(samples.GOOGLE[:at] + octets + samples.GOOGLE[at + gone :])
    except BadReport:
        return
    assert report.begins_at <= report.ends_at
    assert all(0 <= row.count <= limits.REPORT_COUNT for row in report.rows)
