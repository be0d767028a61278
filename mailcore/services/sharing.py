"""Sharing: what one mailbox may do in the folders of the others of its tenant (RFC 4314).

The rules stand in mailcore/models/sharing.py. find() is how a face comes from a name to a folder: the name of
one's own, "Other Users/ADDRESS/FOLDER" or "Shared/ADDRESS/FOLDER". Whatever cannot be reached raises
NoSuchFolder, in the same words whether there is such a mailbox, such a folder, or neither. Called by IMAP,
webmail and the API.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from django.db import transaction

from mailcore import limits
from mailcore.errors import Forbidden, NoSuchFolder, NotAllowedNow, NotFound
from mailcore.models import EVERY_RIGHT, FolderRight, Mailbox, MailboxGroup, Right, User
from mailcore.outside import doorbell
from mailcore.services import addresses, audit, folders, messages, sql
from mailcore.services.doors import Login
from mailcore.services.messages import FolderState
from mailcore.services.messages.locked import lock_mailboxes
from mailcore.services.rights import TELLING, letters, of_mailbox

OTHERS, SHARED = folders.OTHERS, folders.SHARED
ANYONE = "anyone"
GROUP_MARK = "$"


@dataclass(frozen=True, slots=True)
class Who:
    """Whose eyes: a mailbox, the person in it, and the most they may do anywhere."""

    mailbox_id: int
    user_id: int
    tenant_id: int
    most: Right = EVERY_RIGHT

    @classmethod
    def came(cls, login: Login) -> Who:
        return cls(login.mailbox_id, login.user_id, login.tenant_id, of_mailbox(login.rights))


@dataclass(frozen=True, slots=True)
class Open:
    """A folder as somebody may use it. state.name is the name they know it by, a role is told of own ones."""

    state: FolderState
    rights: Right
    is_own: bool
    own_name: str

    def need(self, rights: Right) -> None:
        """Raises Forbidden, or NoSuchFolder where the folder may not even be looked up."""
        if self.rights & rights != rights:
            raise Forbidden if self.rights & Right.LOOKUP else NoSuchFolder


# --- Finding -----------------------------------------------------------------------------------------------

# What is given to a mailbox, to its groups, to its tenant, and to the person in it. Where box_id is not 0,
# rights are bits of Rights, not of Right.
_GIVEN = (
    "(SELECT folder_id, 0 AS box_id, rights FROM folder_right WHERE grantee_id = %s"
    " UNION ALL SELECT r.folder_id, 0, r.rights FROM mailbox_group_member g"
    " JOIN folder_right r ON r.group_id = g.mailboxgroup_id WHERE g.mailbox_id = %s"
    " UNION ALL SELECT folder_id, 0, rights FROM folder_right"
    " WHERE tenant_id = %s AND grantee_id IS NULL AND group_id IS NULL"
    " UNION ALL SELECT f.id, f.mailbox_id, c.rights FROM access c"
    " JOIN folder f ON f.mailbox_id = c.mailbox_id WHERE c.user_id = %s AND c.mailbox_id <> %s) x"
)
# Joined in this order: what was given is little, a tenant's mailboxes are many. (SQLite keeps to the order of
# a CROSS JOIN; to PostgreSQL it is a join like any other.)
_REACHED = (
    f"FROM {_GIVEN} CROSS JOIN folder f CROSS JOIN mailbox m CROSS JOIN tenant t CROSS JOIN address a"
    " CROSS JOIN domain d WHERE f.id = x.folder_id AND m.id = f.mailbox_id AND m.tenant_id = %s"
    " AND m.id <> %s AND m.state = 'active' AND t.id = m.tenant_id AND t.state = 'active'"
    " AND a.mailbox_id = m.id AND a.is_primary AND d.id = a.domain_id"
)
_COLUMNS = (
    "f.id, f.mailbox_id, f.tenant_id, f.name, f.role, f.object_serial, f.uidvalidity, f.uidnext,"
    " f.recent_uid, f.message_count, f.unseen_count, f.octets, f.modseq, m.modseq,"
    " m.kind, a.local_part, d.name, x.box_id, x.rights"
)


def _reached(who: Who, condition: str = "", params: Sequence[Any] = ()) -> list[Open]:
    """Folders of others that who has any right on, by name."""
    box, tenant = who.mailbox_id, who.tenant_id
    given = (box, box, tenant, who.user_id, box, tenant, box)
    found: dict[int, Open] = {}
    for *counters, kind, local, domain, box_id, rights in sql.rows(
        f"SELECT {_COLUMNS} {_REACHED}{condition}", (*given, *params)
    ):
        state = FolderState(*counters)
        before = found.get(state.folder_id)
        right = (of_mailbox(rights) if box_id else Right(rights)) & who.most
        if before is not None:
            found[state.folder_id] = replace(before, rights=before.rights | right)
        else:
            name = f"{_place(kind, local, domain)}/{state.name}"
            found[state.folder_id] = Open(replace(state, name=name, role=""), right, False, state.name)
    return sorted((one for one in found.values() if one.rights), key=lambda one: one.state.name)


def _place(kind: str, local: str, domain: str) -> str:
    """The two levels above the folders of a mailbox; what means something in a name is written otherwise."""
    label = f"{local}@{domain}"
    for special in "/%*":
        label = label.replace(special, "_")
    return f"{SHARED if kind == Mailbox.Kind.SHARED else OTHERS}/{label}"


def place_of(found: Open) -> str:
    """The two levels above a folder of another."""
    return found.state.name[: -len(found.own_name) - 1]


def split(name: str) -> tuple[str, str] | None:
    """The place and the folder's own name, "" for none, if name is one of another's folder; else None."""
    if not folders.is_of_another(name):
        return None
    root, place, own = (*name.split("/", 2), "")[:3]
    return f"{root}/{place.lower()}", own


def normalise(name: str) -> str:
    """The name as it is kept and compared. Raises BadFolderName."""
    parts = split(name)
    if parts is None or not parts[1].strip("/"):
        return folders.normalise(name)
    return f"{parts[0]}/{folders.normalise(parts[1])}"


def find(who: Who, name: str) -> Open:
    """The folder of that name, one's own or another's. Raises NoSuchFolder, BadFolderName."""
    parts = split(name)
    if parts is None:
        state = folders.find(who.mailbox_id, name)
        return Open(state, who.most, True, state.name)
    place, own = parts
    if own.strip("/"):
        wanted = f"{place}/{folders.normalise(own)}"
        for one in _reached(who, " AND f.name = %s", (folders.normalise(own),)):
            if one.state.name == wanted and one.rights & TELLING:
                return one
    # A folder of one's own from before the others had these names.
    state = folders.find(who.mailbox_id, name)
    return Open(state, who.most, True, state.name)


def held(who: Who, folder_id: int) -> Right:
    """What who may do in a folder of another now; nothing when it is gone or out of reach."""
    found = _reached(who, " AND f.id = %s", (folder_id,))
    return found[0].rights if found else Right(0)


def reachable(who: Who) -> list[Open]:
    """All folders of others that who may look up, by name, as they are called for them."""
    return [one for one in _reached(who) if one.rights & Right.LOOKUP]


# --- Folders of others, made and changed -------------------------------------------------------------------


def create(who: Who, name: str, *, role: str = "") -> int:
    """Make a folder, one's own or below another's; its primary key.

    A special use is for own folders. Raises what folders.create does, and Forbidden without "k" on the
    nearest folder above, whether there is one or not.
    """
    parts = split(name)
    if parts is None:
        if not who.most & Right.CREATE:
            raise Forbidden
        return folders.create(who.mailbox_id, name, role=role)
    owner = _may_make(who, *parts)
    if owner is None or role:
        raise Forbidden
    return folders.create(owner, parts[1])


def _may_make(who: Who, place: str, own: str) -> int | None:
    """The mailbox in which who may make a folder of that name, None for none."""
    if not own.strip("/"):
        return None
    own = folders.normalise(own)
    there = [one for one in _reached(who) if one.state.name.startswith(f"{place}/")]
    if not there:
        return None
    mailbox_id = there[0].state.mailbox_id
    above = folders.nearest_above(mailbox_id, own)
    if above is not None:
        may = any(one.state.folder_id == above and one.rights & Right.CREATE for one in there)
    else:
        may = bool(_whole(who, mailbox_id) & Right.CREATE)
    return mailbox_id if may else None


def _whole(who: Who, mailbox_id: int) -> Right:
    row = sql.row(
        "SELECT rights FROM access WHERE mailbox_id = %s AND user_id = %s", (mailbox_id, who.user_id)
    )
    return of_mailbox(row[0]) & who.most if row else Right(0)


def rename(who: Who, old: str, new: str) -> None:
    """Rename a folder and all below it; never from one mailbox into another.

    Raises what folders.rename does, and Forbidden without "x" on all that moves and "k" where it goes.
    """
    source, target = split(old), split(new)
    if source is None and target is None:
        if not who.most & Right.DELETE_FOLDER:
            raise Forbidden
        folders.rename(who.mailbox_id, old, new)
        return
    found = find(who, old)
    found.need(Right.DELETE_FOLDER)
    if found.is_own and target is None:
        folders.rename(who.mailbox_id, old, new)
        return
    if found.is_own or target is None or split(found.state.name)[0] != target[0]:  # type: ignore[index]
        raise Forbidden("A folder stays in its mailbox; copy the messages instead")
    if found.own_name == "INBOX" or _may_make(who, *target) is None:
        raise Forbidden
    below = f"{found.own_name}/"
    moving = [
        state.folder_id
        for state in messages.folder_rows(found.state.mailbox_id)
        if state.name.startswith(below)
    ]
    may = {
        one.state.folder_id
        for one in _reached(who, " AND f.mailbox_id = %s", (found.state.mailbox_id,))
        if one.rights & Right.DELETE_FOLDER
    }
    if not may.issuperset(moving):
        raise Forbidden
    folders.rename(found.state.mailbox_id, found.own_name, target[1])


def delete(who: Who, name: str) -> int:
    """Delete a folder; what its primary key was. Raises what folders.delete does, Forbidden without "x"."""
    found = find(who, name)
    found.need(Right.DELETE_FOLDER)
    folders.delete(found.state.mailbox_id, found.own_name)
    return found.state.folder_id


# --- Who may what ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a folder's list: an address, "$NAME" of a group, or ANYONE, and the rights."""

    identifier: str
    rights: Right


