"""The octets of a conversation with a remote mail host: a socket with deadlines, the form of a message.

Used by remote_smtp.
"""

import re
import socket
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import ip_address

from mailcore import limits
from mailcore.outside import tls
from mailcore.outside.smtp_replies import Surprise
from mailcore.tlspolicy.tlsrpt import Result

# The verdict on a certificate that TLSA records name, whatever else it is worth.
DANE_VERIFIED = "dane"
# OpenSSL's X509_V_ERR_CERT_HAS_EXPIRED, X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH.
_FAILURES = {10: Result.EXPIRED, 62: Result.HOST_MISMATCH, 64: Result.HOST_MISMATCH}


@dataclass(frozen=True, slots=True)
class TLS:
    """What protected the conversation. verdict is one of tls.VERIFIED, SELF_SIGNED, ..."""

    version: str
    cipher: str
    verdict: str


def checked_path(path: str, *, empty: bool = False) -> str:
    """Return an address that is safe inside <>. Ours are; this holds the line. Raises ValueError."""
    if (not path and not empty) or re.search(r"[\x00-\x1f\x7f]", path) or len(path) > 2 * limits.PATH_OCTETS:
        raise ValueError("not a mail path")
    outside_quotes = re.sub(r'"(?:\\.|[^"\\])*"', "", path)
    if re.search(r"[<>\s]", outside_quotes):
        raise ValueError("not a mail path")
    return path


class Body:
    """A message as it goes over the wire: CRLF line ends only, dots doubled, CRLF last. (RFC 5321 §4.5.2)

    Lines over 998 octets go as they are: to break them would break signatures, and hosts take them.
    """

    def __init__(self, raw: bytes) -> None:
        ends = raw.count(b"\r\n")
        if raw.count(b"\n") != ends or raw.count(b"\r") != ends:
            # A bare CR or LF must not leave: hosts disagree on what it means, which is how mail is smuggled.
            raw = raw.replace(b"\r\n", b"\n").replace(b"\r", b"\n").replace(b"\n", b"\r\n")
        if raw and not raw.endswith(b"\r\n"):
            raw += b"\r\n"
        self.octets = len(raw)
        self.is_sent = False
        stuffed = raw.replace(b"\r\n.", b"\r\n..")
        self._stuffed = b"." + stuffed if stuffed.startswith(b".") else stuffed

    def blocks(self) -> list[memoryview]:
        view, size = memoryview(self._stuffed), limits.REMOTE_BLOCK_OCTETS
        return [view[start : start + size] for start in range(0, len(view), size)]


class Wire:
    """A socket with a line reader and a deadline for everything; all its trouble is a Surprise."""

    def __init__(self, address: str, port: int, source: str | None, seconds: float) -> None:
        try:
            # Never a name: which address was tried is part of the record.
            where = (str(ip_address(address)), port)
            self._socket = socket.create_connection(where, seconds, (source, 0) if source else None)
            # Commands are small and wait for replies; Nagle's algorithm would add 40 ms to each.
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except TimeoutError as error:
            raise Surprise("no answer to the connection", "4.4.1") from error
        except (OSError, ValueError) as error:
            raise Surprise(f"cannot connect: {_reason(error)}", "4.4.1") from error
        self._buffer = b""
        # What a TLS report says of a handshake that failed.
        self.tls_failure = Result.VALIDATION

    def write(self, octets: bytes | memoryview, seconds: float) -> None:
        try:
            self._socket.settimeout(seconds)
            self._socket.sendall(octets)
        except TimeoutError as error:
            raise Surprise(f"the host took nothing for {seconds:.0f} seconds") from error
        except OSError as error:
            raise Surprise(f"connection lost while sending: {_reason(error)}") from error

    def read_reply(self, seconds: float) -> tuple[list[str], int]:
        """Return the lines of one reply and the milliseconds it took, all within seconds."""
        started = time.monotonic()
        lines: list[str] = []
        while True:
            line = self._read_line(started + seconds, seconds)
            lines.append(line)
            if line[3:4] != "-" or not line[:3].isdecimal():
                return lines, round((time.monotonic() - started) * 1000)
            if len(lines) >= limits.REMOTE_REPLY_LINES:
                raise Surprise("a reply without end", "4.5.0")

    def _read_line(self, until: float, seconds: float) -> str:
        while b"\n" not in self._buffer:
            if len(self._buffer) > limits.REMOTE_REPLY_LINE_OCTETS:
                raise Surprise("a reply line without end", "4.5.0")
            left = until - time.monotonic()
            try:
                if left <= 0:
                    raise TimeoutError
                self._socket.settimeout(left)
                octets = self._socket.recv(16384)
            except TimeoutError as error:
                raise Surprise(f"no answer for {seconds:.0f} seconds") from error
            except OSError as error:
                raise Surprise(f"connection lost: {_reason(error)}") from error
            if not octets:
                raise Surprise("the host closed the connection")
            self._buffer += octets
        line, _, self._buffer = self._buffer.partition(b"\n")
        if len(line) > limits.REMOTE_REPLY_LINE_OCTETS:
            raise Surprise("a reply line without end", "4.5.0")
        return line.removesuffix(b"\r").decode("utf-8", "replace")

    @property
    def own_address(self) -> str:
        """The address that we speak from; "" when the connection is gone."""
        try:
            return str(self._socket.getsockname()[0])
        except OSError:
            return ""

    def start_tls(
        self,
        host: str,
        seconds: float,
        *,
        verify: bool,
        objection: Callable[[list[bytes]], str] | None = None,
    ) -> TLS:
        """Shake hands; what was received before counts for nothing. (RFC 3207 §4.2, CVE-2011-0411)

        host is named to the other side. With verify its certificate must be good for that name; else
        objection, if given, says of the chain that it shows what is wrong with it, or "".
        """
        self._buffer = b""
        try:
            self._socket.settimeout(seconds)
            wrapped = tls.client_context(verify).wrap_socket(self._socket, server_hostname=host)
        except ssl.SSLCertVerificationError as error:
            self.tls_failure = _FAILURES.get(error.verify_code, Result.NOT_TRUSTED)
            raise Surprise(f"the certificate is not good for {host}: {error.verify_message}") from error
        except (OSError, ValueError) as error:
            raise Surprise(f"TLS handshake failed: {_reason(error)}") from error
        self._socket = wrapped
        chain = tls.chain_of(wrapped)
        if objection is not None:
            if wrong := objection(chain):
                raise Surprise(wrong)
            verdict = DANE_VERIFIED
        else:
            verdict = tls.VERIFIED if verify else tls.judge(chain, host)
        cipher = wrapped.cipher()
        return TLS(wrapped.version() or "", cipher[0] if cipher else "", verdict)

    def close(self) -> None:
        self._socket.close()


def _reason(error: Exception) -> str:
    if isinstance(error, ssl.SSLError) and error.reason:
        return error.reason.replace("_", " ").lower()
    return (getattr(error, "strerror", None) or str(error) or type(error).__name__)[:200]
