from __future__ import annotations

import email.utils

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailcore import limits
from mailcore.errors import BadAddress
from mailcore.message import address
from mailcore.message.address import GROUP_END, Mailbox, Path, Scanned


def test_simple_addresses_need_no_slow_path() -> None:
    value = b'"Doe, Jane" <jane@example.org>, Carl <carl@example.com>,\r\n  dora@example.net'
    assert address.scan(value) == [
        Scanned(b"Doe, Jane", None, b"jane", b"example.org"),
        Scanned(b"Carl", None, b"carl", b"example.com"),
        Scanned(None, None, b"dora", b"example.net"),
    ]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        # RFC 5322 appendix A.1.2, A.1.3, A.5, A.6.1
        (b'"Joe Q. Public" <john.q.public@example.com>', ["Joe Q. Public <john.q.public@example.com>"]),
        (b"Who? <one@y.test>", ["Who? <one@y.test>"]),
        (b"<boss@nil.test>", ["boss@nil.test"]),
        (b'"Giant; \\"Big\\" Box" <sysservices@example.net>', ['Giant; "Big" Box <sysservices@example.net>']),
        (
            b"A Group:Ed Jones <c@a.test>,joe@where.test,John <jdoe@one.test>;",
            ["Ed Jones <c@a.test>", "joe@where.test", "John <jdoe@one.test>"],
        ),
        (b"Undisclosed recipients:;", []),
        (b"Pete(A nice \\) chap) <pete(his account)@silly.test(his host)>", ["Pete <pete@silly.test>"]),
        (
            b"A Group(Some people)\r\n  :Chris Jones <c@(Chris's host.)public.example>,\r\n joe@example.org;",
            ["Chris Jones <c@public.example>", "joe@example.org"],
        ),
        (b"John <jdoe@one.test> (my dear friend); (the end of the group)", ["John <jdoe@one.test>"]),
        (b"Joe Q. Public <john.q.public@example.com>", ["Joe Q. Public <john.q.public@example.com>"]),
        (
            b"Mary Smith <@node.test:mary@example.net>, , jdoe@test . example",
            ["Mary Smith <mary@example.net>", "jdoe@test.example"],
        ),
        # as found in mail
        (b"anna@example.org (Anna Example)", ["Anna Example <anna@example.org>"]),
        (b"=?utf-8?q?D=C3=B6e=2C_J?= <j@example.org>", ["Döe, J <j@example.org>"]),
        (b"=?utf-8?q?D=C3=B6e,_J?= <j@example.org>", ["Döe, J <j@example.org>"]),
        ('"Jürgen" <j@example.org>'.encode(), ["Jürgen <j@example.org>"]),
        ('"Jürgen" <j@example.org>'.encode("latin-1"), ["Jürgen <j@example.org>"]),
        (b"a@example.org; b@example.org", ["a@example.org", "b@example.org"]),
        (b'"john doe"@example.org', ['"john doe"@example.org']),
        (b"a@[192.0.2.1]", ["a@[192.0.2.1]"]),
        (b"Name <a@example.org", ["Name <a@example.org>"]),
        (b"<a@example.org> stray words, b@example.org", ["a@example.org", "b@example.org"]),
        (b"", []),
        (b" , ,\r\n ,", []),
        (b"<>", []),
    ],
)
def test_reads_lists_as_people_mean_them(value: bytes, expected: list[str]) -> None:
    assert [str(each) for each in address.parse_list(value)] == expected


def test_marks_groups_and_keeps_routes() -> None:
    assert address.scan(b"Team: a@b.c, <@x,@y:d@e.f>;, g@h.i") == [
        Scanned(None, None, b"Team", None),
        Scanned(None, None, b"a", b"b.c"),
        Scanned(None, b"@x,@y", b"d", b"e.f"),
        GROUP_END,
        Scanned(None, None, b"g", b"h.i"),
    ]


def test_closes_a_group_that_the_sender_left_open() -> None:
    assert address.scan(b"Team: a@b.c")[-1] == GROUP_END


def test_keeps_an_encoded_name_encoded_in_scan() -> None:
    assert address.scan(b"=?utf-8?q?J=C3=BC?= <j@b.c>")[0].name == b"=?utf-8?q?J=C3=BC?="


def test_a_comma_inside_encoded_text_makes_no_second_author() -> None:
    value = b"=?utf-8?q?evil=40bank=2Eexample=2C?= <real@example.org>"
    assert [each.address for each in address.parse_list(value)] == ["real@example.org"]


def test_reads_at_most_the_limit() -> None:
    value = b",".join(b"a%d@b.c" % n for n in range(limits.ADDRESSES * 2))
    assert len(address.scan(value)) == limits.ADDRESSES
    hard = b",".join(b"(c) a%d@b.c" % n for n in range(limits.ADDRESSES * 2))
    assert len(address.scan(hard)) == limits.ADDRESSES


_NAMES = st.text(st.characters(codec="ascii", min_codepoint=32, max_codepoint=126), max_size=30)


@given(_NAMES, st.from_regex(r"[a-z0-9.+-]{1,12}", fullmatch=True).filter(lambda x: ".." not in x))
def test_agrees_with_the_standard_library_on_what_we_format(name: str, local: str) -> None:
    local = local.strip(".") or "x"
    text = address.format_address(name, f"{local}@example.org")
    ours = address.parse_list(text)
    assert [each.address for each in ours] == [f"{local}@example.org"]
    assert ours[0].name == " ".join(name.split()) or not name.strip()
    theirs = email.utils.getaddresses([text])
    assert [each[1] for each in theirs] == [f"{local}@example.org"]


