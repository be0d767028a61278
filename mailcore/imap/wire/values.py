"""What a client can ask, as frozen values: the parser makes them, the command handlers read them.

Every command has tag and name first. name is upper case and chooses the handler; commands that exist in two
numberings have two names ("FETCH", "UID FETCH") and tell them apart by `.uid`. Folder names are decoded text
with "/" as separator and INBOX written so; flags are text with system flags spelled as in RFC 3501 §2.3.2;
what is octets to a client (passwords, messages) stays bytes.

An extension that adds a modifier adds a row to a table in parser.py, and its name and value then appear in
`modifiers` or `parameters`; no shape changes.
"""

from __future__ import annotations

import datetime as dt
from typing import NamedTuple, TypeAlias

from mailcore.imap.wire.keys import Key
from mailcore.imap.wire.seqset import Ranges

Modifier: TypeAlias = tuple[str, object]  # name in upper case, value as its table row parsed it


class Simple(NamedTuple):
    """A command that is only its name.

    CAPABILITY NOOP LOGOUT STARTTLS CHECK CLOSE UNSELECT EXPUNGE IDLE NAMESPACE
    """

    tag: bytes
    name: str


class Id(NamedTuple):
    """ID, RFC 2971. Field names are lower case."""

    tag: bytes
    name: str
    fields: tuple[tuple[str, str | None], ...]


class Enable(NamedTuple):
    """ENABLE, RFC 5161. Upper case; unknown names are in it too, the handler leaves them alone."""

    tag: bytes
    name: str
    capabilities: tuple[str, ...]


class Login(NamedTuple):
    """LOGIN. What is in it must not reach a log: repr() hides the password."""

    tag: bytes
    name: str
    user: bytes
    password: bytes

    def __repr__(self) -> str:
        return f"Login(tag={self.tag!r}, user={self.user!r})"


class Authenticate(NamedTuple):
    """AUTHENTICATE; initial is SASL-IR's (RFC 4959), decoded: b"" for "=", None if there is none."""

    tag: bytes
    name: str
    mechanism: str
    initial: bytes | None

    def __repr__(self) -> str:
        return f"Authenticate(tag={self.tag!r}, mechanism={self.mechanism!r})"


class Compress(NamedTuple):
    """COMPRESS, RFC 4978. algorithm in upper case."""

    tag: bytes
    name: str
    algorithm: str


class Select(NamedTuple):
    """SELECT, EXAMINE; parameters by RFC 4466 §2.1."""

    tag: bytes
    name: str
    folder: str
    parameters: tuple[Modifier, ...] = ()


class Resync(NamedTuple):
    """What a client knows of a folder (RFC 7162 §3.2.5): SELECT's QRESYNC.

    known    the UIDs it wants to hear about, None for all
    matches  sequence numbers, and the UIDs that it knows for them, as many
    """

    uidvalidity: int
    modseq: int
    known: Ranges | None = None
    matches: tuple[Ranges, Ranges] | None = None


class Partial(NamedTuple):
    """PARTIAL (RFC 9394): the first-th to the last-th from one end of what is found; text as written."""

    text: bytes
    first: int
    last: int
    is_from_end: bool

    def within(self, count: int) -> tuple[int, int]:
        """The same of count things, as a slice (stop excluded), empty if there are not so many."""
        first, last = min(self.first - 1, count), min(self.last, count)
        return (count - last, count - first) if self.is_from_end else (first, last)


class Create(NamedTuple):
    """CREATE; special_uses by RFC 6154 §3, spelled as there. folder keeps a trailing "/" if there was one."""

    tag: bytes
    name: str
    folder: str
    special_uses: tuple[str, ...] = ()


class OnFolder(NamedTuple):
    """A command about one folder: DELETE SUBSCRIBE UNSUBSCRIBE GETQUOTAROOT."""

    tag: bytes
    name: str
    folder: str


class Rename(NamedTuple):
    tag: bytes
    name: str
    source: str
    target: str


