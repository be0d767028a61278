"""The MTA-STS policies of our own customers."""

import pytest

from mailcore.errors import BadValue
from mailcore.models import AuditEntry, Domain
from mailcore.outside.lookups import Answer
from mailcore.services import dns_records, sts_hosting
from mailcore.tlspolicy import mta_sts
from tests.cast import Cast, make_domain

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def domain(settings):
    settings.HOSTMAIL_HOSTNAME = "mx.service.test"
    settings.HOSTMAIL_PUBLIC_URL = "https://panel.service.test"
    return Cast().alice.domain


def test_names_our_host_and_the_mode_that_was_chosen(domain):
    policy = mta_sts.parse_policy(sts_hosting.served("mta-sts.acme.test"))
    assert (policy.mode, policy.mx) == ("testing", ("mx.service.test",))
    sts_hosting.set_mode(domain, "enforce", actor=None)
    assert mta_sts.parse_policy(sts_hosting.served("MTA-STS.Acme.Test")).mode == "enforce"
    assert AuditEntry.objects.filter(verb="domain.sts_mode").exists()
    with pytest.raises(BadValue):
        sts_hosting.set_mode(domain, "maybe", actor=None)


def test_the_record_changes_with_the_policy_and_only_then(domain):
    first = sts_hosting.record_value(domain)
    assert mta_sts.record_id([first])
    assert sts_hosting.record_value(domain) == first
    sts_hosting.set_mode(domain, "enforce", actor=None)
    assert sts_hosting.record_value(domain) != first


@pytest.mark.parametrize(
    "host", ["acme.test", "mta-sts.nowhere.test", "mta-sts.", "mta-sts..", "mta-sts.new.test"]
)
def test_speaks_for_nobody_else(domain, host):
    make_domain(domain.tenant, "new.test", verified=False)
    assert sts_hosting.served(host) is None


def test_asks_for_the_records_that_announce_it(domain):
    records = {record.key: record for record in dns_records.required_records(domain)}
    sts, host = records["sts"], records["stshost"]
    assert (sts.host, sts.type, sts.value) == ("_mta-sts.acme.test", "TXT", sts_hosting.record_value(domain))
    assert (host.host, host.type, host.value) == ("mta-sts.acme.test", "CNAME", "panel.service.test")
    assert not sts.required
    assert not host.required

    def state(record, *seen):
        return dns_records.judge_record(record, Answer(record.host, record.type, seen, 60, record.host)).state

    assert state(sts, sts.value) == "ok"
    assert state(sts, sts.value + ";") == "ok"
    assert state(sts, "v=STSv1; id=old") == "differs"
    assert state(sts, sts.value, sts.value) == "several"
    assert state(sts, "other") == "missing"
    assert state(host, "panel.service.test") == "ok"
    assert state(host, "elsewhere.test") == "differs"


def test_asks_for_none_where_nothing_is_demanded(domain):
    sts_hosting.set_mode(domain, "none", actor=None)
    assert Domain.objects.get(pk=domain.pk).sts_mode == "none"
    assert not {"sts", "stshost"} & {record.key for record in dns_records.required_records(domain)}
    assert mta_sts.parse_policy(sts_hosting.served("mta-sts.acme.test")).mode == "none"
