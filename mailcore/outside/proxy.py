"""Who is behind a load balancer: the introductions of HAProxy's PROXY protocol, versions 1 and 2.

(haproxy.org/download/2.9/doc/proxy-protocol.txt.) They come before anything else, TLS too, from those of
HOSTMAIL_PROXY_PEERS alone, and there always: what is said of a client decides who it is for all limits. The
server reads them; every listener asks peer_of().
"""

from __future__ import annotations

import re
import socket
import struct
from asyncio import BaseTransport
from collections import OrderedDict
from ipaddress import IPv4Address, IPv6Address, ip_address

from mailcore import limits

# Either version is longer than this.
FIRST_OCTETS = 12
SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
_V1 = re.compile(
    rb"PROXY (?:(TCP4|TCP6) ([0-9A-Fa-f:.]{2,39}) [0-9A-Fa-f:.]{2,39} [0-9]{1,5} [0-9]{1,5}"
    rb"|UNKNOWN[ -~]*)\r\n"
)
_ADDRESSES = {1: (IPv4Address, 4), 2: (IPv6Address, 16)}  # by family; unix and unspecified have none

_Ends = tuple[object, object]
_introduced: OrderedDict[_Ends, str] = OrderedDict()


class BadIntroduction(Exception):
    """A trusted peer said something else, or nothing."""


def client_of_v1(line: bytes) -> str | None:
    """The client's address by a whole line, None for UNKNOWN. Raises BadIntroduction."""
    match = _V1.fullmatch(line)
    if match is None or len(line) > limits.PROXY_LINE_OCTETS:
        raise BadIntroduction("no line of version 1")
    if match[1] is None:
        return None
    try:
        address = ip_address(match[2].decode())
    except ValueError as error:
        raise BadIntroduction("no address") from error
    if address.version != int(match[1][3:]):
        raise BadIntroduction("an address of another family")
    return str(address)


def octets_after_v2(head: bytes) -> int:
    """How many octets follow the first 16 of version 2. Raises BadIntroduction."""
    length: int = struct.unpack("!H", head[14:16])[0]
    if head[:12] != SIGNATURE or head[12] >> 4 != 2 or length > limits.PROXY_OCTETS:
        raise BadIntroduction("no head of version 2")
    return length


def client_of_v2(head: bytes, rest: bytes) -> str | None:
    """The client's address, None where the proxy speaks for itself (LOCAL). Raises BadIntroduction."""
    command, family = head[12] & 0xF, head[13] >> 4
    if command == 0:
        return None
    if command != 1 or family not in _ADDRESSES:
        raise BadIntroduction("no client with an address")
    kind, size = _ADDRESSES[family]
    if len(rest) < 2 * size + 4:
        raise BadIntroduction("too short")
    return str(kind(rest[:size]))


def introduce(connection: socket.socket, client: str | None) -> None:
    """Remember whose connection this is; None says that it is its own."""
    ends = (connection.getpeername()[:2], connection.getsockname()[:2])
    _introduced.pop(ends, None)
    if client is not None:
        _introduced[ends] = client
        while len(_introduced) > limits.PROXY_CLIENTS:
            _introduced.popitem(last=False)


def peer_of(transport: BaseTransport) -> str:
    """The address of the client; "" where there is none, as for a Unix socket."""
    peer = transport.get_extra_info("peername")
    if not peer:
        return ""
    return client_of(transport) or str(peer[0])


def client_of(transport: BaseTransport) -> str | None:
    """Whom a proxy introduced on this connection."""
    if not _introduced:
        return None
    peer, own = (transport.get_extra_info(name) for name in ("peername", "sockname"))
    return _introduced.get((tuple(peer[:2]), tuple(own[:2]))) if peer and own else None
