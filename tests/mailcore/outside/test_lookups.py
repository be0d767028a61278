"""Generators of lookups, driven from a dict: nothing here needs a server."""

import pytest

from mailcore.errors import LookupFailed, NoRecords, NoSuchName
from mailcore.outside import routes
from mailcore.outside.lookups import MX, Answer, Lookup, all_records, one, parse_mx


def answer(name, kind, *records):
    return Answer(name, kind, records, 60, name)


def drive(steps, known):
    """Run steps with outcomes from known: {(name, type): outcome}; all else does not exist."""
    try:
        asked = next(steps)
        while True:
            asked = steps.send([known.get((each.name, each.type), NoSuchName()) for each in asked])
    except StopIteration as done:
        return done.value


def test_raises_what_a_lookup_came_to():
    known = {("a.org", "A"): answer("a.org", "A", "192.0.2.1"), ("b.org", "A"): NoRecords()}
    assert drive(one(Lookup("a.org", "A")), known).records == ("192.0.2.1",)
    with pytest.raises(NoRecords):
        drive(one(Lookup("b.org", "A")), known)


def test_puts_outcomes_together_and_keeps_the_failure_that_matters():
    a, aaaa = answer("a.org", "A", "192.0.2.1"), answer("a.org", "AAAA", "2001:db8::1")
    assert all_records([a, aaaa]) == ["192.0.2.1", "2001:db8::1"]
    assert all_records([LookupFailed(), aaaa]) == ["2001:db8::1"]
    with pytest.raises(LookupFailed):
        all_records([NoRecords(), LookupFailed()])
    with pytest.raises(NoRecords):
        all_records([NoRecords(), NoSuchName()])


def test_reads_mx_records():
    assert parse_mx("10 mx.example.org") == MX(10, "mx.example.org")
    assert parse_mx("0 .").is_null
    assert not parse_mx("0 mx.example.org").is_null
    assert sorted([MX(20, "a"), MX(3, "b")])[0].host == "b"


def test_asks_for_both_kinds_of_address_together():
    steps = routes.addresses("mx.example.org")
    assert [each.type for each in next(steps)] == ["A", "AAAA"]
