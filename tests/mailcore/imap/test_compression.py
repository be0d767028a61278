"""COMPRESS: the streams by themselves, and a client's conversation through them."""

import random
import tracemalloc
import zlib

import pytest

from mailcore import limits
from mailcore.errors import BadSyntax
from mailcore.imap.compression import Compression
from mailcore.models import Message
from mailcore.services import messages
from tests.mailcore.imap.conftest import Wire
from tests.servers import wait_for

# --- The streams ----------------------------------------------------------------------------------------


def deflated(*pieces: bytes) -> bytes:
    """One client's stream of pieces, each flushed."""
    deflater = zlib.compressobj(9, zlib.DEFLATED, -15)
    return b"".join(deflater.compress(piece) + deflater.flush(zlib.Z_SYNC_FLUSH) for piece in pieces)


def inflated(compression: Compression) -> bytes:
    found = []
    while octets := compression.inflate():
        assert len(octets) <= limits.IMAP_INFLATE_OCTETS
        found.append(octets)
    assert not compression.held
    return b"".join(found)


@pytest.mark.parametrize("step", [1, 7, 100_000])
def test_brings_what_was_meant_however_it_was_split(step):
    rest = random.Random(1)
    pieces = [b"a NOOP\r\n", rest.randbytes(5_000), b"", bytes(300_000), b"b NOOP\r\n"]
    stream, compression = deflated(*pieces), Compression()
    found = b""
    for start in range(0, len(stream), step):
        compression.feed(stream[start : start + step])
        found += inflated(compression)
    assert found == b"".join(pieces)


def test_swells_no_more_than_it_is_asked_for(monkeypatch):
    compression = Compression()
    bomb = deflated(bytes(20_000_000))
    compression.feed(bomb)
    tracemalloc.start()
    try:
        assert compression.inflate() == bytes(limits.IMAP_INFLATE_OCTETS)
        assert tracemalloc.get_traced_memory()[1] < 10 * limits.IMAP_INFLATE_OCTETS
    finally:
        tracemalloc.stop()
    assert 0 < compression.held < len(bomb)


@pytest.mark.parametrize("octets", [b"a NOOP\r\n", b"\xff\xff\xff", zlib.compress(b"a NOOP\r\n")])
def test_says_what_is_no_deflate(octets):
    compression = Compression()
    compression.feed(octets)
    with pytest.raises(BadSyntax):
        inflated(compression)


def test_refuses_a_stream_that_ends():
    deflater = zlib.compressobj(9, zlib.DEFLATED, -15)
    compression = Compression()
    compression.feed(deflater.compress(b"a NOOP\r\n") + deflater.flush())
    with pytest.raises(BadSyntax):
        inflated(compression)


def test_what_is_said_after_a_rest_is_the_same_stream():
    compression, reader = Compression(), zlib.decompressobj(-15)
    for number in range(20):
        said = b"* %d FETCH (FLAGS (\\Seen))\r\n" % number * 50
        assert reader.decompress(compression.deflate(said)) == said
        if number % 3 == 0:
            compression.rest()
    assert not reader.unused_data


# --- A conversation -------------------------------------------------------------------------------------


class Squeezed(Wire):
    """A client that compresses: its send() and line() are of what is meant."""

    def __init__(self, port: int) -> None:
        super().__init__(port)
        self.plain = self.socket
        self.deflater = zlib.compressobj(9, zlib.DEFLATED, -15)
        self.inflater = zlib.decompressobj(-15)

    def compress(self) -> None:
        assert self.ask("COMPRESS DEFLATE")[-1] == "a OK DEFLATE active"
        self.heard = self.inflater.decompress(self.heard)
        self.socket = self

    def deflated(self, octets: bytes) -> bytes:
        return self.deflater.compress(octets) + self.deflater.flush(zlib.Z_SYNC_FLUSH)

    def sendall(self, octets: bytes) -> None:
        self.plain.sendall(self.deflated(octets))

    def recv(self, octets: int) -> bytes:
        while more := self.plain.recv(octets):
            if meant := self.inflater.decompress(more):
                return meant
        return b""

    def close(self) -> None:
        self.plain.close()


@pytest.fixture
def squeezed(imap) -> Squeezed:
    client = Squeezed(imap.settings.HOSTMAIL_IMAP_PORT)
    imap.clients.append(client)
    client.login()
    client.compress()
    return client


def test_is_advertised_until_it_is_active(imap, squeezed):
    other = imap.login()
    assert " COMPRESS=DEFLATE" in other.ask("CAPABILITY")[0]
    assert "COMPRESS" not in squeezed.ask("CAPABILITY")[0]
    assert squeezed.ask("COMPRESS DEFLATE")[-1].startswith("a NO [COMPRESSIONACTIVE] ")
    assert squeezed.ask("NOOP")[-1] == "a OK NOOP completed"


