"""One IMAP conversation without its socket: state, dispatch, errors to words, and news to the client.

A handler is a generator. It yields what the client shall hear (bytes; none lets others run) and now and
then a request for something only the server can do (Ask, Wait, StartTLS, Compress, File, Work, Pause);
what the request brings is sent back in, what goes wrong with it is raised there. It returns Done: the words
of the tagged OK. No handler holds a transaction or a cursor over a yield.
"""

from __future__ import annotations

import logging
from bisect import bisect_right
from collections.abc import Callable, Generator, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Flag, auto
from time import monotonic
from typing import Any, TypeAlias

from mailcore import limits
from mailcore.errors import (
    BadCharset,
    BadSyntax,
    FolderGone,
    FolderLost,
    MailError,
    ReadersOnly,
    Unexpected,
    UnknownCTE,
)
from mailcore.imap import progress
from mailcore.imap.requests import RANG as RANG
from mailcore.imap.requests import Ask as Ask
from mailcore.imap.requests import Compress as Compress
from mailcore.imap.requests import File as File
from mailcore.imap.requests import Pause as Pause
from mailcore.imap.requests import Request as Request
from mailcore.imap.requests import StartTLS as StartTLS
from mailcore.imap.requests import Wait as Wait
from mailcore.imap.requests import Work as Work
from mailcore.imap.view import View
from mailcore.imap.watch import Watch
from mailcore.imap.wire import responses, withheld
from mailcore.imap.wire.values import Command
from mailcore.message import flags as system_flags
from mailcore.models import EVERY_RIGHT, Right
from mailcore.services import messages, rights, sharing
from mailcore.services.doors import Login
from mailcore.snapshot import Snapshots

log = logging.getLogger(__name__)


class State(Flag):
    """RFC 9051 §3; a command names the states it may be given in."""

    NOT_AUTHENTICATED = auto()
    AUTHENTICATED = auto()
    SELECTED = auto()
    LOGOUT = auto()


ANY = State.NOT_AUTHENTICATED | State.AUTHENTICATED | State.SELECTED
LOGGED_IN = State.AUTHENTICATED | State.SELECTED


@dataclass(frozen=True, slots=True)
class Done:
    """The tagged answer: words, and a response code without brackets. A refusal raises instead."""

    words: str
    code: bytes = b""


SAID = Done("")  # the handler has given the tagged answer itself
Output: TypeAlias = bytes | Request
Handler: TypeAlias = Generator[Output, Any, Done]


@dataclass(frozen=True, slots=True)
class Spec:
    """What the registry knows of a command (mailcore/imap/commands/__init__.py)."""

    name: str
    states: State
    rfc: str
    handler: Callable[[Session, Any], Handler]
    # Its answers use sequence numbers: nothing may be expunged before it ends (RFC 9051 §7.5.1).
    uses_seqs: bool = False
    # Its arguments are sequence numbers, and its answers have none.
    takes_seqs: bool = False
    # The same for a UID command that means messages by sequence number (RFC 7162 §3.2.10.2).
    names_seqs: Callable[[Any], bool] = field(default=lambda command: False)
    # Whether this very command is answered from memory, on the event loop; a service is called in a thread.
    on_loop: Callable[[Session, Any], bool] = field(default=lambda session, command: False)
    # Whether news are told before the tagged answer.
    polls: bool = True
    # It may take long, and gives way between whole lines only: who waits hears that it is at work.
    tells_progress: bool = False
    # It changes the mailbox: not for people who may only read it.
    writes: bool = False

    def is_by_number(self, command: Command) -> bool:
        """Whether sequence numbers are said or heard here (RFC 9586 §3)."""
        return self.uses_seqs or self.takes_seqs or self.names_seqs(command)


@dataclass(slots=True)
class Surroundings:
    """What the server tells a session about its connection and itself."""

    peer: str
    is_tls: bool
    # Whether a login may be tried on this connection as it is (TLS, or loopback to loopback).
    may_login: bool
    can_starttls: bool
    max_message: int
    # Raises Busy when a mailbox has too many sessions.
    admit: Callable[[Login], None] = lambda login: None
    # What the TLS channel can be bound by (RFC 5929 §4); empty without TLS.
    endpoint: bytes = b""


