"""What a client wants to hear of without asking: the events of NOTIFY (RFC 5465), and what is new of them.

Worlds are compared, not events counted: what happened twice is told once, and a lost ring costs nothing. The
groups of events are looked at in order. The first that has the folder and the event decides, and so does one
that has the folder and NONE (§6). Compares values; commands/notify.py reads them from the database.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from mailcore import limits
from mailcore.imap.wire.notify_arguments import SELECTED
from mailcore.imap.wire.values import EventGroup, FetchItem, Folders

# As RFC 5465 §8 spells them; annotations of messages are nowhere kept.
EVENTS: Final = (
    "MessageNew", "MessageExpunge", "FlagChange", "MailboxName", "SubscriptionChange",
    "MailboxMetadataChange", "ServerMetadataChange",
)  # fmt: skip
_NAMED: Final = frozenset(event.upper() for event in EVENTS)


@dataclass(frozen=True, slots=True)
class Known:
    """One folder at one moment, as far as somebody who is not in it is told of it."""

    name: str
    is_own: bool
    may_read: bool
    uidvalidity: int
    uidnext: int
    messages: int
    modseq: int


@dataclass(frozen=True, slots=True)
class World:
    """Everything outside the selected folder at one moment. Metadata: folder id, 0 for the server, to entry
    to what stands for its value."""

    folders: Mapping[int, Known] = field(default_factory=dict)
    subscribed: frozenset[str] = frozenset()
    metadata: Mapping[int, Mapping[str, int]] = field(default_factory=dict)
    mailbox_ids: frozenset[int] = frozenset()


@dataclass(slots=True)
class News:
    """What is to be told: names for LIST, with what they were called before if that is another name; names
    that may no longer be read; folder ids for STATUS; entries of metadata by name, "" for the server."""

    listed: dict[str, str] = field(default_factory=dict)
    closed: list[str] = field(default_factory=list)
    counted: list[int] = field(default_factory=list)
    metadata: dict[str, list[str]] = field(default_factory=dict)

    def __len__(self) -> int:
        entries = sum(map(len, self.metadata.values()))
        return len(self.listed) + len(self.closed) + len(self.counted) + entries


class Watch:
    """What one client asked to hear of; without groups nothing, not even of its selected folder."""

    __slots__ = ("groups", "own", "selected", "world")

    def __init__(self, groups: Iterable[EventGroup] = ()) -> None:
        self.groups = [group for group in groups if group.folders.kind not in SELECTED]
        of_selected = [group for group in groups if group.folders.kind in SELECTED and group.events]
        self.selected = of_selected[0] if of_selected else None
        # What was told last, or did not have to be.
        self.world = World()
        # Messages that this client itself put into its selected folder: it knows what they are (§5.2).
        self.own: set[int] = set()

    @property
    def is_listening(self) -> bool:
        """Whether anything is told without being asked for."""
        return self.selected is not None or any(group.events for group in self.groups)

    @property
    def tells_flags(self) -> bool:
        return self.selected is not None and "FLAGCHANGE" in self.selected.events

    @property
    def is_prompt(self) -> bool:
        """Whether expunges are told at once, not only with a command (§6.1.2)."""
        return self.selected is not None and self.selected.folders.kind == "SELECTED"

    @property
    def fetched(self) -> tuple[FetchItem, ...]:
        """What is told of each new message of the selected folder."""
        return self.selected.fetched if self.selected is not None else ()

    @property
    def is_light(self) -> bool:
        """Whether a new message is told of without reading it."""
        return all(item.name in ("FLAGS", "UID", "MODSEQ") for item in self.fetched)

    def is_too_much(self, world: World) -> bool:
        """Whether to look at all that is asked for would cost too much (§3.1, §5.8)."""
        compared = sum(1 + len(group.folders.names) for group in self.groups)
        folders = len(world.folders)
        return folders > limits.NOTIFY_FOLDERS or folders * compared > limits.NOTIFY_STEPS

    def asks(self, *events: str) -> bool:
        """Whether any of these is of interest anywhere outside the selected folder."""
        return any(not group.events.isdisjoint(events) for group in self.groups)

    @property
    def goes_abroad(self) -> bool:
        """Whether folders of others may be meant."""
        return any(group.folders.kind not in ("PERSONAL", "INBOXES") for group in self.groups)

    def wants(self, event: str, world: World, name: str, *, is_own: bool) -> bool:
        """Whether an event of this folder is to be told."""
        for group in self.groups:
            if _means(group.folders, world, name, is_own=is_own):
                if not group.events:
                    return False
                if event in group.events:
                    return True
        return False

    def news(self, now: World, *, selected: int) -> News:
        """What to tell of now to who was told of world. Messages in the selected folder have other news."""
        news, then = News(), self.world
        for folder_id, folder in now.folders.items():
            self._names(news, now, then.folders.get(folder_id), folder)
            if folder_id != selected and self._is_counted(now, then.folders.get(folder_id), folder):
                news.counted.append(folder_id)
        for folder_id, folder in then.folders.items():
            if folder_id not in now.folders and self._wants(now, "MAILBOXNAME", folder):
                news.listed.setdefault(folder.name, "")
        for name in sorted(now.subscribed ^ then.subscribed):
            either = World(subscribed=now.subscribed | then.subscribed)
            if self.wants("SUBSCRIPTIONCHANGE", either, name, is_own=True):
                news.listed.setdefault(name, "")
        for folder_id, entries in _changed(then.metadata, now.metadata):
            if not folder_id and self.asks("SERVERMETADATACHANGE"):
                news.metadata[""] = entries
            elif folder_id in now.folders:
                folder = now.folders[folder_id]
                if folder.may_read and self._wants(now, "MAILBOXMETADATACHANGE", folder):
                    news.metadata[folder.name] = entries
        return news

    # --- what the client itself did, which it need not be told (§5): then it knows that already

    def made(self, folder_id: int, folder: Known) -> None:
        self.world = replace(self.world, folders={**self.world.folders, folder_id: folder})

    def removed(self, folder_id: int) -> None:
        left = {pk: folder for pk, folder in self.world.folders.items() if pk != folder_id}
        self.world = replace(self.world, folders=left)

    def renamed(self, source: str, target: str) -> None:
        """The folder and all below it. INBOX stays, whatever came of its messages (RFC 9051 §6.3.6)."""
        if source == "INBOX":
            return
        folders = dict(self.world.folders)
        for pk, folder in folders.items():
            if _is_below(folder.name, source, is_deep=True):
                folders[pk] = replace(folder, name=target + folder.name[len(source) :])
        self.world = replace(self.world, folders=folders)

    def subscribed(self, name: str, *, is_so: bool) -> None:
        names = self.world.subscribed | {name} if is_so else self.world.subscribed - {name}
        self.world = replace(self.world, subscribed=names)

    def noted(self, folder_id: int, entries: Mapping[str, int | None]) -> None:
        """These entries of metadata stand for other values now, None for none."""
        kept = {**self.world.metadata.get(folder_id, {}), **entries}
        values = {entry: value for entry, value in kept.items() if value is not None}
        self.world = replace(self.world, metadata={**self.world.metadata, folder_id: values})

    def _wants(self, world: World, event: str, folder: Known) -> bool:
        return self.wants(event, world, folder.name, is_own=folder.is_own)

    def _names(self, news: News, now: World, then: Known | None, folder: Known) -> None:
        """What of a folder's name, and of the right to see it, is new (§5.4, §5.9)."""
        if then is None:
            if self._wants(now, "MAILBOXNAME", folder):
                news.listed[folder.name] = ""
        elif then.name != folder.name:
            if self._wants(now, "MAILBOXNAME", folder) or self._wants(now, "MAILBOXNAME", then):
                news.listed[folder.name] = then.name
        elif then.may_read != folder.may_read and self._wants(now, "MESSAGENEW", folder):
            if folder.may_read:
                news.listed[folder.name] = ""
            else:
                news.closed.append(folder.name)

    def _is_counted(self, now: World, then: Known | None, folder: Known) -> bool:
        if not folder.may_read or not self._wants(now, "MESSAGENEW", folder):
            return False
        if then is None or not then.may_read:
            return folder.messages > 0
        if (then.uidvalidity, then.uidnext, then.messages) != (
            folder.uidvalidity,
            folder.uidnext,
            folder.messages,
        ):
            return True
        return then.modseq != folder.modseq and self._wants(now, "FLAGCHANGE", folder)


