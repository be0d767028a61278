"""NOTIFY: which events in which folders a client wants to hear of (RFC 5465 §8).

Events that nobody has heard of are read like others and refused by the handler, with NO (§3.1).
parser.py calls it.
"""

from __future__ import annotations

from typing import Final

from mailcore import limits
from mailcore.errors import BadSyntax
from mailcore.imap.wire import fetch_items, mailbox_filters
from mailcore.imap.wire.grammar import Cursor
from mailcore.imap.wire.values import EventGroup, FetchItem, Notify

_KINDS: Final = {**mailbox_filters.KINDS, "SELECTED-DELAYED": False}
SELECTED: Final = frozenset(("SELECTED", "SELECTED-DELAYED"))
_COUNTED: Final = frozenset(("MESSAGENEW", "MESSAGEEXPUNGE"))
_CHANGED: Final = frozenset(("FLAGCHANGE", "ANNOTATIONCHANGE"))
_OF_FOLDERS: Final = frozenset(
    ("MAILBOXNAME", "SUBSCRIPTIONCHANGE", "MAILBOXMETADATACHANGE", "SERVERMETADATACHANGE")
)


def notify(tag: bytes, name: str, cursor: Cursor) -> Notify:
    cursor.space("SET or NONE")
    form = cursor.word("SET or NONE")
    if form == "NONE":
        cursor.end()
        return Notify(tag, name)
    if form != "SET":
        raise BadSyntax("NOTIFY takes SET or NONE")
    cursor.space("folders and events in parentheses")
    wants_status = not cursor.sees(b"(")
    if wants_status:
        if cursor.word("STATUS") != "STATUS":
            raise BadSyntax("NOTIFY SET takes STATUS, or folders and events in parentheses")
        cursor.space("folders and events in parentheses")
    groups = [_group(cursor)]
    while not cursor.at_end():
        cursor.space("folders and events in parentheses")
        groups.append(_group(cursor))
        if len(groups) > limits.IMAP_LIST_ITEMS:
            raise BadSyntax("Too many folders and events")
    if sum(group.folders.kind in SELECTED for group in groups) > 1:
        raise BadSyntax("The selected folder is spoken of once (RFC 5465 section 6.1)")
    return Notify(tag, name, wants_status, tuple(groups))


def _group(cursor: Cursor) -> EventGroup:
    cursor.expect(b"(", "'(' and which folders")
    folders = mailbox_filters.one(cursor, _KINDS)
    cursor.space("events in parentheses, or NONE")
    events: tuple[tuple[str, tuple[FetchItem, ...]], ...] = ()
    if cursor.sees(b"("):
        events = cursor.several(lambda: _event(cursor), "events")
    elif cursor.word("events in parentheses, or NONE") != "NONE":
        raise BadSyntax("Expected events in parentheses, or NONE")
    cursor.expect(b")", "')'")
    items = tuple(item for _, items in events for item in items)
    group = EventGroup(folders, frozenset(event for event, _ in events), tuple(dict.fromkeys(items)))
    _check(group)
    return group


def _event(cursor: Cursor) -> tuple[str, tuple[FetchItem, ...]]:
    """An event, and what is to be fetched of a new message."""
    event = cursor.word("an event like MessageNew")
    if event != "MESSAGENEW" or not cursor.sees(b" ("):
        return event, ()
    cursor.pos += 1
    return event, fetch_items.parse(cursor)


def _check(group: EventGroup) -> None:
    """What must stand together, and where (RFC 5465 §5, §5.2, §6.1)."""
    counted = group.events & _COUNTED
    if counted and counted != _COUNTED:
        raise BadSyntax("MessageNew and MessageExpunge are asked together")
    if group.events & _CHANGED and not counted:
        raise BadSyntax("FlagChange and AnnotationChange need MessageNew and MessageExpunge")
    is_selected = group.folders.kind in SELECTED
    if is_selected and group.events & _OF_FOLDERS:
        raise BadSyntax("Of the selected folder only events of messages are told")
    if group.fetched and not is_selected:
        raise BadSyntax("Only of the selected folder something can be fetched")
