"""HOLDFOR and HOLDUNTIL of MAIL (RFC 4865)."""

import datetime as dt

import pytest

from mailcore import limits
from mailcore.errors import BadParameter
from mailcore.smtp import release

NOW = dt.datetime(2026, 11, 24, 10, 0, tzinfo=dt.UTC)
FROM = "FROM:<alice@acme.test>"


@pytest.mark.parametrize(
    ("words", "rest", "moment"),
    [
        ("", "", None),
        (" SIZE=5", " SIZE=5", None),
        (" HOLDFOR=60", "", NOW + dt.timedelta(seconds=60)),
        (" SIZE=5 holdfor=60 RET=HDRS", " SIZE=5 RET=HDRS", NOW + dt.timedelta(seconds=60)),
        (" HOLDUNTIL=2026-11-24T10:00:05Z", "", NOW + dt.timedelta(seconds=5)),
        (" HOLDUNTIL=2026-11-24t11:00:05.5+01:00", "", NOW + dt.timedelta(seconds=5.5)),
        (f" HOLDFOR={limits.SUBMISSION_AHEAD_SECONDS}", "", NOW + dt.timedelta(days=30)),
    ],
)
def test_reads_when_a_mail_shall_leave(words, rest, moment):
    assert release.take(FROM + words, NOW) == (FROM + rest, moment)


@pytest.mark.parametrize(
    "words",
    [
        "HOLDFOR=60 HOLDUNTIL=2026-11-24T10:01:00Z", "HOLDFOR=60 HOLDFOR=60", "HOLDFOR=0", "HOLDFOR=-5",
        "HOLDFOR=", "HOLDFOR", "HOLDFOR=1e3", "HOLDFOR=9999999999", "HOLDFOR=2592001",
        "HOLDUNTIL=2026-11-24T10:00:00Z", "HOLDUNTIL=2026-11-24T09:00:00Z", "HOLDUNTIL=2027-11-24T09:00:00Z",
        "HOLDUNTIL=2026-11-24", "HOLDUNTIL=2026-11-24T10:00:05", "HOLDUNTIL=2026-11-31T10:00:05Z",
        "HOLDUNTIL=0001-01-01T00:00:00+23:59", "HOLDUNTIL=tomorrow",
    ],
)  # fmt: skip
def test_refuses_what_is_no_moment_to_wait_for(words):
    with pytest.raises(BadParameter):
        release.take(f"{FROM} {words}", NOW)


def test_offers_how_long_a_mail_may_wait():
    assert release.offer(NOW) == "FUTURERELEASE 2592000 2026-12-24T10:00:00Z"
