"""NOTIFY: hearing of things without asking (RFC 5465). And what is told then, with and without IDLE.

What is of the selected folder comes by session.poll, which knows what this client wants of it; the rest is
told by others(). Both look at what is, not at what happened. What the client itself did to names,
subscriptions and metadata it is not told, nor what is in a message that it put into the selected folder (§5,
§5.2); but it is told how many messages are where it put one.
"""

from __future__ import annotations

import logging
from collections.abc import Generator, Iterable, Iterator
from typing import Any

from mailcore import limits
from mailcore.errors import BadEvent, BadFolderName, FolderGone, NoSuchFolder, TooManyNotices
from mailcore.imap.commands import listing, status
from mailcore.imap.session import Done, Handler, Output, Session, State, Work
from mailcore.imap.watch import EVENTS, Known, News, Watch, World, unknown
from mailcore.imap.wire import fetch_items, responses
from mailcore.imap.wire.values import EventGroup, List, Notify
from mailcore.models import Right
from mailcore.services import folders, messages, metadata, sharing
from mailcore.services.messages import FolderState

log = logging.getLogger(__name__)


def notify(session: Session, command: Notify) -> Handler:
    """From the tagged OK on. Whatever happened in the selected folder before is told first (§3.1)."""
    if unknown(command.groups):
        raise BadEvent(EVENTS)
    if not command.groups:
        session.watch = Watch()
        return Done("NOTIFY completed")
    watch = Watch([_normalised(group) for group in command.groups])
    if fetch_items.PLAIN["MODSEQ"] in watch.fetched:
        yield from session.tell_modseqs()
    states = _look(session, watch)
    if watch.is_too_much(watch.world):
        raise TooManyNotices
    yield from session.poll(is_own=True)
    yield b"".join(_closed(session, watch))
    if command.wants_status:
        wanted = [folder_id for folder_id in states if _is_to_be_counted(session, watch, folder_id)]
        yield b"".join(_status_lines(session, watch, states, wanted))
    session.watch = watch
    return Done("NOTIFY completed")


def news(session: Session) -> Generator[Output, Any, None]:
    """What is told while no command runs. Nothing but GeneratorExit ever leaves it."""
    try:
        assert session.watch is not None
        yield from session.poll(may_expunge=session.watch.is_prompt)
        yield from others(session)
    except FolderGone as error:
        yield responses.bye(error.public)
        session.leave()
        session.state = State.LOGOUT
    except Exception:
        log.exception("there was no news")


def others(session: Session) -> Generator[Output, Any, None]:
    """Tell what is new outside the selected folder."""
    if session.watch is None or not session.watch.groups:
        return
    lines = (yield Work(_lines, (session,))) if session.on_loop else _lines(session)
    yield b"".join(lines)


def _normalised(group: EventGroup) -> EventGroup:
    """With its names as they are kept; what can be no name means nothing (§3.1)."""
    names = []
    for name in group.folders.names:
        try:
            names.append(sharing.normalise(name))
        except BadFolderName:
            continue
    return group._replace(folders=group.folders._replace(names=tuple(names)))


# --- What there is ---------------------------------------------------------------------------------------


def _look(session: Session, watch: Watch) -> dict[int, FolderState]:
    """See what there is; the folders that may be looked up, by id. watch.world is what there was before."""
    states: dict[int, FolderState] = {}
    found: dict[int, Known] = {}
    if session.who.most & Right.LOOKUP:
        may_read = bool(session.who.most & Right.READ)
        for state in messages.folder_rows(session.mailbox_id):
            states[state.folder_id] = state
            found[state.folder_id] = known(state, is_own=True, may_read=may_read)
    mailbox_ids = {session.mailbox_id}
    for one in session.others(anew=True) if watch.goes_abroad else ():
        mailbox_ids.add(one.state.mailbox_id)
        states[one.state.folder_id] = one.state
        may_read = bool(one.rights & Right.READ)
        found[one.state.folder_id] = known(one.state, is_own=False, may_read=may_read)
    values: dict[int, dict[str, int]] = {}
    if watch.asks("MAILBOXMETADATACHANGE", "SERVERMETADATACHANGE"):
        for mailbox_id in mailbox_ids:
            for folder_id, entries in metadata.values(mailbox_id, session.user_id).items():
                if folder_id in found or (not folder_id and mailbox_id == session.mailbox_id):
                    values[folder_id] = {entry: hash(value) for entry, value in entries.items()}
    watch.world = World(
        found, frozenset(folders.subscriptions(session.mailbox_id)), values, frozenset(mailbox_ids)
    )
    return states


