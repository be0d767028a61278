"""The form of a message on the wire, and addresses inside their brackets. Sockets: test_remote_smtp.py."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailcore.outside.smtp_wire import Body, checked_path


def wire(raw):
    return b"".join(Body(raw).blocks())


def received(octets):
    """What a host makes of it: by the letter of RFC 5321 §4.5.2."""
    lines = octets.split(b"\r\n")
    assert lines.pop() == b""
    return b"".join(line.removeprefix(b".") + b"\r\n" for line in lines)


@given(st.lists(st.sampled_from([b"\r\n", b"\n", b"\r", b".", b"..", b"a", b"\x00", b"\x85"])).map(b"".join))
def test_ends_nowhere_but_at_its_end_and_arrives_whole(raw):
    octets = wire(raw)
    assert not re.search(rb"(?<!\r)\n|\r(?!\n)", octets)
    assert b"\r\n.\r\n" not in b"\r\n" + octets
    normal = re.sub(rb"\r\n|\r|\n", b"\r\n", raw)
    if normal and not normal.endswith(b"\r\n"):
        normal += b"\r\n"
    assert (received(octets) if octets else b"") == normal
    assert Body(raw).octets == len(normal)


def test_leaves_good_messages_as_they_are():
    raw = b"A: b\r\n\r\n" + b"x" * 5000 + b"\r\n"
    assert wire(raw) == raw


@pytest.mark.parametrize(
    "path", ["a@b.org", '"a b"@c.org', '"a>\\"<b"@c.org', "jürgen@exämple.org", "a+b=c@d.org"]
)
def test_takes_addresses(path):
    assert checked_path(path) == path


@pytest.mark.parametrize(
    "path", ["", "a@b>", "a b@c", 'a"b" c@d', "a@b\r\n", "\x7f@b", "a@b\x00", "<a@b", "a\u2028@b"]
)
def test_refuses_what_would_break_out(path):
    with pytest.raises(ValueError):
        checked_path(path)


def test_takes_the_null_path_only_for_senders():
    assert checked_path("", empty=True) == ""
