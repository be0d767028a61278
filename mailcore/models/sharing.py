"""Who may do what in whose folders: rights on a folder for others of the same tenant (RFC 4314).

A FolderRight gives some of the rights "lrswipkxtea" on one folder to another mailbox, to a group of
mailboxes, or to everybody of the tenant ("anyone" on the wire; nobody outside it ever counts). What several
of these rows give one mailbox adds up. The owner's mailbox has all rights on its folders without a row, and
nobody takes them away. There are no negative rights.

Beside it, Access (mailbox.py) gives a person a whole mailbox, mostly a shared one: that person's sessions
find all its folders among the others', READ as "lr", WRITE as "lrswipkxte" and ADMINISTER as "a". A session
never has more in others' folders than its login has in its own mailbox: who came with a reading app
password only reads.

- The rows belong to the folder, by its key: a rename keeps them, a deletion takes them. A new folder begins
  with the rows of the nearest folder above it, and goes its own way from there.
- A mailbox that is removed or suspended, or whose tenant is, is there for nobody. Removing one takes the
  rights it was given, and its place in groups; what it gave goes with its folders. A suspension keeps all
  rows for later.
- IMAP names the folders of others "Other Users/ADDRESS/FOLDER", those of a shared mailbox
  "Shared/ADDRESS/FOLDER", ADDRESS being the mailbox's primary one. A special use is told of one's own
  folders only. Subscriptions belong to who subscribes. A folder somebody may neither look up nor use in the
  way asked for is answered as one that is not there.
- Everybody sees the same messages: uids, flags and \\Seen are the folder's. The rights s (\\Seen), t
  (\\Deleted) and w (all other flags) say whose changes of them count; e expunges. Octets count against the
  owner of the folder. A COPY or MOVE into another mailbox makes new messages there.
- Who has another's folder selected listens to the owner's doorbell, which rings for mail and for rights.
  With every command the rights are read anew; a session that has lost "r" is told so and let go.
"""

from __future__ import annotations

import enum

from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower

from mailcore.models.mailbox import Mailbox
from mailcore.models.tenant import Tenant
from mailcore.models.user import User
from mailcore.secrets import random_id


class Right(enum.IntFlag):
    """What one may do in a folder, by RFC 4314 §2.1; each stands for a letter of LETTERS."""

    LOOKUP = 1
    READ = 2
    SEEN = 4
    WRITE = 8
    INSERT = 16
    POST = 32
    CREATE = 64
    DELETE_FOLDER = 128
    DELETE = 256
    EXPUNGE = 512
    ADMINISTER = 1024


LETTERS = "lrswipkxtea"
EVERY_RIGHT = Right(2 ** len(LETTERS) - 1)


class MailboxGroupQuerySet(models.QuerySet["MailboxGroup"]):
    def visible_to(self, user: User) -> MailboxGroupQuerySet:
        """The groups of tenants that user helps run."""
        return self.filter(tenant__memberships__user=user, tenant__memberships__role__in=["owner", "admin"])


class MailboxGroup(models.Model):
    """A named list of mailboxes of a tenant. It has no address: it is given rights, not mail."""

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="groups")
    public_id = models.CharField(max_length=24, unique=True, default=random_id, editable=False)
    name = models.CharField(max_length=64)
    members = models.ManyToManyField(Mailbox, related_name="mailbox_groups", db_table="mailbox_group_member")
    created_at = models.DateTimeField(auto_now_add=True)

    objects = MailboxGroupQuerySet.as_manager()

    class Meta:
        db_table = "mailbox_group"
        ordering = ["name"]
        constraints = [models.UniqueConstraint("tenant", Lower("name"), name="mailbox_group_name_once")]

    def __str__(self) -> str:
        return self.name


class FolderRight(models.Model):
    """Rights on one folder: for grantee, for group, or, with neither, for everybody of the tenant."""

    tenant_id = models.BigIntegerField()
    # Whose folder it is. folder_id is a plain number, as folders are deleted by plain SQL.
    mailbox = models.ForeignKey(Mailbox, on_delete=models.CASCADE, related_name="rights_given")
    folder_id = models.BigIntegerField()
    grantee = models.ForeignKey(
        Mailbox, on_delete=models.CASCADE, null=True, blank=True, related_name="rights_held"
    )
    group = models.ForeignKey(
        MailboxGroup, on_delete=models.CASCADE, null=True, blank=True, related_name="rights_held"
    )
    # Bits of Right.
    rights = models.PositiveSmallIntegerField()

    class Meta:
        db_table = "folder_right"
        constraints = [
            models.CheckConstraint(condition=Q(grantee=None) | Q(group=None), name="folder_right_one_holder"),
            models.UniqueConstraint(fields=["folder_id", "grantee"], name="folder_right_mailbox_once"),
            models.UniqueConstraint(fields=["folder_id", "group"], name="folder_right_group_once"),
            models.UniqueConstraint(
                fields=["folder_id"], condition=Q(grantee=None, group=None), name="folder_right_anyone_once"
            ),
        ]
        indexes = [
            models.Index(
                fields=["tenant_id"], condition=Q(grantee=None, group=None), name="folder_right_anyone"
            )
        ]

    def __str__(self) -> str:
        return f"{self.folder_id}: {self.grantee or self.group or 'anyone'}"
