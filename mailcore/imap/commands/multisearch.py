"""ESEARCH: one search in many folders, none of them selected for it (RFC 7377).

Each folder is searched as SEARCH would if it were selected, one after the other; the selected one as this
client knows it. A folder in which nothing is found is not spoken of, nor is one that the client may not read.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from mailcore.errors import BadFolderName, BadSyntax, FolderGone, Forbidden, NoSuchFolder
from mailcore.imap.commands import results, search
from mailcore.imap.session import Done, Handler, Session, State
from mailcore.imap.view import View
from mailcore.imap.wire.values import Folders, MultiSearch
from mailcore.models import Right
from mailcore.services import folders, messages, sharing
from mailcore.services.messages import FolderState


def esearch(session: Session, command: MultiSearch) -> Handler:
    kinds = {source.kind for source in command.sources}
    if "SELECTED" in kinds and session.state is not State.SELECTED:
        raise BadSyntax("No folder is selected")
    saves = "SAVE" in dict(command.returns or ())
    if saves and kinds != {"SELECTED"}:
        raise BadSyntax("SAVE is for the selected folder alone (RFC 7377 section 2.2)")
    if search.asks_modseq(command.key):
        yield from session.tell_modseqs()
    own = session.view
    kept = own.saved_slices() if own is not None else []
    if saves and own is not None:
        own.keep_found(())  # what fails leaves nothing (RFC 5182 §2.1)
    for state in _states(session, command.sources):
        yield b""  # others may run
        if own is not None and state.folder_id == own.snapshot.folder_id:
            view, saved = own, kept
        else:
            try:
                view, saved = _opened(session, state), []
            except FolderGone:
                continue
        found = yield from search.find(view, command.key, saved)
        returned = results.returned(command.returns, found)
        if saves:
            view.keep_found(returned)
        if found and command.returns != (("SAVE", None),):
            yield results.answer(
                command.tag,
                command.returns or (),
                [view.shown[at] for at in found],
                uid=True,
                modseq=search.youngest(view, command.key, returned),
                place=(state.name, view.snapshot.uidvalidity, session.is_utf8),
            )
    return Done("ESEARCH completed")


def _opened(session: Session, state: FolderState) -> View:
    """What a client would see that opened it now, read-only."""
    return View(
        session.snapshots.current(state.folder_id),
        is_read_only=True,
        first_recent=state.recent_uid,
        is_rev2=session.is_rev2,
    )


def _states(session: Session, sources: tuple[Folders, ...]) -> list[FolderState]:
    """The folders that are meant and may be read, each once."""
    found: dict[int, FolderState] = {}
    for source in sources:
        for state in _of(session, source):
            found.setdefault(state.folder_id, state)
    return list(found.values())


def _of(session: Session, source: Folders) -> Iterator[FolderState]:
    if source.kind == "SELECTED":
        view = session.selected
        yield replace(messages.folder_state(view.snapshot.folder_id), name=session.folder_name)
    elif source.kind == "MAILBOXES":
        for name in source.names:
            try:
                yield session.find(name, Right.READ).state
            except (BadFolderName, NoSuchFolder, Forbidden):
                continue  # RFC 7377 §2.2: what may not be read is ignored; what is not there, too
    elif source.kind in ("INBOXES", "PERSONAL"):
        # Rules may file a new mail in any folder, so any is an inbox (RFC 5465 §6.3).
        yield from _own(session)
    elif source.kind == "SUBSCRIBED":
        names = folders.subscriptions(session.mailbox_id)
        yield from (state for state in _all(session) if state.name in names)
    else:
        for name in source.names:
            yield from _below(session, name, one_level=source.kind == "SUBTREE-ONE")


def _own(session: Session) -> list[FolderState]:
    may_read = session.who.most & Right.READ and session.who.most & Right.LOOKUP
    return list(messages.folder_rows(session.mailbox_id)) if may_read else []


def _all(session: Session) -> Iterator[FolderState]:
    yield from _own(session)
    yield from (one.state for one in session.others() if one.rights & Right.READ)


def _below(session: Session, name: str, *, one_level: bool) -> Iterator[FolderState]:
    """The folder of that name, and those below it."""
    try:
        top = sharing.normalise(name)
    except BadFolderName:  # there is none
        return
    for state in _all(session):
        below = state.name.removeprefix(top + folders.SEPARATOR)
        is_below = below != state.name and not (one_level and folders.SEPARATOR in below)
        if state.name == top or is_below:
            yield state
