import email.message

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailcore.message import params


@pytest.mark.parametrize(
    ("value", "main", "expected"),
    [
        (b" text/plain; charset=us-ascii (Plain text)\r\n", b"text/plain", {b"charset": b"us-ascii"}),
        (
            b'Text/HTML; Charset="utf-8"; format=flowed',
            b"text/html",
            {b"charset": b"utf-8", b"format": b"flowed"},
        ),
        (b'multipart/mixed;\r\n boundary="a;b=\\"c\\""', b"multipart/mixed", {b"boundary": b'a;b="c"'}),
        (b"text/plain charset=utf-8", b"text/plain", {b"charset": b"utf-8"}),
        (b"text/plain (a comment); charset=x", b"text/plain", {b"charset": b"x"}),
        (b"attachment; filename=my report.pdf", b"attachment", {b"filename": b"my report.pdf"}),
        (b"attachment; filename=a.pdf; filename=b.pdf", b"attachment", {b"filename": b"a.pdf"}),
        (b"a/b; c", b"a/b", {}),
        (b"a/b; =c; d=", b"a/b", {b"d": b""}),
        (b'a/b; c="open', b"a/b", {b"c": b"open"}),
        (b"", b"", {}),
        (b";;;", b"", {}),
        # RFC 2231 §3, §4, §4.1
        (
            b'message/external-body; access-type=URL; URL*0="ftp://";\r\n URL*1="cs.utk.edu/pub"',
            b"message/external-body",
            {b"access-type": b"URL", b"url": b"ftp://cs.utk.edu/pub"},
        ),
        (
            b"a/b; title*=us-ascii'en-us'This%20is%20%2A%2A%2Afun%2A%2A%2A",
            b"a/b",
            {b"title*": b"us-ascii'en-us'This%20is%20%2A%2A%2Afun%2A%2A%2A"},
        ),
        (
            b"a/b;title*1*=%2A%2A%2Afun%2A%2A%2A%20; title*0*=us-ascii'en'This%20is%20;title*2=\"isn't it!\"",
            b"a/b",
            {b"title*": b"us-ascii'en'This%20is%20%2A%2A%2Afun%2A%2A%2A%20isn%27t%20it!"},
        ),
        (b"a/b; x*0=a; x*2=c", b"a/b", {b"x": b"a"}),
    ],
)
def test_reads_values(value: bytes, main: bytes, expected: dict[bytes, bytes]) -> None:
    found = params.parse(value)
    assert found.main == main
    assert dict(found.params) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"a; filename*=utf-8''J%C3%BCrgen.pdf; filename=J.pdf", "Jürgen.pdf"),
        (b"a; filename=J.pdf; filename*=utf-8''J%C3%BCrgen.pdf", "Jürgen.pdf"),
        (b'a; filename="=?utf-8?q?J=C3=BCrgen.pdf?="', "Jürgen.pdf"),
        ('a; filename="Jürgen.pdf"'.encode(), "Jürgen.pdf"),
        (b"a; filename*0*=iso-8859-1''J%FC; filename*1=rgen.pdf", "Jürgen.pdf"),
        (b"a; filename*0*=utf-8''J%C3; filename*1*=%BCrgen.pdf", "Jürgen.pdf"),
        (b"a; filename*=rot13''Uryyb", "Uryyb"),
        (b"a; filename*=%41", "A"),
        (b"a", ""),
    ],
)
def test_file_names_become_text(value: bytes, expected: str) -> None:
    assert params.parse(value).text(b"filename") == expected


def test_gives_the_imap_list() -> None:
    assert params.parse(b"a/b").wire == b"NIL"
    assert params.parse(b'a/b; X=y; z="a\\"b"').wire == b'("x" "y" "z" "a\\"b")'
    assert params.parse("a/b; x=ü".encode()).wire == b'("x" {2}\r\n\xc3\xbc)'


@given(st.text(st.characters(codec="latin-1", exclude_categories=["Cc", "Cs"]), max_size=40))
def test_reads_what_the_standard_library_writes(name: str) -> None:
    mail = email.message.Message()
    encoded = ("utf-8", "", name) if not name.isascii() else name
    mail.add_header("Content-Disposition", "attachment", filename=encoded)
    found = params.parse(str(mail["content-disposition"]).encode("ascii")).text(b"filename")
    assert found == (name.strip(" ") if name.isascii() else name)


@given(st.binary(max_size=300))
def test_reads_anything(value: bytes) -> None:
    found = params.parse(value)
    for name, _ in found.params:
        found.text(name).encode("utf-8")


@given(
    st.lists(
        st.sampled_from([b";", b" ", b"a", b"=", b'"', b"\\", b"*", b"0", b"1", b"'", b"%41", b"(", b"\r\n"]),
        max_size=50,
    )
)
def test_reads_any_mixture(pieces: list[bytes]) -> None:
    found = params.parse(b"".join(pieces))
    assert found.main == found.main.lower()
