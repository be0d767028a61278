"""A real name server on loopback, UDP and TCP, with records by name and names that fail.

    with FakeDNS() as names:
        names.set("example.org", "MX", ["10 mx1.example.org", "20 mx2.example.org"])
        names.set("mx1.example.org", "A", ["127.0.0.1"])
        names.fail("broken.example", "SERVFAIL")

A name without records, under which others lie, exists (NODATA); any other does not (NXDOMAIN). A CNAME is
followed as a resolver does. While it is open, HOSTMAIL_DNS_SERVERS points here and the cache is empty.
Failures: SERVFAIL, REFUSED, NXDOMAIN, NODATA, TIMEOUT (no answer at all), TRUNCATED (UDP says: ask by TCP),
GARBAGE (octets that are no message), LAME (no answer, a referral), CNAME_ONLY (does not follow CNAMEs).
"""

import socketserver
import struct
import threading
from collections.abc import Iterable
from typing import Self

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset
from django.conf import settings

from mailcore.outside import dns as our_dns


class FakeDNS:
    """See the module. asked is the list of (name, rdtype) in the order of arrival."""

    def __init__(self, *, ttl: int = 60) -> None:
        self.ttl = ttl
        self.authenticated = False  # answer with AD set
        self.unsigned: set[str] = set()  # names that get no AD all the same
        self.asked: list[tuple[str, str]] = []
        self._records: dict[str, dict[str, list[str]]] = {}
        self._failures: dict[tuple[str, str], str] = {}
        self._servers: list[socketserver.BaseServer] = []
        self._threads: list[threading.Thread] = []
        self._before: list[tuple[str, int]] = []

    # --- what it says -----------------------------------------------------------------------------------

    def set(self, name: str, rdtype: str, values: Iterable[str] | str) -> Self:
        """Give name these records of one type, in place of those it had; TXT values without quotes."""
        values = [values] if isinstance(values, str) else list(values)
        if rdtype == "TXT":
            values = [_quoted(value) for value in values]
        self._records.setdefault(_key(name), {})[rdtype] = values
        our_dns.forget_all()
        return self

    def add_host(self, name: str, *addresses: str) -> Self:
        """Give name its A and AAAA records."""
        self.set(name, "A", [address for address in addresses if ":" not in address])
        return self.set(name, "AAAA", [address for address in addresses if ":" in address])

    def add_mail(self, domain: str, host: str, *addresses: str, preference: int = 10) -> Self:
        """Give domain one MX, and that host its addresses."""
        return self.set(domain, "MX", [f"{preference} {host}"]).add_host(host, *addresses)

    def remove(self, name: str, rdtype: str | None = None) -> Self:
        """Forget records of name, and its failures."""
        if rdtype is None:
            self._records.pop(_key(name), None)
        else:
            self._records.get(_key(name), {}).pop(rdtype, None)
        self._failures = {
            key: value
            for key, value in self._failures.items()
            if key[0] != _key(name) or rdtype not in (None, key[1])
        }
        our_dns.forget_all()
        return self

    def fail(self, name: str, how: str, rdtype: str = "*") -> Self:
        """Let lookups of name (of one type, or all) fail: see the module for how."""
        known = "SERVFAIL REFUSED NXDOMAIN NODATA TIMEOUT TRUNCATED GARBAGE LAME CNAME_ONLY".split()
        assert how in known, f"how is one of {known}"
        self._failures[_key(name), rdtype] = how
        our_dns.forget_all()
        return self

    def times_asked(self, name: str, rdtype: str) -> int:
        return self.asked.count((_key(name), rdtype))

    # --- the server -------------------------------------------------------------------------------------

    @property
    def address(self) -> tuple[str, int]:
        """(host, port): what HOSTMAIL_DNS_SERVERS lists."""
        host, port = self._servers[0].server_address[:2]
        return str(host), int(port)

    def start(self) -> Self:
        fake = self

        class OverUDP(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                octets, sock = self.request
                answer = fake._answer(octets, over_tcp=False)
                if answer is not None:
                    sock.sendto(answer, self.client_address)

        class OverTCP(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                while len(head := self.rfile.read(2)) == 2:
                    octets = self.rfile.read(*struct.unpack("!H", head))
                    answer = fake._answer(octets, over_tcp=True)
                    if answer is None:
                        return
                    self.wfile.write(struct.pack("!H", len(answer)) + answer)

        socketserver.ThreadingUDPServer.daemon_threads = True
        for _ in range(20):  # the same port for both, as real name servers have
            udp = socketserver.ThreadingUDPServer(("127.0.0.1", 0), OverUDP)
            try:
                tcp = _TCPServer(udp.server_address, OverTCP)
            except OSError:
                udp.server_close()
            else:
                break
        self._servers = [udp, tcp]
        for server in self._servers:
            thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True, name="fake-dns")
            thread.start()
            self._threads.append(thread)
        return self

    def stop(self) -> None:
        for server, thread in zip(self._servers, self._threads, strict=True):
            server.shutdown()
            server.server_close()
            thread.join(5)
        self._servers, self._threads = [], []

    def __enter__(self) -> Self:
        self.start()
        self._before = settings.HOSTMAIL_DNS_SERVERS
        settings.HOSTMAIL_DNS_SERVERS = [self.address]
        our_dns.forget_all()
        return self

    def __exit__(self, *exc: object) -> None:
        settings.HOSTMAIL_DNS_SERVERS = self._before
        our_dns.forget_all()
        self.stop()

    def _answer(self, octets: bytes, *, over_tcp: bool) -> bytes | None:
        query = dns.message.from_wire(octets)
        question = query.question[0]
        name = _key(question.name.to_text())
        rdtype = dns.rdatatype.to_text(question.rdtype)
        self.asked.append((name, rdtype))
        failure = self._failures.get((name, rdtype)) or self._failures.get((name, "*"))
        if failure == "TIMEOUT":
            return None
        if failure == "GARBAGE":
            return octets[:2] + b"\xff garbage"
        response = dns.message.make_response(query, recursion_available=True, our_payload=4096)
        is_signed = self.authenticated and name not in self.unsigned
        response.flags |= dns.flags.AA | (dns.flags.AD if is_signed else 0)
        if failure in ("SERVFAIL", "REFUSED", "NXDOMAIN"):
            response.set_rcode(dns.rcode.from_text(failure))
        elif failure == "LAME":
            response.flags &= ~dns.flags.AA
            response.authority.append(dns.rrset.from_text(".", self.ttl, "IN", "NS", "ns.elsewhere.invalid."))
        elif failure == "TRUNCATED" and not over_tcp:
            response.flags |= dns.flags.TC
        elif failure != "NODATA":
            self._fill(response, question.name, rdtype, follow=failure != "CNAME_ONLY")
        limit = 65535 if over_tcp else max(512, query.payload)
        try:
            return response.to_wire(max_size=limit)
        except dns.exception.TooBig:
            response.answer.clear()
            response.flags |= dns.flags.TC
            return response.to_wire()

    def _fill(self, response: dns.message.Message, name: dns.name.Name, rdtype: str, *, follow: bool) -> None:
        for _ in range(20):
            records = self._records.get(_key(name.to_text()))
            if records is None:
                if not self._has_children(name):
                    response.set_rcode(dns.rcode.NXDOMAIN)
                return
            if records.get(rdtype):
                response.answer.append(self._rrset(name, rdtype, records[rdtype]))
            if rdtype == "CNAME" or not records.get("CNAME"):
                return
            response.answer.append(self._rrset(name, "CNAME", records["CNAME"]))
            if not follow:
                return
            name = response.answer[-1][0].target

    def _rrset(self, name: dns.name.Name, rdtype: str, values: list[str]) -> dns.rrset.RRset:
        return dns.rrset.from_text_list(
            name, self.ttl, "IN", rdtype, values, origin=dns.name.root, relativize=False
        )

    def _has_children(self, name: dns.name.Name) -> bool:
        suffix = "." + _key(name.to_text())
        return any(known.endswith(suffix) and records for known, records in self._records.items())


class _TCPServer(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True


def _key(name: str) -> str:
    return name.rstrip(".").lower()


def _quoted(text: str) -> str:
    """Write text as character strings of at most 255 octets, as zone files do."""
    octets = text.encode()
    pieces = [octets[start : start + 255] for start in range(0, len(octets), 255)] or [b""]
    return " ".join(
        '"' + "".join(chr(b) if 32 <= b < 127 and b not in b'"\\' else f"\\{b:03d}" for b in piece) + '"'
        for piece in pieces
    )
