"""Where is my mail? By the API."""

import pytest

from mailcore import limits
from mailcore.models import QueueEntry
from mailcore.services import events, outbound, tenants
from tests.cast import Cast
from tests.fakes import MemoryWorker
from tests.hostmail.api.test_api import api_of

TRACE = "abcdefgh234567qr"


@pytest.fixture
def cast(db, data_dir):
    with MemoryWorker():
        made = Cast()
        for number in range(3):
            events.record(
                "refused", tenant_id=made.bob.tenant.pk, trace=f"{TRACE[:-1]}{number}",
                sender="ann@else.test", recipient=made.bob.address, message_id=f"{number}@else.test",
                data={"subject": f"Lunch {number}", "reason": "spam score 12"},
            )  # fmt: skip
        yield made


@pytest.fixture
def alice(cast):
    return api_of(cast.alice.user)


def found(api, query):
    return [row["trace"][-1] for row in api("get", f"traces/?{query}", status=200)["results"]]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", ["2", "1", "0"]),
        ("q=ann@else.test", ["2", "1", "0"]),
        ("address=BOB@acme.test&subject=LUNCH%201", ["1"]),
        ("message_id=%3C2@else.test%3E", ["2"]),
        ("q=lunch", ["2", "1", "0"]),
        ("address=nobody@acme.test", []),
        ("until=2020-01-01T00:00:00Z", []),
        ("since=2020-01-01T00:00:00Z&q=0@else.test", ["0"]),
        ("tenant=acme&q=lunch+0", ["0"]),
    ],
)
def test_finds(alice, query, expected):
    assert found(alice, query) == expected


def test_shows_others_nothing(cast, alice):
    charlie = api_of(cast.charlie.user)
    assert found(charlie, "") == []
    charlie("get", "traces/?tenant=acme", status=404)
    charlie("get", f"traces/{TRACE[:-1]}0/", status=404)
    charlie("get", f"traces/{TRACE[:-1]}0/?tenant=acme", status=404)
    assert found(api_of(cast.bob.user), "") == []  # a member, who does not run it


def test_a_token_of_one_organisation_sees_that_one(cast):
    other = tenants.create("Other", actor=None, owner=cast.alice.user)
    events.record("refused", tenant_id=other.pk, trace="other")
    api = api_of(cast.alice.user, tenant=other)
    assert [row["tenant"] for row in api("get", "traces/", status=200)["results"]] == [other.slug]
    assert len(found(api_of(cast.alice.user), "")) == 4


def test_refuses_what_makes_no_sense(alice):
    for query in ("since=yesterday", "before=x", "typo=1", "before=0"):
        alice("get", f"traces/?{query}", status=400)
    alice("get", "traces/zzzz/", status=404)


def test_pages(alice, monkeypatch):
    monkeypatch.setattr(limits, "TRACE_PAGE", 2)
    page = alice("get", "traces/?address=ann@else.test", status=200)
    assert len(page["results"]) == 2
    assert found(alice, f"address=ann@else.test&before={page['before']}") == ["0"]


def test_takes_a_header_section(alice):
    header = "Received: from x by y id zzzzzzzzzzzzzzzz; Tue\r\nMessage-ID: <1@else.test>\r\nSubject: x\r\n"
    (row,) = alice("post", "traces/find/", {"q": header}, 200)["results"]
    assert row["subject"] == "Lunch 1"
    assert row["sentence"].startswith("Refused at ")


def test_tells_the_story(cast, alice):
    raw = f"From: {cast.alice.address}\r\nSubject: Hello\r\n\r\nHow are you?\r\n".encode()
    submission = outbound.submit(
        cast.alice.mailbox, raw, ["zoe@example.org"], user_id=cast.alice.user.pk, source="api",
        reverse_path=cast.alice.address,
    )  # fmt: skip
    entry = QueueEntry.objects.get()
    for name in (submission.public_id, entry.public_id):
        (row,) = alice("get", f"traces/?q={name}", status=200)["results"]
        assert row["trace"] == submission.trace
    story = alice("get", f"traces/{submission.trace}/", status=200)
    assert (story["advice"]["action"], story["advice"]["target"]) == ("retry", entry.public_id)
    assert [one["state"] for one in story["outcomes"]] == ["waiting"]
    assert story["outcomes"][0]["next_at"]
    assert story["steps"][0]["kind"] == "submitted"
    assert story["steps"][0]["sentence"] == "Handed in by alice@acme.test for zoe@example.org"
    assert story["is_cut"] is False
