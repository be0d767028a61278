"""Block lists asked by DNS."""

from __future__ import annotations

import pytest

from mailcore.filters.blocklists import BlockList, check
from mailcore.senderauth.questions import Question
from tests.mailcore.senderauth.asking import Zone, run

BAD, WORSE = BlockList("bad.example", 2.0), BlockList("worse.example", 4.0)
ZONE: Zone = {
    "7.2.0.192.bad.example": {"A": ["127.0.0.2"]},
    "7.2.0.192.worse.example": {"A": ["127.0.0.4", "127.0.0.10"]},
    "8.2.0.192.bad.example": {"A": None},
    "8.2.0.192.worse.example": {"A": ["127.0.0.2"]},
    "9.2.0.192.bad.example": {"A": ["127.255.255.254"]},
    "9.2.0.192.worse.example": {"A": ["192.0.2.80"]},
}


@pytest.mark.parametrize(
    ("peer", "expected"),
    [
        ("192.0.2.7", (BAD, WORSE)),
        ("::ffff:192.0.2.7", (BAD, WORSE)),
        ("192.0.2.8", (WORSE,)),  # the other does not answer
        ("192.0.2.9", ()),  # "you may not ask", and a resolver that answers everything
        ("192.0.2.10", ()),
    ],
)
def test_says_which_lists_have_a_host(peer: str, expected: tuple[BlockList, ...]) -> None:
    assert run(check(peer, [BAD, WORSE]), ZONE) == expected


def test_asks_for_ipv6_by_nibbles() -> None:
    asked: list[Question] = []
    assert run(check("2001:db8::1", [BAD]), {}, asked) == ()
    assert asked == [Question("1." + "0." * 23 + "8.b.d.0.1.0.0.2.bad.example", "A")]


def test_asks_nothing_without_lists() -> None:
    asked: list[Question] = []
    assert run(check("192.0.2.7", []), ZONE, asked) == ()
    assert asked == []
