"""The page and the API of reports about a domain."""

import datetime as dt

import pytest

from hostmail.web.reports import bars
from mailcore.services import reports
from mailcore.services.reports.shown import Day
from tests.cast import Cast
from tests.fakes import FakeClock, MemoryWorker
from tests.hostmail.api.test_api import api_of
from tests.hostmail.web.test_pages import client_of, page
from tests.mailcore.reports import samples
from tests.mailcore.services.reports.posting import comes


@pytest.fixture
def cast(db, data_dir):
    with FakeClock(dt.datetime(2026, 11, 24, 6, tzinfo=dt.UTC)), MemoryWorker():
        yield Cast()


def test_says_what_to_publish_while_there_is_nothing(cast):
    text = (
        client_of(cast.alice.user).get(page("domain_reports", cast.alice.domain.public_id)).content.decode()
    )
    assert "No reports yet" in text
    assert f"rua=mailto:{reports.domain_address(cast.alice.domain.pk)}" in text


def test_shows_sources_days_and_troubles_to_those_who_run_the_domain(cast):
    to = reports.domain_address(cast.alice.domain.pk)
    evil = samples.GOOGLE.replace(b"<org_name>big.example", b"<org_name>&lt;script&gt;big.example")
    for octets in (evil, samples.TLS):
        comes(to, samples.mail(octets))
    url = page("domain_reports", cast.alice.domain.public_id)
    text = client_of(cast.alice.user).get(url).content.decode()
    for said in (
        "192.0.2.10",
        "12 mails passed, 3 failed.",
        "certificate-expired",
        "&lt;script&gt;big.example",
    ):
        assert said in text
    assert 'class="chart__failed"' in text
    assert client_of(cast.charlie.user).get(url).status_code == 404
    assert client_of(cast.bob.user).get(url).status_code == 404


def test_bars_add_up_and_hide_nothing():
    days = [Day(dt.date(2026, 11, 1), 1000, 1), Day(dt.date(2026, 11, 2), 0, 0)]
    first, second = bars(reports.Overview(2, [], days, []))
    assert (first.passed_y, first.passed_height, first.failed_y, first.failed_height) == (0, 99, 99, 1)
    assert (second.x, second.passed_height, second.failed_height) == (10, 0, 0)


def test_the_api_gives_the_same(cast):
    comes(reports.domain_address(cast.alice.domain.pk), samples.mail(samples.GOOGLE))
    url = f"domains/{cast.alice.domain.public_id}/reports/"
    said = api_of(cast.alice.user)("get", url, status=200)
    assert [(one["address"], one["count"], one["passed"]) for one in said["sources"]] == [
        ("192.0.2.10", 12, 12), ("2001:db8::7", 3, 0)
    ]  # fmt: skip
    assert len(said["by_day"]) == 30
    assert said["publish"]["_smtp._tls.acme.test"].startswith("v=TLSRPTv1; rua=mailto:reports+")
    api_of(cast.alice.user)("get", f"{url}?days=0", status=400)
    api_of(cast.charlie.user)("get", url, status=404)
