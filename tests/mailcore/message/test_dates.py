import email.utils
from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailcore.message import dates


def _utc(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


@pytest.mark.parametrize(
    ("value", "utc", "day"),
    [
        # RFC 5322 appendix A
        (b"Fri, 21 Nov 1997 09:55:06 -0600", "1997-11-21T15:55:06", "1997-11-21"),
        (
            b"Thu,\r\n      13\r\n    Feb\r\n      1969\r\n      23:32\r\n         -0330 (Newfoundland Time)",
            "1969-02-14T03:02:00",
            "1969-02-13",
        ),
        (b"21 Nov 97 09:55:06 GMT", "1997-11-21T09:55:06", "1997-11-21"),
        (b"Fri, 21 Nov 1997 09(comment):   55  :  06 -0600", "1997-11-21T15:55:06", "1997-11-21"),
        # obsolete and wrong
        (b"1 Jan 49 00:00:00 Z", "2049-01-01T00:00:00", "2049-01-01"),
        (b"1 Jan 50 00:00:00 Z", "1950-01-01T00:00:00", "1950-01-01"),
        (b"1 Jan 103 00:00 UT", "2003-01-01T00:00:00", "2003-01-01"),
        (b"Mon, 7 Apr 2003 10:00:00 EDT", "2003-04-07T14:00:00", "2003-04-07"),
        (b"Mon, 7 Apr 2003 10:00:00 pst", "2003-04-07T18:00:00", "2003-04-07"),
        (b"Mon, 7 Apr 2003 10:00:00 K", "2003-04-07T10:00:00", "2003-04-07"),
        (b"Mon, 7 Apr 2003 10:00:00 CEST", "2003-04-07T10:00:00", "2003-04-07"),
        (b"Mon, 7 Apr 2003 10:00:00", "2003-04-07T10:00:00", "2003-04-07"),
        (b"Mon, 7 Apr 2003 10:00:00 +9999", "2003-04-07T10:00:00", "2003-04-07"),
        (b"Monday, 7 April 2003 10:00:00 +0200 (CEST (nested))", "2003-04-07T08:00:00", "2003-04-07"),
        (b"(c) Mon, 7-Apr-2003 10:00:00 +0000", "2003-04-07T10:00:00", "2003-04-07"),
        (b"Mon Apr  7 10:00:00 2003", "2003-04-07T10:00:00", "2003-04-07"),
        (b"Mon, 7 Apr 2003 23:59:60 +0000", "2003-04-08T00:00:00", "2003-04-07"),
        (b"Mon, 7 Apr 2003 25:00:00 +0000", "2003-04-07T00:00:00", "2003-04-07"),
        (b"Mon, 7 Apr 2003", "2003-04-07T00:00:00", "2003-04-07"),
        (b"Mon, 7 Apr 2003 23:00:00 -0500", "2003-04-08T04:00:00", "2003-04-07"),
        (b"Fri, 31 Dec 9999 23:00:00 -2359", None, "9999-12-31"),
    ],
)
def test_reads_dates(value: bytes, utc: str | None, day: str) -> None:
    sent_at, sent_day = dates.parse(value)
    assert sent_day == date.fromisoformat(day).toordinal()
    if utc is not None:
        assert sent_at == _utc(utc)


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"yesterday",
        b"Mon, 31 Feb 2003 10:00:00 +0000",
        b"Mon, 7 Foo 2003",
        b"7 Apr 0000 1:1:1",
        b"(" * 1000,
        "7 Apr ٢٠٠٣".encode(),
    ],
)
def test_says_so_when_there_is_no_date(value: bytes) -> None:
    assert dates.parse(value) == (None, None)


@given(
    st.datetimes(min_value=datetime(1900, 1, 1), max_value=datetime(9990, 1, 1)),  # noqa: DTZ001
    st.integers(-14 * 60, 14 * 60),
)
def test_agrees_with_the_standard_library(moment: datetime, minutes: int) -> None:
    moment = moment.replace(microsecond=0, tzinfo=timezone(timedelta(minutes=minutes)))
    sent_at, sent_day = dates.parse(email.utils.format_datetime(moment).encode("ascii"))
    assert sent_at == int(moment.timestamp())
    assert sent_day == moment.date().toordinal()


@given(st.binary(max_size=120))
def test_reads_anything(value: bytes) -> None:
    dates.parse(value)


@given(
    st.lists(
        st.sampled_from(
            [b"Mon", b",", b" ", b"7", b"Apr", b"2003", b"10:", b"00", b":", b"(", b")", b"+0000", b"-"]
        ),
        max_size=40,
    )
)
def test_reads_any_mixture(pieces: list[bytes]) -> None:
    dates.parse(b"".join(pieces))