def known(state: FolderState, *, is_own: bool, may_read: bool) -> Known:
    """What is told of a folder to who is not in it."""
    counters = (state.uidvalidity, state.uidnext, state.message_count, state.folder_modseq)
    return Known(state.name, is_own, may_read, *counters)


# --- What is told of it ----------------------------------------------------------------------------------


def _lines(session: Session) -> Iterable[bytes]:
    """What is new since the last look. So much of it that it helps nobody ends it (§5.8)."""
    watch = session.watch
    assert watch is not None
    then = watch.world
    states = _look(session, watch)
    now, watch.world = watch.world, then
    if watch.is_too_much(now):
        return [session.overflow()]
    found = watch.news(now, selected=_selected(session))
    watch.world = now
    if len(found) > limits.NOTIFY_NEWS:
        return [session.overflow()]
    lines = list(_list_lines(session, found))
    lines += [responses.list_line(name, ["\\NoAccess"], utf8=session.is_utf8) for name in found.closed]
    lines += _status_lines(session, watch, states, found.counted)
    lines += [
        responses.changed_metadata(name, entries, utf8=session.is_utf8)
        for name, entries in found.metadata.items()
    ]
    return lines


def _selected(session: Session) -> int:
    return session.view.snapshot.folder_id if session.view is not None else 0


def _is_to_be_counted(session: Session, watch: Watch, folder_id: int) -> bool:
    """Whether NOTIFY SET STATUS answers for this folder."""
    folder = watch.world.folders[folder_id]
    return (
        folder.may_read
        and folder_id != _selected(session)
        and watch.wants("MESSAGENEW", watch.world, folder.name, is_own=folder.is_own)
    )


def _list_lines(session: Session, found: News) -> Iterator[bytes]:
    if not found.listed:
        return
    returns = (("CHILDREN", None), ("SPECIAL-USE", None), ("SUBSCRIBED", None))
    there = listing.Listing(session, List(b"", "LIST", "", (), is_extended=True, returns=returns), ())
    for name, before in found.listed.items():
        yield there.line(name, responses.old_name(before, utf8=session.is_utf8) if before else b"")


def _status_lines(
    session: Session, watch: Watch, states: dict[int, FolderState], wanted: Iterable[int]
) -> Iterator[bytes]:
    """STATUS of folders, with what the events asked for need (§3.1, §5.1 to §5.3)."""
    for folder_id in wanted:
        state, folder = states[folder_id], watch.world.folders[folder_id]
        items = ["MESSAGES", "UIDNEXT", "UIDVALIDITY"]
        if watch.wants("FLAGCHANGE", watch.world, folder.name, is_own=folder.is_own):
            items += ["UNSEEN"] if "CONDSTORE" in session.withheld else ["UNSEEN", "HIGHESTMODSEQ"]
        elif session.knows_modseqs:
            items.append("HIGHESTMODSEQ")
        yield status.Answers(session, [state], items).line(state)


def _closed(session: Session, watch: Watch) -> Iterator[bytes]:
    """The folders asked for by name that may be looked up, but not read (§3.1)."""
    for name in dict.fromkeys(name for group in watch.groups for name in group.folders.names):
        try:
            rights = sharing.find(session.who, name).rights
        except NoSuchFolder:
            continue
        if rights & Right.LOOKUP and not rights & Right.READ:
            yield responses.list_line(name, ["\\NoAccess"], utf8=session.is_utf8)
