"""POP3's wire: lines in, messages out, dots doubled and undone again."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailcore.errors import BadSyntax
from mailcore.pop3 import wire
from mailcore.pop3.wire import Command, LineReceiver, Refused

LONG = Refused("The line is too long")
GONE = Refused("The line is too long", close=True)
BARE = Refused("Lines end with CR LF, not with LF alone")


def play(*chunks: bytes, limit: int = 20) -> list:
    receiver = LineReceiver(limit)
    events = []
    for chunk in chunks:
        receiver.feed(chunk)
        while (event := receiver.line()) is not None:
            events.append(event)
    return events


def octet_by_octet(octets: bytes) -> list[bytes]:
    return [octets[at : at + 1] for at in range(len(octets))]


@pytest.mark.parametrize(
    ("octets", "events"),
    [
        (b"STAT\r\nQUIT\r\n", [b"STAT", b"QUIT"]),
        (b"\r\n", [b""]),
        (b"x" * 18 + b"\r\n", [b"x" * 18]),
        (b"x" * 19 + b"\r\nQUIT\r\n", [LONG, b"QUIT"]),
        (b"STAT\nDELE 1\nx\r\nQUIT\r\n", [BARE, b"QUIT"]),
        (b"ST\rAT\r\n", [b"ST\rAT"]),
        (b"x" * 70_000 + b"\r\nQUIT\r\n", [GONE]),
        (b"\n" * 70_000 + b"\r\nQUIT\r\n", [BARE, GONE]),
        (b"STA", []),
    ],
)
def test_cuts(octets, events):
    assert play(octets) == events
    assert play(*octet_by_octet(octets)) == events


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.sampled_from([b"STAT", b"\r\n", b"\n", b"\r", b"x" * 19, b" "])),
    st.lists(st.integers(0, 200), max_size=6),
)
def test_cuts_the_same_however_it_was_split(pieces, cuts):
    octets = b"".join(pieces)
    cuts = sorted(min(cut, len(octets)) for cut in cuts)
    chunks = [octets[begin:end] for begin, end in zip([0, *cuts], [*cuts, len(octets)], strict=True)]
    assert play(*chunks) == play(octets)


def test_takes_a_longer_line_when_told():
    receiver = LineReceiver(20)
    receiver.feed(b"AUTH PLAIN\r\n" + b"A" * 100 + b"\r\nQUIT\r\n")
    assert receiver.line() == b"AUTH PLAIN"
    receiver.limit = 200
    assert receiver.line() == b"A" * 100
    receiver.limit = 20
    assert receiver.line() == b"QUIT"


def test_gives_away_what_it_has_not_used():
    receiver = LineReceiver()
    receiver.feed(b"STLS\r\nUSER joe\r\nPA")
    assert receiver.line() == b"STLS"
    assert receiver.take_rest() == b"USER joe\r\nPA"
    assert receiver.line() is None
    receiver.feed(b"QUIT\r\n")
    assert receiver.line() == b"QUIT"


def test_is_linear():
    began = time.process_time()
    assert len(play(*octet_by_octet(b"NOOP\r\n" * 20_000))) == 20_000
    assert len(play(b"NOOP\r\n" * 100_000)) == 100_000
    assert play(*octet_by_octet(b"x" * 100_000)) == [GONE]
    assert time.process_time() - began < 20


@pytest.mark.parametrize(
    ("line", "command"),
    [
        (b"stat", Command("STAT")),
        (b"CAPA", Command("CAPA")),
        (b"USER joe@example.org", Command("USER", (b"joe@example.org",))),
        (b"USER joe doe", Command("USER", (b"joe doe",))),
        (b"PASS  two  spaces ", Command("PASS", (b" two  spaces ",))),
        (b"PASS p\xc3\xa9s", Command("PASS", (b"p\xc3\xa9s",))),
        (b"AUTH", Command("AUTH")),
        (b"AUTH PLAIN", Command("AUTH", (b"PLAIN",))),
        (b"AUTH PLAIN AGEAYg==", Command("AUTH", (b"PLAIN", b"AGEAYg=="))),
        (b"LIST", Command("LIST")),
        (b"list 5", Command("LIST", (), (5,))),
        (b"UIDL 5", Command("UIDL", (), (5,))),
        (b"RETR 0012", Command("RETR", (), (12,))),
        (b"TOP 1 0", Command("TOP", (), (1, 0))),
    ],
)
def test_parses(line, command):
    assert wire.parse(line) == command


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b" ",
        b"FROB",
        b"STAT 1",
        b"STAT ",
        b"USER",
        b"USER ",
        b"PASS",
        b"RETR",
        b"RETR x",
        b"RETR 1 2",
        b"RETR -1",
        b"RETR +1",
        b"RETR 1_0",
        b"RETR \xd9\xa1",
        b"RETR 99999999999",
        b"RETR  1",
        b"TOP 1",
        b"TOP 1 2 3",
        b"TOP 1 -1",
        b"LIST 1 2",
        b"AUTH A B C",
        b"DELE",
        b"ST\rAT",
        b"USER a\rb",
        b"PASS a\0b",
        b"\xff",
        b"LIST 1 ",
    ],
)
def test_refuses(line):
    with pytest.raises(BadSyntax) as caught:
        wire.parse(line)
    assert caught.value.public.isascii()


def test_says_how_it_is_meant():
    with pytest.raises(BadSyntax, match="TOP takes a message number and a number of lines"):
        wire.parse(b"TOP 1")
    with pytest.raises(BadSyntax, match="LIST takes a message number, or nothing"):
        wire.parse(b"LIST x")


def test_keeps_passwords_out_of_logs():
    assert "hunter2" not in repr(wire.parse(b"PASS hunter2"))


@pytest.mark.parametrize(
    ("raw", "sent"),
    [
        (b"a\r\n", b"a\r\n.\r\n"),
        (b"", b".\r\n"),
        (b".\r\n", b"..\r\n.\r\n"),
        (b"a\r\n.\r\n..b\r\n", b"a\r\n..\r\n...b\r\n.\r\n"),
        (b"a", b"a\r\n.\r\n"),
        (b"a\r", b"a\r\r\n.\r\n"),
        (b"a\n.\nb\r\n", b"a\n..\nb\r\n.\r\n"),
        (b"a\r.\r\n", b"a\r.\r\n.\r\n"),
    ],
)
def test_stuffs(raw, sent):
    assert wire.stuffed(raw) == sent


@given(st.lists(st.sampled_from([b".", b"\r\n", b"a", b"..", b"\xff"])).map(b"".join))
def test_what_is_stuffed_is_unstuffed_by_a_client(raw):
    lines = wire.stuffed(raw).split(b"\r\n")
    assert lines[-2:] == [b".", b""]
    assert b"." not in lines[:-2]
    received = b"".join(line.removeprefix(b".") + b"\r\n" for line in lines[:-2])
    assert received == (raw if raw.endswith(b"\r\n") or not raw else raw + b"\r\n")


@pytest.mark.parametrize(
    ("raw", "lines", "part"),
    [
        (b"A: b\r\n\r\n1\r\n2\r\n3\r\n", 0, b"A: b\r\n\r\n"),
        (b"A: b\r\n\r\n1\r\n2\r\n3\r\n", 2, b"A: b\r\n\r\n1\r\n2\r\n"),
        (b"A: b\r\n\r\n1\r\n2\r\n3\r\n", 99, b"A: b\r\n\r\n1\r\n2\r\n3\r\n"),
        (b"A: b\r\n\r\n1\r\n2", 2, b"A: b\r\n\r\n1\r\n2"),
        (b"A: b\r\n", 5, b"A: b\r\n"),
        (b"A: b\n\n1\n2\n", 1, b"A: b\n\n1\n"),
        (b"\r\n1\r\n2\r\n", 1, b"\r\n1\r\n"),
        (b"", 3, b""),
    ],
)
def test_top(raw, lines, part):
    assert wire.top(raw, lines) == part


def test_large_messages_are_quick():
    raw = b"A: b\r\n\r\n" + b".x\r\n" * 1_000_000
    began = time.process_time()
    assert wire.stuffed(raw).count(b"\r\n..x") == 1_000_000
    assert wire.top(raw, 10) == raw[: 8 + 40]
    wire.top(b"\n" * 100_000, 10**9)
    assert time.process_time() - began < 10


@pytest.mark.parametrize(
    ("answer", "sent"),
    [
        (wire.ok(), b"+OK\r\n"),
        (wire.ok("2 messages"), b"+OK 2 messages\r\n"),
        (wire.err("[AUTH] Wrong\r\n+OK name é"), b"-ERR [AUTH] Wrong +OK name ?\r\n"),
        (wire.challenge(b"abc="), b"+ abc=\r\n"),
        (wire.challenge(b""), b"+ \r\n"),
        (wire.listing([b"1 120", b"2 200"]), b"1 120\r\n2 200\r\n.\r\n"),
        (wire.listing([]), b".\r\n"),
    ],
)
def test_answers(answer, sent):
    assert answer == sent
    assert len(answer) <= 512


@given(
    st.lists(st.sampled_from([b".", b"\r\n", b"\n", b"\r", b"a", b"\r\n.", b"\xff"])).map(b"".join),
    st.lists(st.integers(0, 30), max_size=3),
    st.integers(1, 8),
)
def test_stuffs_the_same_in_pieces(raw, cuts, size):
    cuts = sorted(min(cut, len(raw)) for cut in cuts)
    parts = [raw[begin:end] for begin, end in zip([0, *cuts], [*cuts, len(raw)], strict=True)]
    assert b"".join(wire.stuffed_pieces(parts, size)) == wire.stuffed(raw)
    assert b"".join(wire.stuffed_pieces([raw])) == wire.stuffed(raw)


def test_says_how_much_it_holds():
    receiver = LineReceiver()
    receiver.feed(b"STAT\r\nQU")
    assert receiver.held == 8
    receiver.line()
    assert receiver.held == 2
