"""Mailboxes: made with their person and folders, changed, given to others, removed."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection

from mailcore import limits
from mailcore.errors import AlreadyExists, BadAddress, BadValue, Forbidden, MailError, NotAllowedNow, NotFound
from mailcore.models import (
    ALL_RIGHTS,
    Access,
    Address,
    AppPassword,
    AuditEntry,
    Folder,
    Mailbox,
    Membership,
    Rights,
    Subscription,
    User,
)
from mailcore.services import addresses, mailboxes
from tests.cast import PASSWORD, Cast, make_domain, make_mailbox, make_tenant, make_user
from tests.fakes import FakeClock, MemoryBell, MemoryWorker

pytestmark = pytest.mark.django_db


@pytest.fixture
def cast() -> Cast:
    return Cast()


def new(cast: Cast, address: str = "dora@acme.test", **fields) -> Mailbox:
    return mailboxes.create(cast.alice.tenant, address, **{"actor": None, **fields})


# --- Making --------------------------------------------------------------------------------------


def test_makes_the_person_the_address_the_access_and_the_folders(cast, settings):
    with FakeClock() as clock:
        box = new(cast, "Dora.Dean@ACME.test", name=" Dora ", password="pw")
    assert str(box.primary_address) == "dora.dean@acme.test"
    person = User.objects.get(email="dora.dean@acme.test")
    assert person.check_password("pw")
    assert Membership.objects.get(user=person).role == "member"
    access = Access.objects.get(mailbox=box)
    assert (access.user, access.rights, access.is_owner) == (person, ALL_RIGHTS, True)
    assert (box.name, box.quota_octets) == ("Dora", settings.HOSTMAIL_DEFAULT_QUOTA)
    folders = {folder.name: folder for folder in Folder.objects.filter(mailbox=box)}
    roles = {name: folder.role for name, folder in folders.items()}
    assert roles == {
        "INBOX": "inbox", "Drafts": "drafts", "Sent": "sent", "Junk": "junk", "Trash": "trash",
        "Archive": "archive",
    }  # fmt: skip
    assert set(Subscription.objects.filter(mailbox=box).values_list("name", flat=True)) == set(roles)
    validities = sorted(folder.uidvalidity for folder in folders.values())
    assert validities == [int(clock.time()) + number for number in range(6)]
    box.refresh_from_db()
    assert box.next_uidvalidity == int(clock.time()) + 6
    assert (
        AuditEntry.objects.get(verb="mailbox.create", object_name="dora.dean@acme.test").actor_name
        == "operator"
    )


def test_a_mailbox_made_again_repeats_no_uidvalidity(cast):
    with FakeClock() as clock:
        first = new(cast)
        old = set(Folder.objects.filter(mailbox=first).values_list("uidvalidity", flat=True))
        mailboxes.remove(first, actor=None)
        clock.advance(10)
        second = new(cast)
    assert old.isdisjoint(Folder.objects.filter(mailbox=second).values_list("uidvalidity", flat=True))


def test_refuses_bad_names_foreign_domains_and_what_is_taken(cast):
    for bad in ("dora", "@acme.test", "a b@acme.test", "dora@acme.test\r\n"):
        with pytest.raises(BadAddress):
            new(cast, bad)
    with pytest.raises(NotFound):
        new(cast, "dora@charlie.test")
    for taken in ("alice@acme.test", "ALICE@acme.test"):
        with pytest.raises(AlreadyExists):
            new(cast, taken)
    addresses.add_alias(cast.alice.tenant, "info@acme.test", ["alice@acme.test"], actor=None)
    with pytest.raises(AlreadyExists):
        new(cast, "info@acme.test")


@pytest.mark.parametrize("fields", [{"quota_octets": 0}, {"quota_octets": -1}, {"kind": "odd"}])
def test_refuses_values_that_make_no_sense(cast, fields):
    with pytest.raises(BadValue):
        new(cast, **fields)
    assert not User.objects.filter(email="dora@acme.test").exists()


def test_an_administrator_sets_good_passwords_only_the_operator_any(cast):
    for bad in ("short", "1234567890123", "x" * 2000, "", "a\nb"):
        with pytest.raises(BadValue):
            new(cast, password=bad, actor=cast.alice.user)
    for impossible in ("x" * 2000, "", "a\0b", "\ud800"):
        with pytest.raises(BadValue):
            new(cast, password=impossible)
    new(cast, password="pw")


def test_gives_a_mailbox_to_a_member_who_has_none(cast):
    owner = make_user("erin@example.org")
    box = new(cast, "erin@acme.test", owner=owner)
    assert mailboxes.owner_of(box) == owner
    assert not User.objects.filter(email="erin@acme.test").exists()
    with pytest.raises(BadValue):
        new(cast, "erin2@acme.test", owner=owner, password="another password")


def test_an_owner_who_signs_in_with_that_name_already_gets_it():
    owner = make_user("olga@own.test")
    tenant = make_tenant("Own", owner=owner)
    make_domain(tenant, "own.test")
    box = mailboxes.create(tenant, "olga@own.test", actor=owner)
    assert mailboxes.owner_of(box) == owner
    assert Membership.objects.get(user=owner).role == "owner"


def test_only_the_operator_or_the_person_changes_an_existing_password(cast):
    tenant = cast.alice.tenant
    member = make_user("dora@acme.test")
    Membership.objects.create(tenant=tenant, user=member)
    with pytest.raises(AlreadyExists):
        new(cast, password="a new and long one", actor=cast.alice.user)
    member.refresh_from_db()
    assert member.check_password(PASSWORD)
    new(cast, password="set by the operator")
    member.refresh_from_db()
    assert member.check_password("set by the operator")
    assert member.login_version == 1


def test_a_stranger_with_that_name_is_not_taken_over(cast):
    stranger = make_user("dora@acme.test")
    with pytest.raises(AlreadyExists):
        new(cast, password="mine now, long enough")
    assert not Access.objects.filter(user=stranger).exists()


def test_who_got_the_name_from_an_unproven_claim_loses_it_to_the_real_owner(cast):
    thief = make_tenant("Thief")
    make_domain(thief, "acme.test", verified=False)
    theirs = make_mailbox(thief, "dora@acme.test")
    squatter = mailboxes.owner_of(theirs)
    box = new(cast, password="the real one")
    assert mailboxes.owner_of(box) != squatter
    squatter.refresh_from_db()
    assert squatter.email.endswith(".invalid")
    assert not Access.objects.filter(mailbox=box, user=squatter).exists()


def test_a_shared_mailbox_has_no_owner(cast):
    box = new(cast, "office@acme.test", kind="shared")
    assert mailboxes.owner_of(box) is None
    assert not User.objects.filter(email="office@acme.test").exists()
    with pytest.raises(NotAllowedNow):
        mailboxes.set_password(box, "whatever it may be", actor=None)


@pytest.mark.django_db(transaction=True)
def test_of_two_at_once_one_gets_the_mailbox(cast):
    def make(_: int) -> str:
        try:
            new(cast, "race@acme.test", password="pw")
        except AlreadyExists:
            return "taken"
        finally:
            connection.close()
        return "made"

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(make, range(4))) == ["made", "taken", "taken", "taken"]
    assert Mailbox.objects.filter(addresses__local_part="race").count() == 1
    assert User.objects.filter(email="race@acme.test").count() == 1


def test_makes_many_and_says_which_could_not_be(cast):
    wanted = [mailboxes.New(f"m{number}@acme.test", "pw") for number in range(20)]
    wanted[3] = mailboxes.New("alice@acme.test", "pw")
    wanted[11] = mailboxes.New("not an address", "pw")
    wanted[12] = mailboxes.New("x@elsewhere.test", "pw")
    wanted[13] = mailboxes.New("m13@acme.test", "pw", quota_octets=-5)
    results = mailboxes.create_many(cast.alice.tenant, wanted, actor=None)
    assert [type(result).__name__ for result in results if isinstance(result, MailError)] == [
        "AlreadyExists", "BadAddress", "NotFound", "BadValue",
    ]  # fmt: skip
    made = [result for result in results if isinstance(result, Mailbox)]
    assert [str(box.primary_address) for box in made[:4]] == [f"m{n}@acme.test" for n in (0, 1, 2, 4)]
    assert User.objects.get(email="m19@acme.test").check_password("pw")


# --- Changing ------------------------------------------------------------------------------------


def test_changes_quota_name_and_preferences(cast):
    box = cast.alice.mailbox
    mailboxes.set_quota(box, 123, actor=cast.alice.user)
    mailboxes.rename(box, "Alice A.", actor=cast.alice.user)
    mailboxes.set_preferences(box, signature="-- \nA", file_sent_smtp=True, actor=cast.alice.user)
    kept = Mailbox.objects.get(pk=box.pk)
    assert (kept.quota_octets, kept.name, kept.signature) == (123, "Alice A.", "-- \nA")
    assert (kept.file_sent_smtp, kept.file_sent_api) == (True, False)
    with pytest.raises(BadValue):
        mailboxes.set_quota(box, 0, actor=None)
    with pytest.raises(BadValue):
        mailboxes.set_message_limit(box, 0, actor=None)
    with pytest.raises(BadValue):
        mailboxes.set_preferences(box, signature="x" * (limits.SIGNATURE_CHARS + 1), actor=None)


def test_a_suspension_rings_and_can_end(cast, django_capture_on_commit_callbacks):
    box = cast.alice.mailbox
    with MemoryBell() as bell, django_capture_on_commit_callbacks(execute=True):
        mailboxes.suspend(box, "unpaid", actor=None)
    assert f"mailbox:{box.pk}" in bell.rung
    assert (box.state, box.suspended_because) == ("suspended", "unpaid")
    mailboxes.resume(box, actor=None)
    assert (box.state, box.suspended_because) == ("active", "")


def test_removing_frees_the_names_and_forgets_who_was_only_this(cast, django_capture_on_commit_callbacks):
    box = new(cast, password="pw")
    addresses.add_to_mailbox(box, "d@acme.test", actor=None)
    with MemoryWorker() as woken, django_capture_on_commit_callbacks(execute=True):
        mailboxes.remove(box, actor=cast.alice.user)
    assert ("mailcore.tasks.close_mailboxes", ()) in woken.woken
    assert not Address.objects.filter(local_part__in=["dora", "d"]).exists()
    assert not User.objects.filter(email="dora@acme.test").exists()
    box.refresh_from_db()
    assert box.state == "closing"
    with pytest.raises(NotAllowedNow):
        mailboxes.resume(box, actor=None)
    new(cast, password="pw")


def test_removing_keeps_people_who_are_more_than_this_mailbox(cast):
    mailboxes.remove(cast.alice.mailbox, actor=None)
    assert User.objects.filter(pk=cast.alice.user.pk).exists()
    assert Membership.objects.filter(user=cast.alice.user, role="owner").exists()
    shared = make_mailbox(cast.alice.tenant, "office@acme.test", kind="shared")
    mailboxes.grant(shared, cast.bob.user, Rights.READ, actor=None)
    mailboxes.remove(cast.bob.mailbox, actor=None)
    assert User.objects.filter(pk=cast.bob.user.pk).exists()


# --- Access --------------------------------------------------------------------------------------


def test_gives_and_takes_access_among_members_only(cast):
    shared = make_mailbox(cast.alice.tenant, "office@acme.test", kind="shared")
    mailboxes.grant(shared, cast.bob.user, Rights.READ, actor=cast.alice.user)
    assert list(Mailbox.objects.readable_by(cast.bob.user)) == [cast.bob.mailbox, shared]
    made, _ = mailboxes.add_app_password(cast.bob.user, shared, "phone")
    mailboxes.revoke(shared, cast.bob.user, actor=cast.alice.user)
    assert list(Mailbox.objects.readable_by(cast.bob.user)) == [cast.bob.mailbox]
    assert AppPassword.objects.get(pk=made.pk).revoked_at is not None
    with pytest.raises(NotAllowedNow):
        mailboxes.grant(shared, cast.charlie.user, Rights.READ, actor=cast.alice.user)
    for bad in (0, Rights.WRITE.value, 64, -1):
        with pytest.raises(BadValue):
            mailboxes.grant(shared, cast.bob.user, bad, actor=None)


def test_the_owners_access_stays(cast):
    with pytest.raises(NotAllowedNow):
        mailboxes.revoke(cast.alice.mailbox, cast.alice.user, actor=None)
    with pytest.raises(NotAllowedNow):
        mailboxes.grant(cast.alice.mailbox, cast.alice.user, Rights.READ, actor=None)


def test_nobody_gains_by_setting_another_persons_password(cast):
    good = "a new and long one"
    tenant, owner = cast.alice.tenant, cast.alice.user
    admin = make_user("admin@acme.test")
    Membership.objects.create(tenant=tenant, user=admin, role="admin")
    mailboxes.set_password(cast.bob.mailbox, good, actor=admin)
    with pytest.raises(Forbidden):
        mailboxes.set_password(cast.alice.mailbox, good, actor=admin)
    # Whoever belongs to another organisation too, or to the staff, keeps their own.
    elsewhere = Membership.objects.create(tenant=cast.charlie.tenant, user=cast.bob.user)
    for actor in (admin, owner):
        with pytest.raises(Forbidden):
            mailboxes.set_password(cast.bob.mailbox, good, actor=actor)
    elsewhere.delete()
    User.objects.filter(pk=cast.bob.user.pk).update(is_staff=True)
    with pytest.raises(Forbidden):
        mailboxes.set_password(cast.bob.mailbox, good, actor=owner)
    mailboxes.set_password(cast.bob.mailbox, good, actor=None)
    mailboxes.set_password(cast.alice.mailbox, good, actor=owner)


def test_an_app_password_is_shown_once_and_kept_as_a_hash(cast):
    made, secret = mailboxes.add_app_password(cast.bob.user, cast.bob.mailbox, " Phone ")
    assert made.name == "Phone"
    assert [len(part) for part in secret.split("-")] == [5, 5, 5, 5]
    assert secret.replace("-", "") not in str(vars(made))
    with pytest.raises(NotAllowedNow):
        mailboxes.add_app_password(cast.charlie.user, cast.bob.mailbox, "mine")
    with pytest.raises(BadValue):
        mailboxes.add_app_password(cast.bob.user, cast.bob.mailbox, " ")


def test_has_a_limit_of_app_passwords(cast, monkeypatch):
    monkeypatch.setattr(limits, "APP_PASSWORDS", 1)
    made, _ = mailboxes.add_app_password(cast.bob.user, cast.bob.mailbox, "one")
    with pytest.raises(NotAllowedNow):
        mailboxes.add_app_password(cast.bob.user, cast.bob.mailbox, "two")
    mailboxes.revoke_app_password(made, actor=cast.bob.user)
    mailboxes.add_app_password(cast.bob.user, cast.bob.mailbox, "two")
