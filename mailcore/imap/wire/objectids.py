"""Object identifiers (RFC 8474 §3): the serials a mailbox gives out, made unique among all mailboxes. Pure.

    M7-12 an email, T7-12 a thread, F7-3 a folder of mailbox 7

A copy in another mailbox keeps its email and its thread (§5.1): its row has their serials with the mailbox
they are from above them (services/messages/change.py).
"""

from __future__ import annotations

import re
from typing import Final

EMAIL, THREAD, FOLDER = "M", "T", "F"
SERIAL_BITS: Final = 40  # as in the ids of rows: mailbox << 40 | serial

_ID = re.compile(r"([MTF])([1-9][0-9]{0,6})-([1-9][0-9]{0,12})").fullmatch


def encode(kind: str, mailbox_id: int, serial: int) -> str:
    """The id of what has serial in a row of mailbox_id."""
    if serial >> SERIAL_BITS:
        mailbox_id, serial = divmod(serial, 1 << SERIAL_BITS)
    return f"{kind}{mailbox_id}-{serial}"


def decode(text: str, kind: str, mailbox_id: int) -> int | None:
    """The serial that a row of mailbox_id would have for an id, None when it is no id of ours."""
    found = _ID(text)
    if found is None or found[1] != kind:
        return None
    owner, serial = int(found[2]), int(found[3])
    if serial >> SERIAL_BITS or owner >= 1 << 23:
        return None
    return serial if owner == mailbox_id else owner << SERIAL_BITS | serial
