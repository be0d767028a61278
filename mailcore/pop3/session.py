"""One POP3 conversation without its socket: who is in, what they see, what they marked (RFC 1939 §3).

The commands (commands.py) are generators that read and change this, yield what the client shall hear, and
yield a request where only the server can help: Ask, Read, Work, Pause, StartTLS.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from enum import Flag, auto
from typing import Any, TypeAlias

from mailcore import limits
from mailcore.errors import BadSyntax, Busy, NoSuchMessage
from mailcore.outside.leases import Lease
from mailcore.services.doors import Login
from mailcore.services.maildrops import Maildrop
from mailcore.services.messages import Octets


class State(Flag):
    """RFC 1939 §3; UPDATE is what QUIT does."""

    AUTHORIZATION = auto()
    TRANSACTION = auto()


ANY = State.AUTHORIZATION | State.TRANSACTION

# --- What a handler may ask for ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Ask:
    """Say prompt and bring the client's next line; one that cannot be taken is raised as BadSyntax."""

    prompt: bytes


@dataclass(frozen=True, slots=True)
class Read:
    """Bring what function(*arguments) returns or raises: a short read of the database."""

    function: Callable[..., Any]
    arguments: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Work:
    """The same for what may take its time: in a thread."""

    function: Callable[..., Any]
    arguments: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Pause:
    """Go on after some seconds: how failed logins are slowed."""

    seconds: float


@dataclass(frozen=True, slots=True)
class StartTLS:
    """Say goodbye in the clear, throw away what the client sent early, and shake hands."""

    goodbye: bytes


Request: TypeAlias = Ask | Read | Work | Pause | StartTLS
Handler: TypeAlias = Generator[bytes | Request, Any, None]

# --- The session ---------------------------------------------------------------------------------------


@dataclass(slots=True)
class Budget:
    """Octets of large messages that the sessions of one process may hold at the same time."""

    left: int = limits.POP3_OCTETS_IN_HAND

    def take(self, octets: int) -> int:
        """Return what was taken: nothing for a small message. Raises Busy."""
        if octets <= limits.POP3_LARGE_OCTETS:
            return 0
        if octets > self.left:
            raise Busy
        self.left -= octets
        return octets


@dataclass(slots=True)
class Surroundings:
    """What the server tells a session about its connection."""

    peer: str
    is_tls: bool
    # Whether a login may be tried on this connection as it is (TLS, or loopback to loopback).
    may_login: bool
    can_starttls: bool
    budget: Budget
    # What the TLS channel can be bound by (RFC 5929 §4); empty without TLS.
    endpoint: bytes = b""


class Session:
    """The state of one conversation. Messages are numbered from 1 on the wire, by index from 0 here."""

    __slots__ = (
        "ahead", "deleted", "errors", "fetched", "is_over", "is_utf8", "last_index", "lease", "login",
        "maildrop", "name", "octets", "reach", "surroundings",
    )  # fmt: skip

    def __init__(self, surroundings: Surroundings) -> None:
        self.surroundings = surroundings
        self.name: bytes | None = None  # of USER, until PASS
        self.login: Login | None = None
        self.lease: Lease | None = None
        self.maildrop: Maildrop | None = None
        self.errors = 0
        self.is_over = False  # the server closes when the answers are out
        self.is_utf8 = False  # by UTF8 (RFC 6856)
        self.octets = 0  # of what is not deleted
        self.deleted: set[int] = set()
        self.fetched: set[int] = set()
        self.ahead: dict[int, Octets] = {}  # read ahead, by content
        self.last_index = -1
        self.reach = 1  # messages that the next read of octets takes

    @property
    def state(self) -> State:
        return State.AUTHORIZATION if self.maildrop is None else State.TRANSACTION

    def enter(self, login: Login, lease: Lease, maildrop: Maildrop) -> None:
        """The client is who it says, and has the mailbox to itself."""
        self.octets = sum(maildrop.sizes)
        self.login, self.lease, self.maildrop = login, lease, maildrop

    @property
    def drop(self) -> Maildrop:
        """The maildrop; only in the transaction state."""
        assert self.maildrop is not None
        return self.maildrop

    def index_of(self, number: int) -> int:
        """The index of a message that may still be asked for. Raises NoSuchMessage."""
        if not 1 <= number <= len(self.drop.uids):
            raise NoSuchMessage
        if number - 1 in self.deleted:
            raise NoSuchMessage("That message is deleted")
        return number - 1

    def left(self) -> Iterator[int]:
        """The indexes of what is not deleted."""
        everything = range(len(self.drop.uids))
        if not self.deleted:
            return iter(everything)
        return (index for index in everything if index not in self.deleted)

    def count(self) -> int:
        return len(self.drop.uids) - len(self.deleted)

    def delete(self, index: int) -> None:
        self.deleted.add(index)
        self.octets -= self.drop.sizes[index]

    def reset(self) -> None:
        self.deleted.clear()
        self.octets = sum(self.drop.sizes)

    def uids(self, indexes: set[int]) -> list[int]:
        return [self.drop.uids[index] for index in sorted(indexes)]

    def to_read(self, index: int) -> Sequence[int]:
        """This message and some that follow, the more the longer the client asks for one after the other."""
        self.reach = min(self.reach * 2, limits.POP3_AHEAD_MESSAGES) if index == self.last_index + 1 else 1
        sizes, wanted, octets = self.drop.sizes, [index], self.drop.sizes[index]
        for following in range(index + 1, min(index + self.reach, len(sizes))):
            octets += sizes[following]
            if octets > limits.POP3_AHEAD_OCTETS:
                break
            if following not in self.deleted:
                wanted.append(following)
        return wanted

    def note_error(self) -> None:
        """Count a refused command; too many end the session."""
        self.errors += 1
        most = limits.POP3_ERRORS if self.maildrop is None else limits.POP3_ERRORS_AFTER_LOGIN
        if self.errors >= most:
            self.is_over = True

    def take_name(self) -> bytes:
        """The name USER gave; each PASS needs its own. Raises BadSyntax."""
        name, self.name = self.name, None
        if name is None:
            raise BadSyntax("Say USER first")
        return name
