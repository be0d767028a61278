"""`manage.py queue`, as people and scripts call it."""

import io
import json

import pytest
from django.core.management import call_command

from mailcore.management.console import Error
from mailcore.models import Attempt, DeadDestination, QueueEntry
from mailcore.outside import clock
from mailcore.services import queue
from tests.cast import Cast
from tests.fakes import MemoryWorker

pytestmark = pytest.mark.django_db


def run(*words):
    out = io.StringIO()
    call_command("queue", *words, stdout=out)
    return out.getvalue()


def ask(*words):
    return json.loads(run(*words, "--json"))


def wrong(*words):
    with pytest.raises(Error) as caught:
        run(*words)
    return str(caught.value)


@pytest.fixture
def cast(data_dir):
    with MemoryWorker():
        made = Cast()
        put(made.alice, "a@example.org", "b@example.net", delivered=["bob@acme.test"])
        put(made.charlie, "c@example.org")
        yield made


def put(person, *recipients, **more):
    queue.enqueue(
        tenant_id=person.tenant.pk, mailbox_id=person.mailbox.pk, content_id=1, trace="tr4ce", source="smtp",
        reverse_path=person.address, recipients=recipients, **more,
    )  # fmt: skip


def entry(recipient):
    return QueueEntry.objects.get(recipient=recipient)


def recipients(*words):
    return [row["recipient"] for row in ask("list", *words)]


def test_lists_what_waits_the_newest_first(cast):
    assert recipients() == ["c@example.org", "b@example.net", "a@example.org"]
    (row,) = ask("list", "--sender", "charlie@charlie.test")
    assert row["id"] == entry("c@example.org").public_id
    assert (row["state"], row["tenant"], row["attempts"]) == ("waiting", "charlie-s", 0)


def test_filters(cast):
    queue.hold(entry("b@example.net"), actor=None)
    assert recipients("--to", "example.org") == ["c@example.org", "a@example.org"]
    assert recipients("--tenant", "acme") == ["b@example.net", "a@example.org"]
    assert recipients("--state", "held") == ["b@example.net"]
    assert recipients("--state", "delivered") == ["bob@acme.test"]
    assert len(recipients("--all")) == 4
    assert recipients("--limit", "1") == ["c@example.org"]
    assert "organisation" in wrong("list", "--tenant", "nobody").lower() or wrong(
        "list", "--tenant", "nobody"
    )


def test_shows_one_with_its_attempts(cast):
    row = entry("a@example.org")
    Attempt.objects.create(
        tenant=cast.alice.tenant, entry=row, started_at=clock.now(), outcome="deferred",
        host="mx.example.org", address="192.0.2.1", tls_version="TLSv1.3", tls_verdict="verified",
        phase="rcpt", code=450, status="4.2.1", reply="try later", duration_ms=12,
    )  # fmt: skip
    shown = ask("show", row.public_id)
    assert (shown["recipient"], shown["trace"], shown["source"]) == ("a@example.org", "tr4ce", "smtp")
    (made,) = shown["attempts"]
    assert (made["host"], made["tls"], made["code"], made["reply"]) == (
        "mx.example.org", "TLSv1.3 verified", 450, "try later"
    )  # fmt: skip
    text = run("show", row.public_id)
    assert "deferred at mx.example.org [192.0.2.1], 12 ms" in text
    assert "rcpt: 450 4.2.1 try later" in text
    assert "no queue entry" in wrong("show", "nonesuch")


def test_steers_entries_by_name(cast):
    name = entry("a@example.org").public_id
    assert ask("hold", name)["entries"] == [name]
    assert entry("a@example.org").state == "held"
    assert run("release", name) == "1 due now\n"
    run("drop", name)
    assert entry("a@example.org").state == "dropped"
    assert "dropped" in wrong("retry", name)
    assert "no queue entry" in wrong("hold", name, "nonesuch")


def test_steers_entries_by_filter_leaving_out_what_cannot_be(cast):
    queue.hold(entry("a@example.org"), actor=None)
    assert run("hold", "--to", "example.org") == "1 on hold\n"
    assert entry("c@example.org").state == "held"
    assert run("release", "--tenant", "acme") == "1 due now\n"
    assert entry("b@example.net").state == "waiting"
    assert run("drop", "--sender", "alice@acme.test") == "2 dropped\n"
    assert entry("bob@acme.test").state == "delivered"


def test_never_steers_everything_by_mistake(cast):
    assert "name entries" in wrong("drop")
    assert "name entries" in wrong("drop", entry("a@example.org").public_id, "--tenant", "acme")
    assert QueueEntry.objects.filter(state="waiting").count() == 3


def test_shows_hosts_that_are_down(cast):
    assert ask("dead") == []
    now = clock.now()
    DeadDestination.objects.create(
        key="k", hosts="mx.example.org", since=now, probe_at=now, failures=3, last_reply="No answer"
    )
    (row,) = ask("dead")
    assert (row["hosts"], row["failures"], row["reply"]) == ("mx.example.org", 3, "No answer")
