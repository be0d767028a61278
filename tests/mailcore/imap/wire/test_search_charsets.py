import codecs

import pytest

from mailcore.errors import BadCharset, BadSyntax
from mailcore.imap.wire import search_charsets, search_keys
from mailcore.imap.wire.grammar import Cursor
from mailcore.imap.wire.keys import Contains

LISTED = BadCharset.imap.partition("(")[2].rstrip(")").split(" ")


def searched(charset: str, octets: bytes) -> str:
    key = search_keys.parse(
        Cursor(b"CHARSET %b SUBJECT {%d}\r\n" % (charset.encode(), len(octets)), (octets,))
    )
    assert isinstance(key, Contains)
    return key.needle


@pytest.mark.parametrize("name", LISTED)
def test_knows_all_that_it_lists(name):
    assert codecs.lookup(search_charsets.codec(name))
    assert search_charsets.codec(name.lower()) == search_charsets.codec(name.upper())


@pytest.mark.parametrize(
    ("charset", "octets", "text"),
    [
        ("ISO-8859-2", b"\xbf\xf3\xb3w", "żółw"),
        ("windows-1251", b"\xef\xf0\xe8\xe2\xe5\xf2", "привет"),
        ("KOI8-R", b"\xd0\xd2\xc9\xd7\xc5\xd4", "привет"),
        ("Shift_JIS", b"\x93\xfa\x96{", "日本"),
        ("ISO-2022-JP", b"\x1b$BF|K\\\x1b(B", "日本"),
        ("GBK", b"\xc4\xe3\xba\xc3", "你好"),
        ("Big5", b"\xa7A\xa6n", "你好"),
        ("EUC-KR", b"\xbe\xc8", "안"),
        ("IBM850", b"\x81", "ü"),
        ("mac-roman", b"\x9f", "ü"),
        ("cp037", b"\xc8\x89", "Hi"),
        ("ISO-8859-1", b"\xfc\x81", "ü\x81"),
    ],
)
def test_reads_legacy_charsets(charset, octets, text):
    assert searched(charset, octets) == text


@pytest.mark.parametrize(
    "name",
    [
        "X-KLINGON", "zlib", "zlib_codec", "rot13", "rot_13", "base64", "hex", "bz2", "uu", "quopri", "idna",
        "punycode",
        "unicode_escape", "raw_unicode_escape", "undefined", "mbcs", "UTF-16", "UTF-32BE", "UTF-7", "u7", "",
        "latin\u0131",
    ],
)  # fmt: skip
def test_knows_no_codec_that_is_no_charset(name):
    assert search_charsets.codec(name) is None


@pytest.mark.parametrize(
    ("charset", "octets"),
    [("US-ASCII", b"\xfc"), ("windows-1252", b"\x81"), ("EUC-JP", b"\xff"), ("UTF-8", b"\xfc")],
)
def test_refuses_text_that_is_not_in_its_charset(charset, octets):
    with pytest.raises(BadSyntax):
        searched(charset, octets)
