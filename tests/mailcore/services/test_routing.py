"""Where mail goes: every step of the order, and what each refusal is called."""

import time

import pytest
from django.db import connection

from mailcore import limits
from mailcore.errors import (
    BadAddress,
    Loop,
    MailboxSuspended,
    NoSuchAddress,
    NotHere,
    OverQuota,
    TenantSuspended,
)
from mailcore.models import Address, AliasTarget, Domain, Mailbox, User
from mailcore.services import addresses, mailboxes, tenants
from mailcore.services.addresses import Kind
from tests.cast import Cast, make_domain, make_mailbox, make_tenant, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def cast() -> Cast:
    return Cast()


def leads_to(recipient: str) -> list[int]:
    return [hop.mailbox_id for hop in addresses.judge(addresses.route(recipient)).hops]


def alias(address: str, *targets: str, tenant) -> Address:
    return addresses.add_alias(tenant, address, targets, actor=None)


def test_finds_the_mailbox_of_an_address(cast):
    route = addresses.route("alice@acme.test")
    assert route.kind == Kind.MAILBOXES == "mailboxes"
    assert route.tenant_id == cast.alice.tenant.pk
    (hop,) = route.hops
    assert (hop.mailbox_id, hop.tenant_id) == (cast.alice.mailbox.pk, cast.alice.tenant.pk)
    assert (hop.address, hop.tag, hop.is_over_quota) == ("alice@acme.test", "", False)
    assert not route.is_alias


@pytest.mark.parametrize(
    "written", ["ALICE@ACME.TEST", "Alice@acme.test.", '"alice"@acme.test', "<alice@Acme.Test>"]
)
def test_ignores_case_and_quotes(cast, written):
    assert leads_to(written) == [cast.alice.mailbox.pk]


def test_finds_internationalised_names(cast):
    make_domain(cast.alice.tenant, "xn--bcher-kva.test")
    box = make_mailbox(cast.alice.tenant, "jürgen@xn--bcher-kva.test")
    assert leads_to("JÜRGEN@BÜCHER.test") == [box.pk]
    assert leads_to("ju\u0308rgen@bücher.test") == [box.pk]


def test_takes_one_statement_for_a_mailbox(cast, django_assert_num_queries):
    addresses.route("alice@acme.test")
    # Plain SQL is not counted by Django; so none may come from the ORM, and the driver is asked once.
    asked = []
    before = addresses.find.__globals__["sql"].rows
    try:
        addresses.find.__globals__["sql"].rows = lambda *args: asked.append(args) or before(*args)
        with django_assert_num_queries(0):
            addresses.route("alice@acme.test")
    finally:
        addresses.find.__globals__["sql"].rows = before
    assert len(asked) == 1


def test_is_quick_enough_for_every_rcpt(cast):
    addresses.route("alice@acme.test")
    best = min(_seconds(200) for _ in range(5))
    assert best < (0.0002 if connection.vendor == "sqlite" else 0.002)


def _seconds(times: int) -> float:
    start = time.perf_counter()
    for _ in range(times):
        addresses.route("alice@acme.test")
    return (time.perf_counter() - start) / times


def test_reads_names_by_the_index_of_proven_names(cast):
    from mailcore.services.routing import _statement

    if connection.vendor == "sqlite":
        plan = connection.cursor().execute(
            "EXPLAIN QUERY PLAN " + _statement(2, 1), ["alice", "", "acme.test"]
        )
        text = " ".join(str(row) for row in plan.fetchall())
        assert "SCAN" not in text, text
        assert "domain_proven_once" in text


def test_strips_the_tag_when_the_whole_name_is_unknown(cast):
    (hop,) = addresses.route("alice+lists+x@acme.test").hops
    assert (hop.mailbox_id, hop.tag) == (cast.alice.mailbox.pk, "lists+x")
    exact = make_mailbox(cast.alice.tenant, "alice+own@acme.test")
    assert leads_to("alice+own@acme.test") == [exact.pk]
    with pytest.raises(NoSuchAddress):
        leads_to("+alice@acme.test")


def test_falls_back_on_the_catch_all(cast):
    addresses.add_to_mailbox(cast.bob.mailbox, "@acme.test", actor=None)
    assert leads_to("whatever@acme.test") == [cast.bob.mailbox.pk]
    assert leads_to("what+ever@acme.test") == [cast.bob.mailbox.pk]
    assert addresses.route("whatever@acme.test").hops[0].address == "whatever@acme.test"
    assert leads_to("alice+x@acme.test") == [cast.alice.mailbox.pk]


def test_refuses_unknown_names(cast):
    with pytest.raises(NoSuchAddress):
        leads_to("nobody@acme.test")


@pytest.mark.parametrize(
    "foreign", ["someone@example.org", "alice@sub.acme.test", "alice@acme.test.evil.test"]
)
def test_does_not_relay(cast, foreign):
    with pytest.raises(NotHere):
        leads_to(foreign)


@pytest.mark.parametrize("bad", ["", "alice", "@acme.test", "alice@[127.0.0.1]", "<@a.test:alice@acme.test>"])
def test_refuses_what_is_no_address(cast, bad):
    with pytest.raises(BadAddress):
        addresses.route(bad)


