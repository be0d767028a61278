"""Fields and bodies as octets, read back by the standard library and by our own readers."""

from __future__ import annotations

import email
import email.policy
import quopri

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailcore.errors import BadAddress, BadHeader
from mailcore.message import address, encode, fields, params, words

LINE_ENDS = [
    "\r",
    "\n",
    "\r\n",
    "\0",
    "\x0b",
    "\x0c",
    "\x1c",
    "\x1d",
    "\x1e",
    "\x85",
    "\u2028",
    "\u2029",
    "\ud800",
]

# What may stand in a field: any text without line ends.
_shown = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="".join(LINE_ENDS)), max_size=150
)
_plain = st.text(alphabet="abc =?_\t.,;:\"'\\<>()@äé漢字😀", max_size=250)


def stdlib(raw: bytes) -> email.message.EmailMessage:
    return email.message_from_bytes(raw + b"\r\n", policy=email.policy.default)  # type: ignore[return-value]


def assert_well_formed(field: bytes, limit: int = 998) -> None:
    assert field.endswith(b"\r\n")
    lines = field[:-2].split(b"\r\n")
    assert all(len(line) <= limit for line in lines)
    assert all(line[:1] in b" \t" and line.strip(b" \t") for line in lines[1:])
    assert not any(octet in line for line in lines for octet in b"\r\n\0")


@pytest.mark.parametrize("bad", LINE_ENDS)
def test_lets_no_line_end_into_a_field(bad: str) -> None:
    text = f"a{bad}Bcc: x@example.org"
    with pytest.raises(BadHeader):
        encode.text_field("Subject", text)
    with pytest.raises(BadHeader):
        encode.address_field("To", [(text, "a@example.org")])
    with pytest.raises((BadHeader, BadAddress)):
        encode.address_field("To", [("", f"a{bad}@example.org")])
    with pytest.raises(BadHeader):
        encode.id_field("References", ["a@b", f"a{bad}@b"])
    with pytest.raises(BadHeader):
        encode.param_field("Content-Type", "text/plain", [("name", text)])
    with pytest.raises(BadHeader):
        encode.param_field("Content-Type", text)
    with pytest.raises(BadHeader):
        encode.media_type(text)


@given(st.one_of(_shown, _plain))
def test_writes_text_that_reads_the_same(text: str) -> None:
    field = encode.text_field("Subject", text)
    assert_well_formed(field)
    read = fields.get(field, "Subject")
    assert read == text.strip(" \t")
    if text.isascii() and text.isprintable():
        assert str(stdlib(field)["subject"]) == text.strip(" \t")


@pytest.mark.parametrize(
    "text", ["Grüße an alle, die mehr als eine Zeile lesen können und wollen, auch am Abend", "漢字" * 60, "😀" * 50, "ä " * 90]  # noqa: E501
)  # fmt: skip
def test_writes_encoded_words_that_the_standard_library_reads(text: str) -> None:
    field = encode.text_field("Subject", text)
    assert str(stdlib(field)["subject"]) == text.strip()
    assert all(len(line) <= 76 for line in field.split(b"\r\n"))
    for word in field.split()[1:]:
        assert len(word) <= 75
        assert "\ufffd" not in words.decode(word)


def test_leaves_plain_text_readable() -> None:
    assert encode.text_field("Subject", "Hello there") == b"Subject: Hello there\r\n"
    assert encode.text_field("Subject", "") == b"Subject:\r\n"
    field = encode.text_field("Subject", "word " * 40)
    assert max(map(len, field.split(b"\r\n"))) <= 78
    assert b"=?" not in field


def test_hides_what_would_be_taken_for_an_encoded_word() -> None:
    field = encode.text_field("Subject", "=?utf-8?q?Bcc=3A?=")
    assert words.decode(field.partition(b":")[2]) == "=?utf-8?q?Bcc=3A?="


_names = st.text(
    st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), max_size=60
).map(lambda text: " ".join(text.split(" ")).strip())  # fmt: skip
_addresses = st.sampled_from(
    ["a@example.org", "b.c+d@sub.example.org", "Ünal@example.org", '"a b"@example.org', "x@bücher.example"]
)


@given(st.lists(st.tuples(_names, _addresses), min_size=1, max_size=8))
def test_writes_addresses_that_read_the_same(people: list[tuple[str, str]]) -> None:
    field = encode.address_field("To", people)
    assert_well_formed(field)
    read = address.parse_list(fields.get_raw(field, "To")[0])
    assert [one.name for one in read] == [name for name, _ in people]
    assert [str(address.parse_path(one.address)) for one in read] == [
        str(address.parse_path(a)) for _, a in people
    ]


@pytest.mark.parametrize(
    "name", ['Bob "B" <x@evil.example>', "a, b@evil.example", "x <y@evil.example>,", "\\", '"', "=?utf-8?q?x?=", "(c)", "a@b", "Zoë, \"Z\""]  # noqa: E501
)  # fmt: skip
def test_lets_no_name_become_an_address(name: str) -> None:
    field = encode.address_field("From", [(name, "real@example.org")])
    for judged in (
        [(one.name, one.address) for one in address.parse_list(fields.get_raw(field, "From")[0])],
        [(one.display_name, one.addr_spec) for one in stdlib(field)["from"].addresses],
    ):
        assert judged == [(name, "real@example.org")]


