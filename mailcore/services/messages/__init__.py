"""Messages: the one way in, and every change to what is filed.

Rules all of it follows: a change happens under its mailbox's row lock, takes the mailbox's next
modseq, writes a row to the change log, and rings the mailbox when it is committed.
"""

from mailcore.services.messages.append import append_many, store_bodies
from mailcore.services.messages.change import (
    ALL,
    Changed,
    Copied,
    Kept,
    Unchanged,
    copy,
    expunge,
    move,
    set_flags,
)
from mailcore.services.messages.octets import prepare
from mailcore.services.messages.read import (
    ChangesSince,
    FolderState,
    Octets,
    Tally,
    changed_count,
    changes_since,
    claim_recent,
    contents,
    folder_rows,
    folder_state,
    gone_since,
    keyword_names,
    mailbox_modseq,
    message_rows,
    raw_of,
    raws_of,
    tallies,
)
from mailcore.services.messages.replace import replace
from mailcore.services.messages.units import Filed, Filing, Mail, Prepared, Unit

__all__ = [
    "ALL",
    "Changed",
    "ChangesSince",
    "Copied",
    "Filed",
    "Filing",
    "FolderState",
    "Kept",
    "Mail",
    "Octets",
    "Prepared",
    "Tally",
    "Unchanged",
    "Unit",
    "append_many",
    "changed_count",
    "changes_since",
    "claim_recent",
    "contents",
    "copy",
    "expunge",
    "folder_rows",
    "folder_state",
    "gone_since",
    "keyword_names",
    "mailbox_modseq",
    "message_rows",
    "move",
    "prepare",
    "raw_of",
    "raws_of",
    "replace",
    "set_flags",
    "store_bodies",
    "tallies",
]
