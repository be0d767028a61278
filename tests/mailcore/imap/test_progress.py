"""A long command says that it goes on; a short one and what it asks for pass unchanged."""

import pytest

from mailcore.errors import NoSuchMessage
from mailcore.imap import progress

LINE = b'* OK [INPROGRESS ("a1" NIL NIL)] Still at it\r\n'


@pytest.fixture
def clock(monkeypatch):
    """A clock that goes on by as many seconds as a handler says it took."""
    now = [0.0]
    monkeypatch.setattr(progress, "monotonic", lambda: now[0])
    return now


def working(clock, *steps):
    """A handler that takes some seconds and then says something, step by step."""
    for seconds, said in steps:
        clock[0] += seconds
        yield said
    return "done"


def heard(running) -> tuple[list[object], object]:
    said = []
    while True:
        try:
            said.append(next(running))
        except StopIteration as stop:
            return said, stop.value


def test_speaks_where_nothing_was_said_for_long(clock):
    steps = [(6, b""), (6, b""), (6, b""), (3, b"* SEARCH 1\r\n"), (9, b""), (1, b"")]
    assert heard(progress.told(working(clock, *steps), b"a1")) == (
        [b"", LINE, b"", b"* SEARCH 1\r\n", b"", LINE],
        "done",
    )


def test_names_no_tag_that_could_end_the_code(clock):
    assert heard(progress.told(working(clock, (11, b"")), b"a]"))[0] == [
        b"* OK [INPROGRESS (NIL NIL NIL)] Still at it\r\n"
    ]


def test_passes_on_what_comes_back_and_what_goes_wrong(clock):
    def asking():
        first = yield "one"
        try:
            yield first
        except NoSuchMessage:
            yield "caught"
        raise NoSuchMessage

    running = progress.told(asking(), b"a1")
    assert (next(running), running.send("two"), running.throw(NoSuchMessage())) == ("one", "two", "caught")
    with pytest.raises(NoSuchMessage):
        next(running)


def test_ends_what_it_runs_when_the_client_leaves(clock):
    ended = []

    def running():
        try:
            yield b""
        finally:
            ended.append(True)

    wrapped = progress.told(running(), b"a1")
    next(wrapped)
    wrapped.close()
    assert ended == [True]