class List(NamedTuple):
    """LIST and LSUB. selection and returns by RFC 5258, upper case; is_extended: it came in that grammar.

    selection  SUBSCRIBED REMOTE RECURSIVEMATCH SPECIAL-USE
    returns    SUBSCRIBED CHILDREN SPECIAL-USE, as (name, None); STATUS (RFC 5819) as (name, items)
    """

    tag: bytes
    name: str
    reference: str
    patterns: tuple[str, ...]
    selection: tuple[str, ...] = ()
    returns: tuple[Modifier, ...] = ()
    is_extended: bool = False


class Status(NamedTuple):
    """STATUS. Items in upper case, each known to the parser, each once."""

    tag: bytes
    name: str
    folder: str
    items: tuple[str, ...]


class Url(NamedTuple):
    """A URL as the client wrote it: printable ASCII."""

    text: bytes


class NewMessage(NamedTuple):
    """One message of an APPEND. internal_date is aware, with the client's offset; None means now.

    is_binary: it came as a literal8 and may have NUL in it (RFC 3516 §4.4). pieces: what raw is to be made
    of, if it is not there yet (RFC 4469).
    """

    flags: tuple[str, ...]
    internal_date: dt.datetime | None
    raw: bytes
    is_binary: bool = False
    pieces: tuple[bytes | Url, ...] = ()


class Append(NamedTuple):
    """APPEND; RFC 3502 lets several messages follow, and so does this."""

    tag: bytes
    name: str
    folder: str
    messages: tuple[NewMessage, ...]


class Replace(NamedTuple):
    """REPLACE, UID REPLACE (RFC 8508). numbers is one number."""

    tag: bytes
    name: str
    numbers: Ranges
    folder: str
    message: NewMessage

    @property
    def uid(self) -> bool:
        return self.name.startswith("UID ")


class Section(NamedTuple):
    """What of a message is meant (RFC 3501 §6.4.5).

    part    "" the message, else "1.2"
    text    "" | HEADER | HEADER.FIELDS | HEADER.FIELDS.NOT | MIME | TEXT
    fields  header field names as the client wrote them, for the two HEADER.FIELDS
    """

    part: str
    text: str
    fields: tuple[bytes, ...] = ()


class FetchItem(NamedTuple):
    """One thing to fetch.

    name     FLAGS UID MODSEQ ENVELOPE INTERNALDATE RFC822.SIZE BODYSTRUCTURE BODY (no section: the
             structure), or with a section: BODY[...] RFC822 RFC822.HEADER RFC822.TEXT
             BINARY[...] BINARY.SIZE[...] (RFC 3516)
    label    what the answer is called, ready for the wire: b"BODY[1.2]<0>"
    section  the octets that are meant, else None
    peek     does not set \\Seen
    partial  first octet and how many, None for all
    """

    name: str
    label: bytes
    section: Section | None = None
    peek: bool = True
    partial: tuple[int, int] | None = None


class Fetch(NamedTuple):
    """FETCH, UID FETCH; macros are expanded, no item twice. UID is in items only if asked for."""

    tag: bytes
    name: str
    numbers: Ranges
    items: tuple[FetchItem, ...]
    modifiers: tuple[Modifier, ...] = ()

    @property
    def uid(self) -> bool:
        return self.name.startswith("UID ")


class Store(NamedTuple):
    """STORE, UID STORE. mode is "+", "-" or "" (replace)."""

    tag: bytes
    name: str
    numbers: Ranges
    mode: str
    flags: tuple[str, ...]
    silent: bool
    modifiers: tuple[Modifier, ...] = ()

    @property
    def uid(self) -> bool:
        return self.name.startswith("UID ")


class Copy(NamedTuple):
    """COPY, MOVE, UID COPY, UID MOVE."""

    tag: bytes
    name: str
    numbers: Ranges
    folder: str

    @property
    def uid(self) -> bool:
        return self.name.startswith("UID ")


class UidExpunge(NamedTuple):
    """UID EXPUNGE, RFC 4315 §2.1."""

    tag: bytes
    name: str
    numbers: Ranges


