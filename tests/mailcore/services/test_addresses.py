"""Making and changing addresses; who may send as what; what logs in."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection

from mailcore import limits
from mailcore.errors import AlreadyExists, BadAddress, BadValue, NotAllowedNow, NotFound
from mailcore.models import Address, AuditEntry, Domain, Rights
from mailcore.services import addresses, mailboxes
from tests.cast import Cast, make_domain, make_mailbox, make_tenant

pytestmark = pytest.mark.django_db


@pytest.fixture
def cast() -> Cast:
    return Cast()


def alias(cast: Cast, address: str, *targets: str) -> Address:
    return addresses.add_alias(cast.alice.tenant, address, targets, actor=cast.alice.user)


# --- Changing ------------------------------------------------------------------------------------


def test_keeps_names_normalised_and_says_who_made_them(cast):
    made = alias(cast, "Sales.Team@ACME.test", "Bob@acme.test", "bob@acme.test", "Ext@Example.ORG")
    assert str(made) == "sales.team@acme.test"
    assert [target.target for target in made.targets.order_by("pk")] == [
        "Bob@acme.test", "bob@acme.test", "Ext@example.org",
    ]  # fmt: skip
    entry = AuditEntry.objects.get(verb="address.add", object_name="sales.team@acme.test")
    assert (entry.actor, entry.actor_name, entry.tenant) == (
        cast.alice.user,
        "alice@acme.test",
        cast.alice.tenant,
    )


@pytest.mark.parametrize("taken", ["alice@acme.test", "ALICE@acme.test", "info@acme.test", "@acme.test"])
def test_refuses_a_name_that_is_taken(cast, taken):
    alias(cast, "info@acme.test", "bob@acme.test")
    alias(cast, "@acme.test", "bob@acme.test")
    with pytest.raises(AlreadyExists):
        alias(cast, taken, "bob@acme.test")
    with pytest.raises(AlreadyExists):
        addresses.add_to_mailbox(cast.bob.mailbox, taken, actor=None)


@pytest.mark.parametrize("targets", [[], ["info@acme.test"], [f"n{n}@x.test" for n in range(201)]])
def test_refuses_targets_that_make_no_sense(cast, targets):
    with pytest.raises(BadValue):
        alias(cast, "info@acme.test", *targets)


@pytest.mark.parametrize(
    "target",
    ["", "bob", "@acme.test", "a b@acme.test", "|/bin/sh", "/etc/passwd", "a@b.test\r\nRCPT TO:<x@y.test>"],
)
def test_refuses_targets_that_are_no_address(cast, target):
    with pytest.raises(BadAddress):
        alias(cast, "info@acme.test", target)
    assert not Address.objects.filter(local_part="info").exists()


def test_stays_in_the_tenants_own_domains(cast):
    with pytest.raises(NotFound):
        alias(cast, "info@charlie.test", "bob@acme.test")
    with pytest.raises(NotFound):
        addresses.add_to_mailbox(cast.bob.mailbox, "info@charlie.test", actor=None)


def test_changes_targets_of_aliases_only(cast):
    made = alias(cast, "info@acme.test", "bob@acme.test")
    addresses.set_targets(made, ["alice@acme.test", "x@example.org"], actor=None)
    assert [target.target for target in made.targets.order_by("pk")] == ["alice@acme.test", "x@example.org"]
    with pytest.raises(BadValue):
        addresses.set_targets(made, [], actor=None)
    with pytest.raises(NotAllowedNow):
        addresses.set_targets(Address.objects.get(local_part="alice"), ["x@example.org"], actor=None)


def test_keeps_the_primary_address_and_can_make_another_one_primary(cast):
    first = cast.alice.mailbox.primary_address
    with pytest.raises(NotAllowedNow):
        addresses.remove(first, actor=None)
    addresses.add_to_mailbox(cast.alice.mailbox, "a.archer@acme.test", is_primary=True, actor=None)
    assert str(cast.alice.mailbox.primary_address) == "a.archer@acme.test"
    first.refresh_from_db()
    addresses.remove(first, actor=None)
    assert not Address.objects.filter(local_part="alice").exists()


@pytest.mark.django_db(transaction=True)
def test_of_two_at_once_one_gets_the_name(cast):
    def add(number: int) -> str:
        try:
            addresses.add_alias(cast.alice.tenant, "race@acme.test", [f"t{number}@x.test"], actor=None)
        except AlreadyExists:
            return "taken"
        finally:
            connection.close()
        return "made"

    with ThreadPoolExecutor(4) as pool:
        outcomes = sorted(pool.map(add, range(4)))
    assert outcomes == ["made", "taken", "taken", "taken"]
    assert Address.objects.get(local_part="race").targets.count() == 1


# --- Sending as ----------------------------------------------------------------------------------


def may(person, address: str) -> bool:
    return addresses.may_send_as(person.mailbox.pk, person.user.pk, address)


def test_sends_as_own_addresses_only(cast):
    addresses.add_to_mailbox(cast.alice.mailbox, "a.archer@acme.test", actor=None)
    for own in ("alice@acme.test", "Alice+news@ACME.test", "a.archer@acme.test"):
        assert may(cast.alice, own)
    for other in ("bob@acme.test", "nobody@acme.test", "charlie@charlie.test", "x@example.org", "alice", ""):
        assert not may(cast.alice, other)
    assert may(cast.charlie, "charlie@charlie.test")


def test_sends_as_an_alias_that_leads_to_it_alone(cast):
    alias(cast, "info@acme.test", "alice@acme.test")
    alias(cast, "deep@acme.test", "info@acme.test")
    alias(cast, "team@acme.test", "alice@acme.test", "bob@acme.test")
    assert may(cast.alice, "info@acme.test")
    assert may(cast.alice, "deep@acme.test")
    assert not may(cast.alice, "team@acme.test")
    assert not may(cast.bob, "info@acme.test")


def test_an_alias_of_another_tenant_gives_no_right_either_way(cast):
    addresses.add_alias(cast.charlie.tenant, "fake@charlie.test", ["alice@acme.test"], actor=None)
    assert not may(cast.alice, "fake@charlie.test")
    assert not may(cast.charlie, "alice@acme.test")
    assert not may(cast.charlie, "fake@charlie.test")


def test_a_catch_all_sends_as_names_nobody_has(cast):
    addresses.add_to_mailbox(cast.bob.mailbox, "@acme.test", actor=None)
    assert may(cast.bob, "whatever@acme.test")
    assert not may(cast.bob, "alice@acme.test")
    assert not may(cast.alice, "whatever@acme.test")


def test_never_from_disabled_unproven_or_suspended(cast):
    make_domain(cast.alice.tenant, "pending.test", verified=False)
    extra = addresses.add_to_mailbox(cast.alice.mailbox, "x@pending.test", actor=None)
    assert not may(cast.alice, "x@pending.test")
    Domain.objects.filter(name="pending.test").update(state=Domain.State.VERIFIED)
    assert may(cast.alice, "x@pending.test")
    addresses.disable(extra, actor=None)
    assert not may(cast.alice, "x@pending.test")
    Domain.objects.filter(name="acme.test").update(state=Domain.State.SUSPENDED)
    assert not may(cast.alice, "alice@acme.test")


def test_sends_as_a_shared_mailbox_with_the_right(cast):
    shared = make_mailbox(cast.alice.tenant, "office@acme.test", kind="shared")
    assert not may(cast.bob, "office@acme.test")
    mailboxes.grant(shared, cast.bob.user, Rights.READ | Rights.WRITE, actor=None)
    assert not may(cast.bob, "office@acme.test")
    mailboxes.grant(shared, cast.bob.user, Rights.READ | Rights.SEND_AS, actor=None)
    assert may(cast.bob, "office@acme.test")
    assert not addresses.may_send_as(cast.bob.mailbox.pk, None, "office@acme.test")


def test_who_may_only_read_a_mailbox_does_not_send_as_it(cast):
    """With an app password for it they log in to it, and are still no more than readers."""
    mailboxes.grant(cast.alice.mailbox, cast.bob.user, Rights.READ | Rights.WRITE, actor=None)
    assert not addresses.may_send_as(cast.alice.mailbox.pk, cast.bob.user.pk, "alice@acme.test")
    mailboxes.grant(cast.alice.mailbox, cast.bob.user, Rights.READ | Rights.SEND_AS, actor=None)
    assert addresses.may_send_as(cast.alice.mailbox.pk, cast.bob.user.pk, "alice@acme.test")
    assert not addresses.may_send_as(cast.alice.mailbox.pk, cast.charlie.user.pk, "alice@acme.test")
    assert addresses.may_send_as(cast.alice.mailbox.pk, None, "alice@acme.test")


def test_lists_what_a_person_sends_from(cast):
    office = make_mailbox(cast.alice.tenant, "office@acme.test", kind="shared")
    assert list(addresses.identities(cast.bob.mailbox, cast.bob.user)) == ["bob@acme.test"]
    mailboxes.grant(office, cast.bob.user, Rights.READ | Rights.SEND_AS, actor=None)
    mailboxes.grant(cast.alice.mailbox, cast.bob.user, Rights.READ, actor=None)
    found = addresses.identities(cast.bob.mailbox, cast.bob.user)
    assert found == {"bob@acme.test": cast.bob.mailbox, "office@acme.test": office}
    assert list(addresses.identities(office, cast.bob.user)) == ["office@acme.test", "bob@acme.test"]
    mailboxes.suspend(office, actor=None)
    assert list(addresses.identities(cast.bob.mailbox, cast.bob.user)) == ["bob@acme.test"]


def test_lists_what_a_mailbox_sends_from_the_main_address_first(cast):
    addresses.add_to_mailbox(cast.alice.mailbox, "a.archer@acme.test", actor=None)
    addresses.add_to_mailbox(cast.alice.mailbox, "@acme.test", actor=None)
    alias(cast, "info@acme.test", "alice@acme.test")
    alias(cast, "team@acme.test", "alice@acme.test", "bob@acme.test")
    second = make_domain(cast.alice.tenant, "acme.example")
    second.alias_of = cast.alice.domain
    second.save()
    make_domain(cast.alice.tenant, "pending.test", verified=False)
    addresses.add_to_mailbox(cast.alice.mailbox, "alice@pending.test", actor=None)
    names = addresses.own_addresses(cast.alice.mailbox)
    assert names == [
        "alice@acme.test", "a.archer@acme.test", "info@acme.test",
        "alice@acme.example", "a.archer@acme.example", "info@acme.example",
    ]  # fmt: skip
    assert all(may(cast.alice, name) for name in names)


# --- Logging in ----------------------------------------------------------------------------------


def test_any_address_of_a_mailbox_is_a_login_name(cast):
    mine = (cast.alice.mailbox.pk, cast.alice.tenant.pk)
    addresses.add_to_mailbox(cast.alice.mailbox, "a.archer@acme.test", actor=None)
    alias(cast, "info@acme.test", "Alice@acme.test")
    for name in ("alice@acme.test", " ALICE@Acme.test ", "a.archer@acme.test", "info@acme.test"):
        assert addresses.resolve_login(name) == mine


def test_tags_groups_catch_alls_and_unproven_domains_are_none(cast):
    addresses.add_to_mailbox(cast.bob.mailbox, "@acme.test", actor=None)
    alias(cast, "team@acme.test", "alice@acme.test", "bob@acme.test")
    alias(cast, "tagged@acme.test", "nobody@acme.test")
    make_domain(cast.alice.tenant, "pending.test", verified=False)
    addresses.add_to_mailbox(cast.alice.mailbox, "alice@pending.test", actor=None)
    off = addresses.add_to_mailbox(cast.alice.mailbox, "off@acme.test", actor=None)
    addresses.disable(off, actor=None)
    for name in (
        "alice+x@acme.test", "team@acme.test", "tagged@acme.test", "nobody@acme.test", "alice@pending.test",
        "off@acme.test", "alice", "@acme.test", "", "alice@acme.test\0", "x" * 5000 + "@acme.test",
    ):  # fmt: skip
        assert addresses.resolve_login(name) is None, name


def test_a_claim_of_another_tenant_logs_nobody_in(cast):
    thief = make_tenant("Thief")
    make_domain(thief, "acme.test", verified=False)
    make_mailbox(thief, "alice@acme.test", kind="shared")
    assert addresses.resolve_login("alice@acme.test") == (cast.alice.mailbox.pk, cast.alice.tenant.pk)


def test_local_parts_that_grow_when_casefolded_are_measured_after(cast):
    with pytest.raises(BadAddress):
        addresses.parse("ß" * 32 + "x@acme.test")
    assert addresses.parse("ß" * 31 + "@acme.test").local == "ss" * 31
    assert limits.LOCAL_PART_OCTETS == 64
