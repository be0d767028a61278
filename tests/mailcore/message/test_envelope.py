import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailcore.message.envelope import envelope, nstring, string
from mailcore.message.mime import read_fields
from tests.messages import wire


def _envelope(header: bytes) -> bytes:
    return envelope(read_fields(header, 0, len(header)))[0]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"", b'""'),
        (b"plain", b'"plain"'),
        (b'a "b" \\c', b'"a \\"b\\" \\\\c"'),
        ("ü".encode(), b"{2}\r\n\xc3\xbc"),
        (b"a\rb", b"{3}\r\na\rb"),
        (b"a\0b", b"{2}\r\nab"),
        (b"x" * 1025, b"{1025}\r\n" + b"x" * 1025),
    ],
)
def test_quotes_where_that_is_safe(value: bytes, expected: bytes) -> None:
    assert string(value) == expected
    assert nstring(value) == expected


@given(st.binary(max_size=60))
def test_a_string_reads_back(value: bytes) -> None:
    assert wire.read(string(value)) == value.replace(b"\0", b"")


def test_gives_the_example_of_rfc_3501() -> None:
    header = (
        b"Date: Wed, 17 Jul 1996 02:23:25 -0700 (PDT)\r\n"
        b"From: Terry Gray <gray@cac.washington.edu>\r\n"
        b"Subject: IMAP4rev1 WG mtg summary and minutes\r\n"
        b"To: imap@cac.washington.edu\r\n"
        b"cc: minutes@CNRI.Reston.VA.US, John Klensin <KLENSIN@MIT.EDU>\r\n"
        b"Message-Id: <B27397-0100000@cac.washington.edu>\r\n"
        b"MIME-Version: 1.0\r\n"
        b"Content-Type: TEXT/PLAIN; CHARSET=US-ASCII\r\n\r\n"
    )
    gray = b'(("Terry Gray" NIL "gray" "cac.washington.edu")) '
    assert _envelope(header) == (
        b'("Wed, 17 Jul 1996 02:23:25 -0700 (PDT)" "IMAP4rev1 WG mtg summary and minutes" '
        + gray * 3
        + b'((NIL NIL "imap" "cac.washington.edu")) '
        b'((NIL NIL "minutes" "CNRI.Reston.VA.US")("John Klensin" NIL "KLENSIN" "MIT.EDU")) '
        b'NIL NIL "<B27397-0100000@cac.washington.edu>")'
    )


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (
            b"Team: a@b.c, D <d@e.f>;",
            b'((NIL NIL "Team" NIL)(NIL NIL "a" "b.c")("D" NIL "d" "e.f")(NIL NIL NIL NIL))',
        ),
        (b"undisclosed-recipients:;", b'((NIL NIL "undisclosed-recipients" NIL)(NIL NIL NIL NIL))'),
        (b"<@x,@y:a@b.c>", b'((NIL "@x,@y" "a" "b.c"))'),
        (b'a@b.c (Anna "B")', b'(("Anna \\"B\\"" NIL "a" "b.c"))'),
        (b'"a \\"quoted\\" name" <a@b.c>', b'(("a \\"quoted\\" name" NIL "a" "b.c"))'),
        (b"=?utf-8?q?J=C3=BC?= <a@b.c>", b'(("=?utf-8?q?J=C3=BC?=" NIL "a" "b.c"))'),
        ("Jü <a@b.c>".encode(), b'(({3}\r\nJ\xc3\xbc NIL "a" "b.c"))'),
        (b"anna", b'((NIL NIL "anna" "MISSING_DOMAIN"))'),
        (b"Anna <>", b'(("Anna" NIL "MISSING_MAILBOX" "MISSING_DOMAIN"))'),
        (b"", b"NIL"),
        (b" , ", b"NIL"),
        (b'"a\r\n b" <a@b.c>', b'(("a b" NIL "a" "b.c"))'),
    ],
)
def test_writes_addresses(value: bytes, expected: bytes) -> None:
    assert (
        _envelope(b"To: " + value + b"\r\n\r\n") == b"(NIL NIL NIL NIL NIL " + expected + b" NIL NIL NIL NIL)"
    )


def test_sender_and_reply_to_default_to_from() -> None:
    one, two = b'((NIL NIL "a" "b.c"))', b'((NIL NIL "d" "e.f"))'
    assert _envelope(b"From: a@b.c\r\nSender: d@e.f\r\nReply-To:\r\n") == (
        b"(NIL NIL %b %b %b NIL NIL NIL NIL NIL)" % (one, two, one)
    )


def test_shows_every_author_of_doubled_from_fields() -> None:
    found = wire.read(_envelope(b"From: a@b.c\r\nSubject: one\r\nFROM: evil@e.f\r\nSubject: two\r\n"))
    assert found[2] == [[None, None, b"a", b"b.c"], [None, None, b"evil", b"e.f"]]
    assert found[1] == b"one"


def test_unfolds_and_leaves_encoded_and_raw_octets_alone() -> None:
    found = wire.read(
        _envelope(b"Subject:  =?utf-8?q?a?=\r\n\t b\xfc \r\nMessage-ID:\r\n <a@b>\r\nIn-Reply-To: \r\n")
    )
    assert found[1] == b"=?utf-8?q?a?=\t b\xfc"
    assert found[9] == b"<a@b>"
    assert found[8] == b""


@given(
    st.dictionaries(
        st.sampled_from([b"from", b"to", b"subject", b"date", b"message-id", b"cc", b"sender"]),
        st.binary(max_size=80),
    )
)
def test_is_an_envelope_whatever_the_fields(fields: dict[bytes, bytes]) -> None:
    wire.check_envelope(wire.read(envelope(fields)[0]))
