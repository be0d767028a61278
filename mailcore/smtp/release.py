"""When a mail shall leave, as its sender's program says it with MAIL. Pure. (RFC 4865)

HOLDFOR is an interval in seconds, HOLDUNTIL a moment; services/outbound/later.py keeps what waits.
"""

from __future__ import annotations

import datetime as dt
import re

from mailcore import limits
from mailcore.errors import BadParameter
from mailcore.smtp import dsn

_NAMES = frozenset({"HOLDFOR", "HOLDUNTIL"})
_INTERVAL = re.compile(r"[1-9][0-9]{0,8}")
# RFC 3339 §5.6, with the zone that RFC 4865's erratum 2040 allows.
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?(?:Z|[+-]\d\d:\d\d)", re.IGNORECASE)


def offer(now: dt.datetime) -> str:
    """What EHLO says: the longest interval, and the last moment, that a mail may wait for (§3)."""
    last = now + dt.timedelta(seconds=limits.SUBMISSION_AHEAD_SECONDS)
    return f"FUTURERELEASE {limits.SUBMISSION_AHEAD_SECONDS} {last:%Y-%m-%dT%H:%M:%SZ}"


def take(arg: str, now: dt.datetime) -> tuple[str, dt.datetime | None]:
    """arg of MAIL without its hold parameter, and the moment that this comes to; None if there is none.

    Raises BadParameter for two of them, for what is none, and for a moment that is over or too far ahead.
    """
    rest, found = dsn.take(arg, _NAMES, lambda _, value: value)
    if not found:
        return arg, None
    if len(found) > 1:
        raise BadParameter("HOLDFOR or HOLDUNTIL, not both (RFC 4865)")
    moment = _after(found["HOLDFOR"], now) if "HOLDFOR" in found else _at(found["HOLDUNTIL"])
    if not now < moment <= now + dt.timedelta(seconds=limits.SUBMISSION_AHEAD_SECONDS):
        raise BadParameter("Mail cannot wait for that moment; EHLO tells how long it may (RFC 4865)")
    return rest, moment


def _after(value: str, now: dt.datetime) -> dt.datetime:
    if not _INTERVAL.fullmatch(value):
        raise BadParameter("HOLDFOR is a number of seconds (RFC 4865)")
    return now + dt.timedelta(seconds=int(value))


def _at(value: str) -> dt.datetime:
    if _MOMENT.fullmatch(value):
        try:
            return dt.datetime.fromisoformat(value.upper()).astimezone(dt.UTC)
        except (ValueError, OverflowError):
            pass
    raise BadParameter("HOLDUNTIL is a moment such as 2026-12-24T18:00:00Z (RFC 4865)")