class Session:
    """The state of one conversation."""

    __slots__ = (
        "enabled",
        "failures",
        "folder_name",
        "has_others",
        "is_abroad",
        "is_compressed",
        "knows_modseqs",
        "login",
        "on_loop",
        "others_asked_at",
        "rights",
        "snapshots",
        "state",
        "surroundings",
        "view",
        "watch",
        "withheld",
        "withheld_from_client",
    )

    def __init__(self, surroundings: Surroundings, snapshots: Snapshots) -> None:
        self.surroundings = surroundings
        self.snapshots = snapshots
        self.failures = 0
        self.is_compressed = False
        # Set by the server for each step: on its event loop, or in a database thread.
        self.on_loop = False
        # What its program is not offered (RFC 2971), whoever uses it.
        self.withheld_from_client: frozenset[str] = frozenset()
        self._be_nobody()

    def _be_nobody(self) -> None:
        """All that a login brings or a client enables, as it is before either."""
        self.state = State.NOT_AUTHENTICATED
        self.login: Login | None = None
        self.view: View | None = None
        self.folder_name = ""
        # What may be done in the selected folder (RFC 4314), and whether it is one of another mailbox.
        self.rights = EVERY_RIGHT
        self.is_abroad = False
        # Whether others share folders with this mailbox, as far as was known when it was last asked.
        self.has_others = False
        self.others_asked_at = 0.0
        self.enabled: frozenset[str] = frozenset()
        # Capabilities that are neither offered nor taken here (wire/withheld.py).
        self.withheld = self.withheld_from_client
        # What it wants to hear of without asking (RFC 5465); None: what everybody hears of.
        self.watch: Watch | None = None
        # The client has given a "CONDSTORE enabling command" (RFC 7162 §3.1).
        self.knows_modseqs = False

    @property
    def mailbox_id(self) -> int:
        assert self.login is not None
        return self.login.mailbox_id

    @property
    def user_id(self) -> int:
        assert self.login is not None
        return self.login.user_id

    @property
    def tenant_id(self) -> int:
        assert self.login is not None
        return self.login.tenant_id

    @property
    def may_write(self) -> bool:
        return self.login is not None and self.login.may_write

    @property
    def who(self) -> sharing.Who:
        assert self.login is not None
        return sharing.Who.came(self.login)

    def find(self, name: str, needs: Right) -> sharing.Open:
        """The folder of that name, one's own or another's. Raises NoSuchFolder, BadFolderName, Forbidden."""
        found = sharing.find(self.who, name)
        found.need(needs)
        return found

    def others(self, *, anew: bool = False) -> list[sharing.Open]:
        """The folders of others that this client may look up. Who has none is not asked about every time, but
        anew."""
        now = monotonic()
        if not anew and not self.has_others and self.others_asked_at > now - limits.OTHERS_SECONDS:
            return []
        found = sharing.reachable(self.who)
        self.has_others, self.others_asked_at = bool(found), now
        return found

    @property
    def topics(self) -> list[str]:
        """What the doorbell rings for this client: its mailbox, and those whose folders it sees."""
        mailboxes = set(self.watch.world.mailbox_ids) if self.watch is not None else set()
        if self.is_abroad:
            mailboxes.add(self.selected.snapshot.mailbox_id)
        mailboxes.discard(self.mailbox_id)
        return [f"mailbox:{pk}" for pk in (self.mailbox_id, *sorted(mailboxes))]

    @property
    def selected(self) -> View:
        """The view of the selected folder; only for commands of the selected state."""
        assert self.view is not None
        return self.view

    @property
    def has_qresync(self) -> bool:
        return "QRESYNC" in self.enabled

    @property
    def is_uid_only(self) -> bool:
        """Whether the client neither says sequence numbers nor hears any (RFC 9586)."""
        return "UIDONLY" in self.enabled

    @property
    def is_utf8(self) -> bool:
        """Whether folder names and other text go out in UTF-8 (RFC 9755 §3, RFC 9051 §5.1)."""
        return self.is_rev2 or "UTF8=ACCEPT" in self.enabled

    @property
    def is_rev2(self) -> bool:
        """Whether the client is spoken to as IMAP4rev2 has it, not IMAP4rev1 (RFC 9051 §6.3.1)."""
        return "IMAP4REV2" in self.enabled

    @property
    def names_charsets(self) -> bool:
        """Whether a SEARCH may say which charset it is in (RFC 9755 §3)."""
        return "UTF8=ACCEPT" not in self.enabled

    def capabilities(self) -> list[str]:
        """What is honoured here and now, as CAPABILITY says it."""
        from mailcore.imap import commands

        return commands.capabilities(self)

    def enter(self, login: Login) -> None:
        """The client is who it says. Raises Busy."""
        self.surroundings.admit(login)
        self.login = login
        self.state = State.AUTHENTICATED

    def withhold(self, words: frozenset[str], *, is_client: bool = False) -> None:
        """Offer and take these capabilities no more; is_client: from its program, whoever logs in."""
        found = withheld.whole(words)
        self.withheld |= found
        if is_client:
            self.withheld_from_client |= found

    def select(self, view: View, name: str, rights: Right = EVERY_RIGHT, *, is_abroad: bool = False) -> None:
        self.view, self.folder_name = view, name
        self.rights, self.is_abroad = rights, is_abroad
        self.state = State.SELECTED

    def tell_modseqs(self) -> list[bytes]:
        """The client knows modseqs: from here on all news have them. What it is told first."""
        if self.knows_modseqs:
            return []
        self.knows_modseqs = True
        return [self.view.tell_modseqs()] if self.view is not None else []

    def unselect(self) -> None:
        """Leave the selected folder, if there is one. May call a service."""
        if self.view is not None and self.view.is_claiming:
            claim_recent(self.view)
        self.leave()

    def leave(self) -> None:
        """The same for a folder that is gone: nothing is left to be claimed in it."""
        self.view, self.folder_name = None, ""
        self.rights, self.is_abroad = EVERY_RIGHT, False
        if self.state is State.SELECTED:
            self.state = State.AUTHENTICATED

    def unauthenticate(self) -> None:
        """Be nobody again on the same connection (RFC 8437 §3, §4.1). May call a service."""
        self.unselect()
        self._be_nobody()

    # --- running ------------------------------------------------------------------------------------

    def run(self, spec: Spec, command: Command) -> Generator[Output, Any, None]:
        """Run one command to its tagged answer. Nothing but GeneratorExit ever leaves it."""
        tag = command.tag
        if refusal := self._refusal(spec, command):
            self.failures += 1
            yield refusal
            return
        tells_news = spec.polls
        answer = b""
        try:
            if spec.writes and not self.may_write:
                raise ReadersOnly
            if spec.polls:
                yield from self._look_at_rights()
            handler = spec.handler(self, command)
            done = yield from progress.told(handler, tag) if spec.tells_progress else handler
            if done is not SAID:
                answer = responses.ok(done.words, tag=tag, code=done.code)
        except (BadSyntax, BadCharset) as error:
            answer, tells_news = self.refuse_syntax(error, tag), False
        except MailError as error:
            answer = responses.no(error.public, tag=tag, code=(error.imap or "").encode())
        except Exception:
            log.exception("IMAP %s failed", spec.name)
            answer, tells_news = responses.no(Unexpected.text, tag=tag, code=b"SERVERBUG"), False
        if tells_news and self.view is not None:
            try:
                holds_back = spec.uses_seqs or spec.names_seqs(command)
                yield from self.poll(may_expunge=not holds_back, is_own=spec.writes)
            except FolderGone as error:
                # Somebody deleted it: there is nothing left to be told about it (RFC 2180 §3.3). Or it is no
                # longer for this client to read.
                answer += responses.bye(error.public)
                self.leave()
                self.state = State.LOGOUT
            except Exception:
                # What has been done is done, and told; the news come with the next command.
                log.exception("IMAP %s had no news", spec.name)
        yield answer

    def refuse_syntax(self, error: BadSyntax | BadCharset, tag: bytes | None) -> bytes:
        """BAD for what is no command; NO for a charset we cannot read (RFC 3501 §6.4.4)."""
        if isinstance(error, BadCharset):
            if error.forgets_saved and self.view is not None:
                self.view.keep_found(())
            return responses.no(error.public, tag=tag or b"*", code=(error.imap or "").encode())
        self.failures += 1
        return responses.bad(error.public, tag=tag)

    def _refusal(self, spec: Spec, command: Command) -> bytes:
        """BAD for what may not be said now, or not here."""
        if not self.state & spec.states:
            return responses.bad(self._why_not(spec), tag=command.tag)
        if self.withheld and withheld.refuses(self.withheld, command):
            return responses.bad("That is not offered here", tag=command.tag)
        if self.is_uid_only and spec.is_by_number(command):
            words = "Messages are known by their UIDs here"
            return responses.bad(words, tag=command.tag, code=b"UIDREQUIRED")
        return b""

    def _why_not(self, spec: Spec) -> str:
        if self.state is State.NOT_AUTHENTICATED:
            return "Please log in first"
        if State.SELECTED in spec.states:
            return "Please select a folder first"
        return "You are logged in already"

    def poll(self, *, may_expunge: bool = True, is_own: bool = False) -> Generator[Output, Any, None]:
        """Tell what changed in the selected folder, of that what the client wants to hear. Raises FolderGone.

        is_own: it has changed something itself, and must hear of that; then it hears of all.
        """
        view, watch = self.view, self.watch
        if view is None:
            return
        yield from self._look_at_rights()
        if watch is not None and watch.selected is None and not is_own:
            return
        folder_id = view.snapshot.folder_id
        if self.on_loop:
            snapshot = self.snapshots.current_on_loop(folder_id)
            if snapshot is None:
                snapshot = yield Work(self.snapshots.current, (folder_id,))
        else:
            snapshot = self.snapshots.current(folder_id)
        with_flags = watch is None or is_own or watch.tells_flags
        last = view.shown[-1] if view.shown else 0
        yield from view.update(snapshot, may_expunge=may_expunge, with_flags=with_flags)
        if watch is not None and watch.fetched:
            yield from self._fetch_new(watch, last)

    def _fetch_new(self, watch: Watch, last: int) -> Generator[Output, Any, None]:
        """Tell what the client wants to know of messages above uid last (RFC 5465 §5.2)."""
        from mailcore.imap.commands import fetch

        shown = self.selected.shown
        start = bisect_right(shown, last)
        if len(shown) - start > limits.NOTIFY_NEWS:
            yield self.overflow()
            return
        slices = [(at, at + 1) for at in range(start, len(shown)) if shown[at] not in watch.own]
        watch.own.clear()
        if slices:
            with suppress(UnknownCTE):  # nobody asked for this message in particular
                yield from fetch.told(self, watch.fetched, slices)

    def put(self, folder_id: int, uids: Iterable[int]) -> None:
        """The client itself has put these messages into a folder."""
        is_here = self.view is not None and self.view.snapshot.folder_id == folder_id
        if is_here and self.watch is not None and self.watch.fetched:
            self.watch.own.update(uids)

    def overflow(self) -> bytes:
        """There is too much to tell: from here on nothing is (RFC 5465 §5.8)."""
        self.watch = Watch()
        return responses.ok("Too much has changed, please look yourself", code=b"NOTIFICATIONOVERFLOW")

    def runs_on_loop(self, spec: Spec, command: Command) -> bool:
        """Whether a command may run on the event loop. Rights on folders of others need the database."""
        if not self.state & spec.states:
            return True
        return self.may_poll_on_loop and spec.on_loop(self, command)

    @property
    def may_poll_on_loop(self) -> bool:
        """Whether poll needs a database thread at most for Work."""
        return not self.is_abroad and (self.watch is None or self.watch.is_light)

    def _look_at_rights(self) -> list[bytes]:
        """Read anew what may be done in another's selected folder. What to tell. Raises FolderLost."""
        if not self.is_abroad:
            return []
        rights = self.rights_now()
        if not rights & Right.READ:
            raise FolderLost
        if rights == self.rights:
            return []
        self.rights = rights
        return [self.flags_kept()]

    def rights_now(self) -> Right:
        """What may be done in the selected folder, not as it was but as it is."""
        return sharing.held(self.who, self.selected.snapshot.folder_id) if self.is_abroad else self.rights

    def flags_kept(self) -> bytes:
        """Which flags of the selected folder this client may change (RFC 4314 §5.1.1)."""
        view = self.selected
        if view.is_read_only:
            return responses.ok("Read-only", code=responses.permanentflags([], keywords=False))
        names = system_flags.names(self.changeable_flags)
        may_name = bool(self.rights & Right.WRITE)
        if may_name:
            names += view.snapshot.names
        may_grow = may_name and len(view.snapshot.names) < limits.KEYWORDS
        return responses.ok("Flags kept", code=responses.permanentflags(names, keywords=may_grow))

    @property
    def changeable_flags(self) -> int:
        """The system flags that this client may change in the selected folder."""
        return rights.flags_of(self.rights)


def claim_recent(view: View) -> None:
    """No other session need call recent what this one was told about (RFC 3501 §2.3.2)."""
    try:
        messages.claim_recent(view.snapshot.folder_id, view.snapshot.uidnext)
    except FolderGone:
        log.debug("a folder went while it was selected")
    view.claimed = view.snapshot.uidnext
