"""The text that searches look through."""

import base64

import pytest

from mailcore.message import searchtext
from mailcore.message.index import index
from mailcore.message.searchtext import Source, fold, texts
from tests.messages import corpus, name_of


def source(raw: bytes, prefix: bytes = b"") -> Source:
    made = index(raw)
    at = made.header_octets
    return Source(prefix, raw[:at], raw[at:], made.parts, made.subject, made.from_text, made.to_text)


@pytest.mark.parametrize(
    ("text", "needle"),
    [
        ("GRÜSSE", "grüße"),
        ("Café", "CAFE\u0301"),
        ("ﬁle", "FI"),
        ("ΣΊΣΥΦΟΣ", "σίσυφος"),
        ("ＡＢＣ", "abc"),
        ("℡", "tel"),
    ],
)
def test_folds_what_people_call_the_same(text, needle):
    assert fold(needle) in fold(text)
    assert fold(fold(text)) == fold(text)


def test_reads_fields_decoded_and_unfolded():
    found = texts(
        source(b"Subject: =?utf-8?q?Gr=C3=BC?=\r\n =?utf-8?q?n?= one\r\n two\r\nCc: Dee <d@e>\r\n\r\n")
    )
    assert fold("Subject: Grün one two") in found.head
    assert found.fields[0] == fold("Grün one two")
    assert "dee <d@e>" in found.fields[3]


def test_reads_html_as_text():
    raw = b"Content-Type: text/html\r\n\r\n<p>Hel<b>lo</b> &eacute;t&eacute;</p><script>nothing</script>"
    found = texts(source(raw))
    assert "hello" in found.body
    assert fold("été") in found.body
    assert "nothing" not in found.body
    assert "<p>" not in found.body


def test_decodes_bodies():
    body = base64.encodebytes("Привет, мир".encode("koi8-r"))
    raw = b"Content-Type: text/plain; charset=koi8-r\r\nContent-Transfer-Encoding: base64\r\n\r\n" + body
    assert "привет" in texts(source(raw)).body


def test_says_when_it_was_cut():
    raw = b"Subject: x\r\n\r\n" + b"a" * 50
    assert texts(source(raw), 20).is_cut
    assert len(texts(source(raw), 20).body) == 20
    assert not texts(source(raw), 50).is_cut
    assert len(texts(source(raw), None).body) == 50


def test_the_needle_has_the_line_ends_of_texts():
    assert searchtext.needle("a\r\nB") in texts(source(b"Subject: x\r\n\r\nA\r\nb")).body


@pytest.mark.parametrize("path", corpus(), ids=name_of)
def test_is_total(path):
    found = texts(source(path.read_bytes(), b"Received: by us\r\n"))
    assert "\0" not in found.head + found.body + "".join(found.fields)
    assert "received: by us" in found.head
    (found.head + found.body).encode()
