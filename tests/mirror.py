"""The mirror client: it believes only what it is told, and in the end must believe what is true.

Several clients work in the same folders at once, in random runs (tests/test_mirror.py). Each keeps its list
of messages from untagged answers alone, as RFC 9051 §7 says a client may. After the run each says NOOP, and
its list must equal what a fresh client sees by SELECT and FETCH. On the way a mirror fails by itself when it
is told what cannot be: an EXPUNGE during a command that uses numbers, a number that is not there, a uid that
changes.

The log of a run is written as a transcript (tests/transcript.py): what fails can become a golden one.
"""

import re
import socket
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

_EXISTS = re.compile(r"\* (\d+) EXISTS\Z")
_EXPUNGE = re.compile(r"\* (\d+) EXPUNGE\Z")
_FETCH = re.compile(r"\* (\d+) FETCH \((.*)\)\Z")
_FLAGS = re.compile(r"\bFLAGS \(([^)]*)\)")
_UID = re.compile(r"\bUID (\d+)\b")
_COPYUID = re.compile(r"\[COPYUID (\d+) (\S+) (\S+)\]")
_APPENDUID = re.compile(r"\[APPENDUID (\d+) (\d+)\]")
# While one of these runs, no message may leave the list (RFC 9051 §7.5.1).
_USES_NUMBERS = ("FETCH", "STORE", "SEARCH")
SECONDS = 10


class Lie(AssertionError):
    """A server said what cannot be true."""


@dataclass(slots=True)
class Entry:
    """What a mirror believes of one message; None is what it has not been told yet."""

    uid: int | None = None
    flags: frozenset[str] | None = None


@dataclass(slots=True)
class Answer:
    """The end of one command."""

    word: str
    text: str
    lines: list[str] = field(default_factory=list)


