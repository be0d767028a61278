"""What a person reaches in the mailboxes of others without having been given one whole; for webmail.

By rights on folders, held by the mailbox that is theirs (services/sharing.py). IMAP needs no such thing: a
session knows in which mailbox it is.
"""

from __future__ import annotations

from dataclasses import dataclass

from mailcore.models import Access, Mailbox, Right, Tenant, User
from mailcore.services import sharing


@dataclass(frozen=True, slots=True)
class Guest:
    """A folder of another mailbox that a person may read, and their own mailbox which holds the right."""

    owner: Mailbox
    home: Mailbox
    found: sharing.Open


def who(home: Mailbox, user: User) -> sharing.Who:
    return sharing.Who(home.pk, user.pk, home.tenant_id)


def reachable(user: User, owner: str = "") -> list[Guest]:
    """Such folders, by the names they have for the person; of one mailbox only, by its public id."""
    homes = Mailbox.objects.filter(
        accesses__user=user,
        accesses__is_owner=True,
        state=Mailbox.State.ACTIVE,
        tenant__state=Tenant.State.ACTIVE,
    )
    found = [
        (home, one) for home in homes for one in sharing.reachable(who(home, user)) if one.rights & Right.READ
    ]
    if not found:
        return []
    whole = set(Access.objects.filter(user=user).values_list("mailbox_id", flat=True))
    owners = Mailbox.objects.in_bulk({one.state.mailbox_id for _, one in found} - whole)
    return [
        Guest(owners[one.state.mailbox_id], home, one)
        for home, one in found
        if one.state.mailbox_id in owners and owner in ("", owners[one.state.mailbox_id].public_id)
    ]
