"""Reports that we owe."""

import datetime as dt
import gzip
import http.server
import threading

import pytest

from mailcore import limits
from mailcore.models import DMARCCount, Message, OwedReport, QueueEntry, Report, Submission
from mailcore.reports import dmarc, tls, unpack
from mailcore.services import messages, outbound, reports
from mailcore.services.reports import counts, sending
from mailcore.tlspolicy.tlsrpt import Held, Kind, Session
from tests.cast import Cast, make_domain
from tests.fakes import FakeClock, FakeDNS, MemoryWorker
from tests.mailcore.outside.test_http import Program
from tests.mailcore.services.reports.test_counts import verdict

pytestmark = pytest.mark.django_db(transaction=True)
DAY = dt.date(2026, 11, 24)
OURS = "mx.service.test"


@pytest.fixture
def clock():
    with FakeClock(dt.datetime(2026, 11, 24, 6, tzinfo=dt.UTC)) as fake:
        yield fake


@pytest.fixture
def cast(clock, data_dir, settings):
    settings.HOSTMAIL_HOSTNAME = OURS
    with MemoryWorker():
        cast = Cast()
        make_domain(cast.charlie.tenant, OURS, keys=True)
        yield cast


@pytest.fixture
def names():
    with FakeDNS() as server:
        yield server


@pytest.fixture
def owed(cast, clock):
    """Mail of acme.test was counted on the 24th; it is the night after."""
    counts.note(verdict(), "none")
    counts.flush()
    DMARCCount.objects.update(domain="example.org")
    clock.advance(20 * 3600)


def sent():
    """The mail in the queue, and to whom."""
    entry = QueueEntry.objects.get()
    kept = messages.raw_of(entry.submission.content_id)
    return entry.recipient, kept.prefix + kept.header + kept.body


def test_mails_a_report_once_signed_and_with_the_null_path(owed, names):
    names.set("_dmarc.example.org", "TXT", "v=DMARC1; p=none; rua=mailto:d@example.org!1m")
    assert sending.send_due() == 1
    assert sending.send_due() == 0
    recipient, raw = sent()
    assert recipient == "d@example.org"
    assert Submission.objects.get().reverse_path == ""
    assert b"DKIM-Signature:" in raw
    assert b"From: postmaster@mx.service.test\r\n" in raw
    assert b"Auto-Submitted: auto-generated" in raw
    report = dmarc.parse(unpack.unpack(next(unpack.files(raw))))
    assert (report.domain, report.organization, report.begins_at.date()) == ("example.org", OURS, DAY)
    assert [row.count for row in report.rows] == [1]
    assert OwedReport.objects.get().state == "sent"


def test_asks_a_host_outside_whether_it_wants_reports_about_the_domain(owed, names):
    names.set(
        "_dmarc.example.org", "TXT", "v=DMARC1; p=none; rua=mailto:d@victim.example,mailto:x@wants.example"
    )
    names.set("example.org._report._dmarc.wants.example", "TXT", "v=DMARC1")
    sending.send_due()
    assert sent()[0] == "x@wants.example"


@pytest.mark.parametrize(
    "text",
    [
        "v=DMARC1; p=none",
        "v=DMARC1; p=none; rua=mailto:d@victim.example",
        "v=DMARC1; rua=mailto:d@example.org!10",
    ],
)
def test_sends_nothing_that_nobody_wants(owed, names, text):
    names.set("_dmarc.example.org", "TXT", text)
    names.set("victim.example", "TXT", "v=spf1 -all")
    sending.send_due()
    assert not QueueEntry.objects.exists()
    assert OwedReport.objects.get().state == "unwanted"


def test_tries_again_for_a_day_while_dns_does_not_answer(owed, names, clock):
    names.fail("_dmarc.example.org", "SERVFAIL")
    assert sending.send_due() == 1
    assert sending.send_due() == 0
    clock.advance(limits.REPORT_RETRY_SECONDS + 1)
    assert sending.send_due() == 1
    assert (OwedReport.objects.get().state, OwedReport.objects.get().attempt_count) == ("waiting", 2)
    OwedReport.objects.update(attempt_count=limits.REPORT_TRIES)
    clock.advance(limits.REPORT_RETRY_SECONDS + 1)
    sending.send_due()
    assert OwedReport.objects.get().state == "failed"
    clock.advance(30 * 24 * 3600)
    assert sending.prune() == 1


def test_waits_for_the_day_to_end(cast, names):
    counts.note(verdict(), "none")
    counts.flush()
    assert sending.send_due() == 0


def test_needs_a_name_to_sign_with_and_can_be_turned_off(owed, settings):
    settings.HOSTMAIL_SEND_REPORTS = "off"
    assert sending.send_due() == 0
    settings.HOSTMAIL_SEND_REPORTS = "auto"
    settings.HOSTMAIL_HOSTNAME = "mx.nobody.test"
    assert sending.send_due() == 0


def test_what_goes_to_an_address_for_reports_here_is_kept_at_once(cast, names, clock):
    counts.note(verdict(), "none")
    counts.flush()
    clock.advance(20 * 3600)
    own = reports.domain_address(cast.alice.domain.pk)
    names.set("_dmarc.acme.test", "TXT", f"v=DMARC1; p=none; rua=mailto:{own},mailto:{cast.alice.address}")
    names.set(f"acme.test._report._dmarc.{OURS}", "TXT", "v=DMARC1")
    sending.send_due()
    assert Report.objects.get().organization == OURS
    assert Message.objects.get().mailbox_id == cast.alice.mailbox.pk
    assert not QueueEntry.objects.exists()


@pytest.fixture
def sessions(cast, clock):
    outbound.tlsrpt.note([Session(Held("example.org", Kind.NONE))])
    clock.advance(20 * 3600)


def test_mails_a_tls_report(sessions, names):
    names.set("_smtp._tls.example.org", "TXT", "v=TLSRPTv1; rua=mailto:t@elsewhere.example")
    sending.send_due()
    recipient, raw = sent()
    assert recipient == "t@elsewhere.example"
    assert b'report-type="tlsrpt"' in raw
    assert b"TLS-Report-Domain: example.org\r\nTLS-Report-Submitter: mx.service.test\r\n" in raw
    assert b"application/tlsrpt+gzip" in raw
    (report,) = tls.parse(unpack.unpack(next(unpack.files(raw))))
    assert (report.domain, report.rows[0].count) == ("example.org", 1)


def test_posts_a_tls_report_and_tries_again(sessions, names, clock, settings, monkeypatch):
    settings.HOSTMAIL_PRIVATE_TARGETS = "allow"
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Program) as server:
        server.answer, server.got = (503, {}, b"later"), []
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        url = f"http://127.0.0.1:{server.server_port}/tls"
        monkeypatch.setattr(sending.tlsrpt, "rua", lambda texts: (url,))
        sending.send_due()
        assert OwedReport.objects.get().state == "waiting"
        server.answer = (201, {}, b"")
        clock.advance(limits.REPORT_RETRY_SECONDS + 1)
        sending.send_due()
        server.shutdown()
        thread.join()
    _, headers, body = server.got[-1]
    assert headers["Content-Type"] == "application/tlsrpt+gzip"
    assert tls.parse(gzip.decompress(body))[0].domain == "example.org"
    assert (OwedReport.objects.get().state, OwedReport.objects.get().words) == ("sent", url)
    assert not QueueEntry.objects.exists()
