"""Counters of folders: STATUS, and what LIST returns of them (RFC 9051 §6.3.11, RFC 5819, 7889, 8438, 9208).

Whatever the number of folders, their rows are one statement, and one more if somebody asks for what only the
messages know. A further item is a name in parser.STATUS_ITEMS and a value here.
"""

from __future__ import annotations

from collections.abc import Sequence

from mailcore.imap.session import Done, Handler, Session
from mailcore.imap.wire import objectids, responses
from mailcore.imap.wire.values import Status
from mailcore.models import Right
from mailcore.services import messages
from mailcore.services.messages import FolderState, Tally

_NOTHING = Tally()
_OF_MESSAGES = {"DELETED", "DELETED-STORAGE"}


def status(session: Session, command: Status) -> Handler:
    state = session.find(command.folder, Right.READ).state
    if "HIGHESTMODSEQ" in command.items:
        yield from session.tell_modseqs()
    yield Answers(session, [state], command.items).line(state)
    return Done("STATUS completed")


def folder_object_id(state: FolderState) -> str:
    """What a folder is called whatever its name is (RFC 8474 §4)."""
    return objectids.encode(objectids.FOLDER, state.mailbox_id, state.object_serial)


class Answers:
    """The STATUS lines of some folders, all of which line() may be asked for."""

    __slots__ = ("_items", "_session", "_tallies")

    def __init__(self, session: Session, states: Sequence[FolderState], items: Sequence[str]) -> None:
        self._session = session
        self._items = items
        self._tallies: dict[int, Tally] = {}
        wants_recent = "RECENT" in items and any(state.recent_uid < state.uidnext for state in states)
        if wants_recent or not _OF_MESSAGES.isdisjoint(items):
            only = states[0].folder_id if len(states) == 1 else None
            for mailbox_id in {state.mailbox_id for state in states}:
                self._tallies |= messages.tallies(mailbox_id, folder_id=only)

    def line(self, state: FolderState) -> bytes:
        tally = self._tallies.get(state.folder_id, _NOTHING)
        values: dict[str, int | str] = {
            "MESSAGES": state.message_count,
            "RECENT": tally.recent,
            "UIDNEXT": state.uidnext,
            "UIDVALIDITY": state.uidvalidity,
            "UNSEEN": state.unseen_count,
            "SIZE": state.octets,
            "HIGHESTMODSEQ": state.folder_modseq,
            "MAILBOXID": f"({folder_object_id(state)})",
            "DELETED": tally.deleted,
            "DELETED-STORAGE": tally.deleted_octets,
            # The same for every folder, and for what CAPABILITY says (RFC 7889 §3).
            "APPENDLIMIT": self._session.surroundings.max_message,
        }
        return responses.status(
            state.name, [(item, values[item]) for item in self._items], utf8=self._session.is_utf8
        )
