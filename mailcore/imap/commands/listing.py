"""Which folders there are: LIST, LSUB, NAMESPACE (RFC 9051 §6.3.9, RFC 3501 §6.3.9, RFC 2342, 3348, 6154)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from mailcore import limits
from mailcore.errors import BadSyntax
from mailcore.imap.session import Done, Handler, Session
from mailcore.imap.wire import responses
from mailcore.imap.wire.patterns import Pattern, compiled
from mailcore.imap.wire.values import List, Simple
from mailcore.models.folder import Folder
from mailcore.services import folders, messages

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
    roles = {row.name: row.role for row in messages.folder_rows(session.mailbox_id)}
    asked = set(command.selection)
    if asked - {"SPECIAL-USE"}:
        raise BadSyntax("LIST selects by SPECIAL-USE only")
    if command.name == "LSUB":
        lines = _subscribed(folders.subscriptions(session.mailbox_id), set(roles), patterns)
    else:
        lines = _existing(roles, patterns, only_special="SPECIAL-USE" in asked)
    out = bytearray()
    for name, attributes in lines:
        out += responses.list_line(name, attributes, verb=command.name.encode())
        if len(out) > limits.IMAP_ANSWER_OCTETS:
            yield bytes(out)
            out.clear()
    yield bytes(out)
    return Done(f"{command.name} completed")


def _joined(reference: str, pattern: str) -> str:
    """The pattern below a reference; one that names a root of its own stands alone (RFC 9051 §6.3.9.1)."""
    return pattern if pattern.startswith("/") or not reference else reference + pattern


def _parents(names: Iterable[str]) -> set[str]:
    found = set()
    for name in names:
        while "/" in name:
            name = name.rpartition("/")[0]
            found.add(name)
    return found


def _existing(
    roles: Mapping[str, str], patterns: Sequence[Pattern], *, only_special: bool
) -> list[tuple[str, list[str]]]:
    parents = _parents(roles)
    lines = []
    for name in sorted(set(roles) | parents, key=lambda one: (one != "INBOX", one)):
        if not any(pattern.matches(name) for pattern in patterns):
            continue
        attributes = [] if name in roles else ["\\Noselect"]
        attributes.append("\\HasChildren" if name in parents else "\\HasNoChildren")
        if use := USES.get(Folder.Role(roles.get(name, ""))):
            attributes.append(use)
        elif only_special:
            continue
        lines.append((name, attributes))
    return lines


def _subscribed(
    names: set[str], existing: set[str], patterns: Sequence[Pattern]
) -> list[tuple[str, list[str]]]:
    """LSUB. A parent of what % cannot reach is shown as \\Noselect (RFC 3501 §6.3.9)."""
    lines: dict[str, list[str]] = {}
    for name in sorted(names):
        if any(pattern.matches(name) for pattern in patterns):
            lines[name] = [] if name in existing else ["\\Noselect"]
    for parent in sorted(_parents(names) - names):
        if any(pattern.matches(parent) for pattern in patterns):
            reaches = any(
                pattern.matches(name)
                for pattern in patterns
                for name in names
                if name.startswith(f"{parent}/")
            )
            if not reaches:
                lines.setdefault(parent, ["\\Noselect"])
    return sorted(lines.items())


def namespace(session: Session, command: Simple) -> Handler:
    """One personal namespace without a prefix; sharing will add the others."""
    yield responses.namespace()
    return Done("NAMESPACE completed")
