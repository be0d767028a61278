import email.header

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailcore.message import words


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        # RFC 2047 §8, as displayed there without the comment's parentheses
        (b"(=?ISO-8859-1?Q?a?=)", "(a)"),
        (b"(=?ISO-8859-1?Q?a?= b)", "(a b)"),
        (b"(=?ISO-8859-1?Q?a?= =?ISO-8859-1?Q?b?=)", "(ab)"),
        (b"(=?ISO-8859-1?Q?a?=  =?ISO-8859-1?Q?b?=)", "(ab)"),
        (b"(=?ISO-8859-1?Q?a?=\r\n    =?ISO-8859-1?Q?b?=)", "(ab)"),
        (b"(=?ISO-8859-1?Q?a_b?=)", "(a b)"),
        (b"(=?ISO-8859-1?Q?a?= =?ISO-8859-2?Q?_b?=)", "(a b)"),
        (
            (
                b"=?ISO-8859-1?B?SWYgeW91IGNhbiByZWFkIHRoaXMgeW8=?=\r\n"
                b" =?ISO-8859-2?B?dSB1bmRlcnN0YW5kIHRoZSBleGFtcGxlLg==?="
            ),
            "If you can read this you understand the example.",
        ),
        (b"=?US-ASCII?Q?Keith_Moore?= <moore@cs.utk.edu>", "Keith Moore <moore@cs.utk.edu>"),
        # RFC 2231 §5
        (b"=?US-ASCII*EN?Q?Keith_Moore?=", "Keith Moore"),
        # as found in mail
        (b"=?utf-8?q?a=C3?= =?utf-8?q?=A4b?=", "aäb"),
        (b"=?utf-8?b?4oKs?=x=?UTF-8?Q?y z?=", "€xy z"),
        (b"=?utf-8?b?4oKs4oK?=", "€"),
        (b"=?utf-8?b?4oK s?=", "€"),
        (b"=?koi8-r?B?8NLJ18XU?=", "Привет"),
        (b"=?iso-2022-jp?b?GyRCRnxLXBsoQg==?=", "日本"),
        ("grüß dich".encode(), "grüß dich"),
        ("grüß dich".encode("latin-1"), "grüß dich"),
        (b"folded\r\n\tvalue\r\n", "folded\tvalue"),
        # no words
        (b"=?utf-8?x?abc?=", "=?utf-8?x?abc?="),
        (b"=?utf-8?q?abc", "=?utf-8?q?abc"),
        (b"=??q?abc?=", "=??q?abc?="),
        (b"a=?b", "a=?b"),
        (b"", ""),
    ],
)
def test_decodes(value: bytes, expected: str) -> None:
    assert words.decode(value) == expected


def test_unknown_charsets_are_read_as_utf8_or_windows_1252() -> None:
    assert words.decode(b"=?x-made-up?q?J=C3=BC?=") == "Jü"
    assert words.decode(b"=?rot13?q?Uryyb?=") == "Uryyb"


def test_encoded_line_ends_stay_inside_the_line() -> None:
    assert words.decode(b"=?utf-8?q?a=0D=0ABcc:_b=00=E2=80=A8c?=") == "a Bcc: b c"


@given(st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), max_size=60))
def test_reads_what_the_standard_library_writes(text: str) -> None:
    encoded = email.header.Header(text, "utf-8", maxlinelen=60).encode(linesep="\r\n")
    if "=?" in encoded:
        assert words.decode(encoded.encode("ascii")) == text


@given(st.binary(max_size=200))
def test_decodes_anything(value: bytes) -> None:
    text = words.decode(b"=?utf-7?q?" + value + b"?= " + value)
    text.encode("utf-8")
