"""DMARC results counted for others."""

import datetime as dt

import pytest

from mailcore import limits
from mailcore.models import DMARCCount
from mailcore.senderauth.dkim_verify import Signature
from mailcore.senderauth.dmarc import DMARC
from mailcore.senderauth.iprev import IPRev
from mailcore.senderauth.sender import Verdict
from mailcore.senderauth.spf import SPF
from mailcore.services.reports import counts
from tests.fakes import FakeClock

pytestmark = pytest.mark.django_db(transaction=True)
NOW = dt.datetime(2026, 11, 24, 6, tzinfo=dt.UTC)
RECORD = {"v": "DMARC1", "p": "reject", "rua": "mailto:d@acme.test"}


@pytest.fixture(autouse=True)
def clock(db):
    with FakeClock(NOW) as fake:
        counts.flush()
        DMARCCount.objects.all().delete()
        yield fake
        counts.flush()


def verdict(
    result="pass", *, record=RECORD, spf="mail.acme.test", spf_result="pass", aligned="acme.test", keys=()
):
    found = DMARC(result, "acme.test", "reject", "acme.test", "acme.test", aligned, record)
    signatures = tuple(Signature(how, domain, "s1") for domain, how in keys)
    return Verdict(
        "bounce@mail.acme.test", "mx", "192.0.2.9", SPF(spf_result, spf, "mailfrom"), None, signatures,
        IPRev("pass", "mx"), ("acme.test",), found,
    )  # fmt: skip


def rows():
    counts.flush()
    return counts.rows_of(NOW.date(), "acme.test")[1]


def test_gathers_and_writes_what_is_alike_in_one_row():
    assert counts.note(verdict(keys=[("acme.test", "pass")]), "none") is True
    assert counts.note(verdict(keys=[("acme.test", "pass")]), "none") is False
    assert not DMARCCount.objects.exists()
    assert counts.flush() == 1
    counts.note(verdict(keys=[("acme.test", "pass")]), "none")
    (row,) = rows()
    assert (row.count, row.source, row.disposition, row.dkim, row.spf) == (3, "192.0.2.9", "none", True, True)
    assert (row.header_from, row.envelope_from) == ("acme.test", "mail.acme.test")
    assert [(one.method, one.domain, one.result) for one in row.checked] == [
        ("dkim", "acme.test", "pass"), ("spf", "mail.acme.test", "pass")
    ]  # fmt: skip
    assert counts.domains_of(NOW.date()) == ["acme.test"]
    assert counts.rows_of(NOW.date(), "acme.test")[0] == {"p": "reject"}


@pytest.mark.parametrize(
    ("seen", "dkim", "spf"),
    [
        (verdict(keys=[("list.example", "pass")]), False, True),
        (verdict(keys=[("x.acme.test", "pass")], spf="list.example"), True, False),
        (verdict(keys=[("acme.test", "fail")], spf_result="softfail"), False, False),
        (verdict(record=RECORD | {"aspf": "s"}, keys=[("acme.test", "pass")]), True, False),
        (verdict("fail", aligned="", spf="evil.example", keys=[("evil.example", "pass")]), False, False),
    ],
)
def test_says_which_way_was_aligned(seen, dkim, spf):
    counts.note(seen, "none")
    (row,) = rows()
    assert (row.dkim, row.spf) == (dkim, spf)


def test_counts_only_for_who_wants_it_and_while_it_is_on(settings):
    counts.note(verdict(record={"v": "DMARC1", "p": "none"}), "none")
    settings.HOSTMAIL_SEND_REPORTS = "off"
    counts.note(verdict(), "none")
    assert rows() == []


def test_holds_only_so_much(monkeypatch):
    monkeypatch.setattr(limits, "DMARC_GATHERED", 1)
    counts.note(verdict(), "none")
    counts.note(verdict(), "reject")
    counts.note(verdict(), "none")
    assert [(row.disposition, row.count) for row in rows()] == [("none", 2)]


def test_forgets(clock):
    counts.note(verdict(), "none")
    counts.flush()
    assert counts.prune() == 0
    clock.advance((limits.DMARC_KEPT_DAYS + 1) * 24 * 3600)
    assert counts.prune() == 1
