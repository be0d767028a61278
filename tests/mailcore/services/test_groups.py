import pytest

from mailcore import limits
from mailcore.errors import AlreadyExists, BadValue, NotAllowedNow, NotFound
from mailcore.models import FolderRight, MailboxGroup, Right
from mailcore.services import groups, mailboxes, sharing
from mailcore.services.sharing import Who
from tests.cast import Cast


@pytest.fixture
def cast(db, data_dir) -> Cast:
    return Cast()


def who(person) -> Who:
    return Who(person.mailbox.pk, person.user.pk, person.tenant.pk)


def test_a_group_is_made_changed_and_removed(cast):
    tenant = cast.alice.tenant
    sales = groups.create(tenant, " Sales  team ", ["bob@acme.test", "BOB@acme.test"], actor=cast.alice.user)
    assert (sales.name, groups.member_addresses(sales)) == ("Sales team", ["bob@acme.test"])
    groups.change(sales, name="Sellers", actor=None)
    groups.change(sales, members=["alice@acme.test", "bob@acme.test"], actor=None)
    assert (sales.name, groups.member_addresses(sales)) == ("Sellers", ["alice@acme.test", "bob@acme.test"])
    groups.remove(sales, actor=None)
    assert not MailboxGroup.objects.exists()
    with pytest.raises(NotFound):
        groups.change(sales, members=[], actor=None)


def test_what_makes_no_group_is_refused(cast, monkeypatch):
    tenant = cast.alice.tenant
    groups.create(tenant, "Sales", [], actor=None)
    groups.create(cast.charlie.tenant, "Sales", ["charlie@charlie.test"], actor=None)
    for name in ("", "   ", "x" * 65, "a\u202eb"):
        with pytest.raises(BadValue):
            groups.create(tenant, name, [], actor=None)
    for member in ("charlie@charlie.test", "nobody@acme.test", "nonsense", ""):
        with pytest.raises(BadValue):
            groups.create(tenant, "Other", [member], actor=None)
    with pytest.raises(AlreadyExists):
        groups.create(tenant, "sales", [], actor=None)
    other = groups.create(tenant, "Other", [], actor=None)
    with pytest.raises(AlreadyExists):
        groups.change(other, name="SALES", actor=None)
    monkeypatch.setattr(limits, "GROUPS", 2)
    with pytest.raises(NotAllowedNow):
        groups.create(tenant, "More", [], actor=None)
    monkeypatch.setattr(limits, "GROUP_MEMBERS", 1)
    with pytest.raises(BadValue):
        groups.change(other, members=["alice@acme.test", "bob@acme.test"], actor=None)


def test_its_members_have_what_the_group_was_given(cast):
    sales = groups.create(cast.alice.tenant, "Sales", ["bob@acme.test"], actor=None)
    found = sharing.find(who(cast.alice), "INBOX")
    sharing.give(found, "$Sales", Right.LOOKUP | Right.READ, actor=None)
    assert len(sharing.reachable(who(cast.bob))) == 1
    groups.change(sales, members=[], actor=None)
    assert sharing.reachable(who(cast.bob)) == []
    groups.change(sales, members=["bob@acme.test"], actor=None)
    mailboxes.suspend(cast.bob.mailbox, actor=None)
    assert groups.member_addresses(sales) == ["bob@acme.test"]
    groups.remove(sales, actor=None)
    assert not FolderRight.objects.exists()
