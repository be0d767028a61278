"""Reports that come in."""

import datetime as dt

import pytest

from mailcore import limits
from mailcore.errors import BadReport, NoSuchAddress, NotHere, TooFast, TooManyRecipients
from mailcore.models import DMARCRow, Message, Report, TLSRow
from mailcore.services import inbound, reports
from tests.cast import Cast
from tests.fakes import FakeClock, MemoryWorker
from tests.mailcore.reports import samples
from tests.mailcore.services.reports.posting import comes

pytestmark = pytest.mark.django_db(transaction=True)
NOW = dt.datetime(2026, 11, 24, 6, tzinfo=dt.UTC)


@pytest.fixture
def clock():
    with FakeClock(NOW) as fake:
        yield fake


@pytest.fixture
def cast(clock, data_dir):
    with MemoryWorker():
        yield Cast()


def test_keeps_a_report_once_with_its_rows_and_no_mail(cast):
    to = reports.domain_address(cast.alice.domain.pk)
    raw = samples.mail(samples.gzipped(samples.GOOGLE))
    assert comes(to, raw).startswith("250 2.0.0 OK: read")
    comes(to, samples.mail(samples.zipped(samples.GOOGLE), "application/zip", "r.zip"))
    report = Report.objects.get()
    assert (report.domain, report.kind, report.organization) == (cast.alice.domain, "dmarc", "big.example")
    assert (report.begins_at, report.received_at) == (dt.datetime(2026, 11, 23, tzinfo=dt.UTC), NOW)
    assert (report.contact, report.policy["p"]) == ("noreply-dmarc-support@big.example", "none")
    rows = report.dmarc_rows.order_by("pk").values_list("source", "count", "disposition", "dkim", "spf")
    assert list(rows) == [
        ("192.0.2.10", 12, "none", True, True), ("2001:db8::7", 3, "quarantine", False, False)
    ]  # fmt: skip
    assert report.dmarc_rows.first().details["checked"][0] == ["dkim", "acme.test", "pass", "s1"]
    assert not Message.objects.exists()


def test_keeps_tls_reports(cast):
    comes(reports.domain_address(cast.alice.domain.pk), samples.mail(samples.gzipped(samples.TLS)))
    assert Report.objects.get().kind == "tls"
    assert list(TLSRow.objects.order_by("pk").values_list("result", "count")) == [
        ("", 40), ("certificate-expired", 3), ("unknown", 2)
    ]  # fmt: skip


def test_a_report_about_one_domain_is_not_filed_under_another(cast):
    with pytest.raises(BadReport, match="not about the domain"):
        comes(reports.domain_address(cast.charlie.domain.pk), samples.mail(samples.GOOGLE))
    assert not Report.objects.exists()


def test_refuses_what_is_no_report_and_says_what_was_wrong(cast):
    to = reports.domain_address(cast.alice.domain.pk)
    with pytest.raises(BadReport, match="not valid gzip"):
        comes(to, samples.mail(b"\x1f\x8b\x08 nothing"))
    with pytest.raises(BadReport):
        comes(to, b"Subject: Hello\r\n\r\nHow are you?\r\n")


@pytest.mark.parametrize("begin", [b"1695392000", b"1796392000"])
def test_passes_over_reports_of_other_times(cast, begin):
    old = samples.GOOGLE.replace(b"1795392000", begin).replace(b"1795478399", b"1796393000")
    comes(reports.domain_address(cast.alice.domain.pk), samples.mail(old))
    assert not Report.objects.exists()


def test_an_address_goes_with_its_domain(cast):
    to = reports.domain_address(cast.charlie.domain.pk)
    cast.charlie.domain.state = "suspended"
    cast.charlie.domain.save()
    with pytest.raises(NoSuchAddress):
        comes(to, b"")


def test_comes_alone(cast):
    transaction = inbound.Transaction("192.0.2.7", "mx.big.example", "ESMTP", "", "", "")
    to = reports.domain_address(cast.alice.domain.pk)
    transaction.recipients.append(inbound.accept_recipient(transaction, to))
    with pytest.raises(TooManyRecipients):
        inbound.accept_recipient(transaction, cast.alice.address)


def test_takes_so_many_a_day(cast, clock, monkeypatch):
    monkeypatch.setattr(limits, "REPORTS_A_DAY", 1)
    to = reports.domain_address(cast.alice.domain.pk)
    comes(to, samples.mail(samples.GOOGLE))
    with pytest.raises(TooFast):
        comes(to, samples.mail(samples.SUCCESSOR))
    clock.advance(24 * 3600 + 1)
    comes(to, samples.mail(samples.SUCCESSOR))
    assert Report.objects.count() == 2


def test_forgets_the_old_and_the_oldest_of_too_many(cast, clock, monkeypatch):
    to = reports.domain_address(cast.alice.domain.pk)
    comes(to, samples.mail(samples.GOOGLE))
    comes(to, samples.mail(samples.SUCCESSOR))
    assert reports.prune() == 0
    monkeypatch.setattr(limits, "REPORTS_KEPT", 1)
    assert reports.prune() == 1
    assert Report.objects.get().organization == "small.example"
    clock.advance(limits.REPORT_KEPT_DAYS * 24 * 3600)
    assert reports.prune() == 1
    assert not DMARCRow.objects.exists()


def test_goes_with_the_domain(cast):
    comes(reports.domain_address(cast.alice.domain.pk), samples.mail(samples.GOOGLE))
    cast.alice.domain.delete()
    assert not Report.objects.exists()


def test_feedback_takes_complaints_only(cast):
    with pytest.raises(NotHere):
        comes("feedback@localhost", b"Subject: Hello\r\n\r\nHow are you?\r\n")


def test_feedback_is_an_organisations_own_where_it_has_the_name(cast, settings):
    settings.HOSTMAIL_SERVICE_DOMAIN = cast.alice.domain.name
    with pytest.raises(NoSuchAddress):
        comes(f"feedback@{cast.alice.domain.name}", samples.complaint())
