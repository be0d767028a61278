"""The Date field: as an instant, and as the day that its author saw. (RFC 5322 §3.3, §4.3; RFC 5256)"""

from __future__ import annotations

import re
from datetime import date

_MONTHS = {
    name: number
    for number, name in enumerate(
        (b"jan", b"feb", b"mar", b"apr", b"may", b"jun", b"jul", b"aug", b"sep", b"oct", b"nov", b"dec"), 1
    )
}
# RFC 5322 §4.3; the military letters were given the wrong way round in RFC 822 and mean nothing (but Z).
_ZONES = {b"edt": -4, b"est": -5, b"cdt": -5, b"cst": -6, b"mdt": -6, b"mst": -7, b"pdt": -7, b"pst": -8}

_TIME = rb"([0-9]{1,2})[:.]([0-9]{1,2})(?:[:.]([0-9]{1,2}))?(?:[.,][0-9]{1,9})?"
_ZONE = rb'(?:[ \t]*"?([+-][0-9]{4}|[A-Za-z]{1,5})(?![A-Za-z0-9]))?'
_DATE = re.compile(
    rb"[ \t]*(?:[A-Za-z]{2,9}[ \t]*[,.]?[ \t]*)?([0-9]{1,2})[ \t-]{1,9}([A-Za-z]{3})[A-Za-z]{0,6}"
    rb"[ \t.,-]{1,9}([0-9]{2,4})(?:[ \t,]{1,9}" + _TIME + _ZONE + rb")?"
)
# asctime(), as some programs write it: Thu Aug  7 10:11:12 2003
_ASCTIME = re.compile(
    rb"[ \t]*[A-Za-z]{3},?[ \t]{1,9}([A-Za-z]{3})[ \t]{1,9}([0-9]{1,2})[ \t]{1,9}" + _TIME + rb"[ \t]{1,9}"
    rb"(?:([+-][0-9]{4}|[A-Z]{1,5})[ \t]{1,9})?([0-9]{4})"
)
_COMMENT = re.compile(rb"\([^()]*+\)")
_BLANKS = re.compile(rb"[ \t\r\n]++")

_EPOCH = date(1970, 1, 1).toordinal()
_OCTETS = 200  # of a date that we look at


def parse(value: bytes) -> tuple[int, int] | tuple[None, None]:
    """Return seconds since 1970 in UTC and the day as a date ordinal, or None for both. Total.

    A time we cannot read counts as midnight, a zone as UTC. (RFC 5256 §2.2)
    """
    match = _DATE.match(value)
    if match is None or (match[7] is None and b"(" in value):
        value = _tidy(value)
        match = _DATE.match(value)
    if match is not None:
        day, month, year, hour, minute, second, zone = match.groups()
    else:
        match = _ASCTIME.match(value)
        if match is None:
            return None, None
        month, day, hour, minute, second, zone, year = match.groups()
    number = int(year)
    if len(year) == 2:
        number += 2000 if number < 50 else 1900
    elif len(year) == 3:
        number += 1900
    try:
        ordinal = date(number, _MONTHS[month.lower()], int(day)).toordinal()
    except (ValueError, KeyError):  # no such day, no such month
        return None, None
    hours, minutes, seconds = int(hour or b"0"), int(minute or b"0"), int(second or b"0")
    if hours > 23 or minutes > 59 or seconds > 60:
        hours = minutes = seconds = 0
    local = (ordinal - _EPOCH) * 86400 + hours * 3600 + minutes * 60 + seconds
    return local - _offset(zone), ordinal


def _offset(zone: bytes | None) -> int:
    if zone is None:
        return 0
    if zone[:1] in b"+-":
        hours, minutes = int(zone[1:3]), int(zone[3:5])
        if hours > 23 or minutes > 59:
            return 0
        seconds = hours * 3600 + minutes * 60
        return -seconds if zone[:1] == b"-" else seconds
    return _ZONES.get(zone.lower(), 0) * 3600


def _tidy(value: bytes) -> bytes:
    """Take comments and folds out of an obsolete date."""
    value = value[:_OCTETS]
    for _ in range(5):  # nested comments, innermost first
        if b"(" not in value:
            break
        value = _COMMENT.sub(b" ", value)
    value = _BLANKS.sub(b" ", value)
    return value.replace(b" :", b":").replace(b": ", b":").replace(b" ,", b",")
