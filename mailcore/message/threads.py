"""Which mail answers which: THREAD's two algorithms. Pure. (RFC 5256 §3)

Trees are lists of children by node, and nothing recurses: a conversation may be as deep as it is long.
The steps are numbered as in the RFC.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Sequence
from typing import NamedTuple

from mailcore import limits
from mailcore.message import mime

_ID = re.compile(rb"<([^<>\s]{1,998})>")
_QUOTED_LOCAL = re.compile(rb'"((?:[^"\\]|\\.)*)"@')
_PAIR = re.compile(rb"\\(.)")
_LOT = 500  # mails looked at before others may run


class Mail(NamedTuple):
    """What threading asks of a mail. subject is the base subject, made ready to be compared."""

    message_id: bytes  # b"" without one
    references: Sequence[bytes]
    sent_at: int
    subject: str
    is_reply: bool


class Forest(NamedTuple):
    """Threads: nodes without a parent, and the children of each that has some, all in order.

    A node below len(mails) is the place of a mail among them; any other stands for a mail that is not there.
    """

    roots: list[int]
    children: dict[int, list[int]]


def ids_of(header: bytes) -> tuple[bytes, list[bytes]]:
    """A mail's own id and those it answers, oldest first: References, or the first of In-Reply-To."""
    fields = mime.read_fields(header, 0, len(header))
    own = _ids(fields.get(b"message-id", b""))[:1]
    answered = _ids(fields.get(b"references", b"")) or _ids(fields.get(b"in-reply-to", b""))[:1]
    answered = list(dict.fromkeys(answered))
    if len(answered) > limits.REFERENCES:
        answered = answered[:1] + answered[1 - limits.REFERENCES :]
    return own[0] if own else b"", answered


def _ids(value: bytes) -> list[bytes]:
    found = _ID.findall(value)
    return [_unquoted(each) for each in found] if b'"' in value else found


def _unquoted(message_id: bytes) -> bytes:
    """<"a"@b> is the same id as <a@b>."""
    found = _QUOTED_LOCAL.match(message_id)
    return _PAIR.sub(rb"\1", found[1]) + message_id[found.end() - 1 :] if found else message_id


def by_subject(mails: Sequence[Mail]) -> Forest:
    """ORDEREDSUBJECT: mails of one subject are children of the first sent of them."""
    threads: dict[str, list[int]] = {}
    for at in sorted(range(len(mails)), key=lambda at: mails[at].sent_at):
        threads.setdefault(mails[at].subject, []).append(at)
    # Dictionaries keep the order in which a subject first came: that of the first mail of each thread.
    return Forest(
        [first for first, *_ in threads.values()],
        {first: rest for first, *rest in threads.values() if rest},
    )


def by_references(mails: Sequence[Mail]) -> Generator[None, None, Forest]:
    """REFERENCES. Yields now and then, for others to run."""
    links = _Links(len(mails))
    yield from links.make(mails)
    forest = _Forest(mails, links.parents)
    yield
    forest.prune()
    forest.roots.sort(key=forest.sent)  # (4)
    yield
    forest.merge()
    for siblings in forest.children.values():  # (6)
        siblings.sort(key=forest.sent)
    forest.roots.sort(key=forest.sent)
    return Forest(forest.roots, {node: below for node, below in forest.children.items() if below})


