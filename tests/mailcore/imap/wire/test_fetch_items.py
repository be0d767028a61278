"""What FETCH can be asked for."""

import time

import pytest

from mailcore.errors import BadSyntax
from mailcore.imap.wire import fetch_items
from mailcore.imap.wire.grammar import Cursor
from mailcore.imap.wire.values import FetchItem, Section


def read(wire: bytes, *literals: bytes) -> tuple[FetchItem, ...]:
    cursor = Cursor(wire, literals)
    items = fetch_items.parse(cursor)
    cursor.end()
    return items


def names(wire: bytes) -> list[str]:
    return [item.name for item in read(wire)]


def test_macros():
    assert names(b"FAST") == ["FLAGS", "INTERNALDATE", "RFC822.SIZE"]
    assert names(b"all") == ["FLAGS", "INTERNALDATE", "RFC822.SIZE", "ENVELOPE"]
    assert names(b"FULL") == ["FLAGS", "INTERNALDATE", "RFC822.SIZE", "ENVELOPE", "BODY"]


@pytest.mark.parametrize(
    "name", ["FLAGS", "UID", "ENVELOPE", "INTERNALDATE", "RFC822.SIZE", "BODYSTRUCTURE", "BODY"]
)
def test_plain_items(name):
    (item,) = read(name.lower().encode())
    assert item == FetchItem(name, name.encode(), None, True, None)


@pytest.mark.parametrize(
    ("wire", "label", "section", "peek"),
    [
        (b"RFC822", b"RFC822", Section("", ""), False),
        (b"RFC822.HEADER", b"RFC822.HEADER", Section("", "HEADER"), True),
        (b"RFC822.TEXT", b"RFC822.TEXT", Section("", "TEXT"), False),
        (b"BODY[]", b"BODY[]", Section("", ""), False),
        (b"body.peek[]", b"BODY[]", Section("", ""), True),
        (b"BODY[HEADER]", b"BODY[HEADER]", Section("", "HEADER"), False),
        (b"BODY[text]", b"BODY[TEXT]", Section("", "TEXT"), False),
        (b"BODY[1]", b"BODY[1]", Section("1", ""), False),
        (b"BODY[4.2.2.1]", b"BODY[4.2.2.1]", Section("4.2.2.1", ""), False),
        (b"BODY[1.MIME]", b"BODY[1.MIME]", Section("1", "MIME"), False),
        (b"BODY[3.HEADER]", b"BODY[3.HEADER]", Section("3", "HEADER"), False),
        (b"BODY[3.1.TEXT]", b"BODY[3.1.TEXT]", Section("3.1", "TEXT"), False),
        (
            b'BODY[HEADER.FIELDS (From "To")]',
            b"BODY[HEADER.FIELDS (From To)]",
            Section("", "HEADER.FIELDS", (b"From", b"To")),
            False,
        ),
        (
            b"BODY.PEEK[2.HEADER.FIELDS.NOT (X)]",
            b"BODY[2.HEADER.FIELDS.NOT (X)]",
            Section("2", "HEADER.FIELDS.NOT", (b"X",)),
            True,
        ),
    ],
)
def test_sections(wire, label, section, peek):
    (item,) = read(wire)
    assert (item.label, item.section, item.peek, item.partial) == (label, section, peek, None)


def test_partial():
    (item,) = read(b"BODY[TEXT]<100.2048>")
    assert item.partial == (100, 2048)
    assert item.label == b"BODY[TEXT]<100>"


def test_field_names_may_be_literals():
    (item,) = read(b"BODY[HEADER.FIELDS ({4}\r\n {3+}\r\n)]", b"From", b"a b")
    assert item.section.fields == (b"From", b"a b")
    assert item.label == b'BODY[HEADER.FIELDS (From "a b")]'


def test_lists_have_each_item_once():
    assert names(b"(UID FLAGS uid BODY[] BODY[] BODY)") == ["UID", "FLAGS", "BODY", "BODY"]


@pytest.mark.parametrize(
    "wire",
    [
        b"",
        b"()",
        b"(ALL)",
        b"FOO",
        b"(FLAGS",
        b"(FLAGS )",
        b"( FLAGS)",
        b"(FLAGS,UID)",
        b"FLAGS UID",
        b"BODY[",
        b"BODY[0]",
        b"BODY[01]",
        b"BODY[1.]",
        b"BODY[.1]",
        b"BODY[MIME]",
        b"BODY[HEADERS]",
        b"BODY[HEADER.FIELDS]",
        b"BODY[HEADER.FIELDS ()]",
        b"BODY[TEXT.1]",
        b"BODY[HEADER.FIELDS(From)]",
        b"BODY[]<0>",
        b"BODY[]<0.0>",
        b"BODY[]<-1.5>",
        b"BODY[]<1.>",
        b"BODY []",
        b"BODY.PEEK",
        b"RFC822[]",
        b"BODY[1.2.3.]",
        b"BODY[" + b"1." * 200 + b"1]",
        b"(" + b"UID " * 200 + b"UID)",
        b"BODY[HEADER.FIELDS (" + b" ".join([b"X"] * 300) + b")]",
    ],
)
def test_refuses(wire):
    with pytest.raises(BadSyntax):
        read(wire)


def test_is_linear():
    began = time.process_time()
    for wire in (
        b"BODY[" + b"1." * 30_000,
        b"(" * 60_000,
        b"(" + b"BODY[HEADER.FIELDS (" * 3000,
        b"BODY[]<" + b"1" * 60_000,
    ):
        with pytest.raises(BadSyntax):
            read(wire)
    assert time.process_time() - began < 5


@pytest.mark.parametrize(
    ("wire", "expected"),
    [
        (b"BINARY[]", FetchItem("BINARY", b"BINARY[]", Section("", ""), False)),
        (b"binary.peek[1.2]", FetchItem("BINARY", b"BINARY[1.2]", Section("1.2", ""), True)),
        (b"BINARY[3]<7.9>", FetchItem("BINARY", b"BINARY[3]<7>", Section("3", ""), False, (7, 9))),
        (b"Binary.Size[3]", FetchItem("BINARY.SIZE", b"BINARY.SIZE[3]", Section("3", ""), True)),
    ],
)
def test_binary(wire, expected):
    assert read(wire) == (expected,)


@pytest.mark.parametrize(
    "wire",
    [
        b"BINARY",
        b"BINARY.SIZE",
        b"BINARY[HEADER]",
        b"BINARY[1.MIME]",
        b"BINARY[1.TEXT]",
        b"BINARY[0]",
        b"BINARY[1",
        b"BINARY.SIZE[1]<0.5>",
        b"BINARY[1]<0>",
        b"BINARY[1]<0.0>",
        b"BINARY.PEEK.SIZE[1]",
        b"BINARY[" + b"1." * 100 + b"1]",
    ],
)
def test_refuses_what_is_no_binary_section(wire):
    with pytest.raises(BadSyntax):
        read(wire)
