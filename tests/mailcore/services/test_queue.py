"""The queue's rows: due, claimed, renewed, recovered, steered."""

import datetime as dt

import pytest
from django.db import transaction

from mailcore.errors import NotAllowedNow
from mailcore.models import Attempt, AuditEntry, Event, QueueEntry
from mailcore.outside import clock as real_clock
from mailcore.services import mailboxes, queue, sql, tenants
from mailcore.services.queue import Pair
from tests.cast import Cast
from tests.fakes import FakeClock, MemoryWorker

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def clock():
    with FakeClock() as fake:
        yield fake


@pytest.fixture
def woken():
    with MemoryWorker() as worker:
        yield worker


@pytest.fixture
def cast(clock, woken, data_dir):
    return Cast()


def put(person, *recipients, **more):
    return queue.enqueue(
        tenant_id=person.tenant.pk, mailbox_id=person.mailbox.pk, content_id=1, trace="t", source="api",
        reverse_path=person.address, recipients=recipients, **more,
    )  # fmt: skip


def pairs():
    return [(pair.route, pair.tenant_id) for pair in queue.due()]


def claim(person, route="example.org", limit=10, owner="me"):
    return queue.claim(owner, Pair(route, person.tenant.pk), limit)


def test_writes_what_is_read_back(cast, clock, woken):
    submission = put(cast.alice, "a@example.org", delivered=["bob@acme.test"], needs_smtputf8=True)
    submission.refresh_from_db()
    assert submission.created_at == clock.now()
    waiting, delivered = submission.entries.order_by("pk")
    assert (waiting.state, waiting.due_at, waiting.finished_at) == ("waiting", clock.now(), None)
    assert (delivered.state, delivered.finished_at) == ("delivered", clock.now())
    assert waiting.public_id != delivered.public_id
    assert woken.woken == [("mailcore.tasks.run_queue", ())]
    (held,) = claim(cast.alice)
    assert (held.recipient, held.route, held.trace, held.reverse_path) == (
        "a@example.org", "example.org", "t", "alice@acme.test"
    )  # fmt: skip
    assert (held.needs_smtputf8, held.attempt_count, held.delay_notified_at) == (True, 0, None)
    assert held.submitted_at == held.born_at == clock.now()


def test_what_is_held_back_is_due_in_its_time(cast, clock, woken):
    put(cast.alice, "a@example.org", hold_until=clock.now() + dt.timedelta(hours=1))
    assert woken.woken == []
    assert pairs() == []
    clock.advance(hours=1)
    assert pairs() == [("example.org", cast.alice.tenant.pk)]
    assert claim(cast.alice)[0].born_at == clock.now()


def test_pairs_are_by_route_and_tenant_the_oldest_first(cast, clock):
    put(cast.charlie, "a@example.org")
    clock.advance(1)
    put(cast.alice, "a@example.net", "b@example.org", "c@example.org")
    assert pairs()[0] == ("example.org", cast.charlie.tenant.pk)
    assert set(pairs()[1:]) == {
        ("example.net", cast.alice.tenant.pk), ("example.org", cast.alice.tenant.pk)
    }  # fmt: skip


def test_each_priority_is_a_pair_of_its_own(cast):
    put(cast.alice, "a@example.org", priority=-4)
    put(cast.alice, "b@example.org", priority=3)
    tenant = cast.alice.tenant.pk
    assert set(queue.due()) == {Pair("example.org", tenant, -4), Pair("example.org", tenant, 3)}
    assert claim(cast.alice) == []
    (urgent,) = queue.claim("me", Pair("example.org", tenant, 3), 10)
    assert urgent.recipient == "b@example.org"
    assert queue.due() == [Pair("example.org", tenant, -4)]


def test_a_look_for_what_is_new_leaves_out_what_was_due_before(cast, clock):
    put(cast.alice, "a@example.org")
    before = clock.now()
    clock.advance(1)
    put(cast.alice, "b@example.net")
    assert [pair.route for pair in queue.due(since=before)] == ["example.net"]
    assert len(queue.due()) == 2


def test_nobody_claims_what_somebody_has(cast):
    put(cast.alice, "a@example.org", "b@example.org", "c@example.org")
    first = claim(cast.alice, limit=2)
    second = claim(cast.alice, limit=2, owner="other")
    assert [entry.recipient for entry in first] == ["a@example.org", "b@example.org"]
    assert [entry.recipient for entry in second] == ["c@example.org"]
    assert claim(cast.alice) == []
    assert pairs() == []


def test_a_lease_is_renewed_only_by_its_owner(cast, clock):
    put(cast.alice, "a@example.org")
    (held,) = claim(cast.alice)
    assert queue.renew("other", [held.pk]) == set()
    assert queue.renew("me", []) == set()
    clock.advance(60)
    assert queue.renew("me", [held.pk]) == {held.pk}
    clock.advance(60)
    assert queue.recover() == 0
    clock.advance(31)
    assert queue.recover() == 1
    assert queue.renew("me", [held.pk]) == set()
    assert pairs() == [("example.org", cast.alice.tenant.pk)]


def test_what_is_given_back_is_due_as_before(cast):
    put(cast.alice, "a@example.org", "b@example.org")
    first, second = claim(cast.alice)
    queue.let_go("other", [first.pk])
    assert pairs() == []
    queue.let_go("me", [first.pk])
    queue.let_go("me", [])
    assert [entry.pk for entry in claim(cast.alice)] == [first.pk]
    assert second.pk != first.pk


