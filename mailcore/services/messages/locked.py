"""Mailboxes under lock, and the folders and columns that every change to them writes."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field

from mailcore import limits
from mailcore.errors import BadFlag, OverQuota
from mailcore.outside import clock, doorbell
from mailcore.services import sql

# Columns of content that are text of the index, by the same name.
TEXT_COLUMNS = (
    "message_id", "subject", "base_subject", "from_key", "to_key", "cc_key", "from_text", "to_text",
    "preview",
)  # fmt: skip
CONTENT_COLUMNS = (
    "id", "tenant_id", "created_at", "index_version", "octets", "prefix", "header", "envelope",
    "bodystructure", "body", "parts", *TEXT_COLUMNS, "has_attachments", "sent_at", "sent_day", "sha256",
    "place", "codec", "payload",
)  # fmt: skip
MESSAGE_COLUMNS = (
    "id", "mailbox_id", "folder_id", "uid", "content_id", "flags", "keywords", "modseq", "internal_date",
    "internal_offset", "saved_date", "size", "email_id", "thread_id",
)  # fmt: skip
CHANGE_COLUMNS = ("folder_id", "modseq", "kind", "mailbox_id", "uids", "at")
EVENT_COLUMNS = (
    "tenant_id", "mailbox_id", "trace", "kind", "at", "sender", "recipient", "folder_id", "uids", "data",
    "message_key",
)  # fmt: skip
FOLDER_NAMES = {
    "inbox": "INBOX",
    "drafts": "Drafts",
    "sent": "Sent",
    "junk": "Junk",
    "trash": "Trash",
    "archive": "Archive",
}


@dataclass(slots=True)
class LockedMailbox:
    """A mailbox row under our lock; the counters move here and are written back once."""

    pk: int
    tenant_id: int
    state: str
    quota: int
    quota_messages: int | None
    used: int
    count: int
    modseq: int
    next_uidvalidity: int
    keywords: list[str]
    keywords_grew: bool = False

    def need_room(self, octets: int, messages: int) -> None:
        """Raises OverQuota when so much more does not fit."""
        most = self.quota_messages
        if self.used + octets > self.quota or (most is not None and self.count + messages > most):
            raise OverQuota

    def keyword_bits(self, names: Iterable[str]) -> int:
        """The bits of names, numbering new ones. Raises BadFlag when the mailbox has no room for them."""
        bits = 0
        known = {name.casefold(): number for number, name in enumerate(self.keywords)}
        for name in names:
            number = known.get(name.casefold())
            if number is None:
                if len(self.keywords) >= limits.KEYWORDS or len(name) > limits.KEYWORD_OCTETS:
                    raise BadFlag("This mailbox has no room for another keyword")
                number = known[name.casefold()] = len(self.keywords)
                self.keywords.append(name)
                self.keywords_grew = True
            bits |= 1 << number
        return bits


@dataclass(slots=True)
class OpenFolder:
    """A folder row read after the lock, and what this batch adds to it."""

    pk: int
    mailbox_id: int
    role: str
    uidvalidity: int
    uidnext: int
    added: list[int] = field(default_factory=list)
    added_octets: int = 0
    added_unseen: int = 0
    modseq: int = 0


def lock_mailboxes(pks: Iterable[int]) -> dict[int, LockedMailbox]:
    """Lock these mailboxes in primary-key order, inside a transaction. Missing ones are left out."""
    where, params = sql.any_of("id", sorted(set(pks)))
    found = sql.rows(
        "SELECT id, tenant_id, state, quota_octets, quota_messages, used_octets, message_count, modseq,"
        f" next_uidvalidity, keywords FROM mailbox WHERE {where} ORDER BY id {sql.for_update()}",
        params,
    )
    boxes = {}
    for *counters, keywords in found:
        names = json.loads(keywords) if isinstance(keywords, str) else list(keywords)
        boxes[counters[0]] = LockedMailbox(*counters, names)  # type: ignore[call-arg]
    return boxes


def write_back(mailboxes: Iterable[LockedMailbox]) -> None:
    """Store the counters of locked mailboxes."""
    boxes = list(mailboxes)
    sql.execute_many(
        "UPDATE mailbox SET used_octets = %s, message_count = %s, modseq = %s, next_uidvalidity = %s"
        " WHERE id = %s",
        [(box.used, box.count, box.modseq, box.next_uidvalidity, box.pk) for box in boxes],
    )
    sql.execute_many(
        "UPDATE mailbox SET keywords = %s WHERE id = %s",
        [(json.dumps(box.keywords), box.pk) for box in boxes if box.keywords_grew],
    )


def ring(mailbox_pks: Iterable[int]) -> None:
    """Wake whoever listens to these mailboxes, once the transaction is committed."""
    doorbell.ring(*[f"mailbox:{pk}" for pk in mailbox_pks])


def make_folder(box: LockedMailbox, name: str, role: str = "") -> OpenFolder:
    """Insert one folder into a locked mailbox. If the name is taken, that folder takes the role."""
    taken = sql.row("SELECT id, uidvalidity, uidnext, role FROM folder WHERE mailbox_id = %s AND name = %s",
                    (box.pk, name))  # fmt: skip
    if taken:
        if role and not taken[3]:
            sql.execute("UPDATE folder SET role = %s WHERE id = %s", (role, taken[0]))
        return OpenFolder(taken[0], box.pk, role, taken[1], taken[2])
    box.modseq += 1
    uidvalidity = box.next_uidvalidity
    box.next_uidvalidity += 1
    created = sql.row(
        sql.insert_statement(
            "folder",
            ("tenant_id", "mailbox_id", "name", "role", "object_serial", "uidvalidity", "uidnext",
             "recent_uid",
             "message_count", "unseen_count", "octets", "modseq", "created_at"),
            "RETURNING id",
        ),
        (box.tenant_id, box.pk, name, role, box.modseq, uidvalidity, 1, 1, 0, 0, 0, box.modseq,
         sql.moment(clock.now())),
    )  # fmt: skip
    assert created is not None
    return OpenFolder(created[0], box.pk, role, uidvalidity, 1)
