"""Which folders there are: LIST, LSUB, NAMESPACE (RFC 9051 §6.3.9, RFC 3501 §6.3.9, RFC 2342, 3348, 6154).

LIST in its extended grammar (RFC 5258) is a Listing below: selection options say which names count, patterns
which of them are shown, return options what is said of each. A level of the hierarchy that is no folder is
\\Noselect to the old grammar, which knows no better word, and \\NonExistent to the new one.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from typing import cast

from mailcore import limits
from mailcore.imap.commands import status
from mailcore.imap.session import Done, Handler, Session
from mailcore.imap.wire import responses
from mailcore.imap.wire.patterns import Pattern, compiled
from mailcore.imap.wire.values import List, Simple
from mailcore.models.folder import Folder
from mailcore.models.sharing import Right
from mailcore.services import folders, messages, metadata, rights, sharing

# RFC 6154 §2; the inbox is known by its name.
USES = {
    Folder.Role.DRAFTS: "\\Drafts",
    Folder.Role.SENT: "\\Sent",
    Folder.Role.JUNK: "\\Junk",
    Folder.Role.TRASH: "\\Trash",
    Folder.Role.ARCHIVE: "\\Archive",
}


def list_(session: Session, command: List) -> Handler:
    if command.name == "LIST" and command.patterns == ("",) and not command.is_extended:
        # "What is the hierarchy delimiter?" (RFC 9051 §6.3.9)
        yield responses.list_line("", ["\\Noselect"])
        return Done("LIST completed")
    patterns = [compiled(_joined(command.reference, pattern)) for pattern in command.patterns]
    if command.name == "LSUB":
        lines = _lsub_lines(session, patterns)
    else:
        lines = Listing(session, command, patterns).lines()
        if "HIGHESTMODSEQ" in cast("tuple[str, ...]", dict(command.returns).get("STATUS") or ()):
            yield from session.tell_modseqs()
    out = bytearray()
    for line in lines:
        out += line
        if len(out) > limits.IMAP_ANSWER_OCTETS:
            yield bytes(out)
            out.clear()
    yield bytes(out)
    return Done(f"{command.name} completed")


def _joined(reference: str, pattern: str) -> str:
    """The pattern below a reference; one that names a root of its own stands alone (RFC 9051 §6.3.9.1).

    Composed as the names are that it is to match (RFC 9051 §5.1).
    """
    joined = pattern if pattern.startswith("/") or not reference else reference + pattern
    return unicodedata.normalize("NFC", joined)


def _parents(names: Iterable[str]) -> set[str]:
    found = set()
    for name in names:
        while "/" in name:
            name = name.rpartition("/")[0]
            found.add(name)
    return found


def _order(name: str) -> tuple[bool, str]:
    return name != "INBOX", name


def _match(name: str, patterns: Sequence[Pattern]) -> bool:
    return any(pattern.matches(name) for pattern in patterns)


class Listing:
    """One LIST: everything is read when it is made, the lines need no database."""

    def __init__(self, session: Session, command: List, patterns: Sequence[Pattern]) -> None:
        returns = dict(command.returns)
        self.is_utf8 = session.is_utf8
        self.patterns = patterns
        self.is_extended = command.is_extended
        # REMOTE adds what lives on other servers, of which there is nothing (RFC 5258 §3.1).
        self.criteria = [option for option in ("SUBSCRIBED", "SPECIAL-USE") if option in command.selection]
        self.is_recursive = "RECURSIVEMATCH" in command.selection
        self.tells_children = "CHILDREN" in returns or not command.is_extended
        # RFC 6154 §3: selecting by use returns it; the old grammar gets it without asking.
        self.tells_uses = (
            "SPECIAL-USE" in returns or "SPECIAL-USE" in self.criteria or not command.is_extended
        )
        self.tells_subscribed = "SUBSCRIBED" in returns or "SUBSCRIBED" in self.criteria
        others = session.others()
        states = [*messages.folder_rows(session.mailbox_id), *[one.state for one in others]]
        self.existing = {state.name: state for state in states}
        # What may be done in those of others; in one's own it is always the same.
        self.rights = {one.state.name: one.rights for one in others}
        self.own_rights = session.who.most
        self.tells_rights = "MYRIGHTS" in returns
        self.parents = _parents(self.existing)
        self.subscribed = folders.subscriptions(session.mailbox_id) if self.tells_subscribed else set()
        self.selected = self._selected()
        self.entries = cast("tuple[str, ...]", returns.get("METADATA") or ())
        self.metadata: dict[int, dict[str, bytes]] = {}
        for mailbox_id in {state.mailbox_id for state in states} if self.entries else ():
            self.metadata |= {
                folder_id: found
                for folder_id, found in metadata.values(mailbox_id, session.user_id).items()
                if folder_id
            }
        for entry in self.entries:
            metadata.normalise(entry)
        self.answers: status.Answers | None = None
        if items := returns.get("STATUS"):
            shown = [
                state
                for state in states
                if state.name in self.selected and self._may_read(state.name) and _match(state.name, patterns)
            ]
            self.answers = status.Answers(session, shown, items) if shown else None  # type: ignore[arg-type]

    def _selected(self) -> set[str]:
        """The names that fulfil the selection options, whether they match a pattern or not."""
        names = set(self.existing) | self.parents
        if "SUBSCRIBED" in self.criteria:
            names = set(self.subscribed)
        if "SPECIAL-USE" in self.criteria:
            names = {name for name in names if self._use(name)}
        return names

    def _rights(self, name: str) -> Right:
        return self.rights.get(name, self.own_rights)

    def _may_read(self, name: str) -> bool:
        return bool(self._rights(name) & Right.READ)

    def _use(self, name: str) -> str | None:
        state = self.existing.get(name)
        return USES.get(Folder.Role(state.role)) if state is not None else None

    def lines(self) -> Iterator[bytes]:
        """LIST lines, each followed by what was asked for of the folder (RFC 5819 §2, 8440 §3.1, 9590 §3)."""
        matched = {name for name in self.selected if _match(name, self.patterns)}
        above = above_unseen = set[str]()
        if self.is_recursive:
            above = _parents(self.selected)
            above_unseen = _parents(self.selected - matched)
            # RFC 5258 §3.4: what does not exist is shown only for descendants that are not shown themselves.
            matched |= {
                name
                for name in above
                if (name in self.existing or name in above_unseen) and _match(name, self.patterns)
            }
        for name in sorted(matched, key=_order):
            yield self.line(name, responses.childinfo(self.criteria) if name in above else b"")
            if name not in self.selected or name not in self.existing:
                continue
            if self.tells_rights:
                yield responses.myrights(name, rights.letters(self._rights(name)), utf8=self.is_utf8)
            if not self._may_read(name):
                continue
            if self.answers is not None:
                yield self.answers.line(self.existing[name])
            if self.entries:
                found = self.metadata.get(self.existing[name].folder_id, {})
                yield responses.metadata(name, metadata.chosen(found, self.entries, 0), utf8=self.is_utf8)

    def line(self, name: str, extended: bytes = b"") -> bytes:
        return responses.list_line(name, self._attributes(name), utf8=self.is_utf8, extended=extended)

    def _attributes(self, name: str) -> Iterator[str]:
        if name not in self.existing:
            yield "\\NonExistent" if self.is_extended else "\\Noselect"
        if not folders.may_have_children(name):
            yield "\\NoInferiors"
        if self.tells_children:
            yield "\\HasChildren" if name in self.parents else "\\HasNoChildren"
        if self.tells_uses and (use := self._use(name)):
            yield use
        if self.tells_subscribed and name in self.subscribed:
            yield "\\Subscribed"


def line_of(session: Session, name: str, supplied: str) -> bytes:
    """What the client hears of one folder as IMAP4rev2 has it: its LIST line, and what the client called it,
    where that is another spelling (RFC 9051 §6.3.2, §6.3.9.7)."""
    command = List(
        b"", "LIST", "", (name,), is_extended=True, returns=(("CHILDREN", None), ("SPECIAL-USE", None))
    )
    is_other = supplied.rstrip("/") != name
    old = responses.old_name(supplied, utf8=session.is_utf8) if is_other else b""
    return Listing(session, command, ()).line(name, old)


def _lsub_lines(session: Session, patterns: Sequence[Pattern]) -> Iterator[bytes]:
    existing = {state.name for state in messages.folder_rows(session.mailbox_id)}
    existing |= {one.state.name for one in session.others()}
    for name, attributes in _subscribed(folders.subscriptions(session.mailbox_id), existing, patterns):
        yield responses.list_line(name, attributes, verb=b"LSUB", utf8=session.is_utf8)


def _subscribed(
    names: set[str], existing: set[str], patterns: Sequence[Pattern]
) -> list[tuple[str, list[str]]]:
    """LSUB. A parent of what % cannot reach is shown as \\Noselect (RFC 3501 §6.3.9)."""
    lines: dict[str, list[str]] = {}
    for name in sorted(names):
        if _match(name, patterns):
            lines[name] = [] if name in existing else ["\\Noselect"]
    for parent in sorted(_parents(names) - names):
        if _match(parent, patterns):
            reaches = any(_match(name, patterns) for name in names if name.startswith(f"{parent}/"))
            if not reaches:
                lines.setdefault(parent, ["\\Noselect"])
    return sorted(lines.items())


def namespace(session: Session, command: Simple) -> Handler:
    """One personal namespace without a prefix; the folders of others and of shared mailboxes have theirs."""
    yield responses.namespace(
        others=[f"{sharing.OTHERS}/"], shared=[f"{sharing.SHARED}/"], utf8=session.is_utf8
    )
    return Done("NAMESPACE completed")
