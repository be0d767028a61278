"""What callers hand to append_many, and what they get back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from mailcore.message.index import Index


@dataclass(frozen=True, slots=True)
class Prepared:
    """One mail, scanned, hashed and compressed before any lock is taken."""

    index: Index
    header: bytes
    payload: bytes
    codec: int
    place: int
    sha256: bytes
    octets: int


@dataclass(slots=True)
class Filing:
    """One message to be: which folder of which mailbox, with what.

    folder is a folder's primary key, or a role ("inbox", "sent", ...) that is made if it is missing.
    internal_date is epoch seconds, internal_offset minutes east of UTC; None means now.
    recipient is the address it came by, for the event.
    """

    tenant_id: int
    mailbox_id: int
    folder: int | str = "inbox"
    flags: int = 0
    keywords: tuple[str, ...] = ()
    internal_date: int | None = None
    internal_offset: int = 0
    recipient: str = ""
    trace_suffix: str = ""


@dataclass(slots=True)
class Mail:
    """The same octets for any number of filings. prefix stands before them (at most 8 KiB)."""

    prepared: Prepared
    filings: list[Filing]
    prefix: bytes = b""
    # Also kept for a tenant that files nothing itself: what waits in the outbound queue.
    # The second is the mailbox that numbers it, or None.
    keep_for: tuple[int, int | None] | None = None


@dataclass(slots=True)
class Unit:
    """What stands or falls together: one SMTP transaction, one APPEND command, one Send.

    within runs inside the transaction, after the messages have their numbers, and may write more
    rows (submission, queue entries); it gets the content id per tenant of each mail.
    """

    mails: list[Mail]
    # A recipient accepted at RCPT is filed even if that oversteps the quota (design: no backscatter).
    enforce_quota: bool = False
    # With a trace each filing leaves an event with data; without one nothing is recorded.
    trace: str = ""
    event_kind: str = "filed"
    sender: str = ""
    data: dict[str, Any] = field(default_factory=dict)
    within: Callable[[list[dict[int, int]]], None] | None = None
    # Of one transaction, within of a smaller turn runs first: a tenant's key where it locks that one's rows,
    # so that two processes never wait for each other.
    turn: int = 0
    # Large bodies lie in the storage backend already (store_bodies).
    bodies_are_stored: bool = False


@dataclass(frozen=True, slots=True)
class Filed:
    """Where a filing ended: the answer to APPENDUID and the notice to listeners."""

    mailbox_id: int
    folder_id: int
    uidvalidity: int
    uid: int
    modseq: int
    message_id: int
