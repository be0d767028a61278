"""Counts of TLS sessions and the reports made of them."""

import datetime as dt
import json

import pytest

from mailcore import limits
from mailcore.models import TLSCount
from mailcore.services.outbound import tlsrpt
from mailcore.tlspolicy.tlsrpt import Held, Kind, Result, Session
from tests.fakes import FakeClock

pytestmark = pytest.mark.django_db(transaction=True)
DANE = Held("example.org", Kind.DANE, ("3 1 1 aa", "3 1 1 bb"))
FAILED = Session(DANE, Result.VALIDATION, "mx.example.org", "192.0.2.1", "198.51.100.7", "no record matches")


@pytest.fixture
def clock():
    with FakeClock() as fake:
        yield fake


def test_adds_up_the_sessions_of_a_day(clock, settings):
    settings.HOSTMAIL_HOSTNAME = "mail.ours.test"
    day = clock.now().date()
    tlsrpt.note([Session(DANE), Session(DANE), FAILED])
    tlsrpt.note([Session(DANE)])
    tlsrpt.note([])
    assert sorted(TLSCount.objects.values_list("result", "count")) == [("", 3), ("validation-failure", 1)]
    report = json.loads(tlsrpt.report(day, "example.org"))
    assert report["organization-name"] == "mail.ours.test"
    assert report["contact-info"] == "postmaster@mail.ours.test"
    assert report["report-id"] == f"{day}_example.org@mail.ours.test"
    (policy,) = report["policies"]
    assert policy["policy"]["policy-string"] == list(DANE.lines)
    assert policy["summary"] == {"total-successful-session-count": 3, "total-failure-session-count": 1}
    assert policy["failure-details"][0]["sending-mta-ip"] == "198.51.100.7"


def test_keeps_days_and_domains_apart(clock):
    first = clock.now().date()
    tlsrpt.note([Session(DANE), Session(Held("b.test", Kind.NONE))])
    clock.advance(86_400)
    tlsrpt.note([Session(DANE)])
    second = first + dt.timedelta(days=1)
    assert tlsrpt.domains_of(first) == ["b.test", "example.org"]
    assert tlsrpt.domains_of(second) == ["example.org"]
    assert tlsrpt.domains_of(second + dt.timedelta(days=1)) == []
    assert json.loads(tlsrpt.report(second, "b.test"))["policies"] == []


def test_forgets_old_counts(clock):
    tlsrpt.note([Session(DANE)])
    clock.advance(limits.TLSRPT_KEPT_DAYS * 86_400)
    tlsrpt.note([Session(DANE)])
    assert tlsrpt.prune() == 0
    clock.advance(86_400)
    assert tlsrpt.prune() == 1
    assert TLSCount.objects.count() == 1
