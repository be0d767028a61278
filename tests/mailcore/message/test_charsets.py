import encodings.aliases

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailcore.message import charsets

KNOWN = sorted(charsets._CODECS)


@pytest.mark.parametrize("name", KNOWN)
def test_every_listed_codec_is_a_text_encoding(name: str) -> None:
    assert charsets.codec(name.upper()) == charsets._CODECS[name]
    assert "abc".encode(charsets._CODECS[name]).decode(charsets._CODECS[name]) == "abc"
    for raw in (b"", b"abc", bytes(range(256)), b"\x1b$B\xff", b"\xfe\xff\xd8\x00", b"+2AA-"):
        charsets.decode(raw, name).encode("utf-8")


@pytest.mark.parametrize(
    "name",
    [
        "rot13",
        "rot_13",
        "zlib",
        "zlib_codec",
        "bz2",
        "hex",
        "base64",
        "uu",
        "quopri",
        "idna",
        "punycode",
        "mbcs",
        "oem",
        "unicode_escape",
        "raw_unicode_escape",
        "undefined",
        "utf-8-sig",
        "../x",
        "",
        "x" * 100,
        "utf\0-8",
        "utf-8\n",
    ],
)
def test_nothing_else_is_looked_up(name: str) -> None:
    assert charsets.codec(name) is None
    assert charsets.decode(b"\\u0041 Uryyb", name) == "\\u0041 Uryyb"


def test_no_transforming_codec_of_python_is_listed() -> None:
    listed = set(charsets._CODECS.values())
    for alias, codec in encodings.aliases.aliases.items():
        if codec in (
            "rot_13",
            "zlib_codec",
            "bz2_codec",
            "hex_codec",
            "base64_codec",
            "uu_codec",
            "quopri_codec",
            "mbcs",
        ):
            assert alias not in listed


@pytest.mark.parametrize(
    ("raw", "charset", "expected"),
    [
        (b"gr\xfc\xdf", "iso-8859-1", "grüß"),
        (b"\x93quoted\x94", "iso-8859-1", "“quoted”"),
        (b"gr\xc3\xbc", "us-ascii", "grü"),
        (b"gr\xfc", "", "grü"),
        (b"gr\xfc", "utf-8", "grü"),
        ("zwölf Boxkämpfer j\u00e4gen".encode()[:-1] + b"\xff", "utf-8", "zwölf Boxkämpfer jäge\ufffd"),
        ("Grüße, Jürgen Müller".encode("latin-1"), "utf-8", "Grüße, Jürgen Müller"),
        (b"\xb1\xb2", "windows-1251", "±І"),
        (b"\xc4\xe3\xba\xc3", "gb2312", "你好"),
        ("日本".encode("cp932"), "Shift_JIS", "日本"),
        (b"\xc7\xd1", "ks_c_5601-1987", "한"),
        (b"a\x80", "x-unknown", "a€"),
        (b"caf\xc3", "", "caf"),
        (b"caf\xe9", "", "caf\u00e9"),
        (b"caf\xe9", "iso-8859-1", "caf\u00e9"),
        (b"caf\xc3", "utf-8", "caf"),
        (b"caf\xc3\xa9 ol\xc3", "", "caf\u00e9 ol"),
    ],
)
def test_decodes(raw: bytes, charset: str, expected: str) -> None:
    assert charsets.decode(raw, charset) == expected


@given(st.binary(max_size=100), st.sampled_from([*KNOWN, "", "unknown"]))
def test_decodes_anything_to_text_a_database_takes(raw: bytes, name: str) -> None:
    charsets.decode(raw, name).encode("utf-8")
