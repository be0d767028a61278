import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailcore.message import fields

MAIL = (
    b"Received: by a\r\n\tfor b\r\nFrom: Anna <a@b.c>\r\nnot a field\r\n folded\r\n"
    b"SUBJECT : =?utf-8?q?J=C3=BC?=\r\nreceived: by c\r\nX-Empty:\r\n\r\nSubject: of the body\r\n"
)


@pytest.mark.parametrize(
    ("raw", "header"),
    [
        (b"A: b\r\n\r\nbody", b"A: b\r\n\r\n"),
        (b"A: b\n\nbody", b"A: b\n\n"),
        (b"A: b\n\r\nbody", b"A: b\n\r\n"),
        (b"A: b\r\n\nbody", b"A: b\r\n\n"),
        (b"\r\nbody", b"\r\n"),
        (b"\nbody", b"\n"),
        (b"A: b\r\n", b"A: b\r\n"),
        (b"A: b\r\r\nC: d\r\n\r\n", b"A: b\r\r\nC: d\r\n\r\n"),
        (b"A: b\r\rbody", b"A: b\r\rbody"),
        (b"A: b\r\n \r\n\r\nx", b"A: b\r\n \r\n\r\n"),
        (b"", b""),
    ],
)
def test_header_ends_at_the_first_empty_line(raw: bytes, header: bytes) -> None:
    assert fields.split(raw) == (header, raw[len(header) :])


def test_finds_fields_and_where_they_are() -> None:
    found = list(fields.iter_fields(MAIL))
    assert [name for name, _, _ in found] == ["received", "from", "subject", "received", "x-empty"]
    assert MAIL[found[0][1] : found[0][2]] == b"Received: by a\r\n\tfor b\r\n"
    assert MAIL[found[4][1] : found[4][2]] == b"X-Empty:\r\n"


def test_gets_decoded_text() -> None:
    assert fields.get(MAIL, "Subject") == "Jü"
    assert fields.get_all(MAIL, "received") == ["by a\tfor b", "by c"]
    assert fields.get(MAIL, "to") is None
    assert fields.get(MAIL, "x-empty") == ""
    assert fields.get_raw(MAIL, "from") == [b" Anna <a@b.c>\r\n"]


def test_drops_fields_with_their_folds_and_nothing_of_the_body() -> None:
    left = fields.drop(MAIL, ["Received", "subject"])
    assert left == (
        b"From: Anna <a@b.c>\r\nnot a field\r\n folded\r\nX-Empty:\r\n\r\nSubject: of the body\r\n"
    )
    assert fields.drop(MAIL, lambda name: name.startswith("x-")) == MAIL.replace(b"X-Empty:\r\n", b"")
    assert fields.drop(MAIL, ["to"]) is MAIL


def test_prepends() -> None:
    assert fields.prepend(b"A: b\r\n\r\n", b"X: y") == b"X: y\r\nA: b\r\n\r\n"
    assert fields.prepend(b"A: b\r\n\r\n", b"X: y\r\n") == b"X: y\r\nA: b\r\n\r\n"


def test_a_folded_first_line_does_not_become_part_of_our_field() -> None:
    forged = b" dkim=pass header.d=bank.example\r\nFrom: a@b.c\r\n\r\n"
    made = fields.prepend(forged, b"Authentication-Results: mx.example; dkim=none")
    assert fields.get(made, "authentication-results") == "mx.example; dkim=none"


def test_selects_in_the_order_of_the_mail() -> None:
    assert fields.select(MAIL, ["FROM", "Received"]) == (
        b"Received: by a\r\n\tfor b\r\nFrom: Anna <a@b.c>\r\nreceived: by c\r\n\r\n"
    )
    assert fields.select(MAIL, ["Received", "SUBJECT"], negate=True) == (
        b"From: Anna <a@b.c>\r\nnot a field\r\n folded\r\nX-Empty:\r\n\r\n"
    )
    assert fields.select(MAIL, ["none"]) == b"\r\n"
    assert fields.select(b"A: b", ["a"]) == b"A: b\r\n\r\n"


@given(st.binary(max_size=400), st.sampled_from(["a", "subject"]))
def test_select_divides_the_header(raw: bytes, name: str) -> None:
    assert fields.select(raw, [name]).endswith(b"\r\n")
    assert b"".join(fields.split(raw)) == raw
    kept = fields.drop(raw, [name])
    assert fields.get_raw(kept, name) == []


@given(
    st.lists(
        st.sampled_from([b"A: b", b"a : c", b" d", b"\r\n", b"\n", b"junk", b":", b"\r", b"\t"]), max_size=40
    )
)
def test_every_line_is_kept_once(pieces: list[bytes]) -> None:
    raw = b"".join(pieces)
    header, _ = fields.split(raw)
    chosen = fields.select(header, ["a"])[:-2]
    rest = fields.select(header, ["a"], negate=True)[:-2]
    assert sum(map(len, (chosen, rest))) <= len(header) + 4
    for name, start, end in fields.iter_fields(header):
        assert (name == "a") == (header[start:end] in chosen + b"\r\n")


@given(
    st.lists(
        st.sampled_from(
            [
                b"A: b\r\n",
                b"a : c\n",
                b" d\r\n",
                b"ab: x\r\n",
                b"B:",
                b"B\t:\r\n",
                b"junk\r\n",
                b":\n",
                b"\t\n",
                b"\r",
            ]
        ),
        max_size=12,
    ),
    st.sampled_from([b"\r\n", b"\n", b""]),
)
def test_select_finds_what_looking_at_each_field_finds(pieces: list[bytes], end: bytes) -> None:
    header = fields.split(b"".join(pieces) + end)[0]
    for names in (["a"], ["A", "b"], ["ab", "a"], ["", "a: b", "é"]):
        wanted = {name.lower() for name in names}
        found = b"".join(
            header[start:stop] for name, start, stop in fields.iter_fields(header) if name in wanted
        )
        if found and not found.endswith(b"\n"):
            found += b"\r\n"
        assert fields.select(header, names) == found + b"\r\n"
