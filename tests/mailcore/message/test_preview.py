import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailcore import limits
from mailcore.message.preview import collapse, preview, strip_tags


@pytest.mark.parametrize(
    ("raw", "encoding", "charset", "expected"),
    [
        (b"Hello\r\n\r\n  world \t!\r\n", "7bit", "us-ascii", "Hello world !"),
        (b"Gr=C3=BC=\r\n=C3=9Fe", "quoted-printable", "utf-8", "Grüße"),
        (b"R3LD\r\nvMOf\r\nZQ==", "base64", "utf-8", "Grüße"),
        (b"Gr\xfc\xdfe", "8bit", "iso-8859-1", "Grüße"),
        (b"", "7bit", "", ""),
        (b"\0\x1b[31mred\x07\r\n", "7bit", "", "[31mred"),
        ("a\u200b\u200c\u00adb\u034f\u2028c\u00a0d".encode(), "8bit", "utf-8", "ab c d"),
    ],
)
def test_gives_the_first_words(raw: bytes, encoding: str, charset: str, expected: str) -> None:
    assert preview(raw, encoding, charset, is_html=False) == expected


def test_is_cut_at_the_limit() -> None:
    assert len(preview(b"word " * 10_000, "7bit", "", is_html=False)) in (
        limits.PREVIEW_CHARS,
        limits.PREVIEW_CHARS - 1,
    )
    assert preview(b"x" * 10_000, "7bit", "", is_html=False) == "x" * limits.PREVIEW_CHARS
    assert preview(b" " * 1000 + b"late", "7bit", "", is_html=False) == "late"


def test_a_cut_character_leaves_no_trace() -> None:
    raw = b"x" * (limits.PREVIEW_TEXT_OCTETS - 1) + "é".encode()
    assert "\ufffd" not in preview(b" " * 1900 + raw[1900:], "8bit", "", is_html=False)


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ("<p>Hello</p><p>world</p>", "Hello world"),
        ("<b>H</b>ello<br>world", "Hello world"),
        ("<head><title>No</title><style>p {x: y}</style></head><body>Yes", "Yes"),
        ("<STYLE>a</style >b", "b"),
        ("<script>if (a < b) {}</script>c", "c"),
        ("<!-- <p>no</p> -->yes", "yes"),
        ("<!doctype html><?xml ?>yes", "yes"),
        ("a &lt; b &amp; c&nbsp;d &#x20AC; &bogus;", "a < b & c d € &bogus;"),
        ("1 < 2 <3", "1 < 2 <3"),
        ("<p", ""),
        ("<style>never closed", ""),
        ("<!-- never closed", ""),
        ("&#" + "9" * 5_000 + ";x", "x"),
        ("<body><p>a<wbr>b", "a b"),
    ],
)
def test_strips_tags(html: str, expected: str) -> None:
    assert collapse(strip_tags(html)) == expected


@given(st.text(max_size=200))
def test_strips_anything(text: str) -> None:
    line = collapse(strip_tags(text))
    assert len(line) <= limits.PREVIEW_CHARS
    line.encode("utf-8")
    assert "\0" not in line


@given(
    st.lists(
        st.sampled_from(["<", ">", "/", "style", "!--", "-->", "&", "#", "x", " ", "p", ";", "1"]),
        max_size=60,
    )
)
def test_strips_any_mixture(pieces: list[str]) -> None:
    collapse(strip_tags("".join(pieces)))
