"""Shared transactions for small writes."""

import threading

import pytest

from mailcore.models import Tenant
from mailcore.services.ledger import Ledger

pytestmark = pytest.mark.django_db(transaction=True)


def make(name):
    return Tenant.objects.create(slug=name, name=name).pk


def test_gives_the_result_when_it_is_committed():
    pk = Ledger().durably(lambda: make("a"))
    assert Tenant.objects.get(pk=pk).slug == "a"


def test_many_threads_share_transactions_and_a_bad_write_harms_nobody():
    ledger = Ledger()
    started, go = threading.Barrier(11), threading.Event()
    results, errors = [], []

    def write(name):
        if name == "t3":
            raise ValueError("bad")
        return make(name)

    def hand_in(name):
        started.wait()
        try:
            results.append(ledger.durably(lambda: write(name)))
        except ValueError as error:
            errors.append(str(error))

    threads = [threading.Thread(target=hand_in, args=(f"t{number}",)) for number in range(10)]
    for thread in threads:
        thread.start()
    blocked = threading.Thread(target=lambda: ledger.durably(go.wait))
    blocked.start()
    started.wait()
    go.set()
    for thread in [*threads, blocked]:
        thread.join(20)
    assert errors == ["bad"]
    assert len(results) == 9
    assert Tenant.objects.count() == 9


def test_a_failure_comes_to_who_handed_it_in_and_nothing_is_kept():
    def write():
        make("half")
        raise LookupError("no")

    ledger = Ledger()
    with pytest.raises(LookupError):
        ledger.durably(write)
    assert not Tenant.objects.exists()
    assert ledger.durably(lambda: make("next"))