def entries(found: Open) -> list[Entry]:
    """Who has rights on a folder, its owner first. Raises Forbidden, NoSuchFolder without "a"."""
    found.need(Right.ADMINISTER)
    return [Entry(_address_of(found.state.mailbox_id), EVERY_RIGHT), *given(found.state.folder_id)]


def given(folder_id: int) -> list[Entry]:
    """Whom rights on a folder were given, by name."""
    rows = FolderRight.objects.filter(folder_id=folder_id).select_related("grantee", "group")
    found = [
        Entry(
            str(row.grantee) if row.grantee else f"{GROUP_MARK}{row.group.name}" if row.group else ANYONE,
            Right(row.rights),
        )
        for row in rows
    ]
    return sorted(found, key=lambda entry: (entry.identifier == ANYONE, entry.identifier))


def is_owner(found: Open, identifier: str) -> bool:
    """Whether identifier means the owner of the folder. Raises NotFound for an unknown one."""
    grantee = holder(found.state.tenant_id, identifier).grantee
    return grantee is not None and grantee.pk == found.state.mailbox_id


def _address_of(mailbox_id: int) -> str:
    return str(Mailbox.objects.get(pk=mailbox_id))


@dataclass(frozen=True, slots=True)
class Holder:
    """Whom an identifier means; neither of the two is everybody of the tenant."""

    grantee: Mailbox | None = None
    group: MailboxGroup | None = None


