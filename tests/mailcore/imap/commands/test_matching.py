"""Keys that a row decides, by tables of values."""

import datetime as dt

import pytest

from mailcore.imap.commands import matching
from mailcore.imap.wire.keys import All, Dated, HasObjectId, Larger, Smaller, Within

NOON = dt.datetime(2026, 2, 1, 12, tzinfo=dt.UTC)
SECONDS = int(NOON.timestamp())
ROW = {
    "c.sent_day": NOON.toordinal() - 1,
    "m.internal_date": SECONDS,
    "m.internal_offset": 13 * 60,  # where it came, it was the next day
    "m.saved_date": SECONDS + 2 * 86_400,
    "m.size": 10,
    "m.email_id": 12,
    "m.thread_id": 9 << 40 | 5,
}


def day(number: int) -> dt.date:
    return dt.date(2026, 1, 31) + dt.timedelta(number)


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        (Dated("ON", "sent", day(0)), True),
        (Dated("SINCE", "sent", day(1)), False),
        (Dated("ON", "internal", day(2)), True),
        (Dated("BEFORE", "internal", day(2)), False),
        (Dated("ON", "saved", day(3)), True),
        (Dated("SINCE", "saved", day(3)), True),
        (Dated("BEFORE", "saved", day(3)), False),
        (Within(60, is_younger=True), True),
        (Within(60, is_younger=False), True),
        (Within(59, is_younger=True), False),
        (Within(59, is_younger=False), True),
        (Within(61, is_younger=False), False),
        (Larger(9), True),
        (Larger(10), False),
        (Smaller(11), True),
        (Smaller(10), False),
        (HasObjectId("M", "M7-12"), True),
        (HasObjectId("M", "M8-12"), False),
        (HasObjectId("M", "T7-12"), False),
        (HasObjectId("T", "T9-5"), True),
        (HasObjectId("T", "T7-5"), False),
        (HasObjectId("T", "x"), False),
    ],
)
def test_decides(key, expected):
    needed = {name: ROW[name] for name in matching.columns(key)}
    assert matching.test(key, SECONDS + 60, 7)(needed) is expected


def test_a_mail_without_a_date_was_sent_on_no_day():
    for word in ("BEFORE", "ON", "SINCE"):
        assert not matching.test(Dated(word, "sent", day(0)), 0, 7)({"c.sent_day": None})
    assert matching.columns(All()) == set()