def test_percent_and_bang_are_only_letters_of_a_name(cast):
    for trick in ("someone%example.org@acme.test", "example.org!someone@acme.test"):
        with pytest.raises(NoSuchAddress):
            leads_to(trick)


def test_an_unproven_domain_is_not_ours(cast):
    make_domain(cast.bob.tenant, "pending.test", verified=False)
    make_mailbox(cast.bob.tenant, "x@pending.test")
    with pytest.raises(NotHere):
        leads_to("x@pending.test")


def test_a_claim_of_another_tenant_takes_no_mail(cast):
    make_domain(cast.charlie.tenant, "acme.test", verified=False)
    make_mailbox(cast.charlie.tenant, "alice@acme.test", owner=cast.charlie.user, kind="shared")
    assert leads_to("alice@acme.test") == [cast.alice.mailbox.pk]


def test_disabled_is_unknown_and_caught_by_nothing(cast):
    addresses.add_to_mailbox(cast.bob.mailbox, "@acme.test", actor=None)
    extra = addresses.add_to_mailbox(cast.alice.mailbox, "shop@acme.test", actor=None)
    addresses.disable(extra, actor=None)
    with pytest.raises(NoSuchAddress):
        leads_to("shop@acme.test")
    addresses.enable(extra, actor=None)
    assert leads_to("shop@acme.test") == [cast.alice.mailbox.pk]


def test_says_when_a_mailbox_is_suspended_closing_or_full(cast):
    box = cast.alice.mailbox
    mailboxes.suspend(box, actor=None)
    with pytest.raises(MailboxSuspended):
        leads_to("alice@acme.test")
    mailboxes.resume(box, actor=None)
    Mailbox.objects.filter(pk=box.pk).update(quota_messages=1)
    assert leads_to("alice@acme.test") == [box.pk]
    Mailbox.objects.filter(pk=box.pk).update(message_count=1)
    assert addresses.route("alice@acme.test").hops[0].is_over_quota
    Mailbox.objects.filter(pk=box.pk).update(message_count=0, used_octets=box.quota_octets)
    assert addresses.route("alice@acme.test").hops[0].is_over_quota
    with pytest.raises(OverQuota):
        leads_to("alice@acme.test")
    Mailbox.objects.filter(pk=box.pk).update(state=Mailbox.State.CLOSING)
    with pytest.raises(NoSuchAddress):
        leads_to("alice@acme.test")


def test_defers_for_a_suspended_tenant_or_domain(cast):
    tenants.suspend(cast.alice.tenant, actor=None)
    for name in ("alice", "nobody"):
        with pytest.raises(TenantSuspended):
            leads_to(f"{name}@acme.test")
    tenants.resume(cast.alice.tenant, actor=None)
    Domain.objects.filter(name="acme.test").update(state=Domain.State.SUSPENDED)
    with pytest.raises(TenantSuspended):
        leads_to("alice@acme.test")


def test_expands_an_alias_once_each(cast):
    alias("team@acme.test", "alice@acme.test", "BOB+x@acme.test", "out@example.org", tenant=cast.alice.tenant)
    alias("all@acme.test", "team@acme.test", "alice@acme.test", "Out@example.org", tenant=cast.alice.tenant)
    route = addresses.judge(addresses.route("all@acme.test"))
    assert {hop.mailbox_id for hop in route.hops} == {cast.alice.mailbox.pk, cast.bob.mailbox.pk}
    assert sorted(route.outside) == ["Out@example.org", "out@example.org"]
    assert route.is_alias
    assert addresses.route("all+tag@acme.test").kind == Kind.MAILBOXES


def test_an_alias_to_the_outside_alone_is_deliverable(cast):
    alias("away@acme.test", "me@example.org", tenant=cast.alice.tenant)
    route = addresses.judge(addresses.route("away@acme.test"))
    assert (route.hops, route.outside) == ((), ("me@example.org",))


def test_ends_in_loops_and_long_chains(cast):
    tenant = cast.alice.tenant
    alias("a@acme.test", "b@acme.test", tenant=tenant)
    alias("b@acme.test", "a@acme.test", tenant=tenant)
    with pytest.raises(Loop):
        leads_to("a@acme.test")
    b = Address.objects.get(local_part="b")
    addresses.set_targets(b, ["a@acme.test", "bob@acme.test"], actor=None)
    assert leads_to("a@acme.test") == [cast.bob.mailbox.pk]
    for number in range(limits.ALIAS_DEPTH + 5):
        alias(f"n{number}@acme.test", f"n{number + 1}@acme.test", tenant=tenant)
    with pytest.raises(Loop):
        leads_to("n0@acme.test")
    assert addresses.route(f"n{limits.ALIAS_DEPTH + 4}@acme.test").kind == Kind.UNKNOWN


def test_stops_at_the_most_targets_one_recipient_may_have(cast, monkeypatch):
    monkeypatch.setattr(limits, "ROUTE_TARGETS", 3)
    alias("many@acme.test", *[f"p{n}@example.org" for n in range(4)], tenant=cast.alice.tenant)
    with pytest.raises(Loop):
        leads_to("many@acme.test")


