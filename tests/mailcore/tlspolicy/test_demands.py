"""What is demanded of a mail host: the table of the module, row by row."""

import itertools

import pytest

from mailcore.tlspolicy.demands import (
    OPPORTUNISTIC,
    Dane,
    Demand,
    Level,
    demand,
    digest,
    with_requiretls,
)
from mailcore.tlspolicy.mta_sts import Mode, Policy
from mailcore.tlspolicy.tlsa import TLSA

GOOD, BAD = TLSA(3, 1, 1, b"a" * 32), TLSA(1, 1, 1, b"a" * 32)
HOST, DOMAIN = "mx.example.net", "example.org"
NO_DANE = Dane()
DANE = Dane(HOST, (GOOD, BAD))


def sts(mode, *mx):
    return Policy(mode, 86_400, mx or (HOST,))


@pytest.mark.parametrize(
    ("policy", "dane", "wanted"),
    [
        (None, NO_DANE, OPPORTUNISTIC),
        (sts(Mode.NONE), NO_DANE, OPPORTUNISTIC),
        (sts(Mode.TESTING), NO_DANE, Demand("mta-sts testing")),
        (sts(Mode.TESTING, "other.test"), NO_DANE, Demand("mta-sts testing")),
        (sts(Mode.ENFORCE), NO_DANE, Demand("mta-sts enforce", Level.VERIFIED)),
        (None, DANE, Demand("dane", Level.DANE, (HOST, DOMAIN), (GOOD,))),
        (sts(Mode.ENFORCE), DANE, Demand("dane", Level.DANE, (HOST, DOMAIN), (GOOD,))),
        (sts(Mode.TESTING), DANE, Demand("dane", Level.DANE, (HOST, DOMAIN), (GOOD,))),
        (None, Dane(HOST, (BAD,)), Demand("dane", Level.REQUIRED)),
    ],
)
def test_demands(policy, dane, wanted):
    assert demand(DOMAIN, HOST, policy, dane) == wanted


def test_sends_nothing_to_a_host_that_the_policy_does_not_name():
    made = demand(DOMAIN, HOST, sts(Mode.ENFORCE, "*.example.org"), DANE)
    assert made.refusal == f"{HOST} is not among the mail hosts that the MTA-STS policy of {DOMAIN} names"
    assert made.status == "4.7.5"


def test_sends_nothing_where_records_cannot_be_had():
    assert "cannot be looked up now" in demand(DOMAIN, HOST, None, Dane(HOST, is_lost=True)).refusal


def test_knows_a_host_by_the_name_of_its_records_first():
    made = demand(DOMAIN, HOST, None, Dane("real.example.com", (GOOD,)))
    assert made.names == ("real.example.com", DOMAIN, HOST)


def test_requiretls_makes_demands_stronger_and_never_weaker():
    enforced = with_requiretls(OPPORTUNISTIC, HOST, is_trusted=True)
    assert enforced == Demand("requiretls", Level.VERIFIED, requires=True)
    by_dane = with_requiretls(demand(DOMAIN, HOST, None, DANE), HOST, is_trusted=True)
    assert (by_dane.level, by_dane.records, by_dane.requires) == (Level.DANE, (GOOD,), True)
    refused = with_requiretls(
        demand(DOMAIN, HOST, sts(Mode.ENFORCE, "x.test"), NO_DANE), HOST, is_trusted=True
    )
    assert "not among the mail hosts" in refused.refusal


def test_requiretls_wants_hosts_that_somebody_vouches_for():
    made = with_requiretls(OPPORTUNISTIC, HOST, is_trusted=False)
    assert made.status == "5.7.30"
    assert "neither DNSSEC nor MTA-STS vouches" in made.refusal


STRONG = [
    Demand("requiretls", Level.VERIFIED, requires=True),
    Demand("requiretls", Level.DANE, (HOST,), (GOOD,), requires=True),
    Demand("dane", Level.DANE, (HOST,), (GOOD,)),
    Demand("dane", Level.DANE, (DOMAIN,), (GOOD,)),
    Demand("mta-sts enforce", Level.VERIFIED),
    Demand("dane", Level.REQUIRED),
    OPPORTUNISTIC,
]


@pytest.mark.parametrize(("made", "wanted"), list(itertools.product(STRONG, STRONG)))
def test_a_connection_carries_only_mail_that_demands_no_more(made, wanted):
    rank = {Level.OPPORTUNISTIC: 0, Level.REQUIRED: 1, Level.VERIFIED: 2, Level.DANE: 2}
    if made.covers(wanted):
        assert rank[made.level] >= rank[wanted.level]
        assert made.requires >= wanted.requires
        assert rank[wanted.level] < 2 or (made.level, made.names) == (wanted.level, wanted.names)
    assert made.covers(made)
    assert made.covers(OPPORTUNISTIC)


def test_names_what_is_demanded_only_where_something_is():
    verified = Demand("mta-sts enforce", Level.VERIFIED)
    assert digest([(HOST, OPPORTUNISTIC)]) == ""
    assert digest([(HOST, verified), ("b", OPPORTUNISTIC)]) == digest([(HOST, verified)]) != ""
    assert digest([(HOST, verified)]) != digest([("b", verified)])
