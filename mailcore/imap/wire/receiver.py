"""Where does a command end? Nothing else is decided here, so a bad command never spoils the next one.

    receiver = Receiver(BEFORE_LOGIN)
    receiver.feed(chunk)
    while (event := receiver.command()) is not None:
        match event:
            case Received(): parse and run it
            case Continue(): say "+ OK" (or receiver.drop() and answer NO)
            case Refused(): answer event.line(); hang up if event.close

Between two commands the session may change `limits` (login), ask for a plain `line()` (IDLE's DONE,
AUTHENTICATE), or `take_rest()` (STARTTLS: thrown away; COMPRESS: fed to the inflater).

A command ends with CR LF that is not the end of a literal's announcement "{n}" (RFC 3501 §4.3) or "{n+}"
(RFC 7888). A bare LF ends nothing: the line it stands in is refused. After a refused literal nothing that may
belong to it is run: "{n+}" is read to the end of its command and thrown away, for "{n}" the client waits for
us; one that did not is hung up on, because where its literal ends is anybody's guess.

Work is linear in the octets, however they are split; memory is what the limits allow and a tenth.
(performance.md asks this to cost well under a microsecond for a command that is whole in its chunk.)
"""

from __future__ import annotations

import re
from collections import deque
from io import BytesIO
from typing import Final, NamedTuple

from mailcore import limits


class Limits(NamedTuple):
    """What one command may be made of, in octets unless said."""

    line: int  # its text, literals apart
    literal: int  # its literals together
    append: int  # the same for APPEND and REPLACE
    literals: int  # how many
    messages: int  # how many literals in APPEND (RFC 3502)
    skip: int  # read and thrown away after a refusal, before we hang up


BEFORE_LOGIN: Final = Limits(
    line=limits.IMAP_LINE_BEFORE_LOGIN_OCTETS,
    literal=limits.IMAP_LITERAL_BEFORE_LOGIN_OCTETS,
    append=limits.IMAP_LITERAL_BEFORE_LOGIN_OCTETS,
    literals=4,
    messages=1,
    skip=limits.IMAP_SKIP_BEFORE_LOGIN_OCTETS,
)


def after_login(message_octets: int = limits.MESSAGE_OCTETS) -> Limits:
    """The limits of a client we know; message_octets is APPENDLIMIT (RFC 7889)."""
    return Limits(
        line=limits.IMAP_LINE_OCTETS,
        literal=limits.IMAP_LITERAL_OCTETS,
        append=message_octets,
        literals=limits.IMAP_LITERALS,
        messages=limits.IMAP_APPEND_MESSAGES,
        skip=max(limits.IMAP_SKIP_OCTETS, message_octets),
    )


class Received(NamedTuple):
    """One whole command.

    text has no CR LF at its end; where a literal stood, it keeps the announcement with CR LF, and literals
    has the octets: b"A LOGIN {3}\\r\\n {2}\\r\\n", (b"joe", b"pw").
    """

    text: bytes
    literals: tuple[bytes, ...] = ()


class Continue(NamedTuple):
    """The client waits for "+" before it sends `octets` more; text is what it said so far."""

    octets: int
    text: bytes


class Refused(NamedTuple):
    """A command that is not run. Answer line(); when close is set, say BYE and hang up."""

    tag: bytes | None
    status: bytes  # NO or BAD
    text: bytes  # with its response code
    close: bool = False

    def line(self) -> bytes:
        return b"%b %b %b\r\n" % (self.tag or b"*", self.status, self.text)


# States: what the next octet belongs to.
_LINE, _LITERAL, _SKIP_LINE, _SKIP_LITERAL, _CLOSED = range(5)

_CR, _BRACE = b"\r}"
_LAST = 64  # octets of a skipped line we keep, to see a literal announced at its end
_ANNOUNCED = re.compile(rb"\{([0-9]{1,20})(\+?)\}").fullmatch
_APPEND = re.compile(rb"[^ ]+ (?:APPEND|(?:UID )?REPLACE) ", re.IGNORECASE).match
TAG: Final = rb"[!#$&',\-./0-9:;<=>?@A-Z\[\]^_`a-z|}~]{1,%d}" % limits.IMAP_TAG_OCTETS
_TAG = re.compile(rb"(%b) " % TAG).match


