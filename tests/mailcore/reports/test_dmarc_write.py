"""Aggregate reports of ours."""

import datetime as dt

from hypothesis import given
from hypothesis import strategies as st

from mailcore.reports import dmarc, dmarc_write
from mailcore.reports.dmarc import Checked, Row
from tests.mailcore.reports import samples

DAY = dt.date(2026, 11, 23)


def write(rows, **policy):
    return dmarc_write.report(
        rows, day=DAY, domain="acme.test", policy=policy, organization="mx.us.test", email="p@us.test",
        report_id="r1",
    )  # fmt: skip


def test_is_read_as_it_was_meant():
    rows = dmarc.parse(samples.GOOGLE).rows
    report = dmarc.parse(write(rows, p="reject", adkim="s"))
    assert report.rows == rows
    assert (report.domain, report.organization, report.email, report.report_id) == (
        "acme.test", "mx.us.test", "p@us.test", "r1"
    )  # fmt: skip
    assert dict(report.policy) == {"p": "reject", "adkim": "s", "aspf": "r", "pct": "100"}
    assert (report.begins_at.date(), (report.ends_at - report.begins_at).seconds) == (DAY, 86399)


def test_the_order_of_rows_does_not_matter():
    rows = dmarc.parse(samples.GOOGLE).rows
    assert write(rows) == write(reversed(rows))


@given(st.text(max_size=30))
def test_nothing_in_a_row_breaks_out(text):
    checked = (Checked("dkim", text, "pass", text), Checked("spf", text, "fail"))
    row = Row("192.0.2.1", 1, "none", True, False, text, text, checked=checked)
    (read,) = dmarc.parse(write([row])).rows
    assert (read.count, len(read.checked)) == (1, 2)