@pytest.mark.parametrize(
    "bad", ["", "a", "@b", "a@", "a@b@c d", "<>", "a@[1.2.3.4]", "a b@example.org", "a@example.org, b@example.org", "a@example.org>"]  # noqa: E501
)  # fmt: skip
def test_refuses_what_is_no_address(bad: str) -> None:
    with pytest.raises(BadAddress):
        encode.address_field("To", [("", bad)])


def test_never_encodes_message_ids() -> None:
    """The standard library does, when they are long, and so breaks threads."""
    ids = [f"{'x' * 70}{n}@example.org" for n in range(20)]
    field = encode.id_field("References", ids)
    assert_well_formed(field)
    assert field.split()[1:] == [f"<{one}>".encode() for one in ids]
    assert encode.id_field("In-Reply-To", ["<a@b>"]) == b"In-Reply-To: <a@b>\r\n"


@pytest.mark.parametrize("bad", ["", "<>", "a b", "<a> <b>", "a>b", "a<b", "x" * 1000, "\x7f"])
def test_refuses_what_is_no_message_id(bad: str) -> None:
    with pytest.raises(BadHeader):
        encode.id_field("In-Reply-To", [bad])


@given(_shown)
def test_writes_file_names_that_read_the_same(name: str) -> None:
    field = encode.param_field("Content-Disposition", "attachment", [("filename", name)])
    assert_well_formed(field)
    assert max(map(len, field.split(b"\r\n"))) <= 90
    value = params.parse(fields.get_raw(field, "Content-Disposition")[0])
    assert value.main == b"attachment"
    # Our reader unfolds and decodes for people; controls at the ends may go.
    assert value.text(b"filename").strip() == name.strip()


@pytest.mark.parametrize(
    "name",
    [
        "a.txt",
        'a "b" \\c.txt',
        "Übersicht.pdf",
        "漢字" * 40 + ".pdf",
        "x" * 300,
        "a;b=c.txt",
        "100%.txt",
        "a'b'c.txt",
    ],
)
def test_writes_file_names_that_the_standard_library_reads(name: str) -> None:
    field = encode.param_field("Content-Disposition", "attachment", [("filename", name)])
    assert stdlib(field).get_filename() == name


@given(st.text(max_size=400))
def test_writes_bodies_that_read_the_same(text: str) -> None:
    encoding, body = encode.text_body(text)
    octets = encode.crlf(text.encode("utf-8", "replace"))
    octets += b"" if not octets or octets.endswith(b"\r\n") else b"\r\n"
    raw = b"Content-Transfer-Encoding: " + encoding.encode() + b"\r\n\r\n" + body
    assert email.message_from_bytes(raw).get_payload(decode=True) == octets
    assert encode.is_7bit(body)
    if encoding == "quoted-printable":
        assert quopri.decodestring(body) == octets
        assert all(len(line) <= 76 for line in body.split(b"\r\n"))


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("", "7bit"),
        ("Hello\nthere", "7bit"),
        ("x" * 998, "7bit"),
        ("x" * 999, "quoted-printable"),
        ("Grüße an alle", "quoted-printable"),
        ("漢字" * 50, "base64"),
        ("nul \0 here and more text", "quoted-printable"),
    ],
)
def test_chooses_the_encoding(text: str, encoding: str) -> None:
    assert encode.text_body(text)[0] == encoding


@pytest.mark.parametrize(
    ("given_raw", "made"),
    [
        (b"a\r\nb", b"a\r\nb"),
        (b"a\nb\rc\r\nd", b"a\r\nb\r\nc\r\nd"),
        (b"\n\r", b"\r\n\r\n"),
        (b"\r\r\n", b"\r\n\r\n"),
        (b"a\x0b\x0c\x1c\xc2\x85\xe2\x80\xa8b", b"a\x0b\x0c\x1c\xc2\x85\xe2\x80\xa8b"),
        (b"", b""),
    ],
)
def test_makes_line_ends(given_raw: bytes, made: bytes) -> None:
    assert encode.crlf(given_raw) == made
    assert encode.crlf(made) == made


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("text/plain", ("text/plain", "")),
        ("Text/CSV; charset=\"ISO-8859-1\"; x=y", ("text/csv", "iso-8859-1")),
        ("image/svg+xml", ("image/svg+xml", "")),
        ("nonsense", ("application/octet-stream", "")),
        ("a/b/c", ("application/octet-stream", "")),
        ("", ("application/octet-stream", "")),
        ("text/html x", ("application/octet-stream", "")),
    ],
)  # fmt: skip
def test_reads_media_types(text: str, kind: tuple[str, str]) -> None:
    assert encode.media_type(text) == kind


def test_refuses_a_word_too_long_for_a_line() -> None:
    with pytest.raises(BadHeader):
        encode.param_field("Content-Type", "x" * 1000)
