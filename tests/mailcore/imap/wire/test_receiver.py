"""The same commands come out however the octets were split, and nothing that was refused is run."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailcore.imap.wire.receiver import (
    BEFORE_LOGIN,
    Continue,
    Limits,
    Received,
    Receiver,
    Refused,
    after_login,
)

SMALL = Limits(line=60, literal=100, append=1000, literals=3, messages=5, skip=5000)


def play(*chunks: bytes, limits: Limits = SMALL) -> list:
    """Every event of a client that sends these chunks."""
    receiver = Receiver(limits)
    events = []
    for chunk in chunks:
        receiver.feed(chunk)
        while (event := receiver.command()) is not None:
            events.append(event)
    return events


def ran(*chunks: bytes, limits: Limits = SMALL) -> list[bytes]:
    return [event.text for event in play(*chunks, limits=limits) if isinstance(event, Received)]


def octet_by_octet(octets: bytes) -> list[bytes]:
    return [octets[at : at + 1] for at in range(len(octets))]


CASES = {
    "one command": (b"a NOOP\r\n", [Received(b"a NOOP")]),
    "pipelined": (b"a NOOP\r\nb IDLE\r\n", [Received(b"a NOOP"), Received(b"b IDLE")]),
    "empty line": (b"\r\n", [Received(b"")]),
    "synchronising literal": (
        b"a LOGIN {3}\r\njoe {2}\r\npw\r\nb NOOP\r\n",
        [
            Continue(3, b"a LOGIN {3}\r\n"),
            Continue(2, b"a LOGIN {3}\r\n {2}\r\n"),
            Received(b"a LOGIN {3}\r\n {2}\r\n", (b"joe", b"pw")),
            Received(b"b NOOP"),
        ],
    ),
    "literals without waiting": (
        b"a LOGIN {3+}\r\njoe {0+}\r\n\r\n",
        [Received(b"a LOGIN {3+}\r\n {0+}\r\n", (b"joe", b""))],
    ),
    "literal with line ends and announcements in it": (
        b"a APPEND x {21+}\r\nb DELETE x {5+}\r\nq\r\n.\r\nc NOOP\r\n",
        [Received(b"a APPEND x {21+}\r\n", (b"b DELETE x {5+}\r\nq\r\n.",)), Received(b"c NOOP")],
    ),
    "append may be bigger": (
        b"a APPEND x {500+}\r\n" + b"x" * 500 + b"\r\n",
        [Received(b"a APPEND x {500+}\r\n", (b"x" * 500,))],
    ),
    "braces that are no literal": (b'a SELECT "{5}"\r\n', [Received(b'a SELECT "{5}"')]),
    "closing brace alone": (b"a SELECT x}\r\n", [Received(b"a SELECT x}")]),
    "literal too big is swallowed": (
        b"a SELECT {101+}\r\n" + b"b DELETE x\r\n" * 8 + b"12345\r\nc NOOP\r\n",
        [Refused(b"a", b"BAD", b"The literal is too big"), Received(b"c NOOP")],
    ),
    "message too big is swallowed with what follows in its command": (
        b"a APPEND x {1001+}\r\n" + b"y" * 1001 + b" {12+}\r\nb DELETE x\r\n\r\nc NOOP\r\n",
        [Refused(b"a", b"NO", b"[TOOBIG] The message is too big"), Received(b"c NOOP")],
    ),
    "after a swallowed literal the client waits with the next": (
        b"a SELECT {101+}\r\n" + b"y" * 101 + b" {5}\r\nc NOOP\r\n",
        [Refused(b"a", b"BAD", b"The literal is too big"), Received(b"c NOOP")],
    ),
    "literals together too big": (
        b"a X {60+}\r\n" + b"y" * 60 + b" {60+}\r\n" + b"z" * 60 + b"\r\nb NOOP\r\n",
        [Refused(b"a", b"BAD", b"The literal is too big"), Received(b"b NOOP")],
    ),
    "too many literals": (
        b"a X" + b" {1+}\r\nx" * 4 + b"\r\nb NOOP\r\n",
        [Refused(b"a", b"BAD", b"Too many literals"), Received(b"b NOOP")],
    ),
    "line as long as it may be": (b"a " + b"x" * 58 + b"\r\n", [Received(b"a " + b"x" * 58)]),
    "line too long": (
        b"a " + b"x" * 59 + b"\r\nb NOOP\r\n",
        [Refused(b"a", b"BAD", b"The command is too long"), Received(b"b NOOP")],
    ),
    "line too long that ends in a literal": (
        b"a " + b"x" * 59 + b" {12+}\r\nb DELETE x\r\n\r\nc NOOP\r\n",
        [Refused(b"a", b"BAD", b"The command is too long"), Received(b"c NOOP")],
    ),
    "as many messages in one append": (
        b"a APPEND b" + b" {1+}\r\nx" * 5 + b"\r\nb NOOP\r\n",
        [Received(b"a APPEND b" + b" {1+}\r\n" * 5, (b"x",) * 5), Received(b"b NOOP")],
    ),
    "too many messages in one append": (
        b"a APPEND b" + b" {1+}\r\nx" * 6 + b"\r\nb NOOP\r\n",
        [Refused(b"a", b"BAD", b"Too many literals"), Received(b"b NOOP")],
    ),
    "messages in one append too big together": (
        b"a APPEND b {600+}\r\n" + b"x" * 600 + b" {600+}\r\n" + b"x" * 600 + b"\r\nb NOOP\r\n",
        [Refused(b"a", b"NO", b"[TOOBIG] The message is too big"), Received(b"b NOOP")],
    ),
    "line too long by its literals' announcements": (
        b"a X" + b" {1+}\r\nx" * 3 + b" " + b"y" * 60 + b"\r\nb NOOP\r\n",
        [Refused(b"a", b"BAD", b"The command is too long"), Received(b"b NOOP")],
    ),
    "bare LF ends nothing": (
        b"a NOOP\nb DELETE x\nc DELETE {3+}\r\nx\r\n\r\nd NOOP\r\n",
        [Refused(b"a", b"BAD", b"Lines end with CR LF, not with LF alone"), Received(b"d NOOP")],
    ),
    "LF first": (
        b"\nx\r\na NOOP\r\n",
        [Refused(None, b"BAD", b"Lines end with CR LF, not with LF alone"), Received(b"a NOOP")],
    ),
    "bare CR is the parser's to refuse": (b"a NO\rOP\r\n", [Received(b"a NO\rOP")]),
    "a literal in words we do not know": (
        b"a SELECT {5-}\r\nb DELETE x\r\n",
        [Refused(b"a", b"BAD", b"That is not a valid literal", close=True)],
    ),
    "a count of thirty digits": (
        b"a SELECT {000000000000000000000000000005+}\r\nb DELETE x\r\n",
        [Refused(b"a", b"BAD", b"That is not a valid literal", close=True)],
    ),
    "a literal nobody waits for": (
        b"a APPEND x {999999999999+}\r\nb DELETE x\r\n",
        [Refused(b"a", b"NO", b"[TOOBIG] The message is too big", close=True)],
    ),
    "a line that never ends": (
        b"a " + b"x" * 5000 + b"\r\nb NOOP\r\n",
        [Refused(b"a", b"BAD", b"The command is too long", close=True)],
    ),
    "no tag to answer": (b"x" * 70 + b"\r\n", [Refused(None, b"BAD", b"The command is too long")]),
}


@pytest.mark.parametrize(("octets", "events"), CASES.values(), ids=CASES)
def test_cuts(octets, events):
    assert play(octets) == events


@pytest.mark.parametrize(("octets", "events"), CASES.values(), ids=CASES)
def test_cuts_the_same_one_octet_at_a_time(octets, events):
    assert play(*octet_by_octet(octets)) == events


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_cuts_the_same_however_it_was_split(data):
    wire = b"".join(
        octets
        for octets, events in (
            data.draw(
                st.lists(
                    st.sampled_from(
                        [c for c in CASES.values() if not c[1][-1:] or not getattr(c[1][-1], "close", False)]
                    ),
                    min_size=1,
                    max_size=6,
                )
            )
        )
    )
    cuts = sorted(data.draw(st.lists(st.integers(0, len(wire)), max_size=12)))
    chunks = [wire[begin:end] for begin, end in zip([0, *cuts], [*cuts, len(wire)], strict=True)]
    assert play(*chunks) == play(wire)


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            [
                b"a",
                b" ",
                b"NOOP",
                b"APPEND ",
                b"\r\n",
                b"\n",
                b"\r",
                b"{3+}\r\n",
                b"{2000+}\r\n",
                b"{0+}\r\n",
                b"}",
                b"{",
                b"x" * 40,
                b'"',
                b"\0",
            ]
        )
    ),
    st.randoms(use_true_random=False),
)
def test_rubbish_splits_the_same_too(pieces, random):
    wire = b"".join(pieces)
    cuts = sorted(random.randint(0, len(wire)) for _ in range(5))
    chunks = [wire[begin:end] for begin, end in zip([0, *cuts], [*cuts, len(wire)], strict=True)]
    assert play(*chunks) == play(wire) == play(*octet_by_octet(wire))


@settings(deadline=None)
@given(st.lists(st.lists(st.binary(max_size=30), max_size=3), max_size=5))
def test_literals_come_back_as_they_were_sent(commands):
    wire = b""
    expected = []
    for literals in commands:
        text = b"a X"
        sent = b"a X"
        for literal in literals:
            text += b" {%d+}\r\n" % len(literal)
            sent += b" {%d+}\r\n%b" % (len(literal), literal)
        wire += sent + b"\r\n"
        expected.append(Received(text, tuple(literals)))
    assert play(wire, limits=after_login()) == expected
    assert play(*octet_by_octet(wire), limits=after_login()) == expected


def test_a_refused_synchronising_literal_leaves_the_connection_usable():
    receiver = Receiver(SMALL)
    receiver.feed(b"a APPEND x {1001}\r\n")
    refused = receiver.command()
    assert refused == Refused(b"a", b"NO", b"[TOOBIG] The message is too big")
    assert refused.line() == b"a NO [TOOBIG] The message is too big\r\n"
    assert receiver.command() is None
    receiver.feed(b"b NOOP\r\n")
    assert receiver.command() == Received(b"b NOOP")


def test_hangs_up_on_who_did_not_wait_and_was_refused():
    assert play(b"a APPEND x {1001}\r\nb DELETE x\r\n") == [
        Refused(b"a", b"NO", b"[TOOBIG] The message is too big", close=True)
    ]


def test_says_nothing_more_after_hanging_up():
    receiver = Receiver(SMALL)
    receiver.feed(b"a X {5-}\r\n")
    assert receiver.command().close
    receiver.feed(b"b DELETE x\r\n")
    assert receiver.command() is None
    assert receiver.line() is None
    assert receiver.held == 0


def test_drops_a_command_whose_literal_the_session_does_not_want():
    receiver = Receiver(SMALL)
    receiver.feed(b"a APPEND nowhere {10}\r\n")
    assert receiver.command() == Continue(10, b"a APPEND nowhere {10}\r\n")
    assert receiver.drop()
    receiver.feed(b"b NOOP\r\n")
    assert receiver.command() == Received(b"b NOOP")


def test_dropping_hangs_up_on_who_did_not_wait():
    receiver = Receiver(SMALL)
    receiver.feed(b"a APPEND nowhere {10}\r\nb DELETE x")
    assert isinstance(receiver.command(), Continue)
    assert not receiver.drop()
    receiver.feed(b"\r\n")
    assert receiver.command() is None


def test_takes_a_line_as_it_is():
    receiver = Receiver(SMALL)
    receiver.feed(b"a IDLE\r\nDONE {5}\r\nb NO")
    assert receiver.command() == Received(b"a IDLE")
    assert receiver.line() == b"DONE {5}"
    assert receiver.line() is None
    receiver.feed(b"OP\r\n")
    assert receiver.command() == Received(b"b NOOP")


def test_refuses_a_line_as_it_refuses_a_command():
    receiver = Receiver(SMALL)
    for octet in octet_by_octet(b"x" * 61 + b"\r\nDONE\n\r\nok\r\n"):
        receiver.feed(octet)
    assert receiver.line() == Refused(None, b"BAD", b"The command is too long")
    assert receiver.line() == Refused(None, b"BAD", b"Lines end with CR LF, not with LF alone")
    assert receiver.line() == b"ok"
    assert receiver.line() is None


def test_refuses_a_line_when_its_end_has_come():
    receiver = Receiver(SMALL)
    receiver.feed(b"x" * 70)
    assert receiver.line() is None
    receiver.feed(b"x" * 70)
    assert receiver.line() is None
    receiver.feed(b"\r\nDONE\r\n")
    assert receiver.line() == Refused(None, b"BAD", b"The command is too long")
    assert receiver.line() == b"DONE"


def test_limits_change_between_commands():
    receiver = Receiver(BEFORE_LOGIN)
    receiver.feed(b"a LOGIN joe pw\r\nb APPEND x {100000+}\r\n" + b"x" * 100_000 + b"\r\n")
    assert receiver.command() == Received(b"a LOGIN joe pw")
    receiver.limits = after_login(100_000)
    assert len(receiver.command().literals[0]) == 100_000


def test_before_login_little_is_taken_and_less_is_skipped():
    (refused,) = play(b"a APPEND x {100000+}\r\n", limits=BEFORE_LOGIN)
    assert refused.close
    assert play(*[b"x" * 1000] * 100, limits=BEFORE_LOGIN) == [
        Refused(None, b"BAD", b"The command is too long", close=True)
    ]


def test_gives_away_what_it_has_not_used():
    receiver = Receiver(SMALL)
    receiver.feed(b"a STARTTLS\r\nb LOG")
    receiver.feed(b"IN joe pw\r\nc NOOP\r\n")
    assert receiver.command() == Received(b"a STARTTLS")
    assert receiver.take_rest() == b"b LOGIN joe pw\r\nc NOOP\r\n"
    assert receiver.command() is None
    receiver.feed(b"d NOOP\r\n")
    assert receiver.command() == Received(b"d NOOP")


def test_gives_away_a_line_begun():
    receiver = Receiver(SMALL)
    receiver.feed(b"b LOG")
    assert receiver.command() is None
    receiver.feed(b"IN")
    assert receiver.take_rest() == b"b LOGIN"


def test_knows_what_it_holds():
    receiver = Receiver(after_login())
    receiver.feed(b"a NOOP\r\n")
    assert receiver.command() == Received(b"a NOOP")
    assert receiver.command() is None
    assert receiver.held == 0
    receiver.feed(b"a APPEND x {5000000+}\r\n")
    for _ in range(10):
        receiver.feed(b"x" * 10_000)
        assert receiver.command() is None
    assert 100_000 <= receiver.held < 100_100


@pytest.mark.parametrize(
    "wire",
    [
        b"a " + b"x" * 60_000 + b"\r\n",
        b"a APPEND x {200000+}\r\n" + b"y" * 200_000 + b"\r\n",
        b"a " + b"x" * 200_000 + b"\r\n",
        b"a NOOP\r\n" * 25_000,
    ],
    ids=["long line", "long literal", "line too long", "many commands"],
)
def test_is_linear_one_octet_at_a_time(wire):
    limits = after_login()
    began = time.process_time()
    whole = play(*octet_by_octet(wire), limits=limits)
    spent = time.process_time() - began
    assert whole == play(wire, limits=limits)
    assert spent < 20  # a quadratic one takes a minute


def test_is_linear_when_nobody_reads():
    receiver = Receiver(after_login())
    began = time.process_time()
    for octet in octet_by_octet(b"a NOOP\r\n" * 25_000):
        receiver.feed(octet)
    count = 0
    while receiver.command() is not None:
        count += 1
    assert count == 25_000
    assert time.process_time() - began < 20
