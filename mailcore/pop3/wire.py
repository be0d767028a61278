"""POP3's bytes and their values (RFC 1939, 2449; RFC 5034 for AUTH). Pure; session.py and server.py call it.

A command is a line that ends with CR LF; a bare LF ends nothing, and its line is refused. An answer of
several lines ends with a dot on a line of its own, so a line of mail that begins with one gets another in
front. The octets of a message are changed in no other way.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from mailcore import limits
from mailcore.errors import BadSyntax

# --- Lines in ------------------------------------------------------------------------------------------


class Refused(NamedTuple):
    """A line that is not run. Answer -ERR with text; hang up if close is set."""

    text: str
    close: bool = False


class LineReceiver:
    """Cuts what a client sends into lines, in linear time however it was split.

    Between lines the session may change `limit` (octets with CR LF; AUTH's answers are longer)
    and take_rest() (STLS: what came before the handshake is thrown away).
    """

    __slots__ = ("_buffer", "_closed", "_last", "_owed", "_scanned", "_skipped", "limit")

    def __init__(self, limit: int = limits.POP3_LINE_OCTETS) -> None:
        self.limit = limit
        self._buffer = bytearray()
        self._scanned = 0  # octets of it known to hold no LF
        self._skipped = 0  # octets thrown away of a refused line whose end has not come
        self._last = 0  # the last of them
        self._owed: Refused | None = None  # the answer to that line, when it has ended
        self._closed = False

    def feed(self, chunk: bytes) -> None:
        if not self._closed:
            self._buffer += chunk

    def line(self) -> bytes | Refused | None:
        """The next line without CR LF; None when it takes more octets to have one."""
        while True:
            end = self._buffer.find(b"\n", self._scanned) + 1
            if self._skipped:
                refused = self._skip(end)
                if refused is not None or not end:
                    return refused
                continue
            length = end or len(self._buffer)
            if length > self.limit:
                self._owed = Refused("The line is too long")
                refused = self._skip(end)
                if refused is not None or not end:
                    return refused
                continue
            if not end:
                self._scanned = length
                return None
            line = bytes(self._buffer[:end])
            if line.endswith(b"\r\n"):
                self._drop(end)
                return line[:-2]
            # Answered at once, so that somebody at a terminal without CR is told and does not wait for ever.
            self._skip(end)
            return Refused("Lines end with CR LF, not with LF alone")

    @property
    def held(self) -> int:
        """Octets that were fed and have not come out yet."""
        return len(self._buffer)

    def take_rest(self) -> bytes:
        """All that was fed and has not come out yet. The receiver starts afresh."""
        rest = bytes(self._buffer)
        self._buffer.clear()
        self._scanned = self._skipped = 0
        self._owed = None
        return rest

    def _drop(self, octets: int) -> None:
        del self._buffer[:octets]  # cheap: bytearray moves its beginning, not its octets
        self._scanned = 0

    def _skip(self, end: int) -> Refused | None:
        """Throw away a refused line, up to end or all there is of it; the answer if that is due now."""
        octets = end or len(self._buffer)
        if not octets:
            return None
        before = self._buffer[octets - 2] if octets > 1 else self._last
        self._last = self._buffer[octets - 1]
        self._drop(octets)
        self._skipped += octets
        if self._skipped > limits.POP3_SKIP_OCTETS:
            self.take_rest()
            self._closed = True
            return Refused("The line is too long", close=True)
        if not end or before != 0x0D:
            return None
        owed, self._owed, self._skipped = self._owed, None, 0
        return owed


# --- Commands ------------------------------------------------------------------------------------------


class Command(NamedTuple):
    """A command, its name in upper case.

    words    what USER, PASS and AUTH take, as octets
    numbers  a message number; for TOP also a number of lines
    """

    name: str
    words: tuple[bytes, ...] = ()
    numbers: tuple[int, ...] = ()

    def __repr__(self) -> str:
        # What USER, PASS and AUTH take must not reach a log.
        return f"Command(name={self.name!r}, numbers={self.numbers!r})"


# name -> how many arguments at least, at most, and whether they are numbers
COMMANDS: Final = {
    **dict.fromkeys(("CAPA", "NOOP", "QUIT", "RSET", "STAT", "STLS", "UTF8"), (0, 0, False)),
    "USER": (1, 1, False),
    "PASS": (1, 1, False),
    "AUTH": (0, 2, False),
    "LANG": (0, 1, False),
    "LIST": (0, 1, True),
    "UIDL": (0, 1, True),
    "RETR": (1, 1, True),
    "DELE": (1, 1, True),
    "TOP": (2, 2, True),
}
_NUMBER = re.compile(rb"[0-9]{1,10}").fullmatch


def parse(line: bytes) -> Command:
    """One command line. PASS takes the rest of its line, spaces included (RFC 1939 §7). Raises BadSyntax."""
    verb, space, rest = line.partition(b" ")
    name = verb.upper().decode("ascii", "replace")
    known = COMMANDS.get(name)
    if known is None:
        raise BadSyntax("Unknown command")
    least, most, numeric = known
    words = ((rest,) if name in ("USER", "PASS") else tuple(rest.split(b" "))) if space else ()
    if not least <= len(words) <= most or b"" in words:
        raise BadSyntax(_usage(name))
    if b"\r" in rest or b"\0" in rest:
        raise BadSyntax("CR and NUL have no place in a command")
    if not numeric:
        return Command(name, words)
    if not all(map(_NUMBER, words)):
        raise BadSyntax(_usage(name))
    return Command(name, (), tuple(map(int, words)))


def _usage(name: str) -> str:
    least, most, numeric = COMMANDS[name]
    if not most:
        return f"{name} takes no argument"
    what = {
        "TOP": "a message number and a number of lines",
        "USER": "a name",
        "PASS": "a password",
        "LANG": "a language",
    }
    takes = what.get(name, "a message number" if numeric else "a mechanism and perhaps an initial response")
    return f"{name} takes {takes}" + ("" if least else ", or nothing")


# --- Answers -------------------------------------------------------------------------------------------

_UNSAFE = re.compile(r"[^ -~]+")


def _line(words: str) -> bytes:
    # RFC 2449 §4: at most 512 octets with CR LF
    return _UNSAFE.sub("?", " ".join(words.split())).encode("ascii")[:500]


def ok(words: str = "") -> bytes:
    return b"+OK %b\r\n" % _line(words) if words else b"+OK\r\n"


def err(words: str) -> bytes:
    """words may begin with a response code in brackets (RFC 2449 §8): MailError.pop3_text() does."""
    return b"-ERR %b\r\n" % _line(words)


def challenge(octets: bytes) -> bytes:
    """Ask for the next step of AUTH; octets are base64 already (RFC 5034 §4)."""
    return b"+ %b\r\n" % octets


def listing(lines: Iterable[bytes]) -> bytes:
    """Lines of our own making and the dot: CAPA, LIST, UIDL. They must not begin with a dot."""
    return b"".join([b"%b\r\n" % line for line in lines]) + b".\r\n"


def stuffed(raw: bytes) -> bytes:
    """A message as it goes over the wire, with the dot that ends it.

    A dot after a bare LF is doubled too: most clients take LF for a line end, and such a line could otherwise
    end the answer for them and leave the rest to be read as our next reply. Others see one dot too many, in
    mail that no SMTP server would have passed.
    """
    body = raw.replace(b"\n.", b"\n..") if b"\n." in raw else raw
    start = b"." if raw.startswith(b".") else b""
    return b"".join((start, body, b".\r\n" if raw.endswith(b"\r\n") or not raw else b"\r\n.\r\n"))


def stuffed_pieces(octets: Iterable[bytes], size: int = limits.POP3_TURN_OCTETS) -> Iterator[bytes]:
    """stuffed() of what octets are together, a piece at a time: for large messages."""
    last = b""  # two octets or less
    starts_line = True
    for part in octets:
        for start in range(0, len(part), size):
            piece = part[start : start + size]
            last = (last + piece[-2:])[-2:]
            body = piece.replace(b"\n.", b"\n..")
            yield b"." + body if starts_line and piece.startswith(b".") else body
            starts_line = piece.endswith(b"\n")
    yield b".\r\n" if last in (b"", b"\r\n") else b"\r\n.\r\n"


def top(raw: bytes, lines: int) -> bytes:
    """The header section, the empty line and as many lines of the body, not stuffed yet (RFC 1939 §7)."""
    blank = re.search(rb"\A\r?\n|\n\r?\n", raw)
    end = blank.end() if blank else len(raw)
    while lines > 0 and 0 < end < len(raw):
        end = raw.find(b"\n", end) + 1
        lines -= 1
    return raw[:end] if end else raw
