"""A name server on loopback for the service under test: MX and A of the sink, and of the domains it is told
of, and "no such name" for all else. (RFC 1035)

Without it each mail's checks would wait for a resolver that cannot answer, and the figures would measure
that. `python -m bench.dns --port N --mx sink.example` serves until it is ended.
With `--below dead.example=127.0.0.9` each NAME.dead.example has a mail host of its own, at that address.
"""

import argparse
import asyncio
import socket
import struct
from collections.abc import Mapping
from types import MappingProxyType

from bench.smtp_client import new_event_loop

A, MX = 1, 15
TTL = 300


def _encode(name: str) -> bytes:
    return b"".join(bytes([len(label)]) + label.encode() for label in name.split(".") if label) + b"\0"


def _question(query: bytes) -> tuple[str, int, int]:
    """Return the name, its type, and where the question ends."""
    labels, at = [], 12
    while size := query[at]:
        labels.append(query[at + 1 : at + 1 + size].decode("ascii", "replace"))
        at += 1 + size
    (kind,) = struct.unpack_from("!H", query, at + 1)
    return ".".join(labels).lower(), kind, at + 5


def _address(domain: str, mx_domain: str, below: Mapping[str, str]) -> str | None:
    """Where domain's mail host is, None when there is no such domain."""
    return "127.0.0.1" if domain == mx_domain else below.get(domain.partition(".")[2])


def answer(query: bytes, mx_domain: str, below: Mapping[str, str] = MappingProxyType({})) -> bytes:
    """Return the response to one query; raises on what is not one."""
    name, kind, end = _question(query)
    is_host = name.startswith("mx.")
    address = _address(name.removeprefix("mx."), mx_domain, below)
    is_known = address is not None
    data = b""
    if address and kind == MX and not is_host:
        data = struct.pack("!H", 10) + _encode(f"mx.{name}")
    elif address and kind == A and is_host:
        data = socket.inet_aton(address)
    (flags,) = struct.unpack_from("!H", query, 2)
    # QR, AA, RA; RD as asked; 3 is "no such name".
    flags = 0x8480 | flags & 0x0100 | (0 if is_known else 3)
    out = query[:2] + struct.pack("!HHHHH", flags, 1, 1 if data else 0, 0, 0) + query[12:end]
    if data:
        out += b"\xc0\x0c" + struct.pack("!HHIH", kind, 1, TTL, len(data)) + data
    return out


class _NameServer(asyncio.DatagramProtocol):
    def __init__(self, mx_domain: str, below: Mapping[str, str]) -> None:
        self.mx_domain, self.below = mx_domain, below

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        try:
            reply = answer(data, self.mx_domain, self.below)
        except (IndexError, struct.error):
            return
        self.transport.sendto(reply, addr)  # type: ignore[attr-defined]


async def _serve(host: str, port: int, mx_domain: str, below: Mapping[str, str]) -> None:
    loop = asyncio.get_running_loop()
    await loop.create_datagram_endpoint(lambda: _NameServer(mx_domain, below), local_addr=(host, port))
    print("ready", flush=True)
    await loop.create_future()


def main() -> None:
    """Serve until ended."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument(
        "--mx", required=True, metavar="DOMAIN", help="the domain whose mail goes to 127.0.0.1"
    )
    parser.add_argument("--below", action="append", default=[], metavar="DOMAIN=ADDRESS")
    options = parser.parse_args()
    below = dict(each.split("=", 1) for each in options.below)
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        try:
            runner.run(_serve(options.host, options.port, options.mx, below))
        except KeyboardInterrupt:
            pass


if __name__ == "__main__":
    main()
