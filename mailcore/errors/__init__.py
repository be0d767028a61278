"""Every failure a caller can cause, once, and how SMTP, IMAP, POP3 and HTTP each say it.

Services and formats raise these; each face translates in one place. The text of a MailError is safe for
strangers: never put a password, a path, another tenant's name or an exception's words into it. The cause
travels in `raise ... from` and ends in the log. Anything that is not a MailError is our bug, and the faces
answer it as `Unexpected`.

Codes: RFC 3463 and RFC 5248 (SMTP), RFC 5530 and RFC 9051 §7.1 (IMAP), RFC 2449 §8 and RFC 3206 (POP3).
One file for each kind of failure; callers take them all from here.
This package is imported by pure code too: nothing but the standard library here.
"""

from __future__ import annotations

from mailcore.errors.addresses import (
    BadAddress,
    DomainUnverified,
    MailboxSuspended,
    NoSuchAddress,
    NotHere,
    NotYours,
    SendingStopped,
    Suppressed,
    TenantSuspended,
    TooManyRecipients,
    WayClosed,
)
from mailcore.errors.administration import AlreadyExists, BadValue, NotAllowedNow, NotFound
from mailcore.errors.base import MailError
from mailcore.errors.folders import (
    BadFolderName,
    BadFolderUse,
    BadMetadata,
    FolderExists,
    FolderGone,
    FolderInUse,
    FolderLost,
    FolderProtected,
    MetadataTooBig,
    NoSuchFolder,
    TooManyFolders,
    TooMuchMetadata,
    TryCreate,
)
from mailcore.errors.grammar import (
    BadCharset,
    BadEvent,
    BadParameter,
    BadSequence,
    BadSyntax,
    BadUrl,
    CompressionActive,
    NotSaved,
    TooManyNotices,
)
from mailcore.errors.later import (
    Busy,
    DiskFull,
    Greylisted,
    TooFast,
    TooManyConnections,
    TooManyGuesses,
    TooMuchMail,
    TryLater,
    Unexpected,
)
from mailcore.errors.messages import (
    BadFlag,
    BadHeader,
    BadMessage,
    BadReport,
    Loop,
    MessageTooBig,
    NoSuchMessage,
    OverQuota,
    RefusedByAuthor,
    Rejected,
    UnknownCTE,
)
from mailcore.errors.outside import (
    LookupFailed,
    NoMailAccepted,
    NoRecords,
    NoRoute,
    NoSuchName,
    RelayAway,
)
from mailcore.errors.signing_in import (
    Forbidden,
    LoginFailed,
    LoginThrottled,
    LoginTooWeak,
    MailboxInUse,
    ReadersOnly,
    ReadOnly,
)
from mailcore.errors.store import CannotUnseal, NoSuchBlob, StoreDown

__all__ = [
    "AlreadyExists",
    "BadAddress",
    "BadCharset",
    "BadEvent",
    "BadFlag",
    "BadFolderName",
    "BadFolderUse",
    "BadHeader",
    "BadMessage",
    "BadMetadata",
    "BadParameter",
    "BadReport",
    "BadSequence",
    "BadSyntax",
    "BadUrl",
    "BadValue",
    "Busy",
    "CannotUnseal",
    "CompressionActive",
    "DiskFull",
    "DomainUnverified",
    "FolderExists",
    "FolderGone",
    "FolderInUse",
    "FolderLost",
    "FolderProtected",
    "Forbidden",
    "Greylisted",
    "LoginFailed",
    "LoginThrottled",
    "LoginTooWeak",
    "LookupFailed",
    "Loop",
    "MailError",
    "MailboxInUse",
    "MailboxSuspended",
    "MessageTooBig",
    "MetadataTooBig",
    "NoMailAccepted",
    "NoRecords",
    "NoRoute",
    "NoSuchAddress",
    "NoSuchBlob",
    "NoSuchFolder",
    "NoSuchMessage",
    "NoSuchName",
    "NotAllowedNow",
    "NotFound",
    "NotHere",
    "NotSaved",
    "NotYours",
    "OverQuota",
    "ReadOnly",
    "ReadersOnly",
    "RefusedByAuthor",
    "Rejected",
    "RelayAway",
    "SendingStopped",
    "StoreDown",
    "Suppressed",
    "TenantSuspended",
    "TooFast",
    "TooManyConnections",
    "TooManyFolders",
    "TooManyGuesses",
    "TooManyNotices",
    "TooManyRecipients",
    "TooMuchMail",
    "TooMuchMetadata",
    "TryCreate",
    "TryLater",
    "Unexpected",
    "UnknownCTE",
    "WayClosed",
]
