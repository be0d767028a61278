"""Groups: named lists of a tenant's mailboxes, to be given rights on folders as one (models/sharing.py).

A group has no address and takes no mail; that is what an alias does. Called by dashboard and API.
"""

from __future__ import annotations

from collections.abc import Iterable

from mailcore import limits
from mailcore.errors import AlreadyExists, BadValue, NotAllowedNow, NotFound
from mailcore.models import FolderRight, Mailbox, MailboxGroup, Tenant, User
from mailcore.outside import doorbell
from mailcore.services import addresses, audit, races

_TAKEN = "There is a group of that name already"


def _name(name: str) -> str:
    name = " ".join(name.split())
    if not name or len(name) > limits.GROUP_NAME_CHARS or not name.isprintable():
        raise BadValue(f"A group needs a name of at most {limits.GROUP_NAME_CHARS} characters")
    return name


def _members(tenant: Tenant, members: Iterable[str]) -> list[Mailbox]:
    """The mailboxes of these addresses, each once. Raises BadValue."""
    found: dict[int, Mailbox] = {}
    for address in members:
        mailbox = addresses.mailbox_of(tenant.pk, address)
        if mailbox is None:
            raise BadValue(f"{address} is no mailbox of this organisation")
        found[mailbox.pk] = mailbox
    if len(found) > limits.GROUP_MEMBERS:
        raise BadValue(f"A group has at most {limits.GROUP_MEMBERS} members")
    return list(found.values())


def create(tenant: Tenant, name: str, members: Iterable[str], *, actor: User | None) -> MailboxGroup:
    """Make a group of the mailboxes with these addresses. Raises BadValue, AlreadyExists, NotAllowedNow."""
    name, chosen = _name(name), _members(tenant, members)
    if MailboxGroup.objects.filter(tenant=tenant).count() >= limits.GROUPS:
        raise NotAllowedNow(f"An organisation has at most {limits.GROUPS} groups")
    with races.change(AlreadyExists(_TAKEN)):
        group = MailboxGroup.objects.create(tenant=tenant, name=name)
        group.members.set(chosen)
        audit.record(actor, "group.add", group, data={"members": [str(one) for one in chosen]})
    return group


def change(
    group: MailboxGroup,
    *,
    name: str | None = None,
    members: Iterable[str] | None = None,
    actor: User | None,
) -> None:
    """Call it otherwise, or make it of other mailboxes. Raises BadValue, AlreadyExists."""
    chosen = None if members is None else _members(group.tenant, members)
    with races.change(AlreadyExists(_TAKEN)):
        if name is not None:
            MailboxGroup.objects.filter(pk=group.pk).update(name=_name(name))
        if chosen is not None:
            if not MailboxGroup.objects.filter(pk=group.pk).exists():
                raise NotFound
            group.members.set(chosen)
        group.refresh_from_db()
        data = {} if chosen is None else {"members": [str(one) for one in chosen]}
        audit.record(actor, "group.change", group, data=data)
        _ring(group)


def remove(group: MailboxGroup, *, actor: User | None) -> None:
    """Take a group away, and all rights it was given."""
    with races.change():
        _ring(group)
        audit.record(actor, "group.remove", group)
        group.delete()


def _ring(group: MailboxGroup) -> None:
    """Who has a folder open by this group looks at their rights anew."""
    owners = FolderRight.objects.filter(group=group).values_list("mailbox_id", flat=True).distinct()
    doorbell.ring(*[f"mailbox:{pk}" for pk in owners])


def member_addresses(group: MailboxGroup) -> list[str]:
    """The main addresses of its members, in order."""
    living = group.members.exclude(state=Mailbox.State.CLOSING)
    return sorted(str(mailbox) for mailbox in living)
