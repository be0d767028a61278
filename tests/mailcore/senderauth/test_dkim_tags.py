"""Tags of DKIM and ARC fields."""

from __future__ import annotations

import pytest

from mailcore.senderauth.dkim_tags import NAME, OWN_B, Broken, number, octets, read_tags


def test_reads_tags_with_white_space_and_a_last_semicolon() -> None:
    assert read_tags("a = 1 ;\r\n b=x\r\n y; c=;") == {"a": "1", "b": "x\r\n y", "c": ""}


@pytest.mark.parametrize("text", ["a=1;a=2", "a", "a=1;;b=2", "1a=2", "=2", "a b=1"])
def test_refuses_what_is_no_list_of_tags(text: str) -> None:
    with pytest.raises(Broken):
        read_tags(text)


def test_reads_numbers() -> None:
    assert number({"t": "12"}, "t") == 12
    assert number({}, "t") is None
    for text in ("", "+5", "1_0", "\u0661", "9" * 13):
        with pytest.raises(Broken):
            number({"t": text}, "t")


def test_reads_base64_over_several_lines() -> None:
    assert octets("aGVs\r\n bG8=") == b"hello"
    for text in ("aGVs!", "a", "\u00e4"):
        with pytest.raises(Broken):
            octets(text)


def test_takes_out_the_signature_itself_only() -> None:
    assert OWN_B.sub(rb"\1", b" a=1; bh=x; b = abc\r\n def; s=y", count=1) == b" a=1; bh=x; b =; s=y"


def test_knows_names_of_dns() -> None:
    assert all(NAME.match(name) for name in ("a.example", "s_1.x", "_domainkey"))
    assert not any(NAME.match(name) for name in ("", ".", "a..b", "a b", "-a", "x" * 64, "a." * 130 + "a"))
