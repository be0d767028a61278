"""A small blocking IMAP client that reads as fast as the socket gives, and looks at the answer afterwards.
(RFC 3501)

The end of an answer is recognised at the tail of what came in, so a clock around `command` measures the
server and the transfer, not our parsing. Anything but OK raises ImapError.
"""

import re
import socket
import ssl
import time
from collections.abc import Iterator

LITERAL = re.compile(rb"\{(\d+)\}$")
CAPABILITY = re.compile(rb"(?im)CAPABILITY ([^\]\r\n]*)")
READ_SIZE = 1 << 18


class ImapError(Exception):
    """The server said NO, BAD or BYE, or something that does not fit."""


def quoted(text: str) -> bytes:
    return b'"' + text.encode().replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'


def responses(data: bytes) -> Iterator[tuple[bytes, list[bytes]]]:
    """Yield each response as (its text, the literals in it); the text keeps each literal's {n}."""
    at, text, literals = 0, b"", []
    while at < len(data):
        end = data.index(b"\r\n", at)
        text += data[at:end]
        at = end + 2
        if found := LITERAL.search(text):
            size = int(found[1])
            literals.append(data[at : at + size])
            at += size
        else:
            yield text, literals
            text, literals = b"", []


def fetches(data: bytes) -> Iterator[tuple[bytes, list[bytes]]]:
    """Yield the FETCH responses of an answer."""
    for text, literals in responses(data):
        if text.startswith(b"* ") and b" FETCH (" in text[:24]:
            yield text, literals


def number_in(pattern: bytes, data: bytes) -> int:
    """Return the number that pattern's group finds, or raise."""
    found = re.search(pattern, data)
    if not found:
        raise ImapError(f"no {pattern.decode()} in {data[:200].decode(errors='replace')!r}")
    return int(found[1])


class Imap:
    """One connection. seconds is what the last command took, from first octet out to last octet in."""

    def __init__(
        self, host: str, port: int, *, tls: ssl.SSLContext | None = None, timeout: float = 300
    ) -> None:
        self.socket = socket.create_connection((host, port), timeout=timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls:
            self.socket = tls.wrap_socket(self.socket, server_hostname=host)
        self.count = 0
        self.seconds = 0.0
        self.pending = b""
        greeting = self._line()
        if not greeting.startswith((b"* OK", b"* PREAUTH")):
            raise ImapError(f"greeting {greeting!r}")
        self.capabilities: set[str] = set()
        self._note_capabilities(greeting)

    def _note_capabilities(self, data: bytes) -> None:
        if found := CAPABILITY.search(data):
            self.capabilities = set(found[1].decode().upper().split())

    def _line(self) -> bytes:
        while b"\r\n" not in self.pending:
            chunk = self.socket.recv(READ_SIZE)
            if not chunk:
                raise ImapError("connection closed")
            self.pending += chunk
        line, _, self.pending = self.pending.partition(b"\r\n")
        return line

    def tag(self) -> bytes:
        self.count += 1
        return b"A%06d" % self.count

    def command(self, *parts: bytes | str) -> bytes:
        """Send one command of text parts and return the whole answer, tagged line and all."""
        tag = self.tag()
        line = (
            b" ".join([tag, *(part.encode() if isinstance(part, str) else part for part in parts)]) + b"\r\n"
        )
        started = time.perf_counter()
        self.socket.sendall(line)
        data = self.answer(tag)
        self.seconds = time.perf_counter() - started
        return data

    def answer(self, tag: bytes) -> bytes:
        """Read until the tagged line; raise unless it says OK."""
        chunks = [self.pending] if self.pending else []
        tail = self.pending[-2048:]
        self.pending = b""
        ending = b"\r\n" + tag + b" "
        while True:
            if tail.endswith(b"\r\n"):
                at = tail.rfind(ending)
                if at >= 0 or tail.startswith(ending[2:]):
                    line = tail[at + 2 if at >= 0 else 0 :]
                    if line.count(b"\r\n") == 1:
                        break
            chunk = self.socket.recv(READ_SIZE)
            if not chunk:
                raise ImapError("connection closed")
            chunks.append(chunk)
            tail = chunk[-2048:] if len(chunk) >= 2048 else (tail + chunk)[-2048:]
        if line[len(tag) + 1 : len(tag) + 3].upper() != b"OK":
            raise ImapError(line.decode(errors="replace").strip())
        return b"".join(chunks)

    def login(self, address: str, password: str) -> None:
        data = self.command("LOGIN", quoted(address), quoted(password))
        seconds = self.seconds
        self.capabilities = set()
        self._note_capabilities(data)
        if not self.capabilities:
            self._note_capabilities(self.command("CAPABILITY"))
        self.seconds = seconds

    def select(self, folder: str) -> int:
        """Select folder; return how many messages it holds."""
        return number_in(rb"\* (\d+) EXISTS", self.command("SELECT", quoted(folder)))

    def messages(self, folder: str) -> int:
        """Return the number of messages by STATUS."""
        data = self.command("STATUS", quoted(folder), "(MESSAGES)")
        return number_in(rb"MESSAGES (\d+)", data)

    def recreate(self, folder: str) -> None:
        """Make folder anew and empty."""
        try:
            self.command("DELETE", quoted(folder))
        except ImapError:
            pass  # it was not there
        self.command("CREATE", quoted(folder))

    def append(self, folder: str, mails: list[tuple[bytes, bytes]]) -> None:
        """Append (flags, raw) mails in one command; several need MULTIAPPEND. (RFC 3502)"""
        tag = self.tag()
        plus = b"+" if "LITERAL+" in self.capabilities else b""
        pieces = [tag + b" APPEND " + quoted(folder)]
        started = time.perf_counter()
        for flags, raw in mails:
            pieces.append(b" (%s) {%d%s}\r\n" % (flags, len(raw), plus))
            if not plus:
                self.socket.sendall(b"".join(pieces))
                pieces = []
                while not (line := self._line()).startswith(b"+"):
                    if not line.startswith(b"* "):
                        raise ImapError(line.decode(errors="replace"))
            pieces.append(raw)
        pieces.append(b"\r\n")
        self.socket.sendall(b"".join(pieces))
        self.answer(tag)
        self.seconds = time.perf_counter() - started

    def append_pipelined(self, folder: str, mails: list[tuple[bytes, bytes]]) -> None:
        """Append mails by single commands sent ahead of their answers, which needs LITERAL+. (RFC 7888)"""
        tags, pieces = [], []
        for flags, raw in mails:
            tags.append(self.tag())
            pieces += [
                tags[-1],
                b" APPEND ",
                quoted(folder),
                b" (%s) {%d+}\r\n" % (flags, len(raw)),
                raw,
                b"\r\n",
            ]
        started = time.perf_counter()
        self.socket.sendall(b"".join(pieces))
        for tag in tags:
            line = self._line()
            while line.startswith(b"* "):
                line = self._line()
            if not line.startswith(tag + b" OK"):
                raise ImapError(line.decode(errors="replace"))
        self.seconds = time.perf_counter() - started

    def logout(self) -> None:
        try:
            self.command("LOGOUT")
        except (ImapError, OSError):
            pass
        self.socket.close()
