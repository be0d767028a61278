"""Nothing goes to an address outside before it has agreed."""

import pytest

from mailcore import limits
from mailcore.errors import NoSuchAddress, NotFound, TooFast
from mailcore.services import addresses, confirmations
from tests.cast import Cast
from tests.fakes import FakeClock

pytestmark = pytest.mark.django_db(transaction=True)
BOB = "bob@example.org"


@pytest.fixture
def clock():
    with FakeClock() as fake:
        yield fake


@pytest.fixture
def cast(clock):
    return Cast()


def alias(cast, name="out", targets=(BOB,)):
    return addresses.add_alias(cast.alice.tenant, f"{name}@acme.test", targets, asks=True, actor=None)


def leads_to(name="out"):
    return addresses.judge(addresses.route(f"{name}@acme.test"))


def test_goes_there_once_it_is_confirmed(cast):
    made = alias(cast)
    with pytest.raises(NoSuchAddress):
        leads_to()
    ((target, token),) = confirmations.ask(made)
    assert target.target == BOB
    confirmations.confirm(confirmations.find(token))
    assert leads_to().outside == (BOB,)
    assert confirmations.ask(made) == []


def test_the_other_targets_get_mail_meanwhile(cast):
    alias(cast, targets=[BOB, cast.alice.address])
    route = leads_to()
    assert (route.outside, [hop.mailbox_id for hop in route.hops]) == ((), [cast.alice.mailbox.pk])


def test_one_of_another_organisation_is_asked_too(cast):
    assert [one.target for one, _ in confirmations.ask(alias(cast, targets=[cast.charlie.address]))] == [
        cast.charlie.address
    ]


def test_agrees_once_for_an_organisation(cast):
    made = alias(cast)
    second = alias(cast, "second")
    confirmations.confirm(confirmations.ask(made)[0][0])
    assert leads_to("second").outside == (BOB,)
    assert confirmations.ask(second) == []
    alias(cast, "third")
    assert leads_to("third").outside == (BOB,)


def test_a_target_that_stays_is_not_asked_again(cast):
    made = alias(cast)
    confirmations.confirm(confirmations.ask(made)[0][0])
    addresses.set_targets(made, [BOB, "eve@example.org"], asks=True, actor=None)
    assert leads_to().outside == (BOB,)
    assert [one.target for one, _ in confirmations.ask(made)] == ["eve@example.org"]


def test_is_asked_again_after_a_pause(cast, clock):
    made = alias(cast)
    confirmations.ask(made)
    assert confirmations.ask(made) == []
    clock.advance(limits.CONFIRM_PAUSE_SECONDS + 1)
    assert len(confirmations.ask(made)) == 1


def test_a_link_is_good_for_a_week_and_for_its_target(cast, clock):
    made = alias(cast)
    ((target, token),) = confirmations.ask(made)
    other = alias(cast, "other", ["eve@example.org"]).targets.get()
    for wrong in (
        "",
        "1-2-3",
        token[:-1] + ("0" if token[-1] != "0" else "1"),
        token.replace(f"{target.pk}-", f"{other.pk}-", 1),
    ):
        with pytest.raises(NotFound):
            confirmations.find(wrong)
    clock.advance(limits.CONFIRM_DAYS * 24 * 3600)
    assert confirmations.find(token).pk == target.pk
    clock.advance(24 * 3600)
    with pytest.raises(NotFound):
        confirmations.find(token)


def test_a_link_of_what_was_taken_away_is_dead(cast):
    made = alias(cast)
    ((_, token),) = confirmations.ask(made)
    addresses.remove(made, actor=None)
    with pytest.raises(NotFound):
        confirmations.find(token)


def test_an_organisation_asks_so_many_in_a_day(cast, monkeypatch):
    monkeypatch.setattr(limits, "CONFIRM_MAILS", 1)
    with pytest.raises(TooFast):
        confirmations.ask(alias(cast, targets=[BOB, "eve@example.org"]))
