import pytest

from mailcore import limits
from mailcore.errors import (
    BadFolderName,
    FolderExists,
    Forbidden,
    NoSuchFolder,
    NotAllowedNow,
    NotFound,
)
from mailcore.models import EVERY_RIGHT, Folder, FolderRight, MailboxGroup, Right, Rights
from mailcore.services import closing, folders, mailboxes, sharing, tenants
from mailcore.services.rights import from_letters, letters, of_mailbox
from mailcore.services.sharing import Who
from tests.cast import Cast, make_mailbox, make_person

ALICE, BOB = "Other Users/alice@acme.test", "Other Users/bob@acme.test"


@pytest.fixture
def cast(db, data_dir) -> Cast:
    return Cast()


def who(person, most=EVERY_RIGHT) -> Who:
    return Who(person.mailbox.pk, person.user.pk, person.tenant.pk, most)


def share(owner, folder, identifier, rights, mode=""):
    found = sharing.find(who(owner), folder)
    sharing.give(found, identifier, from_letters(rights), mode=mode, actor=owner.user)


def rights(person, name) -> str:
    return letters(sharing.find(who(person), name).rights)


def names(person) -> list[str]:
    return [one.state.name for one in sharing.reachable(who(person))]


def test_nobody_reaches_what_was_not_given(cast):
    folders.create(cast.alice.mailbox.pk, "Plans")
    for person in (cast.bob, cast.charlie):
        assert names(person) == []
        for name in (
            f"{ALICE}/INBOX",
            f"{ALICE}/Plans",
            f"{ALICE}/No",
            ALICE,
            "Other Users/no@acme.test/INBOX",
        ):
            with pytest.raises(NoSuchFolder) as refused:
                sharing.find(who(person), name)
            assert str(refused.value) == "No such folder"


def test_a_folder_is_shared_with_a_mailbox(cast):
    share(cast.alice, "INBOX", "bob@acme.test", "lr")
    found = sharing.find(who(cast.bob), f"{ALICE}/inbox")
    assert (found.state.name, found.state.role, found.is_own) == (f"{ALICE}/INBOX", "", False)
    assert names(cast.bob) == [f"{ALICE}/INBOX"]
    assert rights(cast.bob, "Other Users/ALICE@acme.test/INBOX") == "lr"
    share(cast.alice, "INBOX", "bob@acme.test", "st", "+")
    assert rights(cast.bob, f"{ALICE}/INBOX") == "lrstd"
    share(cast.alice, "INBOX", "bob@acme.test", "rd", "-")
    assert rights(cast.bob, f"{ALICE}/INBOX") == "ls"
    share(cast.alice, "INBOX", "bob@acme.test", "")
    assert names(cast.bob) == []
    assert not FolderRight.objects.exists()


def test_rights_by_several_ways_add_up(cast):
    carol = make_person(cast.alice.tenant, cast.alice.domain, "carol")
    group = MailboxGroup.objects.create(tenant=cast.alice.tenant, name="Sales")
    group.members.add(cast.bob.mailbox)
    share(cast.alice, "INBOX", "bob@acme.test", "l")
    share(cast.alice, "INBOX", "$sales", "r")
    share(cast.alice, "INBOX", "anyone", "li")
    assert rights(cast.bob, f"{ALICE}/INBOX") == "lri"
    assert rights(carol, f"{ALICE}/INBOX") == "li"
    assert names(cast.charlie) == []
    shown = [
        (entry.identifier, letters(entry.rights))
        for entry in sharing.entries(sharing.find(who(cast.alice), "INBOX"))
    ]
    assert shown == [
        ("alice@acme.test", "lrswipkxteacd"), ("$Sales", "r"), ("bob@acme.test", "l"), ("anyone", "li"),
    ]  # fmt: skip


def test_another_tenant_is_never_meant(cast):
    other = MailboxGroup.objects.create(tenant=cast.charlie.tenant, name="Spies")
    other.members.add(cast.bob.mailbox)
    for identifier in (
        "charlie@charlie.test",
        "$Spies",
        "$no",
        "no@acme.test",
        "alice",
        "-bob@acme.test",
        "",
    ):
        with pytest.raises(NotFound):
            share(cast.alice, "INBOX", identifier, "lr")
    # Not even by a row that should never have been.
    FolderRight.objects.create(
        tenant_id=cast.alice.tenant.pk, mailbox=cast.alice.mailbox, grantee=cast.charlie.mailbox,
        folder_id=folders.find(cast.alice.mailbox.pk, "INBOX").folder_id, rights=EVERY_RIGHT,
    )  # fmt: skip
    assert names(cast.charlie) == []


