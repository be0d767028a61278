"""Reports at port 25: taken from whoever writes them, and mail counted for those that we owe."""

import smtplib

import pytest

from mailcore.models import DMARCCount, Report
from mailcore.outside import clock
from mailcore.services import reports
from mailcore.services.reports import counts
from tests.cast import Cast
from tests.fakes import FakeDNS
from tests.mailcore.reports import samples

RAW = b"From: ann@example.org\r\nSubject: Hello\r\n\r\nHow are you?\r\n"


@pytest.fixture
def alice(maild, settings):
    settings.HOSTMAIL_VERIFY_SENDERS = "on"
    with FakeDNS() as names:
        names.set("example.org", "TXT", ["v=spf1 ip4:127.0.0.1 -all"])
        names.set("_dmarc.example.org", "TXT", ["v=DMARC1; p=none; rua=mailto:d@example.org"])
        counts.flush()
        DMARCCount.objects.all().delete()
        yield Cast().alice
        counts.flush()
        DMARCCount.objects.all().delete()


def send(settings, to, raw):
    with smtplib.SMTP("127.0.0.1", settings.HOSTMAIL_SMTP_PORT, local_hostname="mx.example.org") as client:
        client.sendmail("ann@example.org", [to], raw)


def test_counts_mail_for_the_domain_that_wants_to_hear_of_it(alice, settings):
    send(settings, alice.address, RAW)
    counts.flush()
    (row,) = counts.rows_of(clock.now().date(), "example.org")[1]
    assert (row.source, row.count, row.disposition, row.spf, row.dkim) == (
        "127.0.0.1",
        1,
        "none",
        True,
        False,
    )


def test_takes_a_report_and_counts_it_in_none(alice, settings):
    day = int(clock.now().timestamp()) // 86400 * 86400
    octets = samples.GOOGLE.replace(b"1795392000", b"%d" % day).replace(b"1795478399", b"%d" % (day + 1))
    octets = octets.replace(b"acme.test", alice.domain.name.encode())
    raw = samples.mail(samples.gzipped(octets)).replace(b"noreply@big.example", b"ann@example.org")
    to = reports.domain_address(alice.domain.pk)
    send(settings, to, raw)
    assert (Report.objects.get().domain, Report.objects.get().sender) == (alice.domain, "example.org")
    with pytest.raises(smtplib.SMTPDataError) as refused:
        send(settings, to, RAW)
    assert refused.value.smtp_code == 554
    assert counts.flush() == 0
