"""A client that was away comes back with what it remembers (tests/mirror.py), and must end up with the truth.

Two ways: QRESYNC in SELECT (RFC 7162 §3.2.5), and what a client without it does: FETCH with CHANGEDSINCE, and
a SEARCH for what is still there (§3.1.4.1). What it never knew it asks for by UID, as §6 says.
"""

import re
from collections.abc import Iterable

from tests.mirror import Answer, Lie, Memory, Mirror

_CHANGED = re.compile(r"\* \d+ FETCH \(UID (\d+) FLAGS \(([^)]*)\) MODSEQ \((\d+)\)\)\Z")
_VANISHED = re.compile(r"\* VANISHED \(EARLIER\) ([\d:,]+)\Z")


class Returning:
    """One memory, brought up to date."""

    def __init__(self, memory: Memory) -> None:
        self.memory = memory
        self.flags = dict(memory.flags)
        self.modseqs: dict[int, int] = {}

    def hear(self, answer: Answer) -> None:
        assert answer.word == "OK", answer
        for line in answer.lines:
            if match := _CHANGED.match(line):
                self.flags[int(match[1])] = frozenset(match[2].split()) - {"\\Recent"}
                self.modseqs[int(match[1])] = int(match[3])
            elif match := _VANISHED.match(line):
                for uid in _numbers(match[1]):
                    self.flags.pop(uid, None)

    def fetch_new(self, client: Mirror) -> None:
        last = max((uid for uid, _ in self.memory.flags), default=0)
        answer = client.ask(f"UID FETCH {last + 1}:* (UID FLAGS MODSEQ)")
        self.hear(answer)

    def compare(self, true: Iterable[tuple[object, ...]], how: str) -> None:
        expected = {uid: flags for uid, flags, _ in true}
        if self.flags != expected:
            raise Lie(f"{how} from {self.memory}: {self.flags}, but it is {expected}")
        modseqs = {uid: modseq for uid, _, modseq in true}
        if any(modseqs[uid] != modseq for uid, modseq in self.modseqs.items()):
            raise Lie(f"{how} from {self.memory}: modseqs {self.modseqs}, but they are {modseqs}")


def by_qresync(client: Mirror, folder: str, memory: Memory, true: list[tuple[object, ...]]) -> None:
    """client has enabled QRESYNC. All are asked about, then by number too, then only those that it knows."""
    uids = [uid for uid, _ in memory.flags]
    numbers = [n for n in (1, len(uids) // 2, len(uids)) if n]
    numbers = sorted(set(numbers))
    match = f" ({_set(numbers)} {_set(uids[n - 1] for n in numbers)})" if uids else ""
    for known in ("", match, f" {_set(uids)}" if uids else "", f" {_set(uids)}{match}" if uids else ""):
        returning = Returning(memory)
        parameters = f" (QRESYNC ({memory.uidvalidity} {memory.highest}{known}))"
        returning.hear(client.select(folder, parameters))
        returning.fetch_new(client)
        returning.compare(true, "QRESYNC")
        client.unselect()


def by_condstore(client: Mirror, folder: str, memory: Memory, true: list[tuple[object, ...]]) -> None:
    returning = Returning(memory)
    assert client.select(folder, " (CONDSTORE)").word == "OK"
    returning.hear(client.ask(f"UID FETCH 1:* (UID FLAGS) (CHANGEDSINCE {memory.highest})"))
    returning.fetch_new(client)
    (line,) = [line for line in client.ask("UID SEARCH ALL").lines if line.startswith("* SEARCH")]
    there = {int(word) for word in line.split()[2:]}
    returning.flags = {uid: flags for uid, flags in returning.flags.items() if uid in there}
    returning.compare(true, "CONDSTORE")
    client.unselect()


def _set(numbers: Iterable[int]) -> str:
    return ",".join(map(str, numbers))


def _numbers(text: str) -> Iterable[int]:
    for piece in text.split(","):
        first, _, last = piece.partition(":")
        yield from range(int(first), int(last or first) + 1)