def test_the_owner_keeps_all_rights(cast):
    with pytest.raises(NotAllowedNow):
        share(cast.alice, "INBOX", "alice@acme.test", "l")


def test_only_who_administers_gives_rights(cast):
    make_person(cast.alice.tenant, cast.alice.domain, "carol")
    share(cast.alice, "INBOX", "bob@acme.test", "lrswipkxte")
    with pytest.raises(Forbidden):
        share(cast.bob, f"{ALICE}/INBOX", "carol@acme.test", "lr")
    share(cast.alice, "INBOX", "bob@acme.test", "rswipkxte")
    with pytest.raises(NoSuchFolder):
        share(cast.bob, f"{ALICE}/INBOX", "carol@acme.test", "lr")
    share(cast.alice, "INBOX", "bob@acme.test", "a")
    share(cast.bob, f"{ALICE}/INBOX", "carol@acme.test", "lr")
    assert FolderRight.objects.count() == 2


def test_a_folder_has_so_many_entries(cast, monkeypatch):
    monkeypatch.setattr(limits, "FOLDER_RIGHTS", 1)
    share(cast.alice, "INBOX", "anyone", "l")
    share(cast.alice, "INBOX", "anyone", "lr")
    with pytest.raises(NotAllowedNow):
        share(cast.alice, "INBOX", "bob@acme.test", "l")


def test_the_login_limits_what_is_reached(cast):
    share(cast.alice, "INBOX", "bob@acme.test", "lrswipkxtea")
    reader = who(cast.bob, of_mailbox(Rights.READ))
    assert letters(sharing.find(reader, f"{ALICE}/INBOX").rights) == "lr"
    assert letters(sharing.find(reader, "INBOX").rights) == "lr"
    with pytest.raises(Forbidden):
        sharing.create(reader, "Mine")


def test_a_rename_keeps_and_a_deletion_takes_rights(cast):
    box = cast.alice.mailbox.pk
    folders.create(box, "Plans")
    share(cast.alice, "Plans", "bob@acme.test", "lr")
    folders.rename(box, "Plans", "Old/Plans")
    assert names(cast.bob) == [f"{ALICE}/Old/Plans"]
    folders.delete(box, "Old/Plans")
    assert names(cast.bob) == []
    assert not FolderRight.objects.exists()


def test_a_new_folder_is_shared_as_the_one_above(cast):
    box = cast.alice.mailbox.pk
    folders.create(box, "Plans")
    share(cast.alice, "Plans", "bob@acme.test", "lr")
    folders.create(box, "Plans/2027/May")
    assert rights(cast.bob, f"{ALICE}/Plans/2027/May") == "lr"
    share(cast.alice, "Plans/2027/May", "bob@acme.test", "i", "+")
    assert rights(cast.bob, f"{ALICE}/Plans") == "lr"


def test_makes_folders_below_those_of_others(cast):
    box = cast.alice.mailbox.pk
    folders.create(box, "Plans")
    share(cast.alice, "Plans", "bob@acme.test", "lr")
    for name in (f"{ALICE}/Plans/New", f"{ALICE}/New", "Other Users/no@acme.test/New", ALICE, f"{ALICE}/"):
        with pytest.raises(Forbidden):
            sharing.create(who(cast.bob), name)
    share(cast.alice, "Plans", "bob@acme.test", "k", "+")
    sharing.create(who(cast.bob), f"{ALICE}/Plans/New")
    assert folders.find(box, "Plans/New")
    with pytest.raises(FolderExists):
        sharing.create(who(cast.bob), f"{ALICE}/Plans/New")
    with pytest.raises(Forbidden):
        sharing.create(who(cast.bob), f"{ALICE}/New")
    with pytest.raises(Forbidden):
        sharing.create(who(cast.bob), f"{ALICE}/Plans/Sent", role="archive")


def test_renames_folders_of_others(cast):
    box, bob = cast.alice.mailbox.pk, who(cast.bob)
    for name in ("Plans", "Plans/Old", "Attic"):
        folders.create(box, name)
    share(cast.alice, "Plans", "bob@acme.test", "lrx")
    for new in (f"{ALICE}/Plans2", f"{ALICE}/Attic/Plans", "Mine", f"{BOB}/Plans"):
        with pytest.raises(Forbidden):
            sharing.rename(bob, f"{ALICE}/Plans", new)
    share(cast.alice, "Attic", "bob@acme.test", "lk")
    with pytest.raises(Forbidden):  # not all that moves
        sharing.rename(bob, f"{ALICE}/Plans", f"{ALICE}/Attic/Plans")
    share(cast.alice, "Plans/Old", "bob@acme.test", "x")
    sharing.rename(bob, f"{ALICE}/Plans", f"{ALICE}/Attic/Plans")
    assert folders.find(box, "Attic/Plans/Old")
    share(cast.alice, "INBOX", "bob@acme.test", "lrswipkxtea")
    with pytest.raises(Forbidden):
        sharing.rename(bob, f"{ALICE}/INBOX", f"{ALICE}/Attic/In")
    with pytest.raises(Forbidden):
        sharing.rename(bob, "INBOX", f"{ALICE}/Attic/In")


