"""Block lists asked by DNS."""

from __future__ import annotations

import pytest

from mailcore.filters.blocklists import BlockList, ListedDomain, check, check_domains
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


def test_says_which_lists_have_a_domain() -> None:
    zone: Zone = {
        "evil.example.bad.example": {"A": ["127.0.1.2"]},
        "evil.example.worse.example": {"A": ["127.0.0.8"]},
        "worse.net.worse.example": {"A": ["127.0.0.2"]},
        "silent.example.bad.example": {"A": None},
    }
    found = run(check_domains(["silent.example", "evil.example", "worse.net"], [BAD, WORSE]), zone)
    assert found == (ListedDomain("evil.example", BAD), ListedDomain("evil.example", WORSE))


@pytest.mark.parametrize(
    "answer", ["127.0.0.1", "127.0.1.255", "127.255.255.254", "127.0.1.102", "127.0.1.199", "192.0.2.80"]
)
def test_does_not_take_an_error_or_a_victim_for_a_bad_domain(answer: str) -> None:
    assert run(check_domains(["a.example"], [BAD]), {"a.example.bad.example": {"A": [answer]}}) == ()


def test_asks_no_list_about_domains_without_any() -> None:
    asked: list[Question] = []
    assert run(check_domains([], [BAD]), {}, asked) == run(check_domains(["a.example"], []), {}, asked) == ()
    assert asked == []
