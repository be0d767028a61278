"""Notices leave the process without anybody waiting."""

import os
import threading
import time

from mailcore import limits
from mailcore.outside.courier import Courier


class Carried:
    """Remembers what was carried; holds the courier up until `go` is set."""

    def __init__(self):
        self.batches = []
        self.go = threading.Event()
        self.begun = threading.Event()

    def __call__(self, notices):
        self.begun.set()
        self.go.wait(5)
        self.batches.append(list(notices))


def test_carries_what_is_left():
    carried = Carried()
    carried.go.set()
    courier = Courier("test", carried)
    courier.leave("a", "b")
    assert courier.flush(5)
    assert carried.batches == [["a", "b"]]


def test_puts_equal_notices_together_while_busy():
    carried = Carried()
    courier = Courier("test", carried)
    courier.leave("first")
    assert carried.begun.wait(5)
    started = time.monotonic()
    for _ in range(1000):
        courier.leave("a", "b")
    assert time.monotonic() - started < 10  # nobody waits for the carrier
    assert not courier.flush(0)
    carried.go.set()
    assert courier.flush(5)
    assert carried.batches == [["first"], ["a", "b"]]


def test_drops_the_newest_when_too_much_waits(monkeypatch):
    monkeypatch.setattr(limits, "DOORBELL_WAITING", 3)
    carried = Carried()
    courier = Courier("test", carried)
    courier.leave("first")
    assert carried.begun.wait(5)
    courier.leave(*range(10))
    carried.go.set()
    assert courier.flush(5)
    assert carried.batches[1] == [0, 1, 2]


def test_goes_on_after_a_failure(caplog):
    seen = []

    def carry(notices):
        seen.extend(notices)
        if "bad" in notices:
            raise OSError("broken")

    courier = Courier("test", carry)
    courier.leave("bad")
    assert courier.flush(5)
    courier.leave("good")
    assert courier.flush(5)
    assert seen == ["bad", "good"]
    assert "notices lost" in caplog.text


def test_starts_anew_in_a_forked_child(tmp_path):
    courier = Courier("test", lambda notices: (tmp_path / "seen").write_text(repr(list(notices))))
    courier.leave("parent")
    assert courier.flush(5)
    child = os.fork()
    if child == 0:
        courier.leave("child")
        os._exit(0 if courier.flush(5) else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert (tmp_path / "seen").read_text() == "['child']"
