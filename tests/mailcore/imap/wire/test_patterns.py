"""LIST patterns: the same answers as a regular expression, in linear time."""

import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailcore.imap.wire.patterns import Pattern, compiled


@pytest.mark.parametrize(
    ("pattern", "yes", "no"),
    [
        ("*", ["a", "a/b", "", "INBOX"], []),
        ("%", ["a", "", "INBOX"], ["a/b", "/"]),
        ("a", ["a"], ["A", "ab", ""]),
        ("a/%", ["a/b", "a/"], ["a", "a/b/c"]),
        ("a*", ["a", "a/b", "ab"], ["b", "ba"]),
        ("%/b", ["a/b", "/b"], ["b", "a/c/b"]),
        ("*b", ["b", "a/b", "bbb"], ["ba"]),
        ("a%c*e", ["ace", "abcde", "abc/d/e"], ["a/ce", "ac"]),
        ("", [""], ["a"]),
        ("inbox", ["INBOX"], ["inbo"]),
        ("InBox/%", ["INBOX/a"], ["INBOX", "inbox/a"]),
        ("in%", ["INBOX", "inner"], ["Inner"]),
        ("*x", ["INBOX", "x"], ["X"]),
    ],
)
def test_matches(pattern, yes, no):
    assert [name for name in yes if not Pattern(pattern).matches(name)] == []
    assert [name for name in no if Pattern(pattern).matches(name)] == []


@settings(max_examples=1000, deadline=None)
@given(st.text("ab/*%", max_size=8), st.text("ab/", max_size=8))
def test_agrees_with_a_regular_expression(pattern, name):
    wild = {"*": ".*", "%": "[^/]*"}
    judge = re.compile("".join(wild.get(c, re.escape(c)) for c in pattern), re.DOTALL)
    assert Pattern(pattern).matches(name) == (judge.fullmatch(name) is not None)


def test_does_not_explode():
    began = time.process_time()
    assert not Pattern("*a" * 500 + "*b").matches("a" * 2000)
    assert not Pattern("%a" * 500 + "%b").matches("a" * 2000)
    assert Pattern("%*" * 2000 + "a").matches("b" * 1000 + "a")
    assert time.process_time() - began < 5


def test_remembers():
    assert compiled("a/*") is compiled("a/*")
