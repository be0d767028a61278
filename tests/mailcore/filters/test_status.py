"""The fields that tell what was decided."""

from __future__ import annotations

import pytest

from mailcore.filters.spam import Reason, Thresholds, decide
from mailcore.filters.status import fields, is_ours

AT = Thresholds(5.0)


def test_says_what_a_good_mail_scored() -> None:
    assert fields(decide([], AT)) == b"X-Spam-Status: No, score=0.0 required=5.0\r\n\ttests=none\r\n"


def test_says_why_a_mail_is_junk() -> None:
    decision = decide([Reason("SPF_FAIL", 2.5, "x"), Reason("LISTED", 4, "y\r\nz")], AT)
    assert fields(decision) == (
        b"X-Spam-Status: Yes, score=6.5 required=5.0\r\n\ttests=SPF_FAIL=2.5,LISTED=4\r\nX-Spam-Flag: YES\r\n"
    )


def test_folds_between_its_tests() -> None:
    octets = fields(decide([Reason(f"A_LONG_NAME_{number}", 1.5, "") for number in range(30)], AT))
    lines = octets.split(b"\r\n")
    assert max(map(len, lines)) <= 78
    joined = b"".join(line.strip(b"\t") for line in lines[1:-2])
    assert joined.count(b"A_LONG_NAME_") == 30
    assert joined.count(b",") == 29


def test_cannot_be_made_to_end_a_line() -> None:
    octets = fields(decide([Reason("A\r\nB: c", 1, "")], AT))
    assert octets.count(b"\r\n") == 2


@pytest.mark.parametrize(
    ("name", "expected"),
    [("x-spam-status", True), ("x-spam-flag", True), ("x-spam-score", True), ("x-spammer", False)],
)
def test_knows_what_could_be_taken_for_ours(name: str, expected: bool) -> None:
    assert is_ours(name) is expected