class OnIdentifier(NamedTuple):
    """DELETEACL, LISTRIGHTS, RFC 4314."""

    tag: bytes
    name: str
    folder: str
    identifier: str


class SetAcl(NamedTuple):
    """SETACL, RFC 4314 §3.1; mode is "+", "-" or "", rights are letters."""

    tag: bytes
    name: str
    folder: str
    identifier: str
    mode: str
    rights: str


class GetQuota(NamedTuple):
    tag: bytes
    name: str
    root: str


class SetQuota(NamedTuple):
    """SETQUOTA, RFC 9208 §4.1.3. Resource names in upper case."""

    tag: bytes
    name: str
    root: str
    resources: tuple[tuple[str, int], ...]


class GetMetadata(NamedTuple):
    """GETMETADATA, RFC 5464 §4.2. folder "" is the server; depth None is infinity."""

    tag: bytes
    name: str
    folder: str
    entries: tuple[str, ...]
    max_size: int | None = None
    depth: int | None = 0


class SetMetadata(NamedTuple):
    """SETMETADATA, RFC 5464 §4.3. A value None removes the entry."""

    tag: bytes
    name: str
    folder: str
    entries: tuple[tuple[str, bytes | None], ...]


# --- SEARCH ---------------------------------------------------------------------------------------------


class Sort(NamedTuple):
    """SORT, UID SORT (RFC 5256). criteria are names in upper case, each with whether it is reversed.

    returns  None for the old answer, else what RETURN (...) named (RFC 5267 §3)
    """

    tag: bytes
    name: str
    criteria: tuple[tuple[str, bool], ...]
    key: Key
    returns: tuple[Modifier, ...] | None = None

    @property
    def uid(self) -> bool:
        return self.name.startswith("UID ")


class Thread(NamedTuple):
    """THREAD, UID THREAD (RFC 5256). algorithm in upper case, known to the parser."""

    tag: bytes
    name: str
    algorithm: str
    key: Key

    @property
    def uid(self) -> bool:
        return self.name.startswith("UID ")


class Search(NamedTuple):
    """SEARCH, UID SEARCH. The needles are decoded already, whatever charset they came in.

    returns  None for the old answer, else what RETURN (...) named (RFC 4466 §2.6.1)
    """

    tag: bytes
    name: str
    key: Key
    returns: tuple[Modifier, ...] | None = None

    @property
    def uid(self) -> bool:
        return self.name.startswith("UID ")


class Folders(NamedTuple):
    """Which folders are meant (RFC 5465 §6, RFC 7377 §2.2). names: of SUBTREE, SUBTREE-ONE and MAILBOXES."""

    kind: str
    names: tuple[str, ...] = ()


class EventGroup(NamedTuple):
    """Events in some folders that a client wants to hear of (RFC 5465 §8).

    events   names in upper case, none for NONE
    folders  kind may be SELECTED-DELAYED, too
    fetched  of each new message of the selected folder
    """

    folders: Folders
    events: frozenset[str]
    fetched: tuple[FetchItem, ...] = ()


class Notify(NamedTuple):
    """NOTIFY (RFC 5465 §3.1). Without groups it is NOTIFY NONE."""

    tag: bytes
    name: str
    wants_status: bool = False
    groups: tuple[EventGroup, ...] = ()


class MultiSearch(NamedTuple):
    """ESEARCH (RFC 7377). returns as in Search."""

    tag: bytes
    name: str
    sources: tuple[Folders, ...]
    key: Key
    returns: tuple[Modifier, ...] | None = None


Command: TypeAlias = (
    Simple
    | Id
    | Enable
    | Login
    | Authenticate
    | Compress
    | Select
    | Create
    | OnFolder
    | Rename
    | List
    | Status
    | Append
    | Replace
    | Fetch
    | Store
    | Copy
    | UidExpunge
    | Search
    | MultiSearch
    | Notify
    | Sort
    | Thread
    | OnIdentifier
    | SetAcl
    | GetQuota
    | SetQuota
    | GetMetadata
    | SetMetadata
)
