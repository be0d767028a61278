"""append_many: the one way for messages into mailboxes.

Everything costly was done by prepare(). Here is one short transaction for many units: lock the
mailboxes in primary-key order, read the folders after the lock, number everything from the
counters in memory, then one INSERT per table. Plain SQL throughout (see sql.py for why).
"""

from __future__ import annotations

import hashlib
import json
import random
from collections import Counter
from collections.abc import Sequence
from typing import Any

from django.db import transaction

from mailcore import limits
from mailcore.errors import FolderGone, MailError, NoSuchAddress, NoSuchFolder
from mailcore.imap.wire.seqset import compact
from mailcore.message import flags as system_flags
from mailcore.message.index import INDEX_VERSION
from mailcore.message.log_lines import Happened
from mailcore.message.subject import casemap
from mailcore.message.trace import key_of
from mailcore.models.change import Change
from mailcore.outside import blobs, clock
from mailcore.services import mail_log, sql
from mailcore.services.messages import octets
from mailcore.services.messages.locked import (
    CHANGE_COLUMNS,
    CONTENT_COLUMNS,
    EVENT_COLUMNS,
    FOLDER_NAMES,
    MESSAGE_COLUMNS,
    TEXT_COLUMNS,
    LockedMailbox,
    OpenFolder,
    lock_mailboxes,
    make_folder,
    ring,
    write_back,
)
from mailcore.services.messages.units import Filed, Filing, Mail, Unit


def append_many(units: Sequence[Unit]) -> list[list[Filed] | MailError]:
    """File all units in one transaction; durable when it returns.

    One result per unit: what was filed, in the order of its mails and their filings, or the
    MailError that kept this unit out (over quota, folder gone, ...), which harms no other.
    Any other exception rolls everything back: the clerk then tries the units one by one.
    """
    for unit in units:
        store_bodies(unit)
    with transaction.atomic():
        return _Batch(units).run()


def store_bodies(unit: Unit) -> None:
    """Put large bodies into the storage backend: octets first, then the row that names them.

    A crash in between leaves a file for the sweep. append_many does it for who has not; a busy server
    does it beforehand in another thread, so that small messages need not wait for it.
    """
    if unit.bodies_are_stored:
        return
    large = {
        (tenant, mail.prepared.sha256.hex()): mail.prepared.payload
        for mail in unit.mails
        if mail.prepared.place == octets.IN_FILE
        for tenant in _tenants(mail)
    }
    if large:
        blobs.put_many([(tenant, name, payload) for (tenant, name), payload in large.items()])
    unit.bodies_are_stored = True


def _tenants(mail: Mail) -> set[int]:
    tenants = {filing.tenant_id for filing in mail.filings}
    if mail.keep_for:
        tenants.add(mail.keep_for[0])
    return tenants


def thread_refs(message_id: str, references: Sequence[str], base_subject: str) -> list[int]:
    """Hashes that tie a mail to its thread, its own first; empty when it has no Message-ID."""
    if not message_id and not references:
        return []
    names = [message_id, *references[-(limits.THREAD_REFERENCES - 1) :]]
    subject = casemap(base_subject).encode("utf-8", "surrogatepass")
    hashes = []
    for name in names:
        if name:
            digest = hashlib.blake2b(
                name.encode("utf-8", "surrogatepass") + b"\0" + subject, digest_size=8
            ).digest()
            hashes.append(int.from_bytes(digest, "big") >> 1)
    return list(dict.fromkeys(hashes))


