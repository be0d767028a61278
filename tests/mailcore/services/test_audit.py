"""The audit log: who, what, on which thing, and still so when they are gone."""

import pytest

from mailcore.models import AuditEntry
from mailcore.services import audit, tenants, users
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


def entries(verb):
    return list(AuditEntry.objects.filter(verb=verb).order_by("pk"))


def test_what_is_done_with_a_person_stands_in_each_of_their_organisations():
    cast = Cast()
    other = tenants.create("Other", actor=None)
    tenants.add_member(other, cast.bob.user, "member", actor=None)
    users.set_password(cast.bob.user, "another good horse", actor=None)
    assert {entry.tenant for entry in entries("user.password")} == {cast.bob.tenant, other}
    assert AuditEntry.objects.visible_to(cast.alice.user).filter(verb="user.password").count() == 1
    assert not AuditEntry.objects.visible_to(cast.charlie.user).filter(verb="user.password").exists()
    users.remove(cast.bob.user, actor=None)
    assert {entry.tenant for entry in entries("user.remove")} == {cast.bob.tenant, other}
    users.remove(cast.stella, actor=None)
    assert entries("user.remove")[-1].tenant is None


def test_a_recovery_address_is_nobody_elses_business():
    cast = Cast()
    users.set_recovery_email(cast.bob.user, "bob@home.example", actor=cast.bob.user)
    (entry,) = entries("user.recovery")
    assert (entry.tenant, entry.data) == (cast.bob.tenant, {"is_set": True})


def test_a_token_for_one_organisation_stands_there_alone():
    cast = Cast()
    other = tenants.create("Other", actor=None, owner=cast.alice.user)
    token, _ = users.issue_token(cast.alice.user, "one", tenant=other, actor=cast.alice.user)
    users.revoke_token(token, actor=cast.alice.user)
    assert [entry.tenant for entry in entries("token.issue") + entries("token.revoke")] == [other, other]
    users.issue_token(cast.alice.user, "all", actor=cast.alice.user)
    assert {entry.tenant for entry in entries("token.issue")[1:]} == {cast.alice.tenant, other}


def test_knows_from_where_somebody_acts():
    cast = Cast()
    with audit.coming_from("192.0.2.7"):
        audit.record(cast.alice.user, "x.inside", cast.alice.tenant)
        audit.record(cast.alice.user, "x.given", cast.alice.tenant, address="192.0.2.8")
    audit.record(cast.alice.user, "x.outside", cast.alice.tenant)
    assert [row.address for row in AuditEntry.objects.filter(verb__startswith="x.").order_by("pk")] == [
        "192.0.2.7", "192.0.2.8", None
    ]  # fmt: skip
