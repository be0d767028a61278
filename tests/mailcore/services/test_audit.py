"""The audit log: who, what, on which thing, and still so when they are gone."""

import pytest

from mailcore.models import AuditEntry
from mailcore.services import audit, users
from tests.cast import Cast

pytestmark = pytest.mark.django_db


def test_says_who_did_what_and_keeps_it_when_they_are_gone():
    cast = Cast()
    AuditEntry.objects.all().delete()
    audit.record(cast.bob.user, "mailbox.test", cast.bob.mailbox, data={"n": 1}, address="192.0.2.1")
    audit.record(None, "tenant.test", cast.alice.tenant)
    audit.record(None, "words.test", "x" * 500)
    users.remove(cast.bob.user, actor=None)
    first, second, third, _ = AuditEntry.objects.order_by("pk")
    assert (first.actor, first.actor_name, first.object_kind, first.object_name) == (
        None, "bob@acme.test", "mailbox", "bob@acme.test",
    )  # fmt: skip
    assert (first.tenant, first.data, first.address) == (cast.alice.tenant, {"n": 1}, "192.0.2.1")
    assert (second.actor_name, second.tenant) == ("operator", cast.alice.tenant)
    assert (third.tenant, len(third.object_name)) == (None, 320)


def test_is_read_by_who_runs_the_tenant():
    cast = Cast()
    names = set(AuditEntry.objects.visible_to(cast.alice.user).values_list("object_name", flat=True))
    assert {"Acme", "alice@acme.test", "bob@acme.test"} <= names
    assert not names & {"Charlie's", "charlie@charlie.test"}
    assert not AuditEntry.objects.visible_to(cast.bob.user).exists()
