"""Tenants: made, suspended, removed; members and invitations."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection

from mailcore import limits
from mailcore.errors import AlreadyExists, BadAddress, BadValue, Forbidden, NotAllowedNow, NotFound
from mailcore.models import AuditEntry, Domain, Invitation, Membership, Role, Tenant, User
from mailcore.services import mailboxes, tenants, users
from tests.cast import PASSWORD, Cast, make_tenant, make_user
from tests.fakes import FakeClock, MemoryBell, MemoryWorker

pytestmark = pytest.mark.django_db


@pytest.fixture
def cast() -> Cast:
    return Cast()


def role_of(user: User, tenant: Tenant) -> Membership:
    return Membership.objects.get(user=user, tenant=tenant)


def test_finds_a_free_short_name():
    names = ("Müller & Söhne", "muller sohne", "MULLER/SOHNE", "株式会社")
    slugs = [make_tenant(name).slug for name in names]
    assert slugs == ["muller-sohne", "muller-sohne-2", "muller-sohne-3", "tenant"]
    assert make_tenant("X", slug="x1").slug == "x1"
    with pytest.raises(AlreadyExists):
        make_tenant("Y", slug="x1")
    for bad in ("", "-a", "A", "a_b", "x" * 64, "a b"):
        with pytest.raises(BadValue):
            make_tenant("Z", slug=bad)


@pytest.mark.parametrize("name", ["", "  ", "x" * (limits.NAME_CHARS + 1), "a\x00b", "a\u202eb"])
def test_refuses_names_that_cannot_be_shown(name):
    with pytest.raises(BadValue):
        make_tenant(name)


def test_renames_and_says_so(cast):
    tenants.rename(cast.alice.tenant, " New  Name ", actor=cast.alice.user)
    assert Tenant.objects.get(pk=cast.alice.tenant.pk).name == "New Name"
    assert AuditEntry.objects.get(verb="tenant.rename").data == {"to": "New Name"}


def test_a_suspension_rings_every_mailbox(cast, django_capture_on_commit_callbacks):
    with MemoryBell() as bell, MemoryWorker() as woken:
        with django_capture_on_commit_callbacks(execute=True):
            tenants.suspend(cast.alice.tenant, "unpaid", actor=None)
        assert {f"mailbox:{person.mailbox.pk}" for person in (cast.alice, cast.bob)} == set(bell.rung)
        with django_capture_on_commit_callbacks(execute=True):
            tenants.resume(cast.alice.tenant, actor=None)
    assert ("mailcore.tasks.run_queue", ()) in woken.woken
    assert cast.alice.tenant.state == "active"


def test_removing_closes_at_once_and_frees_the_names(cast):
    tenant = cast.alice.tenant
    tenants.remove(tenant, actor=cast.stella)
    assert not Tenant.objects.visible_to(cast.alice.user).exists()
    assert not Domain.objects.filter(name="acme.test").exists()
    assert not Membership.objects.filter(tenant=tenant).exists()
    assert User.objects.filter(pk=cast.alice.user.pk).exists()  # owners are people of their own
    assert not User.objects.filter(pk=cast.bob.user.pk).exists()
    assert make_tenant("Acme", slug="acme")
    with pytest.raises(NotAllowedNow):
        tenants.resume(tenant, actor=None)
    entry = AuditEntry.objects.get(verb="tenant.remove")
    assert (entry.tenant, entry.object_name) == (None, "Acme (acme)")


# --- Members -------------------------------------------------------------------------------------


def test_an_invitation_makes_a_member_once(cast):
    dora = make_user("dora@example.org")
    invitation, token = tenants.invite(
        cast.alice.tenant, "Dora@Example.org", Role.ADMIN, actor=cast.alice.user
    )
    assert token not in str(vars(invitation))
    assert tenants.find_invitation(token) == invitation
    membership = tenants.accept_invitation(token, dora)
    assert (membership.tenant, membership.role) == (cast.alice.tenant, "admin")
    for again in (token, "", "x", "x" * 10_000):
        with pytest.raises(NotFound):
            tenants.accept_invitation(again, cast.charlie.user)
    with pytest.raises(AlreadyExists):
        tenants.invite(cast.alice.tenant, "dora@example.org", Role.MEMBER, actor=cast.alice.user)


def test_an_invitation_expires_is_renewed_and_withdrawn(cast):
    with FakeClock() as clock:
        _, first = tenants.invite(cast.alice.tenant, "d@example.org", Role.MEMBER, actor=cast.alice.user)
        clock.advance(limits.INVITATION_SECONDS + 1)
        with pytest.raises(NotFound):
            tenants.find_invitation(first)
        invitation, second = tenants.invite(cast.alice.tenant, "d@example.org", Role.ADMIN, actor=None)
        assert Invitation.objects.count() == 1
        with pytest.raises(NotFound):
            tenants.find_invitation(first)
        assert tenants.find_invitation(second).role == "admin"
        tenants.withdraw_invitation(invitation, actor=cast.alice.user)
        with pytest.raises(NotFound):
            tenants.find_invitation(second)
    with pytest.raises(BadAddress):
        tenants.invite(cast.alice.tenant, "nobody", Role.MEMBER, actor=None)
    with pytest.raises(BadValue):
        tenants.invite(cast.alice.tenant, "d@example.org", "king", actor=None)


def test_accepting_as_a_member_keeps_the_role_one_has(cast):
    _, token = tenants.invite(cast.alice.tenant, "else@example.org", Role.MEMBER, actor=cast.alice.user)
    assert tenants.accept_invitation(token, cast.alice.user).role == "owner"


def test_only_an_owner_decides_about_owners(cast):
    admin = make_user("admin@example.org")
    tenants.add_member(cast.alice.tenant, admin, Role.ADMIN, actor=cast.alice.user)
    with pytest.raises(Forbidden):
        tenants.invite(cast.alice.tenant, "x@example.org", Role.OWNER, actor=admin)
    with pytest.raises(Forbidden):
        tenants.set_role(role_of(admin, cast.alice.tenant), Role.OWNER, actor=admin)
    with pytest.raises(Forbidden):
        tenants.set_role(role_of(cast.alice.user, cast.alice.tenant), Role.MEMBER, actor=admin)
    with pytest.raises(Forbidden):
        tenants.remove_member(role_of(cast.alice.user, cast.alice.tenant), actor=admin)
    with pytest.raises(Forbidden):
        tenants.add_member(cast.alice.tenant, cast.stella, Role.OWNER, actor=cast.charlie.user)
    tenants.set_role(role_of(admin, cast.alice.tenant), Role.OWNER, actor=cast.alice.user)
    assert role_of(admin, cast.alice.tenant).role == "owner"


def test_the_last_owner_can_be_neither_demoted_nor_removed(cast):
    membership = role_of(cast.charlie.user, cast.charlie.tenant)
    mailboxes.remove(cast.charlie.mailbox, actor=None)
    for actor in (None, cast.charlie.user, cast.stella):
        with pytest.raises(NotAllowedNow):
            tenants.set_role(membership, Role.ADMIN, actor=actor)
        with pytest.raises(NotAllowedNow):
            tenants.remove_member(membership, actor=actor)
    second = make_user("second@example.org")
    tenants.add_member(cast.charlie.tenant, second, Role.OWNER, actor=None)
    User.objects.filter(pk=second.pk).update(is_active=False)
    with pytest.raises(NotAllowedNow):  # one who cannot sign in is no owner to count on
        tenants.remove_member(membership, actor=None)
    User.objects.filter(pk=second.pk).update(is_active=True)
    tenants.remove_member(membership, actor=cast.charlie.user)
    assert not Membership.objects.filter(user=cast.charlie.user).exists()


def test_who_leaves_loses_access_and_tokens_but_not_a_mailbox_of_their_own(cast):
    with pytest.raises(NotAllowedNow):
        tenants.remove_member(role_of(cast.bob.user, cast.alice.tenant), actor=cast.alice.user)
    dora = make_user("dora@example.org")
    membership = tenants.add_member(cast.alice.tenant, dora, Role.MEMBER, actor=None)
    mailboxes.grant(cast.bob.mailbox, dora, 1, actor=None)
    _, secret = users.issue_token(dora, "t", tenant=cast.alice.tenant, actor=None)
    _, elsewhere = users.issue_token(dora, "t", actor=None)
    tenants.remove_member(membership, actor=cast.alice.user)
    assert not dora.accesses.exists()
    assert users.authenticate_token(secret) is None
    assert users.authenticate_token(elsewhere)
    with pytest.raises(AlreadyExists):
        tenants.add_member(cast.alice.tenant, cast.bob.user, Role.MEMBER, actor=None)


@pytest.mark.django_db(transaction=True)
def test_of_two_owners_who_leave_at_once_one_stays(cast):
    dora = make_user("dora@example.org")
    tenant = make_tenant("Two", owner=dora)
    erin = make_user("erin@example.org")
    tenants.add_member(tenant, erin, Role.OWNER, actor=None)

    def leave(user: User) -> str:
        try:
            tenants.remove_member(role_of(user, tenant), actor=user)
        except NotAllowedNow:
            return "stays"
        finally:
            connection.close()
        return "left"

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(leave, [dora, erin])) == ["left", "stays"]
    assert Membership.objects.filter(tenant=tenant, role="owner").count() == 1


def test_lets_an_invited_person_without_an_account_join(cast):
    _invitation, token = tenants.invite(cast.alice.tenant, "eve@outside.test", "admin", actor=cast.alice.user)
    with pytest.raises(BadValue):
        tenants.join(token, "Eve", "short")
    membership, person = tenants.join(token, "Eve", PASSWORD)
    assert (membership.role, membership.tenant, person.name) == ("admin", cast.alice.tenant, "Eve")
    assert person.check_password(PASSWORD)
    with pytest.raises(NotFound):
        tenants.join(token, "Eve", PASSWORD)


def test_lets_nobody_join_as_somebody_who_has_an_account(cast):
    _invitation, token = tenants.invite(cast.alice.tenant, cast.charlie.address, "admin", actor=None)
    with pytest.raises(AlreadyExists):
        tenants.join(token, "Not Charlie", "another long password")
    assert User.objects.get(pk=cast.charlie.user.pk).check_password(PASSWORD)
    assert not Membership.objects.filter(tenant=cast.alice.tenant, user=cast.charlie.user).exists()
    tenants.accept_invitation(token, cast.charlie.user)  # it is still good


def test_sets_how_long_things_are_kept(cast):
    tenant = cast.alice.tenant
    tenants.set_retention(tenant, retention_days=0, event_days=7, actor=cast.alice.user)
    tenant.refresh_from_db()
    assert (tenant.retention_days, tenant.event_days) == (0, 7)
    assert AuditEntry.objects.filter(verb="tenant.retention", tenant=tenant).exists()
    for days, events in ((-1, 7), (7, 0), (limits.RETENTION_DAYS + 1, 7), (7, limits.RETENTION_DAYS + 1)):
        with pytest.raises(BadValue):
            tenants.set_retention(tenant, retention_days=days, event_days=events, actor=None)
