"""Search keys that a message's row decides: which columns to read, and the test (RFC 3501 §6.4.4).

WITHIN asks for the age (RFC 5032), SAVEDATE for when a message came into its folder (RFC 8514), OBJECTID for
an email or a thread (RFC 8474 §6). search.py calls it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

from mailcore.imap.wire import objectids
from mailcore.imap.wire.keys import Dated, HasObjectId, Key, Larger, Smaller, Within

_EPOCH = 719_163  # the ordinal of 1 January 1970

# A row by names of columns.
Values: TypeAlias = Mapping[str, Any]
Test: TypeAlias = Callable[[Values], bool]
KEYS: Final = (Dated, HasObjectId, Larger, Smaller, Within)
_IDS: Final = {objectids.EMAIL: "m.email_id", objectids.THREAD: "m.thread_id"}


def columns(key: Key) -> set[str]:
    """What to read of a row for one key; nothing for what is not in KEYS."""
    match key:
        case Dated(of="sent"):
            return {"c.sent_day"}
        case Dated(of="saved"):
            return {"m.saved_date"}
        case Dated():
            return {"m.internal_date", "m.internal_offset"}
        case Within():
            return {"m.internal_date"}
        case HasObjectId(kind=kind):
            return {_IDS[kind]}
        case Larger() | Smaller():
            return {"m.size"}
    return set()


def test(key: Key, now: int, mailbox_id: int) -> Test:
    """The test of one of KEYS for rows of a mailbox. now is in seconds since 1970."""
    match key:
        case Larger(octets=octets):
            return lambda values: bool(values["m.size"] > octets)
        case Smaller(octets=octets):
            return lambda values: bool(values["m.size"] < octets)
        case Within(seconds=seconds, is_younger=True):
            return lambda values: bool(values["m.internal_date"] >= now - seconds)
        case Within(seconds=seconds):
            return lambda values: bool(values["m.internal_date"] <= now - seconds)
        case HasObjectId(kind=kind, text=text):
            wanted = objectids.decode(text, kind, mailbox_id)
            return lambda values: values[_IDS[kind]] == wanted
        case Dated():
            return _dated(key)
    raise AssertionError(key)


def _dated(key: Dated) -> Test:
    day = key.day.toordinal()
    compare: Callable[[int], bool] = {
        "BEFORE": lambda found: found < day,
        "ON": lambda found: found == day,
        "SINCE": lambda found: found >= day,
    }[key.test]

    def sent(values: Values) -> bool:
        found = values["c.sent_day"]
        return found is not None and compare(found)

    def saved(values: Values) -> bool:
        return compare(values["m.saved_date"] // 86_400 + _EPOCH)

    def internal(values: Values) -> bool:
        seconds = values["m.internal_date"] + 60 * values["m.internal_offset"]
        return compare(seconds // 86_400 + _EPOCH)

    return {"sent": sent, "saved": saved, "internal": internal}[key.of]