@given(st.text(max_size=80))
def test_a_formatted_name_comes_back(name: str) -> None:
    text = address.format_address(name, "a@example.org")
    assert text.isascii()
    assert "\n" not in text
    assert "\r" not in text
    [back] = address.parse_list(text)
    assert back.address == "a@example.org"
    kept = address._CONTROLS.sub(" ", name)
    assert back.name == " ".join(x for x in kept.split(" ") if x)


def test_long_names_become_words_of_at_most_75_octets() -> None:
    text = address.format_address("ü€𝄞" * 60, "a@example.org")
    assert max(len(word) for word in text.split(" ")) <= 75
    assert address.parse_list(text)[0].name == "ü€𝄞" * 60


@given(st.binary(max_size=300))
def test_reads_anything(value: bytes) -> None:
    found = address.scan(value)
    assert all(each.domain is None or each.local is not None for each in found)
    address.parse_list(value)


@given(
    st.lists(
        st.sampled_from(
            [
                b'"',
                b"\\",
                b"(",
                b")",
                b"<",
                b">",
                b"@",
                b",",
                b":",
                b";",
                b"a",
                b" ",
                b".",
                b"[",
                b"]",
                b"=?x?q?y?=",
            ]
        ),
        max_size=60,
    )
)
def test_reads_any_mixture_of_specials(pieces: list[bytes]) -> None:
    starts = 0
    for each in address.scan(b"".join(pieces)):
        if each.domain is None and each.local is not None:
            starts += 1
        elif each == GROUP_END:
            starts -= 1
        assert starts in (0, 1)
    assert starts == 0


# --- SMTP paths -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<anna@Example.ORG>", Path("anna", "example.org")),
        ("anna@example.org.", Path("anna", "example.org")),
        ("Anna.B+tag@example.org", Path("Anna.B+tag", "example.org")),
        ('"anna b"@example.org', Path("anna b", "example.org")),
        ('"a\\"b@c"@example.org', Path('a"b@c', "example.org")),
        ("anna@bücher.example", Path("anna", "xn--bcher-kva.example")),
        ("änna@example.org", Path("änna", "example.org")),
        ("user%other.example@example.org", Path("user%other.example", "example.org")),
        ("anna@localhost", Path("anna", "localhost")),
    ],
)
def test_reads_paths(text: str, expected: Path) -> None:
    path = address.parse_path(text)
    assert path == expected
    assert address.parse_path(str(path)) == path


@pytest.mark.parametrize(
    "text",
    [
        "",
        "<>",
        "anna",
        "@example.org",
        "anna@",
        "<anna@example.org",
        "anna@example.org>",
        "|/bin/sh",
        "<@relay.example:anna@example.org>",
        "anna@[192.0.2.1]",
        "anna@192.0.2.1",
        "anna..b@example.org",
        ".anna@example.org",
        "anna.@example.org",
        "anna@-a.example",
        "anna@a-.example",
        "anna@a..example",
        "anna@exa_mple.org",
        "anna@example.org\r\nRCPT",
        "an\0na@example.org",
        "anna@xn--a",
        "a b@example.org",
        "a" * 65 + "@example.org",
        "anna@" + "a" * 64 + ".example",
        "anna@" + "a." * 130 + "example",
        "\ud800@example.org",
        "anna@\udcff.example",
        '"a@example.org',
        '""@example.org',
        "a@b c.d",
        "anna@example.org,b@c.d",
    ],
)
def test_refuses_what_is_no_path(text: str) -> None:
    with pytest.raises(BadAddress):
        address.parse_path(text)


@given(st.text(max_size=300))
def test_paths_are_read_or_refused(text: str) -> None:
    try:
        path = address.parse_path(text)
    except BadAddress:
        return
    assert address.parse_path(str(path)) == path
    assert path.domain == path.domain.lower()
    assert path.domain.isascii()


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("EXAMPLE.org.", "example.org"),
        ("Bücher.Example", "xn--bcher-kva.example"),
        ("xn--BCHER-kva.example", "xn--bcher-kva.example"),
        ("faß.example", "xn--fa-hia.example"),
    ],
)
def test_normalises_domains(name: str, expected: str) -> None:
    assert address.normalise_domain(name) == expected
    assert address.normalise_domain(expected) == expected


def test_normalises_local_parts() -> None:
    assert address.normalise_local("ANNA") == "anna"
    assert address.normalise_local("A\u0308nna") == "änna"
    assert address.normalise_local("Straße") == "strasse"


def test_splits_tags() -> None:
    assert address.split_tag("anna+lists") == ("anna", "lists")
    assert address.split_tag("anna+a+b") == ("anna", "a+b")
    assert address.split_tag("anna") == ("anna", "")
    assert address.split_tag("+x") == ("+x", "")


def test_mailbox_shows_as_people_write_it() -> None:
    assert str(Mailbox("Anna B", "anna", "example.org")) == "Anna B <anna@example.org>"
    assert str(Mailbox("", "anna", "example.org")) == "anna@example.org"
    assert str(Mailbox("", "anna", "")) == "anna"
