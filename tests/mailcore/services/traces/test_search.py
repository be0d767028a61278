"""A mail is found by whatever somebody knows of it, by its own organisation only."""

import datetime as dt

import pytest

from mailcore import limits
from mailcore.message import clues
from mailcore.models import QueueEntry, Submission
from mailcore.services import events, traces
from mailcore.services.traces import search

TRACE = "abcdefgh234567qr"


def found(person, text="", **more):
    tenants = None if person is None else [person.tenant.pk]
    return [hit.trace for hit in traces.find(tenants, traces.Asked(clues.read(text), **more)).hits]


@pytest.mark.parametrize(
    "text",
    [
        TRACE,
        f"{TRACE}/1",
        "Ann@ELSE.test",
        "bob@acme.test",
        f"<{TRACE}@else.test>",
        f"Received: by localhost with ESMTP id {TRACE};",
        f"Message-Id: <{TRACE}@else.test>",
        "friday lunch",
        "",
    ],
)
def test_finds_a_mail_by(cast, file, text):
    file(cast.bob, TRACE)
    assert found(cast.bob, text) == found(None, text) == [TRACE]
    assert found(cast.charlie, text) == []


@pytest.mark.parametrize("text", ["bb@acme.test", "zzzzzzzz234567qr", "<2@else.test>", "friday dinner"])
def test_finds_nothing_that_does_not_fit(cast, file, text):
    file(cast.bob, TRACE)
    assert found(cast.bob, text) == []


@pytest.mark.django_db(transaction=True)
def test_finds_what_leaves_by_submission_and_queue_entry(cast, send, settle):
    (entry,) = send(cast.alice, "zoe@example.org")
    trace = Submission.objects.get().trace
    settle(entry, 450, "4.2.2")
    for name in (Submission.objects.get().public_id, QueueEntry.objects.get().public_id, "ZOE@example.org"):
        assert found(cast.alice, name) == [trace]
        assert found(cast.charlie, name) == []


def test_knows_nothing_for_who_runs_nothing(cast, file):
    file(cast.bob, TRACE)
    assert traces.find([], traces.Asked(clues.Clues())).hits == []


def test_keeps_to_the_time_asked_for(cast, file, clock):
    moments = []
    for number in range(6):
        moments.append(clock.now())
        file(cast.bob, f"trace{number}")
        clock.advance(days=1)
    assert found(cast.bob, since=moments[4]) == ["trace5", "trace4"]
    assert found(cast.bob, until=moments[1]) == ["trace0"]
    assert found(cast.bob, "ann@else.test", since=moments[2], until=moments[3]) == ["trace2"]
    assert found(cast.bob, since=clock.now()) == []
    hour = dt.timedelta(hours=1)
    assert found(cast.bob, since=moments[2] - hour, until=moments[2] + hour) == ["trace2"]


def test_pages_show_every_mail_once(cast, file, monkeypatch):
    monkeypatch.setattr(limits, "TRACE_PAGE", 3)
    monkeypatch.setattr(limits, "TRACE_CHUNK_ROWS", 2)
    for number in range(7):
        file(cast.bob, f"trace{number}")
    for number in (0, 3):  # more happens to older ones: they come first, and not again on their old place
        events.record("bounced", tenant_id=cast.bob.tenant.pk, trace=f"trace{number}", sender="ann@else.test")
    pages, before = [], None
    while len(pages) < 9:
        page = traces.find([cast.bob.tenant.pk], traces.Asked(clues.read("ann@else.test")), before=before)
        pages.append([hit.trace for hit in page.hits])
        if (before := page.before) is None:
            break
    assert pages == [["trace3", "trace0", "trace6"], ["trace5", "trace4"], ["trace2", "trace1"]]


def test_gives_up_on_words_after_many_events_and_goes_on_from_there(cast, file, monkeypatch):
    monkeypatch.setattr(limits, "TRACE_CHUNK_ROWS", 2)
    monkeypatch.setattr(limits, "TRACE_SCAN_ROWS", 4)
    file(cast.bob, "old", subject="Dinner")
    for number in range(6):
        file(cast.bob, f"trace{number}")
    first = traces.find([cast.bob.tenant.pk], traces.Asked(clues.read("dinner")))
    assert (first.hits, first.before is None) == ([], False)
    second = traces.find([cast.bob.tenant.pk], traces.Asked(clues.read("dinner")), before=first.before)
    assert [hit.trace for hit in second.hits] == ["old"]


def test_finds_the_place_of_a_moment_in_few_steps(cast, file, clock, django_assert_max_num_queries):
    file(cast.bob, "first")
    clock.advance(days=1)
    file(cast.bob, "second")
    with django_assert_max_num_queries(0):  # all plain SQL
        second = search._first_id(clock.now())
    assert search._first_id(clock.now() - dt.timedelta(days=3)) < second
    assert search._first_id(clock.now() + dt.timedelta(days=3)) == second + 1
