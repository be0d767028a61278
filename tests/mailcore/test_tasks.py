"""Tasks are wake-ups: each looks for due rows, harmless to lose and to run twice."""

import pytest

from hostmail.celery import app, schedule
from mailcore import tasks
from mailcore.models import Domain, QueueEntry
from mailcore.outside import clock
from mailcore.services import domains, mailboxes, queue, tenants
from tests.cast import Cast
from tests.fakes import FakeClock, FakeDNS, MemoryWorker

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def cast(data_dir):
    with MemoryWorker():
        yield Cast()


@pytest.fixture
def looks(monkeypatch):
    """Each look that was asked of the postman: whether for new entries only, and how many pairs were due."""
    made = []

    class Postman:
        def look(self, *, only_new=False):
            made.append((only_new, len(queue.due())))

    monkeypatch.setattr(tasks, "postman", Postman)
    return made


def test_everything_that_is_woken_or_scheduled_is_a_task(cast, looks):
    woken = {f"mailcore.tasks.{name}" for name in ("run_queue", "check_domains", "close_mailboxes")}
    for name in woken | set(schedule()):
        assert name in app.tasks, name
        app.tasks[name]()
        app.tasks[name]()


def test_every_wake_up_is_made_good_by_a_sweep():
    """Without Redis nothing but the schedule runs: what is woken must be in it, or covered by it."""
    assert {"sweep_queue", "check_domains", "close_mailboxes"} <= set(tasks.SCHEDULE)
    assert tasks.SCHEDULE["sweep_queue"] <= 30


def put(person):
    return queue.enqueue(
        tenant_id=person.tenant.pk, mailbox_id=person.mailbox.pk, content_id=1, trace="t", source="api",
        reverse_path=person.address, recipients=["a@example.org"],
    )  # fmt: skip


def test_run_queue_looks_and_sweep_queue_recovers_first(cast, looks):
    with FakeClock() as fake:
        put(cast.alice)
        tasks.run_queue()
        assert looks == [(True, 1)]
        queue.claim("dead", queue.due()[0], 10)
        tasks.run_queue()
        assert looks[-1] == (True, 0)
        fake.advance(91)
        tasks.sweep_queue()
        assert looks[-1] == (False, 1)
        assert QueueEntry.objects.get().lease_owner == ""


def test_check_domains_checks_what_is_due_and_comes_to_an_end(cast):
    with FakeDNS() as names:
        made = domains.add(cast.alice.tenant, "shop.test", actor=None)
        (proof,) = [record for record in domains.required_records(made) if record.key == "ownership"]
        names.set(proof.host, proof.type, [proof.value])
        tasks.check_domains()
        made = Domain.objects.get(pk=made.pk)
        assert made.state == "verified"
        assert made.check_at > clock.now()
        asked = len(names.asked)
        tasks.check_domains()
        assert len(names.asked) == asked


def test_close_mailboxes_finishes_what_remove_began(cast):
    mailboxes.remove(cast.bob.mailbox, actor=None)
    tenants.remove(cast.charlie.tenant, actor=None)
    tasks.close_mailboxes()
    assert not type(cast.bob.mailbox).objects.filter(pk=cast.bob.mailbox.pk).exists()
    assert not type(cast.charlie.tenant).objects.filter(pk=cast.charlie.tenant.pk).exists()


def test_indexes_once_at_a_time(monkeypatch):
    calls = []

    def sweep(pause):
        calls.append(True)
        tasks.index_text()  # the next one comes while this is under way
        return 0

    monkeypatch.setattr(tasks.textindex, "sweep", sweep)
    tasks.index_text()
    tasks.index_text()
    assert len(calls) == 2