def test_a_broken_target_is_left_out_while_others_work(cast):
    alias("mixed@acme.test", "gone@acme.test", "bob@acme.test", tenant=cast.alice.tenant)
    assert leads_to("mixed@acme.test") == [cast.bob.mailbox.pk]
    alias("broken@acme.test", "gone@acme.test", tenant=cast.alice.tenant)
    with pytest.raises(NoSuchAddress):
        leads_to("broken@acme.test")
    AliasTarget.objects.create(address=Address.objects.get(local_part="broken"), target="no address")
    with pytest.raises(NoSuchAddress):
        leads_to("broken@acme.test")


def test_a_suspended_member_of_a_group_keeps_nobody_else_from_mail(cast):
    alias("team@acme.test", "alice@acme.test", "bob@acme.test", tenant=cast.alice.tenant)
    mailboxes.suspend(cast.bob.mailbox, actor=None)
    assert leads_to("team@acme.test") == [cast.alice.mailbox.pk]
    mailboxes.suspend(cast.alice.mailbox, actor=None)
    with pytest.raises(MailboxSuspended):
        leads_to("team@acme.test")


def test_a_full_member_of_a_group_is_still_a_hop(cast):
    alias("team@acme.test", "alice@acme.test", "bob@acme.test", tenant=cast.alice.tenant)
    Mailbox.objects.filter(pk=cast.bob.mailbox.pk).update(used_octets=1 << 50)
    hops = addresses.judge(addresses.route("team@acme.test")).hops
    assert [hop.is_over_quota for hop in hops] == [False, True]
    Mailbox.objects.filter(pk=cast.alice.mailbox.pk).update(used_octets=1 << 50)
    with pytest.raises(OverQuota):
        leads_to("team@acme.test")


def test_an_alias_may_lead_to_another_tenants_address(cast):
    alias("friend@acme.test", "charlie@charlie.test", tenant=cast.alice.tenant)
    (hop,) = addresses.route("friend@acme.test").hops
    assert hop.tenant_id == cast.charlie.tenant.pk


def test_maps_a_domain_that_stands_for_another(cast):
    second = make_domain(cast.alice.tenant, "acme.example")
    second.alias_of = cast.alice.domain
    second.save()
    assert leads_to("bob+x@acme.example") == [cast.bob.mailbox.pk]
    with pytest.raises(NoSuchAddress):
        leads_to("nobody@acme.example")
    # Never into another tenant's, whatever the row says.
    Domain.objects.filter(pk=second.pk).update(alias_of=cast.charlie.domain)
    with pytest.raises(NoSuchAddress):
        leads_to("charlie@acme.example")


@pytest.mark.parametrize("name", ["postmaster", "Abuse", "postmaster+x"])
def test_postmaster_and_abuse_lead_to_the_owners(cast, name):
    assert leads_to(f"{name}@acme.test") == [cast.alice.mailbox.pk]


def test_postmaster_can_be_somebody_elses_or_refused(cast):
    made = addresses.add_to_mailbox(cast.bob.mailbox, "postmaster@acme.test", actor=None)
    assert leads_to("postmaster@acme.test") == [cast.bob.mailbox.pk]
    addresses.disable(made, actor=None)
    with pytest.raises(NoSuchAddress):
        leads_to("postmaster@acme.test")


def test_an_owner_without_a_mailbox_gets_postmaster_outside():
    owner = make_user("owner@example.org")
    tenant = make_tenant("Third", owner=owner)
    make_domain(tenant, "third.test")
    route = addresses.judge(addresses.route("postmaster@third.test"))
    assert (route.hops, route.outside) == ((), ("owner@example.org",))
    make_domain(make_tenant("Nobody's"), "nobodys.test")
    with pytest.raises(NoSuchAddress):
        leads_to("postmaster@nobodys.test")


def test_the_services_own_postmaster_is_the_staff(cast, settings):
    settings.HOSTMAIL_HOSTNAME, settings.HOSTMAIL_SERVICE_DOMAIN = "Mail.Host.test", "zone.test"
    for name in ("postmaster@mail.host.test", "Abuse@zone.test"):
        with pytest.raises(NoSuchAddress):
            leads_to(name)
    User.objects.filter(pk=cast.bob.user.pk).update(is_staff=True)
    for name in ("postmaster@mail.host.test", "Abuse@zone.test"):
        assert leads_to(name) == [cast.bob.mailbox.pk]
    with pytest.raises(NotHere):
        leads_to("bob@mail.host.test")
    with pytest.raises(NotHere):
        leads_to("postmaster@elsewhere.test")
    User.objects.filter(pk=cast.bob.user.pk).update(is_active=False)
    with pytest.raises(NoSuchAddress):
        leads_to("postmaster@mail.host.test")


def test_an_organisation_with_the_services_name_has_its_postmaster(cast, settings):
    settings.HOSTMAIL_HOSTNAME = "acme.test"
    User.objects.filter(pk=cast.bob.user.pk).update(is_staff=True)
    assert leads_to("postmaster@acme.test") == [cast.alice.mailbox.pk]