class Receiver:
    """Cuts what a client sends into commands. One per connection."""

    __slots__ = (
        *(
            "_chunk",
            "_last",
            "_literal",
            "_literals",
            "_more",
            "_need",
            "_owed",
            "_pos",
            "_skipped",
            "_state",
        ),
        *("_tail", "_text", "limits"),
    )

    def __init__(self, limits: Limits = BEFORE_LOGIN) -> None:
        self.limits = limits
        self._chunk = b""  # the chunk in hand; before _pos it is used up
        self._pos = 0
        self._more: deque[bytes] | None = None  # chunks behind it
        self._tail: bytearray | None = None  # begin of a line whose end has not come
        self._reset()

    def _reset(self) -> None:
        self._state = _LINE
        self._text = b""  # of this command, up to its last literal
        self._literals: list[bytes] | None = None
        self._literal: BytesIO | None = None  # one that came in several chunks
        self._need = 0  # octets of a literal still to come
        self._skipped = 0
        self._last = b""
        self._owed: Refused | None = None  # what to answer when a skipped command ends

    def feed(self, chunk: bytes) -> None:
        """Take what came from the client, however it was split."""
        if self._state == _CLOSED:
            return
        if self._more is not None:
            self._more.append(chunk)
        elif self._pos >= len(self._chunk):
            self._chunk, self._pos = chunk, 0
        else:
            self._more = deque((chunk,))

    def command(self) -> Received | Continue | Refused | None:
        """The next event, None when it takes more octets to have one."""
        if self._state == _LINE and self._tail is None and self._literals is None:
            # Nearly always: a whole line without literal, at hand.
            chunk, pos = self._chunk, self._pos
            end = chunk.find(b"\n", pos) - 1
            if pos < end <= pos + self.limits.line and chunk[end] == _CR and chunk[end - 1] != _BRACE:
                self._pos = end + 2
                return Received(chunk[pos:end])
            if pos >= len(chunk) and self._more is None:
                self._chunk, self._pos = b"", 0  # an idle connection keeps no octets
                return None
        return self._slow_command()

    def line(self) -> bytes | Refused | None:
        """One line without its CR LF, whatever it says: a continuation. None when it is not whole yet.

        Only between commands: after a command came out and before the next is asked for.
        """
        if self._state in (_SKIP_LINE, _SKIP_LITERAL):
            refused = self._skip()
            if refused is not None or self._state != _LINE:
                return refused
        if self._state == _CLOSED:
            return None
        return self._read_line(self.limits.line)

    def drop(self) -> bool:
        """Forget the command for which Continue has just come; the session answers it with NO or BAD instead.

        False means that the client did not wait for us and has to be hung up on.
        """
        waits = not self._has_more()
        self._reset()
        if not waits:
            self._close()
        return waits

    def take_rest(self) -> bytes:
        """All that was fed and has not come out yet. The receiver starts afresh."""
        rest = b"".join((self._tail or b"", self._chunk[self._pos :], *(self._more or ())))
        self._chunk, self._pos, self._more, self._tail = b"", 0, None, None
        self._reset()
        return rest

    @property
    def held(self) -> int:
        """Octets in memory, for the server's sum over all connections."""
        octets = len(self._chunk) - self._pos + len(self._text)
        octets += (
            sum(map(len, self._more or ())) + len(self._tail or b"") + sum(map(len, self._literals or ()))
        )
        return octets + (self._literal.tell() if self._literal else 0)

    def _has_more(self) -> bool:
        return self._pos < len(self._chunk) or bool(self._more)

    def _close(self) -> None:
        self.take_rest()
        self._state = _CLOSED

    def _next_chunk(self) -> bool:
        """Put the next chunk in hand, the last one being used up."""
        if self._more:
            self._chunk, self._pos = self._more.popleft(), 0
            return True
        self._chunk, self._pos, self._more = b"", 0, None
        return False

    def _slow_command(self) -> Received | Continue | Refused | None:
        while True:
            match self._state:
                case 0:  # _LINE
                    line = self._read_line(self.limits.line - len(self._text))
                    if line is None or isinstance(line, Refused):
                        return line
                    event = self._end_of_line(line)
                case 1:  # _LITERAL
                    if not self._read_literal():
                        return None
                    continue
                case 4:  # _CLOSED
                    return None
                case _:
                    event = self._skip()
                    if event is None and self._state != _LINE:
                        return None
            if event is not None:
                return event

    def _read_line(self, limit: int) -> bytes | Refused | None:
        """The next line without CR LF. A Refused that is owed comes only when its line has been skipped."""
        while True:
            chunk, pos = self._chunk, self._pos
            end = chunk.find(b"\n", pos)
            length = (end + 1 if end >= 0 else len(chunk)) - pos + len(self._tail or b"")
            if length > limit + (2 if end >= 0 else 1):
                return self._refuse_line()
            if end < 0:
                if self._tail is None:
                    self._tail = bytearray()
                self._tail += chunk[pos:] if pos else chunk
                if not self._next_chunk():
                    self._tail = self._tail or None
                    return None
                continue
            line = chunk[pos : end + 1]
            self._pos = end + 1
            if self._tail is not None:
                line, self._tail = bytes(self._tail + line), None
            if line.endswith(b"\r\n"):
                return line[:-2]
            # Answered at once, so that somebody at a terminal without CR is told and does not wait for ever.
            refused = Refused(self._tag(line), b"BAD", b"Lines end with CR LF, not with LF alone")
            self._skip_from(line)
            return refused

    def _end_of_line(self, line: bytes) -> Received | Continue | Refused | None:
        """What a line without fault means: the end of the command or the announcement of a literal."""
        if not line.endswith(b"}"):
            return self._whole(line)
        brace = line.rfind(b"{")
        if brace < 0:
            return self._whole(line)
        announced = _ANNOUNCED(line, brace)
        self._text += line + b"\r\n"
        if announced is None:
            # Perhaps a literal in words we do not know: what follows is not safe to run.
            refused = Refused(self._tag(self._text), b"BAD", b"That is not a valid literal", close=True)
            self._close()
            return refused
        octets, waits = int(announced[1]), not announced[2]
        refusal = self._judge(octets)
        if refusal is not None:
            return self._refuse_literal(octets, waits, refusal)
        if self._literals is None:
            self._literals = []
        self._state, self._need = _LITERAL, octets
        return Continue(octets, self._text) if waits else None

    def _whole(self, line: bytes) -> Received:
        received = Received(self._text + line, tuple(self._literals or ()))
        self._reset()
        return received

    def _judge(self, octets: int) -> tuple[bytes, bytes] | None:
        """Why a literal of that size is refused, if it is."""
        held = self._literals or ()
        append = _APPEND(self._text)
        if len(held) >= (self.limits.messages if append else self.limits.literals):
            return b"BAD", b"Too many literals"
        if sum(map(len, held)) + octets <= (self.limits.append if append else self.limits.literal):
            return None
        return (b"NO", b"[TOOBIG] The message is too big") if append else (b"BAD", b"The literal is too big")

    def _refuse_literal(self, octets: int, waits: bool, refusal: tuple[bytes, bytes]) -> Refused | None:
        refused = Refused(self._tag(self._text), *refusal)
        if waits:
            return refused if self.drop() else refused._replace(close=True)
        self._reset()
        self._owed = refused
        return self._skip_literal(octets)

    def _read_literal(self) -> bool:
        """Take octets of the literal; True when it is whole."""
        while True:
            chunk, pos = self._chunk, self._pos
            here = min(len(chunk) - pos, self._need)
            self._pos = pos + here
            if here == self._need and self._literal is None:
                self._keep(chunk[pos : pos + here])
                return True
            if self._literal is None:
                self._literal = BytesIO()
            self._literal.write(memoryview(chunk)[pos : pos + here])
            self._need -= here
            if not self._need:
                self._keep(self._literal.getvalue())  # not a copy: BytesIO hands its buffer over
                return True
            if not self._next_chunk():
                return False

    def _keep(self, literal: bytes) -> None:
        assert self._literals is not None
        self._literals.append(literal)
        self._literal, self._need, self._state = None, 0, _LINE

    # --- After a refusal: nothing comes out until the command has ended ---------------------------------

    def _refuse_line(self) -> Refused | None:
        """The line in hand is too long: skip what came of it and what is still to come."""
        begin = bytes((self._tail or b"")[:100]) + self._chunk[self._pos : self._pos + 100]
        owed = Refused(self._tag(self._text + begin), b"BAD", b"The command is too long")
        start = bytes(self._tail or b"")
        self._tail = None
        self._skip_from(start)
        self._owed = owed
        return self._skip()

    def _skip_from(self, start: bytes) -> None:
        self._reset()
        self._state = _SKIP_LINE
        self._skipped, self._last = len(start), start[-_LAST:]

    def _skip(self) -> Refused | None:
        """Throw octets away; the Refused that is owed when the command has ended or when we lose patience."""
        while True:
            refused = self._skip_line() if self._state == _SKIP_LINE else None
            if refused is not None or self._state in (_LINE, _CLOSED):
                return refused
            if self._need:
                here = min(len(self._chunk) - self._pos, self._need)
                self._pos += here
                self._need -= here
            if self._need == 0 and self._state == _SKIP_LITERAL:
                self._state = _SKIP_LINE
            elif self._pos >= len(self._chunk) and not self._next_chunk():
                return None

    def _skip_line(self) -> Refused | None:
        """Skip to the end of a line, or of what is at hand of it, and see what comes after it."""
        chunk, pos = self._chunk, self._pos
        end = chunk.find(b"\n", pos) + 1
        stop = end or len(chunk)
        self._pos = stop
        self._skipped += stop - pos
        self._last = (self._last + chunk[max(pos, stop - _LAST) : stop])[-_LAST:]
        if self._skipped > self.limits.skip:
            return self._hang_up()
        if not end or not self._last.endswith(b"\r\n"):
            return None
        if not self._last.endswith(b"}\r\n"):
            return self._skipped_all()
        announced = _ANNOUNCED(self._last, max(self._last.rfind(b"{"), 0), len(self._last) - 2)
        if announced is None:
            return self._hang_up()
        if not announced[2]:
            return self._skipped_all()  # it waits for us, and hears that its command is refused
        return self._skip_literal(int(announced[1]))

    def _skip_literal(self, octets: int) -> Refused | None:
        self._skipped += octets
        if self._skipped > self.limits.skip:
            return self._hang_up()
        self._state, self._need, self._last = _SKIP_LITERAL, octets, b""
        return None

    def _skipped_all(self) -> Refused | None:
        owed = self._owed
        self._reset()
        return owed

    def _hang_up(self) -> Refused:
        owed = self._owed or Refused(None, b"BAD", b"Too much to skip")
        self._close()
        return owed._replace(close=True)

    def _tag(self, text: bytes) -> bytes | None:
        found = _TAG(text)
        return found[1] if found else None
