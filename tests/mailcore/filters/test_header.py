"""What a header section shows."""

from __future__ import annotations

import pytest

from mailcore.filters.header import Oddities, oddities

REST = b"Date: Thu, 1 Jan 2026 00:00:00 +0000\r\nMessage-ID: <1@a.example>\r\n\r\n"


def test_finds_nothing_in_an_honest_mail() -> None:
    assert oddities(b"From: Ann <ann@a.example>\r\n" + REST) == Oddities()


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (b"", Oddities(0, 0)),
        (b"From: x@a.example\r\nfrom : y@b.example\r\n", Oddities(2, 2)),
        (b"From: x@a.example, y@a.example\r\n", Oddities(1, 2)),
        (b"From: undisclosed:;\r\n", Oddities(1, 0)),
        (b'From: "boss@bank.example" <x@a.example>\r\n', Oddities(shown="bank.example")),
        (b'From: "boss@Bank.example via x" <x@a.example>\r\n', Oddities(shown="bank.example")),
        (b"From: =?utf-8?q?boss=40bank=2Eexample?= <x@a.example>\r\n", Oddities(shown="bank.example")),
        ("From: boss\uff20bank.example <x@a.example>\r\n".encode(), Oddities(shown="bank.example")),
        (b'From: "x@a.example" <x@a.example>\r\n', Oddities()),
        (b'From: "meet @ noon" <x@a.example>\r\n', Oddities()),
    ],
)
def test_reads_from(header: bytes, expected: Oddities) -> None:
    assert oddities(header + REST) == expected


def test_misses_date_and_message_id() -> None:
    header = b"From: x@a.example\r\n\r\nDate: in the body\r\n"
    assert oddities(header) == Oddities(has_date=False, has_message_id=False)
