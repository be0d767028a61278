"""Reports added up."""

import datetime as dt

import pytest

from mailcore.services import reports
from mailcore.services.reports.shown import Source, is_own
from tests.cast import Cast
from tests.fakes import FakeClock, MemoryWorker
from tests.mailcore.reports import samples
from tests.mailcore.services.reports.posting import comes

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def cast(data_dir):
    with FakeClock(dt.datetime(2026, 11, 24, 6, tzinfo=dt.UTC)), MemoryWorker():
        yield Cast()


def test_adds_up_what_several_reporters_saw(cast, settings):
    settings.HOSTMAIL_OUTBOUND_ADDRESSES = ["192.0.2.0/24"]
    to = reports.domain_address(cast.alice.domain.pk)
    for octets in (samples.GOOGLE, samples.SUCCESSOR, samples.TLS):
        comes(to, samples.mail(octets))
    found = reports.overview(cast.alice.domain, 3)
    assert found.sources == [
        Source("192.0.2.10", True, 13, 13, 13, 12, 0, 0, 2),
        Source("2001:db8::7", False, 3, 0, 0, 0, 3, 0, 1),
    ]
    assert [(str(one.day), one.passed, one.failed) for one in found.by_day] == [
        ("2026-11-22", 0, 0), ("2026-11-23", 13, 3), ("2026-11-24", 0, 0)
    ]  # fmt: skip
    assert [(one.result, one.count) for one in found.tls] == [
        ("", 40), ("certificate-expired", 3), ("unknown", 2)
    ]  # fmt: skip
    assert (found.passed, found.failed, found.sources[1].failed) == (13, 3, 3)


def test_keeps_domains_and_times_apart(cast):
    comes(reports.domain_address(cast.alice.domain.pk), samples.mail(samples.GOOGLE))
    assert reports.overview(cast.charlie.domain).sources == []
    assert reports.overview(cast.alice.domain, 1).sources == []


def test_knows_our_own_hosts_only_when_told(settings):
    settings.HOSTMAIL_OUTBOUND_ADDRESSES = []
    assert not is_own("192.0.2.10")
    settings.HOSTMAIL_OUTBOUND_ADDRESSES = ["192.0.2.10/32", "2001:db8::/64"]
    assert is_own("192.0.2.10")
    assert is_own("2001:db8::9")
    assert not is_own("192.0.2.11")
    assert not is_own("unknown")
