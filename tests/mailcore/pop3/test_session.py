"""What a POP3 session knows."""

from array import array

import pytest

from mailcore import limits
from mailcore.errors import BadSyntax, Busy, NoSuchMessage
from mailcore.pop3.session import Budget, Session, State, Surroundings
from mailcore.services.maildrops import Maildrop


@pytest.fixture
def session():
    made = Session(Surroundings("", is_tls=True, may_login=True, can_starttls=False, budget=Budget()))
    sizes = [100, 200, 300]
    drop = Maildrop(1, 1, 1, 7, array("I", [4, 5, 9]), array("q", sizes), array("q", [1, 2, 3]))
    made.enter(None, None, drop)
    return made


def test_begins_before_login():
    fresh = Session(Surroundings("", is_tls=True, may_login=True, can_starttls=False, budget=Budget()))
    assert fresh.state is State.AUTHORIZATION
    with pytest.raises(BadSyntax):
        fresh.take_name()


def test_counts_as_messages_are_marked(session):
    assert session.state is State.TRANSACTION
    assert (session.count(), session.octets) == (3, 600)
    session.delete(session.index_of(2))
    assert (session.count(), session.octets, list(session.left())) == (2, 400, [0, 2])
    with pytest.raises(NoSuchMessage):
        session.index_of(2)
    session.reset()
    assert (session.count(), session.octets, list(session.left())) == (3, 600, [0, 1, 2])


@pytest.mark.parametrize("number", [0, -1, 4])
def test_knows_no_other_numbers(session, number):
    with pytest.raises(NoSuchMessage):
        session.index_of(number)


def test_names_uids_in_order(session):
    assert session.uids({2, 0}) == [4, 9]


def test_reads_ahead_only_who_goes_on(session):
    assert session.to_read(0) == [0, 1]
    session.last_index = 0
    assert session.to_read(2) == [2]
    session.last_index = -1
    session.delete(1)
    assert session.to_read(0) == [0]


def test_bears_more_errors_after_login(session):
    for _ in range(limits.POP3_ERRORS):
        session.note_error()
    assert not session.is_over


def test_budget_counts_large_messages_only():
    budget = Budget()
    assert budget.take(limits.POP3_LARGE_OCTETS) == 0
    held = budget.take(limits.POP3_OCTETS_IN_HAND)
    assert (held, budget.left) == (limits.POP3_OCTETS_IN_HAND, 0)
    with pytest.raises(Busy):
        budget.take(limits.POP3_LARGE_OCTETS + 1)
    assert budget.take(100) == 0