class _Batch:
    """One transaction of append_many: the rows to be, gathered while numbers are given out."""

    def __init__(self, units: Sequence[Unit]) -> None:
        self.units = units
        self.now = clock.now()
        self.moment = sql.moment(self.now)
        self.seconds = int(self.now.timestamp())
        self.folders: dict[tuple[int, int | str], OpenFolder] = {}
        self.threads: dict[tuple[int, int], int] = {}
        self.new_threads: list[tuple[int, int, int]] = []
        self.contents: list[tuple[Any, ...]] = []
        self.messages: list[tuple[Any, ...]] = []
        self.events: list[tuple[Any, ...]] = []

    def run(self) -> list[list[Filed] | MailError]:
        filings = [filing for unit in self.units for mail in unit.mails for filing in mail.filings]
        keepers = [mail.keep_for[1] for unit in self.units for mail in unit.mails if mail.keep_for]
        self.boxes = lock_mailboxes(
            [filing.mailbox_id for filing in filings] + [pk for pk in keepers if pk is not None]
        )
        self._read_folders(filings)
        self._read_threads()
        results: list[list[Filed] | MailError] = []
        callbacks = []
        for unit in self.units:
            try:
                self._check(unit)
            except MailError as error:
                results.append(error)
                continue
            filed, content_ids = self._file(unit)
            results.append(filed)
            if unit.within:
                callbacks.append((unit.turn, unit.within, content_ids))
        self._write()
        for _, within, content_ids in sorted(callbacks, key=lambda one: one[0]):
            within(content_ids)
        if mail_log.is_on():
            # After within: what is handed in begins before what is filed of it.
            mail_log.note(Happened(row[3], row[2], row[5], row[6], json.loads(row[9])) for row in self.events)
        return results

    def _read_folders(self, filings: Sequence[Filing]) -> None:
        """Folder counters, in a statement after the lock: one before it may have seen an old row."""
        boxes = {filing.mailbox_id for filing in filings}
        if not boxes:
            return
        pks = {filing.folder for filing in filings if isinstance(filing.folder, int)}
        roles = sorted({filing.folder for filing in filings if isinstance(filing.folder, str)})
        in_boxes, params = sql.any_of("mailbox_id", sorted(boxes))
        by_pk, pk_params = sql.any_of("id", sorted(pks))
        by_role = f"role IN ({','.join(['%s'] * len(roles))})" if roles else "1=0"
        for row in sql.rows(
            "SELECT id, mailbox_id, role, uidvalidity, uidnext FROM folder"
            f" WHERE {in_boxes} AND ({by_pk} OR {by_role})",
            [*params, *pk_params, *roles],
        ):
            folder = OpenFolder(*row)
            self.folders[folder.mailbox_id, folder.pk] = folder
            if folder.role:
                self.folders[folder.mailbox_id, folder.role] = folder

    def _read_threads(self) -> None:
        wanted: set[int] = set()
        boxes: set[int] = set()
        for unit in self.units:
            for mail in unit.mails:
                index = mail.prepared.index
                wanted.update(thread_refs(index.message_id, index.references, index.base_subject))
                boxes.update(filing.mailbox_id for filing in mail.filings)
        if wanted and boxes:
            in_boxes, params = sql.any_of("mailbox_id", sorted(boxes))
            by_ref, ref_params = sql.any_of("ref", wanted)
            for mailbox_id, ref, thread_id in sql.rows(
                f"SELECT mailbox_id, ref, thread_id FROM thread_ref WHERE {in_boxes} AND {by_ref}",
                [*params, *ref_params],
            ):
                self.threads[mailbox_id, ref] = thread_id

    def _check(self, unit: Unit) -> None:
        """Everything that can keep a unit out, before any number is given to it."""
        sizes: dict[int, int] = {}
        counts: Counter[int] = Counter()
        for mail in unit.mails:
            size = len(mail.prefix) + mail.prepared.octets
            for filing in mail.filings:
                box = self.boxes.get(filing.mailbox_id)
                if box is None or box.state == "closing":
                    raise NoSuchAddress
                if isinstance(filing.folder, int):
                    if (filing.mailbox_id, filing.folder) not in self.folders:
                        raise FolderGone
                elif filing.folder not in FOLDER_NAMES:
                    raise NoSuchFolder
                sizes[box.pk] = sizes.get(box.pk, 0) + size
                counts[box.pk] += 1
                if filing.keywords:
                    box.keyword_bits(filing.keywords)
        if unit.enforce_quota:
            for pk, size in sizes.items():
                self.boxes[pk].need_room(size, counts[pk])

    def _file(self, unit: Unit) -> tuple[list[Filed], list[dict[int, int]]]:
        filed: list[Filed] = []
        content_ids: list[dict[int, int]] = []
        for mail in unit.mails:
            by_tenant: dict[int, int] = {}
            emails: dict[int, int] = {}
            index = mail.prepared.index
            refs = thread_refs(index.message_id, index.references, index.base_subject)
            size = len(mail.prefix) + mail.prepared.octets
            key = key_of(index.message_id) if unit.trace else None
            for filing in mail.filings:
                box = self.boxes[filing.mailbox_id]
                folder = self.folders.get((box.pk, filing.folder)) or self._make_folder(
                    box, str(filing.folder)
                )
                box.modseq += 1
                pk = box.pk << 40 | box.modseq
                content = by_tenant.setdefault(filing.tenant_id, pk)
                email = emails.setdefault(box.pk, box.modseq)
                thread = self._thread_of(box.pk, refs, email)
                uid = folder.uidnext
                folder.uidnext += 1
                folder.added.append(uid)
                folder.added_octets += size
                folder.added_unseen += not filing.flags & system_flags.SEEN
                folder.modseq = box.modseq
                box.used += size
                box.count += 1
                date = self.seconds if filing.internal_date is None else filing.internal_date
                keywords = box.keyword_bits(filing.keywords) if filing.keywords else 0
                self.messages.append((
                    pk, box.pk, folder.pk, uid, content, filing.flags, keywords, box.modseq, date,
                    filing.internal_offset, self.seconds, size, email, thread,
                ))  # fmt: skip
                filed.append(Filed(box.pk, folder.pk, folder.uidvalidity, uid, box.modseq, pk))
                if unit.trace:
                    self.events.append((
                        filing.tenant_id, box.pk, (unit.trace + filing.trace_suffix)[:40], unit.event_kind,
                        self.moment, sql.text(unit.sender)[:320], sql.text(filing.recipient)[:320],
                        folder.pk, str(uid), json.dumps(unit.data), key,
                    ))  # fmt: skip
            if mail.keep_for and mail.keep_for[0] not in by_tenant:
                by_tenant[mail.keep_for[0]] = self._number_content(mail.keep_for[1])
            for tenant, content in by_tenant.items():
                self.contents.append(self._content_row(content, tenant, mail))
            content_ids.append(by_tenant)
        return filed, content_ids

    def _number_content(self, mailbox_pk: int | None) -> int:
        box = self.boxes.get(mailbox_pk) if mailbox_pk is not None else None
        if box is None:
            # Mail of the service itself: below mailbox 1 there is room for 2^40 numbers. At random, because
            # two of one moment must differ; the same one twice fails, and is tried again later.
            return random.getrandbits(40)
        box.modseq += 1
        return box.pk << 40 | box.modseq

    def _thread_of(self, mailbox_pk: int, refs: Sequence[int], email: int) -> int:
        """The oldest thread any reference belongs to, else a new one named after this email."""
        known = [thread for ref in refs if (thread := self.threads.get((mailbox_pk, ref)))]
        thread = min(known) if known else email
        if len(known) < len(refs):
            for ref in refs:
                if (mailbox_pk, ref) not in self.threads:
                    self.threads[mailbox_pk, ref] = thread
                    self.new_threads.append((mailbox_pk, ref, thread))
        return thread

    def _content_row(self, pk: int, tenant: int, mail: Mail) -> tuple[Any, ...]:
        prepared, index = mail.prepared, mail.prepared.index
        return (
            pk, tenant, self.moment, INDEX_VERSION, len(mail.prefix) + prepared.octets, mail.prefix,
            prepared.header, index.envelope, index.bodystructure, index.body, index.parts,
            *(sql.text(getattr(index, name)) for name in TEXT_COLUMNS), index.has_attachments,
            index.sent_at, index.sent_day, prepared.sha256,
            prepared.place, prepared.codec, prepared.payload if prepared.place == octets.IN_ROW else None,
        )  # fmt: skip

    def _make_folder(self, box: LockedMailbox, role: str) -> OpenFolder:
        folder = make_folder(box, FOLDER_NAMES[role], role)
        self.folders[box.pk, role] = self.folders[box.pk, folder.pk] = folder
        return folder

    def _write(self) -> None:
        touched = [folder for key, folder in self.folders.items() if key[1] == folder.pk and folder.added]
        sql.execute_many(sql.insert_statement("content", CONTENT_COLUMNS), self.contents)
        sql.execute_many(sql.insert_statement("message", MESSAGE_COLUMNS), self.messages)
        sql.execute_many(
            sql.insert_statement(
                "thread_ref", ("mailbox_id", "ref", "thread_id"), "ON CONFLICT (mailbox_id, ref) DO NOTHING"
            ),
            self.new_threads,
        )
        sql.execute_many(
            sql.insert_statement("change", CHANGE_COLUMNS),
            [
                (folder.pk, folder.modseq, Change.Kind.ADDED.value, folder.mailbox_id,
                 compact(folder.added).decode(), self.moment)
                for folder in touched
            ],
        )  # fmt: skip
        sql.execute_many(sql.insert_statement("event", EVENT_COLUMNS), self.events)
        sql.execute_many(
            "UPDATE folder SET uidnext = %s, message_count = message_count + %s,"
            " unseen_count = unseen_count + %s, octets = octets + %s, modseq = %s WHERE id = %s",
            [
                (
                    folder.uidnext,
                    len(folder.added),
                    folder.added_unseen,
                    folder.added_octets,
                    folder.modseq,
                    folder.pk,
                )
                for folder in touched
            ],
        )
        write_back(self.boxes.values())
        ring({folder.mailbox_id for folder in touched})