def unknown(groups: Iterable[EventGroup]) -> bool:
    """Whether there are events of which nobody can be told."""
    return any(group.events - _NAMED for group in groups)


def _means(folders: Folders, world: World, name: str, *, is_own: bool) -> bool:
    match folders.kind:
        case "PERSONAL" | "INBOXES":  # rules may file a new mail anywhere, so any is an inbox (§6.3)
            return is_own
        case "SUBSCRIBED":
            return name in world.subscribed
        case "MAILBOXES":
            return name in folders.names
        case _:
            is_deep = folders.kind == "SUBTREE"
            return any(_is_below(name, top, is_deep=is_deep) for top in folders.names)


def _is_below(name: str, top: str, *, is_deep: bool) -> bool:
    """Whether a name is top, or stands below it."""
    below = name.removeprefix(f"{top}/")
    return name == top or (below != name and (is_deep or "/" not in below))


def _changed(
    then: Mapping[int, Mapping[str, int]], now: Mapping[int, Mapping[str, int]]
) -> Iterator[tuple[int, list[str]]]:
    """Folder ids, and which of their entries are new, other or gone."""
    for folder_id in sorted(then.keys() | now.keys()):
        old, new = then.get(folder_id, {}), now.get(folder_id, {})
        entries = sorted(entry for entry in old.keys() | new.keys() if old.get(entry) != new.get(entry))
        if entries:
            yield folder_id, entries
