"""The event table: added to, read by who runs the tenant, pruned by age."""

import pytest

from mailcore.message.trace import key_of
from mailcore.models import Event
from mailcore.services import events, sql
from mailcore.services.events import Fact
from tests.cast import Cast
from tests.fakes import FakeClock

pytestmark = pytest.mark.django_db


def test_keeps_what_it_is_told_and_cuts_what_strangers_send():
    cast = Cast()
    with FakeClock() as clock:
        events.record(
            "refused", tenant_id=cast.alice.tenant.pk, mailbox_id=cast.alice.mailbox.pk, trace="abc/1",
            sender="x" * 500 + "@y.test", recipient="\ud800\0a@b.test", uids="1:3", data={"reply": "550"},
        )  # fmt: skip
        events.record_many([events.Fact("accepted", cast.charlie.tenant.pk)] * 3)
        events.record_many([])
    (event,) = Event.objects.visible_to(cast.alice.user)
    assert (event.kind, event.trace, event.uids, event.data) == ("refused", "abc/1", "1:3", {"reply": "550"})
    assert (len(event.sender), event.recipient, event.at) == (320, "?a@b.test", clock.now())
    assert Event.objects.visible_to(cast.charlie.user).count() == 3
    assert not Event.objects.visible_to(cast.bob.user).exists()


def test_prunes_what_is_older_than_its_tenant_keeps_it():
    cast = Cast()
    cast.alice.tenant.event_days = 10
    cast.alice.tenant.save()
    with FakeClock() as clock:
        for tenant in (cast.alice.tenant, cast.charlie.tenant):
            events.record_many([events.Fact("accepted", tenant.pk)] * 5)
        clock.advance(days=11)
        events.record("accepted", tenant_id=cast.alice.tenant.pk)
        assert events.prune(limit=2) == 2
        assert events.prune() == 3
        assert events.prune() == 0
        clock.advance(days=90)
        assert events.prune() == 6
    assert not Event.objects.exists()


def test_finds_a_mail_again_by_its_message_id():
    cast = Cast()
    tenant_id = cast.alice.tenant.pk
    events.record("refused", tenant_id=tenant_id, message_id="<1@a.test>")
    events.record("refused", tenant_id=tenant_id)
    assert Event.objects.get(message_key=key_of(" 1@a.test ")) == Event.objects.order_by("id")[0]
    assert key_of("<>") is None
    assert key_of("2@a.test") != key_of("1@a.test")


@pytest.mark.parametrize(
    ("where", "name"),
    [
        ("lower(sender) = 'a@b.test' AND tenant_id = 1 AND sender > ''", "event_sender"),
        ("lower(recipient) = 'a@b.test' AND tenant_id = 1 AND recipient > ''", "event_recipient"),
        ("message_key = 7 AND tenant_id = 1", "event_message_key"),
        ("trace IN ('t', 't/1') AND tenant_id IN (SELECT id FROM tenant)", "event_by_trace"),
        ("mailbox_id = 7 AND trace = '' AND id > 5", "event_after"),
    ],
)
def test_has_an_index_for_each_way_of_searching(where, name):
    order = "+id" if "trace IN" in where else "id"  # as services.traces asks
    if sql.is_sqlite():
        plan = sql.rows(
            f"EXPLAIN QUERY PLAN SELECT id FROM event WHERE {where} ORDER BY {order} DESC LIMIT 9"
        )
    else:
        events.record_many(
            Fact(
                "filed",
                1,
                number,
                f"t{number}" if number % 2 else "",
                sender=f"a{number}@b.test",
                recipient=f"c{number}@b.test",
            )
            for number in range(2000)
        )
        sql.execute("ANALYZE event")
        plan = sql.rows(f"EXPLAIN SELECT id FROM event WHERE {where} ORDER BY {order} DESC LIMIT 9")
    assert name in str(plan)
