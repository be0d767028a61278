"""A remote mail host that takes everything at once and forgets it: the far end of submission and relaying.

Run alone (`python -m bench.sink --port N`) it prints its count each second; bench.submission runs it in its
own loop and asks it which mails have come. It keeps Message-IDs and octet counts, never the octets.
"""

import argparse
import asyncio
import re
import time
from collections.abc import Callable

from bench.smtp_client import new_event_loop

MESSAGE_ID = re.compile(rb"(?im)^Message-ID:\s*(<[^>\r\n]*>)")
GREETING = b"220 sink.example ESMTP\r\n"
EXTENSIONS = (b"PIPELINING", b"8BITMIME", b"SMTPUTF8", b"SIZE 104857600")
EHLO = (
    b"250-sink.example\r\n"
    + b"".join(b"250-%s\r\n" % name for name in EXTENSIONS)
    + b"250 ENHANCEDSTATUSCODES\r\n"
)


class Sink:
    """Counts what arrives, by Message-ID."""

    def __init__(self) -> None:
        self.seen: dict[bytes, int] = {}  # Message-ID -> how often
        self.arrived_at: dict[bytes, float] = {}
        self.octets = 0
        self.connections = 0
        self.watch: Callable[[bytes], None] = lambda _message_id: None
        self._server: asyncio.Server | None = None

    async def start(self, host: str, port: int) -> int:
        """Listen; return the port (port 0 picks one)."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _SinkConnection(self), host, port, backlog=512)
        return int(self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        if self._server:
            self._server.close()

    def received(self, content: bytes) -> None:
        found = MESSAGE_ID.search(content[: content.find(b"\r\n\r\n") + 2])
        message_id = found[1] if found else b"<none>"
        self.seen[message_id] = self.seen.get(message_id, 0) + 1
        self.arrived_at.setdefault(message_id, time.perf_counter())
        self.octets += len(content)
        self.watch(message_id)


class _SinkConnection(asyncio.Protocol):
    def __init__(self, sink: Sink) -> None:
        self.sink = sink
        self.chunks: list[bytes] = []  # content so far, while in DATA
        self.tail = b"\r\n"  # its last octets, or the line end before it
        self.buffer = b""
        self.in_content = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.sink.connections += 1
        self.transport = transport
        transport.write(GREETING)  # type: ignore[attr-defined]

    def data_received(self, data: bytes) -> None:
        out = []
        while data:
            if self.in_content:
                data = self.take_content(data, out)
                continue
            data = self.buffer + data
            self.buffer = b""
            end = data.find(b"\r\n")
            if end < 0:
                self.buffer = data
                break
            line, data = data[:end], data[end + 2 :]
            out.append(self.answer(line[:4].upper()))
        if out:
            self.transport.write(b"".join(out))  # type: ignore[attr-defined]

    def take_content(self, data: bytes, out: list[bytes]) -> bytes:
        """Keep content until the final dot; return what follows it."""
        joined = self.tail + data
        end = joined.find(b"\r\n.\r\n")
        if end < 0:
            self.chunks.append(data)
            self.tail = joined[-4:]
            return b""
        after = end + 5 - len(self.tail)
        self.chunks.append(data[:after])
        self.in_content = False
        self.sink.received(b"".join(self.chunks))
        self.chunks, self.tail = [], b"\r\n"
        out.append(b"250 2.0.0 taken\r\n")
        return data[after:]

    def answer(self, verb: bytes) -> bytes:
        if verb == b"EHLO":
            return EHLO
        if verb == b"DATA":
            self.in_content = True
            return b"354 go on\r\n"
        if verb in (b"MAIL", b"RCPT", b"RSET", b"NOOP", b"HELO"):
            return b"250 2.0.0 ok\r\n"
        if verb == b"QUIT":
            asyncio.get_running_loop().call_soon(self.transport.close)
            return b"221 2.0.0 bye\r\n"
        return b"502 5.5.1 unknown\r\n"


async def _serve(host: str, port: int) -> None:
    sink = Sink()
    print("sink listens on port", await sink.start(host, port), flush=True)
    last = 0
    while True:
        await asyncio.sleep(1)
        count = sum(sink.seen.values())
        if count != last:
            twice = sum(times - 1 for times in sink.seen.values())
            print(f"{count} mails, {twice} of them repeated, {sink.octets} octets", flush=True)
            last = count


def main() -> None:
    """Listen and count until interrupted."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=2599)
    options = parser.parse_args()
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        try:
            runner.run(_serve(options.host, options.port))
        except KeyboardInterrupt:
            pass


if __name__ == "__main__":
    main()