class Mirror:
    """One client with at most one command under way."""

    def __init__(self, port: int, number: int, log: list[str]) -> None:
        self.number = number
        self.log = log
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=SECONDS)
        self.buffer = b""
        self.tags = 0
        self.folder: str | None = None
        self.entries: list[Entry] = []
        self.running = ""  # the command under way, without its tag
        self.touched: set[int] = set()  # places told about by FETCH during it
        self.when_done: Callable[[Answer], None] | None = None
        self.is_idle = False
        self.is_over = False
        assert self._line().startswith("* OK")

    def close(self) -> None:
        self.socket.close()

    # --- the wire -----------------------------------------------------------------------------------

    def _line(self) -> str:
        while b"\r\n" not in self.buffer:
            chunk = self.socket.recv(65536)
            if not chunk:
                raise EOFError
            self.buffer += chunk
        line, _, self.buffer = self.buffer.partition(b"\r\n")
        self.log.append(f"S{self.number}: {line.decode()}")
        return line.decode()

    def _say(self, text: str) -> None:
        self.log.append(f"C{self.number}: {text}")
        self.socket.sendall(text.encode() + b"\r\n")

    def send(self, command: str, when_done: Callable[[Answer], None] | None = None) -> None:
        """Begin a command; wait() has its answer."""
        assert not self.running
        self.tags += 1
        self.running, self.when_done, self.touched = command, when_done, set()
        self._say(f"a{self.tags} {command}")

    def wait(self) -> Answer:
        """Hear the command under way to its end."""
        lines: list[str] = []
        while True:
            try:
                line = self._line()
            except (EOFError, ConnectionResetError):
                self.is_over, self.running = True, ""
                return Answer("BYE", "", lines)
            if line.startswith(f"a{self.tags} "):
                break
            if line.startswith("+ "):
                self.is_idle = True
                return Answer("+", line, lines)
            lines.append(line)
            self._hear(line)
        _, word, text = line.split(" ", 2)
        if word == "BAD":
            raise Lie(f"BAD for {self.running!r}: {text}")
        answer = Answer(word, text, lines)
        if self.when_done is not None and word == "OK":
            self.when_done(answer)
        self.running, self.is_idle, self.when_done = "", False, None
        return answer

    def ask(self, command: str, when_done: Callable[[Answer], None] | None = None) -> Answer:
        self.send(command, when_done)
        return self.wait()

    def done(self) -> Answer:
        """End an IDLE."""
        self._say("DONE")
        return self.wait()

    # --- believing ------------------------------------------------------------------------------------

    def _hear(self, line: str) -> None:
        if match := _EXISTS.match(line):
            count = int(match[1])
            if self.folder is None:
                return
            if count < len(self.entries):
                raise Lie(f"{line!r} while there were {len(self.entries)}")
            self.entries += [Entry() for _ in range(count - len(self.entries))]
        elif match := _EXPUNGE.match(line):
            if self.running.split(" ")[0] in _USES_NUMBERS:
                raise Lie(f"{line!r} during {self.running!r}")
            del self.entries[self._place(int(match[1]), line)]
        elif match := _FETCH.match(line):
            self._learn(self._place(int(match[1]), line), match[2])

    def _place(self, number: int, line: str) -> int:
        if not 1 <= number <= len(self.entries):
            raise Lie(f"{line!r} while there are {len(self.entries)}")
        return number - 1

    def _learn(self, place: int, text: str) -> None:
        entry = self.entries[place]
        if match := _UID.search(text):
            uid = int(match[1])
            if entry.uid not in (None, uid):
                raise Lie(f"uid {entry.uid} became {uid}")
            entry.uid = uid
            self._check_order()
        if match := _FLAGS.search(text):
            entry.flags = frozenset(match[1].split()) - {"\\Recent"}
            self.touched.add(id(entry))

    def _check_order(self) -> None:
        uids = [entry.uid for entry in self.entries if entry.uid is not None]
        if any(one >= other for one, other in zip(uids, uids[1:], strict=False)):
            raise Lie(f"uids are not in order: {uids}")

    def believed(self) -> list[tuple[int | None, frozenset[str] | None]]:
        return [(entry.uid, entry.flags) for entry in self.entries]

    # --- commands ---------------------------------------------------------------------------------------

    def log_in(self, address: str, password: str) -> "Mirror":
        assert self.ask(f'LOGIN {address} "{password}"').word == "OK"
        return self

    def select(self, folder: str) -> Answer:
        self.entries, self.folder = [], folder
        answer = self.ask(f'SELECT "{folder}"')
        if answer.word != "OK":
            self.entries, self.folder = [], None
        return answer

    def unselect(self, *, close: bool = False) -> None:
        self.ask("CLOSE" if close else "UNSELECT")
        self.entries, self.folder = [], None

    def fill(self) -> None:
        """Ask about the messages that were only counted to us."""
        first = next((n for n, e in enumerate(self.entries, 1) if e.uid is None or e.flags is None), 0)
        if first:
            self.ask(f"FETCH {first}:* (UID FLAGS)")

    def store(self, uids: Iterable[int], mode: str, flags: Iterable[str], *, silent: bool) -> None:
        """Begin a UID STORE. A silent one is believed to have done what it says, unless we hear otherwise."""
        wanted, changed = set(uids), frozenset(flags)

        def assume(_: Answer) -> None:
            for entry in self.entries:
                if entry.uid in wanted and entry.flags is not None and id(entry) not in self.touched:
                    entry.flags = {
                        "+": entry.flags | changed, "-": entry.flags - changed, "": changed
                    }[mode]  # fmt: skip

        item = f"{mode}FLAGS{'.SILENT' if silent else ''}"
        numbers = ",".join(map(str, sorted(wanted)))
        self.send(f"UID STORE {numbers} {item} ({' '.join(changed)})", assume if silent else None)

    def catch_up(self) -> None:
        """Hear all news there are."""
        if self.is_idle:
            self.done()
        elif self.running:
            self.wait()
        if self.folder is None or self.is_over:
            return
        for _ in range(10):
            answer = self.ask("NOOP")
            if self.is_over:
                return
            if all(entry.uid and entry.flags is not None for entry in self.entries) and not answer.lines:
                return
            self.fill()
        raise Lie("news without end")


def truth(mirror: Mirror, folder: str) -> list[tuple[int | None, frozenset[str] | None]]:
    """What a fresh client sees in a folder."""
    assert mirror.select(folder).word == "OK", folder
    if mirror.entries:
        mirror.ask("FETCH 1:* (UID FLAGS)")
    believed = mirror.believed()
    mirror.unselect()
    return believed


def copied(answer: Answer) -> Iterator[tuple[int, int]]:
    """The pairs of uids of a COPYUID in an answer, wherever it stands."""
    for text in [*answer.lines, answer.text]:
        if match := _COPYUID.search(text):
            source, target = list(_numbers(match[2])), list(_numbers(match[3]))
            if len(source) != len(target):
                raise Lie(f"COPYUID of different lengths: {text}")
            yield from zip(source, target, strict=True)


def appended(answer: Answer) -> int | None:
    match = _APPENDUID.search(answer.text)
    return int(match[2]) if match else None


def _numbers(text: str) -> Iterator[int]:
    for piece in text.split(","):
        first, _, last = piece.partition(":")
        yield from range(int(first), int(last or first) + 1)
