"""Complaints."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailcore.reports import arf
from tests.mailcore.reports import samples


def test_reads_a_complaint_and_the_mail_it_is_about():
    found = arf.parse(samples.complaint(mail_from="alice@acme.test", header="X-Mine: 1\r\n"))
    assert (found.kind, found.user_agent, found.source) == ("abuse", "SomeGenerator/1.0", "192.0.2.1")
    assert (found.mail_from, found.recipients) == ("alice@acme.test", ("bob@example.org",))
    assert found.reported_domains == ("acme.test",)
    assert found.original.startswith(b"X-Mine: 1\r\nFrom: alice@acme.test\r\n")
    assert found.is_complaint


@pytest.mark.parametrize("kind", ["not-spam", "auth-failure", "virus-free"])
def test_tells_complaints_from_other_feedback(kind):
    assert not arf.parse(samples.complaint(kind=kind)).is_complaint


def test_needs_a_type_and_a_part_for_programs():
    assert arf.parse(samples.complaint(kind="")) is None
    assert arf.parse(samples.complaint().replace(b"message/feedback-report", b"text/plain")) is None
    # A report that is merely carried along complains of nothing.
    carried = b"Content-Type: message/rfc822\r\n\r\n" + samples.complaint()
    assert arf.parse(carried) is None


@given(st.integers(0, 1200), st.binary(max_size=6), st.integers(0, 60))
def test_is_total_on_damaged_complaints(at, octets, gone):
    raw = samples.complaint()
    found = arf.parse(raw[:at] + octets + raw[at + gone :])
    assert found is None or found.kind
