"""CSS of strangers, judged by parsing what is left of it."""

from __future__ import annotations

import time

import pytest
import tinycss2
from hypothesis import given
from hypothesis import strategies as st

from mailcore import limits
from mailcore.message import css


def nowhere(address: str) -> str | None:
    return None


def ours(address: str) -> str | None:
    return f"/p/{address}" if address.startswith("cid:") else None


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("color:red", "color:red"),
        ("color:red;position:fixed;width:1px", "color:red;width:1px"),
        ("background:url(cid:a) #fff", 'background:url("/p/cid:a") #fff'),
        ("background:url('cid:a')", 'background:url("/p/cid:a")'),
        ("background:url(x.png) #fff", "background:none #fff"),
        ("background:url() #fff", "background:none #fff"),
        ("background:url(cid:a", ""),
        ("background:linear-gradient(red, url(cid:a))", ""),
        ("background:linear-gradient(red, blue)", "background:linear-gradient(red, blue)"),
        ("color:url(cid:a)", ""),
        ("width:attr(x)", ""),
        ("font:12px/1.5 'A B', serif", 'font:12px/1.5 "A B", serif'),
        ("margin:-1px;marginx:1px;-margin:1px", "margin:-1px"),
        ("border-left-color:red;border-foo:1px", "border-left-color:red"),
        ("color:red!important", "color:red !important"),
        ("color:{red}", ""),
        ("color:[red]", ""),
        ("color:re\\64", "color:red"),
        ("col\\6fr:red", "color:red"),
        ("a{color:red}", ""),
        ("@media x{color:red}", ""),
        ("color:red;;;", "color:red"),
        ("\0color:red", ""),
    ],
)
def test_keeps_of_declarations_what_is_harmless(text: str, kept: str) -> None:
    assert css.declarations(text, ours) == kept


def test_writes_addresses_so_that_they_stay_addresses() -> None:
    kept = css.declarations("background:url(cid:a)", lambda address: '/x") ;color:red;a:url("\n')
    (declaration,) = tinycss2.parse_blocks_contents(kept)
    (token,) = [token for token in declaration.value if token.type in {"url", "function"}]
    assert token.lower_name == "url"
    assert token.arguments[0].value == '/x") ;color:red;a:url("\n'


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("a{color:red}", "a{color:red}"),
        ("a{position:fixed}", ""),
        ("a{color:red;}} b{color:blue}", "a{color:red}"),
        ("@import 'x'; a{color:red}", "a{color:red}"),
        ("@charset 'x'; @namespace x 'y';", ""),
        ("@media (max-width:9px){a{color:red}}", "@media (max-width:9px){a{color:red}}"),
        ("@media x;", ""),
        ("@media x{@import 'y'; a{color:red}}", "@media x{a{color:red}}"),
        ("@media x{@media y{a{color:red}}}", ""),
        ("@keyframes x{from{color:red}}", ""),
        ("a[b='</style>']{color:red}", 'a[b="\\3c /style>"]{color:red}'),
        ("a:not(.b) > c{color:red}", "a:not(.b) > c{color:red}"),
        ("url(x){color:red}", ""),
        ("<!-- a{color:red} -->", "a{color:red}"),
        ("a{b{color:red}}", ""),
    ],
)
def test_keeps_of_sheets_what_is_harmless(text: str, kept: str) -> None:
    assert css.stylesheet(text, nowhere) == kept


@given(st.text(max_size=200) | st.text(alphabet="a{}:;()[]@\\'\"<>/*! url-", max_size=120))
def test_takes_any_text(text: str) -> None:
    assert "<" not in css.stylesheet(text, nowhere)
    kept = css.declarations(text, nowhere)
    assert css.declarations(kept, nowhere) == kept


@pytest.mark.parametrize("bracket", ["(", "[", "{"])
def test_follows_brackets_only_so_deep(bracket: str) -> None:
    close = {"(": ")", "[": "]", "{": "}"}[bracket]
    for depth in (limits.CSS_DEPTH + 1, 4_000, 60_000):
        text = f"a{{width:calc{bracket * depth}{close * depth}}}"
        start = time.process_time()
        assert css.stylesheet(text, nowhere) == ""
        assert css.declarations(text, nowhere) == ""
        assert time.process_time() - start < 10


def test_drops_what_is_too_long() -> None:
    assert css.declarations("color:red;" * limits.CSS_ATTRIBUTE_OCTETS, nowhere) == ""
    assert css.stylesheet("a{color:red}" * limits.CSS_OCTETS, nowhere) == ""