def holder(tenant_id: int, identifier: str) -> Holder:
    """Raises NotFound for what is no mailbox, no group, or one of another tenant."""
    if identifier.casefold() == ANYONE:
        return Holder()
    if identifier.startswith(GROUP_MARK):
        group = MailboxGroup.objects.filter(tenant_id=tenant_id, name__iexact=identifier[1:]).first()
        if group is not None:
            return Holder(group=group)
        raise NotFound("There is no such group")
    grantee = addresses.mailbox_of(tenant_id, identifier)
    if grantee is None:
        raise NotFound("There is no such mailbox")
    return Holder(grantee=grantee)


def give(found: Open, identifier: str, rights: Right, *, mode: str = "", actor: User | None) -> None:
    """Give rights on a folder: mode "+" adds, "-" takes away, "" sets. None left takes the entry away.

    Raises Forbidden or NoSuchFolder without "a", NotFound for an unknown identifier, NotAllowedNow for the
    owner and for one entry more than limits.FOLDER_RIGHTS.
    """
    found.need(Right.ADMINISTER)
    state = found.state
    meant = holder(state.tenant_id, identifier)
    if meant.grantee is not None and meant.grantee.pk == state.mailbox_id:
        raise NotAllowedNow("The owner of a folder has all rights")
    with transaction.atomic():
        # The lock makes "+" and "-" of two people add up, and keeps the folder there.
        if not lock_mailboxes([state.mailbox_id]) or not sql.row(
            "SELECT 1 FROM folder WHERE id = %s", (state.folder_id,)
        ):
            raise NoSuchFolder
        rows = FolderRight.objects.filter(folder_id=state.folder_id, grantee=meant.grantee, group=meant.group)
        row = rows.first()
        before = row.rights if row else 0
        after = int(before | rights if mode == "+" else before & ~rights if mode == "-" else rights)
        if not after:
            rows.delete()
        elif row is not None:
            rows.update(rights=after)
        elif FolderRight.objects.filter(folder_id=state.folder_id).count() >= limits.FOLDER_RIGHTS:
            raise NotAllowedNow(f"A folder is shared with at most {limits.FOLDER_RIGHTS}")
        else:
            FolderRight.objects.create(
                tenant_id=state.tenant_id, mailbox_id=state.mailbox_id, folder_id=state.folder_id,
                grantee=meant.grantee, group=meant.group, rights=after,
            )  # fmt: skip
        if after != before:
            _record(found, identifier, after, actor)
            # Who has the folder open listens to its owner.
            topics = [state.mailbox_id, *([meant.grantee.pk] if meant.grantee else [])]
            doorbell.ring(*[f"mailbox:{pk}" for pk in topics])


def _record(found: Open, identifier: str, rights: int, actor: User | None) -> None:
    owner = Mailbox.objects.get(pk=found.state.mailbox_id)
    data = {"folder": found.own_name, "with": identifier, "rights": letters(rights)}
    audit.record(actor, "folder.share", owner, data=data)
