"""What is said is written together, in order, and compressed where that was agreed."""

import zlib

from mailcore.imap.compression import Compression
from mailcore.imap.output import Output


class Pipe:
    """A transport that keeps each write."""

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.is_aborted = False

    def is_closing(self) -> bool:
        return self.is_aborted

    def write(self, octets: bytes) -> None:
        self.written.append(octets)

    def abort(self) -> None:
        self.is_aborted = True


def output() -> tuple[Output, list[bytes]]:
    one = Output()
    one.transport = Pipe()
    return one, one.transport.written


def test_writes_together_what_was_said():
    one, written = output()
    one.say(b"a")
    one.say(b"bc")
    assert written == []
    assert one.out_octets == 3
    one.flush()
    one.flush()
    assert written == [b"abc"]
    assert one.out_octets == 0


def test_compresses_what_it_writes_but_not_what_is_compressed_already():
    one, written = output()
    one.compression = Compression()
    one.say(b"* OK\r\n" * 9)
    one.flush()
    assert zlib.decompressobj(-zlib.MAX_WBITS).decompress(written[0]) == b"* OK\r\n" * 9
    one.send(b"ready")
    assert written[1] == b"ready"


def test_says_nothing_to_who_has_left():
    one, written = output()
    one.abort()
    one.say(b"a")
    one.flush()
    assert written == []
    one.transport = None
    one.send(b"a")
    one.abort()
