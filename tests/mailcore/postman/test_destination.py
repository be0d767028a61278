"""Whose turn it is at a destination, and how many connections it gets."""

import threading

import pytest

from mailcore import limits
from mailcore.postman.destination import Destination
from mailcore.services.outbound import Way
from mailcore.services.queue import Pair

WAY = Way("mx.example.org", (), 25)


@pytest.fixture
def destination():
    lock = threading.RLock()
    with lock:
        yield Destination(lock)


def put(destination, *pairs):
    for tenant, priority in pairs:
        destination.put(Pair("example.org", tenant, priority), WAY)


def taken(destination):
    found = []
    while (work := destination.take()) is not None:
        found.append((work.pair.tenant_id, work.pair.priority))
    return found


def test_tenants_of_a_priority_go_in_turn(destination):
    put(destination, (1, 0), (2, 0), (1, 0))
    assert len(destination) == 3
    assert taken(destination) == [(1, 0), (2, 0), (1, 0)]
    assert len(destination) == 0


def test_people_go_before_bulk_and_bulk_goes_on(destination, monkeypatch):
    monkeypatch.setattr(limits, "QUEUE_FAIR_TURN", 4)
    put(destination, (9, -4), (9, -4), *[(number, 0) for number in range(6)])
    assert taken(destination) == [(0, 0), (1, 0), (2, 0), (9, -4), (3, 0), (4, 0), (5, 0), (9, -4)]


def test_connections_grow_with_success_and_halve_when_asked(destination, monkeypatch):
    monkeypatch.setattr(limits, "QUEUE_CONNECTIONS", 5)
    assert [destination.took_mail(sent) for sent in range(8)] == [False, *[True] * 4, *[False] * 3]
    assert destination.allowed == 5
    destination.asked_for_patience()
    assert destination.allowed == 2
    destination.asked_for_patience()
    destination.asked_for_patience()
    assert destination.allowed == 1
