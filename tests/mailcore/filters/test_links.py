"""Which domains a mail names."""

from __future__ import annotations

import pytest

from mailcore import limits
from mailcore.filters.links import domains


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("see https://Shop.Evil.example/x?y, now", ("shop.evil.example", "evil.example")),
        ('<a href="http://evil.example:8080/">bank</a>', ("evil.example",)),
        ("https://bank.example@evil.example/", ("evil.example",)),
        ("http:///evil.example", ("evil.example",)),
        ("go to www.evil.example today.", ("www.evil.example", "evil.example")),
        ("a.b.c.evil.example and mail me", ()),
        ("http://a.b.c.evil.co.example/", ("evil.co.example", "co.example")),
        ("http://192.0.2.7/", ()),
        ("http://localhost/", ()),
        ("http://b\u00fccher.example/", ("xn--bcher-kva.example",)),
        ("http://-bad-..example/", ()),
        ("", ()),
    ],
)
def test_finds_the_names_in_links(text: str, expected: tuple[str, ...]) -> None:
    assert domains(text) == expected


def test_names_who_wrote_before_what_is_linked_and_each_once() -> None:
    found = domains("http://evil.example http://evil.example/2", ["a.example", "", "a.example"])
    assert found == ("a.example", "evil.example")


def test_has_an_end() -> None:
    many = " ".join(f"http://e{number}.example/" for number in range(1000))
    assert len(domains(many)) == limits.LINK_DOMAINS
    assert domains("x" * limits.LINK_CHARS + " http://evil.example/") == ()
