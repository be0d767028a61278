"""What becomes of one mail for mailboxes that think differently of it."""

from __future__ import annotations

import pytest

from mailcore.filters.spam import Action, Reason, Thresholds, decide
from mailcore.services import sorting
from mailcore.services.messages import Filing
from mailcore.services.sorting import Reached

MILD, STRICT, KEEPER = Thresholds(20), Thresholds(2, refuse=8), Thresholds(2, refuse=8, quarantine=6)
ANN, BOB, EVE = (1, 10), (1, 11), (1, 12)
ALL = {ANN: MILD, BOB: STRICT, EVE: KEEPER}


def ways(*places, local: str = "x") -> list[Reached]:
    return [Reached(place, f"{local}{number}@a.example") for number, place in enumerate(places)]


def judged(points: float):
    return decide([Reason("R", points, "it is so")], Thresholds(5))


def test_lets_each_have_its_own():
    found = sorting.actions(ways(ANN, BOB, EVE), judged(7), ALL, {})
    assert found == {ANN: Action.INBOX, BOB: Action.JUNK, EVE: Action.QUARANTINE}


@pytest.mark.parametrize(("places", "refused"), [((BOB, EVE), True), ((ANN, BOB), False), ((), False)])
def test_refuses_only_what_all_refuse(places, refused):
    assert sorting.is_refused(sorting.actions(ways(*places), judged(9), ALL, {})) is refused


def test_keeps_what_some_would_refuse_in_quarantine_or_junk():
    filings = [Filing(*place) for place in (ANN, BOB, EVE)]
    found = sorting.actions(ways(ANN, BOB, EVE), judged(9), ALL, {})
    assert sorting.sort(filings, found, ALL) == [filings[2]]
    assert [one.folder for one in filings[:2]] == ["inbox", "junk"]


def test_never_keeps_mail_from_postmaster():
    found = sorting.actions([Reached(EVE, "Postmaster@a.example")], judged(9), ALL, {})
    assert found == {EVE: Action.JUNK}


def test_takes_the_mildest_of_a_mailbox_with_two_addresses():
    both = [Reached(EVE, "eve@a.example"), Reached(EVE, "abuse@a.example")]
    assert sorting.actions(both, judged(9), ALL, {}) == {EVE: Action.JUNK}


@pytest.mark.parametrize(
    ("points", "wish", "action"),
    [(9, True, Action.INBOX), (0, False, Action.JUNK), (7, False, Action.QUARANTINE)],
)
def test_asks_the_people_of_the_mailbox_first(points, wish, action):
    assert sorting.actions(ways(EVE), judged(points), ALL, {12: wish}) == {EVE: action}


def test_counts_whom_it_is_passed_on_to():
    outside = (1, None)
    thresholds = {BOB: STRICT, outside: MILD}
    assert not sorting.is_refused(sorting.actions(ways(BOB, outside), judged(9), thresholds, {}))


def test_tells_all_what_the_most_lenient_thinks():
    told = sorting.common(judged(7), ALL)
    assert (told.action, told.thresholds) == (Action.INBOX, MILD)
    never = {ANN: Thresholds(0), BOB: STRICT}
    assert sorting.common(judged(7), never).thresholds == Thresholds(0)
    assert sorting.common(judged(7), {}) == judged(7)