def test_recovery_notes_what_may_have_arrived(cast, clock):
    put(cast.alice, "a@example.org", "b@example.org")
    first, second = claim(cast.alice)
    Attempt.objects.create(tenant=cast.alice.tenant, entry_id=first.pk, started_at=clock.now())
    clock.advance(91)
    assert queue.recover() == 2
    assert Attempt.objects.get().outcome == "lost"
    facts = {event.recipient: event.data["may_be_double"] for event in Event.objects.filter(kind="deferred")}
    assert facts == {"a@example.org": True, "b@example.org": False}
    assert second.recipient == "b@example.org"


def test_suspended_means_not_due(cast):
    put(cast.alice, "a@example.org")
    put(cast.charlie, "a@example.org")
    tenants.suspend(cast.charlie.tenant, "late", actor=None)
    mailboxes.suspend(cast.alice.mailbox, "late", actor=None)
    assert pairs() == []
    assert claim(cast.alice) == claim(cast.charlie) == []
    tenants.resume(cast.charlie.tenant, actor=None)
    assert pairs() == [("example.org", cast.charlie.tenant.pk)]


def test_a_mail_of_a_removed_mailbox_still_goes(cast):
    put(cast.alice, "a@example.org")
    mailboxes.remove(cast.alice.mailbox, actor=None)
    assert len(claim(cast.alice)) == 1


# --- Steering --------------------------------------------------------------------------------------------


def entry():
    return QueueEntry.objects.get()


def test_hold_release_retry_and_drop(cast, clock, woken):
    put(cast.alice, "a@example.org")
    row = entry()
    queue.hold(row, actor=cast.alice.user)
    assert row.state == entry().state == "held"
    assert pairs() == []
    clock.advance(hours=2)
    woken.woken.clear()
    queue.release(row, actor=cast.alice.user)
    assert (row.state, row.due_at) == ("waiting", clock.now())
    assert woken.woken == [("mailcore.tasks.run_queue", ())]
    QueueEntry.objects.update(due_at=clock.now() + dt.timedelta(hours=3))
    queue.retry(row, actor=None)
    assert entry().due_at == clock.now()
    queue.drop(row, actor=cast.alice.user)
    assert (entry().state, entry().finished_at) == ("dropped", clock.now())
    assert Event.objects.get(kind="dropped").recipient == "a@example.org"
    verbs = list(AuditEntry.objects.filter(verb__startswith="queue").values_list("verb", "actor_name"))
    assert verbs == [
        ("queue.hold", "alice@acme.test"), ("queue.release", "alice@acme.test"), ("queue.retry", "operator"),
        ("queue.drop", "alice@acme.test"),
    ]  # fmt: skip


@pytest.mark.parametrize("state", ["relayed", "bounced", "dropped", "delivered"])
@pytest.mark.parametrize("verb", [queue.hold, queue.release, queue.retry, queue.drop])
def test_what_is_finished_is_not_steered(cast, state, verb):
    put(cast.alice, "a@example.org")
    QueueEntry.objects.update(state=state)
    before = AuditEntry.objects.count()
    with pytest.raises(NotAllowedNow):
        verb(entry(), actor=None)
    assert entry().state == state
    assert AuditEntry.objects.count() == before


def test_what_waits_is_not_released_and_what_is_held_not_held_again(cast):
    put(cast.alice, "a@example.org")
    with pytest.raises(NotAllowedNow):
        queue.release(entry(), actor=None)
    queue.hold(entry(), actor=None)
    with pytest.raises(NotAllowedNow):
        queue.hold(entry(), actor=None)
    queue.retry(entry(), actor=None)
    assert entry().state == "waiting"
    assert real_clock.now() == entry().due_at


# --- At scale ------------------------------------------------------------------------------------------


def plan(statement, params):
    """How the database means to answer, as text."""
    if sql.is_sqlite():
        return " ".join(row[3] for row in sql.rows(f"EXPLAIN QUERY PLAN {statement}", params))
    sql.execute("ANALYZE queue_entry")
    return " ".join(row[0] for row in sql.rows(f"EXPLAIN {statement}", params))


@pytest.mark.parametrize("what", ["new", "claim", "lapsed"])
def test_a_long_queue_is_looked_at_by_index(cast, clock, monkeypatch, what):
    """What waits costs nothing: neither a look for what is new nor a claim nor the sweep reads all of it."""
    put(cast.alice, *[f"r{number}@d{number % 100}.test" for number in range(3000)])
    clock.advance(60)
    put(cast.alice, "a@example.org")
    asked = []
    usual = sql.rows

    def rows(statement, params=()):
        if "queue_entry" in statement:
            asked.append((statement, params))
        return usual(statement, params)

    monkeypatch.setattr(sql, "rows", rows)
    if what == "new":
        queue.due(since=clock.now() - dt.timedelta(seconds=10))
    elif what == "claim":
        claim(cast.alice)
    else:
        queue.recover()
    statement, params = asked[0]
    monkeypatch.undo()
    with transaction.atomic():
        found = plan(statement, params)
    index = {"new": "queue_due", "claim": "queue_pair", "lapsed": "queue_leased"}[what]
    assert index in found
    assert "SCAN e" not in found