def test_mail_comes_and_goes_whole(squeezed):
    raw = (
        b"Subject: big\r\n\r\n"
        + random.Random(1).randbytes(700_000).hex().encode()
        + bytes(0)
        + b"x" * 2_000_000
    )
    squeezed.send(b"a APPEND INBOX {%d}\r\n" % len(raw))
    assert squeezed.line().startswith(b"+ ")
    squeezed.send(raw + b"\r\nb SELECT INBOX\r\nc FETCH 1 BODY.PEEK[]\r\nd NOOP\r\n")
    assert squeezed.until("^c|FETCH")[-1] == f"* 1 FETCH (BODY[] {{{len(raw)}}}"
    rest = b""
    while len(rest) < len(raw):
        rest += squeezed.heard or squeezed.recv(65536)
        squeezed.heard = b""
    assert rest[: len(raw)] == raw
    squeezed.heard = rest[len(raw) :]
    assert squeezed.until("^d OK")[:2] == [")", "c OK FETCH completed"]
    assert messages.raw_of(Message.objects.get().content_id).raw == raw


def test_pipelined_commands_are_answered_in_order(squeezed):
    commands = b"s SELECT INBOX\r\n" + b"".join(
        b"%d NOOP\r\n%d STATUS INBOX (UIDNEXT)\r\n" % (n, n) for n in range(300)
    )
    squeezed.send(commands + b"i IDLE\r\nDONE\r\nz LOGOUT\r\n")
    lines = squeezed.until("^z OK")
    assert [line.split()[0] for line in lines if line[0] not in "*+"] == [
        "s",
        *(str(n) for n in range(300) for _ in "12"),
        "i",
        "z",
    ]
    assert squeezed.line() == b""


def test_one_octet_at_a_time_is_the_same(squeezed):
    for octet in squeezed.deflated(b"b SELECT {5+}\r\nINBOX\r\nc NOOP\r\n"):
        squeezed.plain.sendall(bytes((octet,)))
    assert squeezed.until("^c OK")


def test_idle_is_told_after_a_rest(imap, squeezed, monkeypatch):
    squeezed.ask("SELECT INBOX")
    squeezed.send("i IDLE\r\n")
    assert squeezed.line() == b"+ idling"
    monkeypatch.setattr(limits, "IMAP_COMPRESSION_REST_SECONDS", -1)
    (connection,) = imap.imap.open
    assert wait_for(lambda: connection.compression._deflater is None)
    other = imap.login()
    other.send("a APPEND INBOX {12+}\r\nSubject: x\r\n\r\n")
    assert squeezed.until("EXISTS")


def test_comes_after_starttls_and_never_before(imap):
    client = Squeezed(imap.settings.HOSTMAIL_IMAP_PORT)
    imap.clients.append(client)
    client.ask("STARTTLS")
    client.starttls()
    client.plain = client.socket
    client.login()
    client.compress()
    assert client.ask("NOOP")[-1] == "a OK NOOP completed"
    assert client.ask("STARTTLS")[-1].startswith("a BAD ")
    assert client.ask("NOOP")[-1] == "a OK NOOP completed"


@pytest.mark.parametrize("octets", [b"b NOOP\r\n", b"\xff\xff\xff\xff"])
def test_who_speaks_in_clear_is_hung_up_on(imap, octets):
    client = Squeezed(imap.settings.HOSTMAIL_IMAP_PORT)
    imap.clients.append(client)
    client.login()
    # Both with the command and after it: nothing of it is run.
    client.send(b"a COMPRESS DEFLATE\r\n" + octets)
    assert client.line() == b"a OK DEFLATE active"
    client.socket = client
    rest = (
        client.inflater.decompress(client.heard) + b"".join(iter(lambda: client.recv(4096), b""))
    ).decode()
    assert rest == "* BYE That is not DEFLATE\r\n"


def test_a_bomb_is_taken_in_turns_and_others_are_served(imap, squeezed):
    other = imap.login()
    squeezed.send(b"n NOOP\r\n")
    squeezed.until("^n OK")
    # 30 MB of a literal that is thrown away for its size, in some 30 KB.
    size = imap.settings.HOSTMAIL_MAX_MESSAGE + 1
    squeezed.send(b"b APPEND INBOX {%d+}\r\n" % size + bytes(30_000_000))
    assert other.ask("NOOP")[-1] == "a OK NOOP completed"
    squeezed.send(bytes(size - 30_000_000) + b"\r\nc NOOP\r\n")
    assert squeezed.until("^c OK")[0].startswith("b NO [TOOBIG] ")


def test_a_goodbye_while_a_thread_works_can_be_read(imap, squeezed, monkeypatch):
    squeezed.ask("SELECT INBOX")
    (connection,) = imap.imap.open

    def leave():
        connection.is_busy = True  # as while a thread deflates an answer
        connection.compression.deflate(b"* what nobody will hear\r\n")
        connection.say_bye("Your access has changed")

    imap.on_loop(leave)
    assert squeezed.line() == b"* BYE Your access has changed"