class _Links:
    """(1) Who is whose child. parents[node] is -1 for none."""

    def __init__(self, mails: int) -> None:
        self.parents = [-1] * mails
        self.counts = [0] * mails  # of children
        self.steps = limits.IMAP_THREAD_STEPS

    def make(self, mails: Sequence[Mail]) -> Generator[None, None, None]:
        nodes: dict[bytes, int] = {}
        for at, mail in enumerate(mails):
            if mail.message_id:
                nodes.setdefault(mail.message_id, at)  # of several with one id the first has it
        parents, counts = self.parents, self.counts
        for at, mail in enumerate(mails):
            above = -1
            for reference in mail.references:
                node = nodes.get(reference, -1)
                if node < 0:
                    node = nodes[reference] = len(parents)
                    parents.append(-1)
                    counts.append(0)
                if above >= 0 and parents[node] < 0 and not self._loops(node, above):
                    self._put(node, above)
                above = node
            # What the mail itself says of its parent counts more than what others say.
            if above < 0 or not self._loops(at, above):
                self._put(at, above)
            if at % _LOT == 0:
                yield

    def _put(self, node: int, above: int) -> None:
        before = self.parents[node]
        if before >= 0:
            self.counts[before] -= 1
        if above >= 0:
            self.counts[above] += 1
        self.parents[node] = above

    def _loops(self, node: int, above: int) -> bool:
        """Whether node is above, or an ancestor of it; also when looking would take too long."""
        if node == above or not self.counts[node]:
            return node == above
        while above >= 0 and above != node and self.steps > 0:
            above = self.parents[above]
            self.steps -= 1
        return above >= 0


class _Forest:
    """(2) to (5): the trees, and what is done to them."""

    def __init__(self, mails: Sequence[Mail], parents: Sequence[int]) -> None:
        self.mails = mails
        self.roots: list[int] = []
        self.children: dict[int, list[int]] = {}
        self.nodes = len(parents)
        for node, parent in enumerate(parents):
            if parent < 0:
                self.roots.append(node)
            else:
                self.children.setdefault(parent, []).append(node)

    def is_dummy(self, node: int) -> bool:
        return node >= len(self.mails)

    def first(self, node: int) -> Mail:
        """The mail at node, or the first below it."""
        return self.mails[min(self.children[node], key=self.sent) if self.is_dummy(node) else node]

    def sent(self, node: int) -> tuple[int, int]:
        """What siblings are sorted by: when it was sent, then its place; of a dummy its first child's."""
        if self.is_dummy(node):
            return min(map(self.sent, self.children[node]))  # mails, after (3)
        return self.mails[node].sent_at, node

    def prune(self) -> None:
        """(3) A dummy goes, and its children stand in its place; several have none under the root."""
        order = list(self.roots)
        for node in order:  # it grows as we go: parents before their children
            order += self.children.get(node, ())
        for node in reversed(order):
            if node in self.children:
                self.children[node] = self._real(self.children[node])
        roots: list[int] = []
        for node in self.roots:
            below = self.children.get(node, [])
            if not self.is_dummy(node) or len(below) > 1:
                roots.append(node)
            else:
                roots += below
        kept = set(roots)
        self.children = {
            node: below for node, below in self.children.items() if not self.is_dummy(node) or node in kept
        }
        self.roots = roots

    def _real(self, nodes: list[int]) -> list[int]:
        found: list[int] = []
        for node in nodes:
            if self.is_dummy(node):
                found += self.children.get(node, ())
            else:
                found.append(node)
        return found

    def merge(self) -> None:
        """(5) Threads of one subject become one."""
        subjects = {node: self.first(node).subject for node in self.roots}
        table: dict[str, int] = {}
        for node, subject in subjects.items():
            if not subject:
                continue
            there = table.setdefault(subject, node)
            if not self.is_dummy(there) and (
                self.is_dummy(node) or (self.mails[there].is_reply and not self.mails[node].is_reply)
            ):
                table[subject] = node
        roots = dict.fromkeys(self.roots)
        for node, subject in subjects.items():
            if not subject or node not in roots or table[subject] == node:
                continue
            there = table[subject]
            del roots[node]
            if self.is_dummy(there):
                below = self.children.pop(node) if self.is_dummy(node) else [node]
                self.children[there] += below
            elif self.mails[node].is_reply and not self.mails[there].is_reply:
                self.children.setdefault(there, []).append(node)
            else:
                del roots[there]
                dummy = table[subject] = self.nodes
                self.nodes += 1
                self.children[dummy] = [there, node]
                roots[dummy] = None
        self.roots = list(roots)
