"""Who is new, and what a domain wants of them."""

import pytest

from mailcore.errors import BadValue, Greylisted
from mailcore.outside import counters
from mailcore.services import domains, newcomers, sender_rules
from tests.cast import Cast
from tests.fakes import FakeClock

TRIPLET = ("192.0.2.1", "ann@example.org", "alice@acme.test")


@pytest.fixture(autouse=True)
def clock():
    counters.forget_all()
    with FakeClock() as fake:
        yield fake


def is_let_in(*triplet: str) -> bool:
    try:
        newcomers.greet(*triplet)
    except Greylisted:
        return False
    return True


def test_lets_in_who_comes_again_in_time(clock):
    assert not is_let_in(*TRIPLET)
    clock.advance(seconds=20)
    assert not is_let_in(*TRIPLET)
    clock.advance(seconds=120)
    # From a neighbour of the same network, whatever the case.
    assert is_let_in("192.0.2.77", "Ann@example.org", "ALICE@acme.test")
    assert is_let_in(*TRIPLET)
    clock.advance(days=30)
    assert is_let_in(*TRIPLET)


@pytest.mark.parametrize("number", range(3))
def test_knows_nobody_by_two_of_three(clock, number):
    newcomers.meet(*TRIPLET)
    other = list(TRIPLET)
    other[number] = ("198.51.100.1", "ben@example.org", "bob@acme.test")[number]
    assert not is_let_in(*other)


def test_forgets_who_comes_too_late(clock):
    assert not is_let_in(*TRIPLET)
    clock.advance(days=5)
    assert not is_let_in(*TRIPLET)
    newcomers.meet(*TRIPLET)
    clock.advance(days=80)
    assert not newcomers.has_met(*TRIPLET)


@pytest.mark.django_db
def test_does_what_the_domain_chose():
    alice = Cast().alice
    boxes = [alice.mailbox.pk]

    def choice(sender: str) -> str:
        return newcomers.choice(alice.address, boxes, sender)

    assert choice("ann@example.org") == "off"
    domains.set_newcomers(alice.domain, "greylist", actor=None)
    sender_rules.add(alice.mailbox, "@friends.example", is_wanted=True, actor=None)
    sender_rules.add(alice.mailbox, "ben@example.org", is_wanted=False, actor=None)
    assert [choice(one) for one in ("ann@example.org", "ben@example.org", "", "x@friends.example")] == [
        "greylist", "greylist", "greylist", "off",
    ]  # fmt: skip
    with pytest.raises(BadValue):
        domains.set_newcomers(alice.domain, "maybe", actor=None)
