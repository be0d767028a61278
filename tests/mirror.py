"""The mirror client: it believes only what it is told, and in the end must believe what is true.

Several clients work in the same folders at once, in random runs (tests/test_mirror.py). Each keeps its list
of messages from untagged answers alone, as RFC 9051 §7 says a client may. After the run each says NOOP, and
its list must equal what a fresh client sees by SELECT and FETCH. On the way a mirror fails by itself when it
is told what cannot be: an EXPUNGE during a command that uses numbers, a number that is not there, a uid that
changes, news without a modseq when it knows modseqs (RFC 7162 §3.2.4), a VANISHED of what it never counted.

A mirror that knows modseqs remembers on the way what it knows: tests/resync.py comes back with that later.

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
_MODSEQ = re.compile(r"\bMODSEQ \((\d+)\)")
_HIGHEST = re.compile(r"\[HIGHESTMODSEQ (\d+)\]")
_UIDVALIDITY = re.compile(r"\[UIDVALIDITY (\d+)\]")
_VANISHED = re.compile(r"\* VANISHED (\(EARLIER\) )?([\d:,]+)\Z")
_FOUND = re.compile(r'\* ESEARCH \(TAG "a\d+"\) UID(?: ALL ([\d:,]+))?\Z')
_MODIFIED = re.compile(r"\[MODIFIED ([\d:,]+)\]")
_LITERAL = re.compile(rb"\{(\d+)\}\Z")
SECONDS = 10


class Lie(AssertionError):
    """A server said what cannot be true."""


@dataclass(slots=True)
class Entry:
    """What a mirror believes of one message; None is what it has not been told yet."""

    uid: int | None = None
    flags: frozenset[str] | None = None
    modseq: int | None = None


@dataclass(frozen=True, slots=True)
class Memory:
    """What a client that knows modseqs keeps of a folder while it is away: the messages up to the first that
    it does not know whole, and the modseq it may go on from."""

    uidvalidity: int
    highest: int
    flags: tuple[tuple[int, frozenset[str]], ...]


@dataclass(slots=True)
class Answer:
    """The end of one command."""

    word: str
    text: str
    lines: list[str] = field(default_factory=list)


class Mirror:
    """One client with at most one command under way."""

    def __init__(self, port: int, number: int, log: list[str], kind: str = "") -> None:
        """kind: what it enables, CONDSTORE or QRESYNC, or nothing; with NOTIFY it hears of things unasked."""
        self.kind, self.is_notified = ("", True) if kind == "NOTIFY" else (kind, False)
        self.uidvalidity = self.highest = 0
        self.heard_highest = self.heard_modseq = 0  # during this command
        self.memories: dict[Memory, None] = {}  # in the order they were made
        self.saved: set[int] = set()  # "$" (RFC 5182)
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
        if match := _LITERAL.search(line):
            while len(self.buffer) < int(match[1]):
                self.buffer += self.socket.recv(65536)
            self.buffer = self.buffer[int(match[1]) :]
            return line.decode() + self._line()
        return line.decode()

    def _say(self, text: str) -> None:
        self.log.append(f"C{self.number}: {text}")
        self.socket.sendall(text.encode() + b"\r\n")

    def send(self, command: str, when_done: Callable[[Answer], None] | None = None) -> None:
        """Begin a command; wait() has its answer."""
        assert not self.running
        self.tags += 1
        self.running, self.when_done, self.touched = command, when_done, set()
        self.heard_highest = self.heard_modseq = 0
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
        self._go_on_from(text)
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
            if self.kind == "QRESYNC":
                raise Lie(f"{line!r} to who hears VANISHED")
            if self.running.split(" ")[0] in _USES_NUMBERS:
                raise Lie(f"{line!r} during {self.running!r}")
            del self.entries[self._place(int(match[1]), line)]
        elif match := _FETCH.match(line):
            self._learn(self._place(int(match[1]), line), match[2])
        elif match := _VANISHED.match(line):
            self._vanish(list(_numbers(match[2])), line, earlier=bool(match[1]))
        elif match := _HIGHEST.search(line):
            self.heard_highest = int(match[1])
        elif match := _FOUND.match(line):
            self._found(set(_numbers(match[1])) if match[1] else set(), line)
        elif line.startswith("* OK [CLOSED]"):
            self.entries = []  # what was said before was of the folder that is left (RFC 7162 §3.2.11)
        elif match := _UIDVALIDITY.search(line):
            self.uidvalidity = int(match[1])
        self._remember()

    def _found(self, uids: set[int], line: str) -> None:
        """What was saved stays so, but for what has gone, however it is numbered by now."""
        if "SAVE" in self.running:
            self.saved = uids
            return
        known = {entry.uid for entry in self.entries if entry.uid is not None}
        if uids & known != self.saved & known:
            raise Lie(f"{line!r}, but of what was saved {sorted(self.saved & known)} are there")

    def _vanish(self, uids: list[int], line: str, *, earlier: bool) -> None:
        if self.kind != "QRESYNC":
            raise Lie(f"{line!r} to who hears EXPUNGE")
        known = {entry.uid for entry in self.entries}
        if earlier:
            if not known.isdisjoint(uids):
                raise Lie(f"{line!r} of messages that are there")
            return
        words = self.running.split(" ")
        if words[0] in _USES_NUMBERS or (words[:2] == ["UID", "SEARCH"] and words[2][:1].isdigit()):
            raise Lie(f"{line!r} during {self.running!r}")
        for uid in uids:
            # One that was only counted to us stands between those we know.
            places = [
                at
                for at, entry in enumerate(self.entries)
                if entry.uid == uid or (uid not in known and entry.uid is None and self._may_be(at, uid))
            ]
            if not places:
                raise Lie(f"{line!r}: {uid} was never there")
            del self.entries[places[0]]

    def _may_be(self, place: int, uid: int) -> bool:
        below = [entry.uid for entry in self.entries[:place] if entry.uid is not None]
        above = [entry.uid for entry in self.entries[place:] if entry.uid is not None]
        return max(below, default=0) < uid < min(above, default=2**32)

    def _go_on_from(self, text: str) -> None:
        """A tagged answer has come: RFC 7162 §6."""
        if match := _HIGHEST.search(text):
            self.heard_highest = int(match[1])
        self.highest = self.heard_highest or max(self.highest, self.heard_modseq)
        self._remember()

    def _remember(self) -> None:
        if self.kind and self.folder is not None and self.highest and not self.running.startswith("SELECT"):
            flags = []
            for entry in self.entries:
                if entry.uid is None or entry.flags is None:
                    break
                flags.append((entry.uid, entry.flags))
            self.memories[Memory(self.uidvalidity, self.highest, tuple(flags))] = None

    def _place(self, number: int, line: str) -> int:
        if not 1 <= number <= len(self.entries):
            raise Lie(f"{line!r} while there are {len(self.entries)}")
        return number - 1

    def _learn(self, place: int, text: str) -> None:
        entry = self.entries[place]
        if self.kind and "FETCH" not in self.running and not (_UID.search(text) and _MODSEQ.search(text)):
            raise Lie(f"news without UID or MODSEQ: {text}")
        if match := _MODSEQ.search(text):
            entry.modseq = int(match[1])
            self.heard_modseq = max(self.heard_modseq, entry.modseq)
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

    def believed(self, *, modseqs: bool = False) -> list[tuple[object, ...]]:
        return [(entry.uid, entry.flags, entry.modseq)[: 3 if modseqs else 2] for entry in self.entries]

    # --- commands ---------------------------------------------------------------------------------------

    def log_in(self, address: str, password: str) -> "Mirror":
        assert self.ask(f'LOGIN {address} "{password}"').word == "OK"
        if self.kind:
            assert f"* ENABLED {self.kind}" in self.ask(f"ENABLE {self.kind}").lines
        if self.is_notified:
            events = "MessageNew (UID FLAGS) MessageExpunge FlagChange"
            assert self.ask(f"NOTIFY SET (selected-delayed ({events}))").word == "OK"
        return self

    def select(self, folder: str, parameters: str = "") -> Answer:
        if self.folder is None:
            self.entries = []
        self.folder, self.saved = folder, set()
        answer = self.ask(f'SELECT "{folder}"{parameters}')
        if answer.word != "OK":
            self.entries, self.folder = [], None
        return answer

    def unselect(self, *, close: bool = False) -> None:
        self.ask("CLOSE" if close else "UNSELECT")
        self.entries, self.folder = [], None

    def fill(self) -> None:
        """Ask about the messages that were only counted to us."""
        first = next((n for n, e in enumerate(self.entries, 1) if not self._is_known(e)), 0)
        if first:
            self.ask(f"FETCH {first}:* ({'UID FLAGS MODSEQ' if self.kind else 'UID FLAGS'})")

    def _is_known(self, entry: Entry) -> bool:
        return (
            entry.uid is not None and entry.flags is not None and (not self.kind or entry.modseq is not None)
        )

    def store(
        self, uids: Iterable[int], mode: str, flags: Iterable[str], *, silent: bool, since: int | None = None
    ) -> None:
        """Begin a UID STORE. A silent one is believed to have done what it says, unless we hear otherwise."""
        wanted, changed = set(uids), frozenset(flags)
        # What is told unasked may be older than the STORE: it cannot know then what it need not be told.
        silent = silent and not self.is_notified

        def assume(answer: Answer) -> None:
            refused = _MODIFIED.search(answer.text)
            left = wanted - set(_numbers(refused[1])) if refused else wanted
            for entry in self.entries:
                if entry.uid in left and entry.flags is not None and id(entry) not in self.touched:
                    entry.flags = {
                        "+": entry.flags | changed, "-": entry.flags - changed, "": changed
                    }[mode]  # fmt: skip

        item = f"{mode}FLAGS{'.SILENT' if silent else ''}"
        numbers = ",".join(map(str, sorted(wanted)))
        condition = "" if since is None else f"(UNCHANGEDSINCE {since}) "
        self.send(f"UID STORE {numbers} {condition}{item} ({' '.join(changed)})", assume if silent else None)

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
            if all(map(self._is_known, self.entries)) and not answer.lines:
                return
            self.fill()
        raise Lie("news without end")


def truth(mirror: Mirror, folder: str) -> list[tuple[object, ...]]:
    """What a fresh client sees in a folder: uid, flags and modseq."""
    assert mirror.select(folder).word == "OK", folder
    if mirror.entries:
        mirror.ask("FETCH 1:* (UID FLAGS MODSEQ)")
    believed = mirror.believed(modseqs=True)
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