def test_deletes_folders_of_others(cast):
    folders.create(cast.alice.mailbox.pk, "Plans")
    share(cast.alice, "Plans", "bob@acme.test", "lrswipkte")
    with pytest.raises(Forbidden):
        sharing.delete(who(cast.bob), f"{ALICE}/Plans")
    share(cast.alice, "Plans", "bob@acme.test", "x", "+")
    sharing.delete(who(cast.bob), f"{ALICE}/Plans")
    with pytest.raises(NoSuchFolder):
        folders.find(cast.alice.mailbox.pk, "Plans")


def test_a_person_finds_the_mailboxes_they_were_given(cast):
    info = make_mailbox(cast.alice.tenant, "info@acme.test", kind="shared")
    mailboxes.grant(info, cast.bob.user, Rights.READ, actor=None)
    assert rights(cast.bob, "Shared/info@acme.test/INBOX") == "lr"
    mailboxes.grant(info, cast.bob.user, Rights.READ | Rights.WRITE, actor=None)
    assert rights(cast.bob, "Shared/info@acme.test/INBOX") == "lrswipkxtecd"
    sharing.create(who(cast.bob), "Shared/info@acme.test/Orders")
    mailboxes.grant(info, cast.bob.user, Rights.READ | Rights.ADMINISTER, actor=None)
    assert rights(cast.bob, "Shared/info@acme.test/INBOX") == "lra"
    assert "Shared/info@acme.test/Sent" in names(cast.bob)
    assert names(cast.alice) == []
    mailboxes.revoke(info, cast.bob.user, actor=None)
    assert names(cast.bob) == []


def test_who_is_suspended_or_gone_is_not_there(cast):
    share(cast.alice, "INBOX", "bob@acme.test", "lr")
    mailboxes.suspend(cast.alice.mailbox, actor=None)
    assert names(cast.bob) == []
    mailboxes.resume(cast.alice.mailbox, actor=None)
    tenants.suspend(cast.alice.tenant, actor=None)
    assert names(cast.bob) == []
    tenants.resume(cast.alice.tenant, actor=None)
    assert names(cast.bob) == [f"{ALICE}/INBOX"]
    share(cast.bob, "INBOX", "alice@acme.test", "lr")
    group = MailboxGroup.objects.create(tenant=cast.alice.tenant, name="Sales")
    group.members.add(cast.alice.mailbox)
    mailboxes.remove(cast.alice.mailbox, actor=None)
    assert names(cast.bob) == []
    assert not FolderRight.objects.filter(grantee=cast.alice.mailbox).exists()
    assert FolderRight.objects.exists()
    closing.finish()
    assert not FolderRight.objects.exists()
    assert not group.members.exists()


def test_own_folders_are_not_made_where_those_of_others_stand(cast):
    box = cast.bob.mailbox.pk
    folders.create(box, "Mine")
    folders.create(box, "Shared/Projects")
    for name in (f"{ALICE}/Fake", "Shared/x@acme.test"):
        with pytest.raises(BadFolderName):
            folders.create(box, name)
        with pytest.raises(BadFolderName):
            folders.rename(box, "Mine", name)
    assert sharing.find(who(cast.bob), "Shared/Projects").is_own


def test_a_folder_of_such_a_name_from_before_can_be_reached(cast):
    box = cast.bob.mailbox.pk
    folders.create(box, "Mine")
    Folder.objects.filter(mailbox_id=box, name="Mine").update(name=f"{ALICE}/Plans")
    assert sharing.find(who(cast.bob), f"{ALICE}/Plans").is_own
    sharing.rename(who(cast.bob), f"{ALICE}/Plans", "Mine")
    assert sharing.find(who(cast.bob), "Mine").is_own


def test_tells_what_an_entry_is(cast):
    share(cast.alice, "INBOX", "anyone", "l")
    assert str(FolderRight.objects.get()).endswith(": anyone")
    assert Right.LOOKUP in sharing.find(who(cast.bob), f"{ALICE}/INBOX").rights
