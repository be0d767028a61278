"""One whole command to one frozen value (values.py), or BadSyntax with words a person can act on.

    parse(Received(b"A7 UID FETCH 1:* (FLAGS)")) -> Fetch(tag=b"A7", name="UID FETCH", numbers=..., items=...)

IMAP4rev1 (RFC 3501) whole, with IDLE, UIDPLUS, MOVE, SPECIAL-USE, NAMESPACE, ID, CHILDREN, SASL-IR, UNSELECT,
ENABLE and QUOTA. The error carries the tag, if one could be read; whether a command may be given now, the
session decides. An extension adds a row to COMMANDS, or to the table of what it extends: SELECT_PARAMETERS,
FETCH_MODIFIERS, STORE_MODIFIERS, SEARCH_RETURNS, STATUS_ITEMS, LIST_SELECTION, LIST_RETURNS,
fetch_items.PLAIN, search_keys.KEYS.

No command costs more than linear time or recurses. The ten commonest shapes cost one to five microseconds:
the ends of FETCH and STORE, which clients repeat word for word, are remembered.
Called by mailcore/imap/session.py.
"""

from __future__ import annotations

import re
from binascii import Error as Base64Error
from binascii import a2b_base64
from collections.abc import Callable
from functools import lru_cache
from typing import Final, TypeAlias

from mailcore import limits
from mailcore.errors import BadCharset, BadSyntax
from mailcore.imap.wire import (
    acl_arguments,
    append_arguments,
    fetch_items,
    mailbox_filters,
    metadata_arguments,
    modseqs,
    notify_arguments,
    partial,
    search_keys,
    seqset,
    sort_arguments,
)
from mailcore.imap.wire.grammar import Cursor
from mailcore.imap.wire.options import ModifierTable
from mailcore.imap.wire.options import read as _options
from mailcore.imap.wire.receiver import TAG, Received
from mailcore.imap.wire.values import (
    Authenticate,
    Command,
    Compress,
    Copy,
    Create,
    Enable,
    Fetch,
    FetchItem,
    Folders,
    GetQuota,
    Id,
    List,
    Login,
    Modifier,
    MultiSearch,
    OnFolder,
    Rename,
    Search,
    Select,
    SetQuota,
    Simple,
    Status,
    Store,
    UidExpunge,
)

# What extensions add to commands that are there already: name -> reader of its value, space included.
SELECT_PARAMETERS: Final[ModifierTable] = {"CONDSTORE": None, "QRESYNC": modseqs.resync}
FETCH_MODIFIERS: Final[ModifierTable] = {
    "CHANGEDSINCE": modseqs.modseq,
    "VANISHED": None,
    "PARTIAL": partial.partial,
}
STORE_MODIFIERS: Final[ModifierTable] = {"UNCHANGEDSINCE": modseqs.modseq}
SEARCH_RETURNS: Final[ModifierTable] = {
    **dict.fromkeys(("MIN", "MAX", "ALL", "COUNT", "SAVE")),  # RFC 4731, RFC 5182
    "PARTIAL": partial.partial,  # RFC 9394
}
LIST_SELECTION: Final[ModifierTable] = dict.fromkeys(
    ("SUBSCRIBED", "REMOTE", "RECURSIVEMATCH", "SPECIAL-USE")
)
LIST_RETURNS: Final[ModifierTable] = {
    "SUBSCRIBED": None,
    "CHILDREN": None,
    "SPECIAL-USE": None,
    "MYRIGHTS": None,  # RFC 8440
    "STATUS": lambda cursor: _status_option(cursor),  # RFC 5819
    "METADATA": metadata_arguments.list_option,  # RFC 9590
}
STATUS_ITEMS: Final = {
    *("MESSAGES", "RECENT", "UIDNEXT", "UIDVALIDITY", "UNSEEN"),
    *("SIZE", "APPENDLIMIT", "HIGHESTMODSEQ", "MAILBOXID"),  # RFC 8438, RFC 7889, RFC 7162, RFC 8474
    *("DELETED", "DELETED-STORAGE"),  # RFC 9051 §6.3.11, RFC 9208 §4.1.4
}

SPECIAL_USES: Final = {  # RFC 6154 §2; \Inbox-like inventions are not for us to make
    use.lower(): use for use in ("\\All", "\\Archive", "\\Drafts", "\\Flagged", "\\Junk", "\\Sent", "\\Trash")
}

_HEAD = re.compile(rb"(%b) ((?:UID )?[A-Z][A-Z0-9]*)(?= |$|\{)" % TAG, re.IGNORECASE).match
_TAGGED = re.compile(rb"(%b) " % TAG).match
_NUMBERED = re.compile(rb" ([0-9*:,]+) ([^{]{1,200})").fullmatch
_STORE_MODE = re.compile(rb"([+-]?)FLAGS(\.SILENT)?(?= )", re.IGNORECASE).match


def parse(received: Received, *, utf8: bool = False, charsets: bool = True) -> Command:
    """The command in received; utf8: names are in that, charsets: a SEARCH may name one. (Both by ENABLE.)

    Raises BadSyntax, BadCharset.
    """
    text = received.text
    head = _HEAD(text)
    if head is None:
        raise _no_command(text)
    tag, verb = head.groups()
    known = _VERBS.get(verb) or _VERBS.get(verb.upper())
    try:
        if known is None:
            raise BadSyntax(f"Unknown command {verb[:40].decode('ascii').upper()}")
        name, arguments = known
        if arguments is None:
            if head.end() != len(text):
                raise BadSyntax(f"{name} takes no arguments")
            return Simple(tag, name)
        return arguments(tag, name, Cursor(text, received.literals, head.end(), utf8=utf8, charsets=charsets))
    except (BadSyntax, BadCharset) as error:
        error.tag = tag
        raise


def _no_command(text: bytes) -> BadSyntax:
    found = _TAGGED(text)
    error = BadSyntax("Expected a command after the tag" if found else "Expected a tag and a command")
    error.tag = found[1] if found else None
    return error


def sasl_response(line: bytes) -> bytes | None:
    """The client's answer to a challenge, decoded; None when it gives up with "*". (RFC 3501 §6.2.2)"""
    if line == b"*":
        return None
    try:
        return a2b_base64(line, strict_mode=True)
    except Base64Error as error:
        raise BadSyntax("Expected base64, or '*' to cancel") from error


# --- Before and around a folder ------------------------------------------------------------------------


def _id(tag: bytes, name: str, cursor: Cursor) -> Id:
    cursor.space("NIL or names and values in parentheses")
    fields: tuple[tuple[str, str | None], ...] = ()
    if not cursor.sees(b"("):
        if cursor.nstring("NIL or names and values in parentheses") is not None:
            raise BadSyntax("ID takes NIL, or names and values in parentheses")
    elif not cursor.take(b"()"):
        fields = cursor.several(lambda: _id_field(cursor), "a name and a value")
    cursor.end()
    return Id(tag, name, fields)


def _id_field(cursor: Cursor) -> tuple[str, str | None]:
    name = cursor.string("a name in quotes")
    cursor.space("a value")
    value = cursor.nstring("a value in quotes, or NIL")
    return name.decode("utf-8", "replace").lower(), None if value is None else value.decode(
        "utf-8", "replace"
    )


def _enable(tag: bytes, name: str, cursor: Cursor) -> Enable:
    names: list[str] = []
    while not names or not cursor.at_end():
        cursor.space("a capability")
        names.append(cursor.word("a capability"))
        if len(names) > limits.IMAP_LIST_ITEMS:
            raise BadSyntax("Too many capabilities")
    return Enable(tag, name, tuple(dict.fromkeys(names)))


def _login(tag: bytes, name: str, cursor: Cursor) -> Login:
    cursor.secret = True
    cursor.space("a user name")
    user = cursor.astring("a user name")
    cursor.space("a password")
    password = cursor.astring("a password")
    cursor.end()
    return Login(tag, name, user, password)


def _authenticate(tag: bytes, name: str, cursor: Cursor) -> Authenticate:
    cursor.secret = True
    cursor.space("a mechanism")
    mechanism = cursor.word("a mechanism")
    if cursor.at_end():
        return Authenticate(tag, name, mechanism, None)
    cursor.space("an initial response")
    initial = cursor.text[cursor.pos :]
    if initial == b"=":
        return Authenticate(tag, name, mechanism, b"")
    if not initial or initial == b"*":
        raise BadSyntax("Expected an initial response in base64, or '=' for an empty one")
    return Authenticate(tag, name, mechanism, sasl_response(initial))


def _compress(tag: bytes, name: str, cursor: Cursor) -> Compress:
    cursor.space("an algorithm")
    algorithm = cursor.word("an algorithm")
    cursor.end()
    return Compress(tag, name, algorithm)


def _select(tag: bytes, name: str, cursor: Cursor) -> Select:
    cursor.space("a folder name")
    folder = cursor.folder()
    parameters = _modifiers(cursor, SELECT_PARAMETERS, name)
    cursor.end()
    return Select(tag, name, folder, parameters)


def _create(tag: bytes, name: str, cursor: Cursor) -> Create:
    cursor.space("a folder name")
    folder = cursor.folder()
    uses: tuple[str, ...] = ()
    if cursor.take(b" ("):
        if cursor.word("USE") != "USE":
            raise BadSyntax("CREATE takes one parameter, USE")
        cursor.space("special uses in parentheses")
        if not cursor.take(b"()"):
            uses = tuple(dict.fromkeys(cursor.several(lambda: _special_use(cursor), "a special use")))
        cursor.expect(b")", "')'")
    cursor.end()
    return Create(tag, name, folder, uses)


def _special_use(cursor: Cursor) -> str:
    cursor.expect(b"\\", "a special use like \\Sent")
    use = "\\" + cursor.atom("a special use like \\Sent")
    return SPECIAL_USES.get(use.lower(), use)  # what is none is refused as such, with USEATTR


def _on_folder(tag: bytes, name: str, cursor: Cursor) -> OnFolder:
    cursor.space("a folder name")
    folder = cursor.folder()
    cursor.end()
    return OnFolder(tag, name, folder)


def _rename(tag: bytes, name: str, cursor: Cursor) -> Rename:
    cursor.space("a folder name")
    source = cursor.folder()
    cursor.space("its new name")
    target = cursor.folder("its new name")
    cursor.end()
    return Rename(tag, name, source, target)


def _list(tag: bytes, name: str, cursor: Cursor) -> List:
    """RFC 3501 §6.3.8, and as much of RFC 5258 §6 as the tables have rows for."""
    selection: tuple[str, ...] = ()
    returns: tuple[Modifier, ...] = ()
    extended = False
    cursor.space("a reference name")
    if name == "LIST" and cursor.sees(b"("):
        extended = True
        if not cursor.take(b"()"):
            selection = tuple(
                option for option, _ in _options(cursor, LIST_SELECTION, "selection option", may_repeat=True)
            )
        if "RECURSIVEMATCH" in selection and {"SUBSCRIBED", "SPECIAL-USE"}.isdisjoint(selection):
            raise BadSyntax("RECURSIVEMATCH needs another selection option (RFC 5258 section 3)")
        cursor.space("a reference name")
    reference = cursor.folder("a reference name")
    cursor.space("a pattern")
    if name == "LIST" and cursor.sees(b"("):
        extended = True
        patterns = cursor.several(cursor.pattern, "patterns")
    else:
        patterns = (cursor.pattern(),)
    if name == "LIST" and cursor.take(b" "):
        extended = True
        if cursor.word("RETURN") != "RETURN":
            raise BadSyntax("After the pattern LIST takes RETURN and options in parentheses")
        cursor.space("return options in parentheses")
        if not cursor.take(b"()"):
            returns = _options(cursor, LIST_RETURNS, "return option", may_repeat=True)
    cursor.end()
    return List(tag, name, reference, patterns, selection, returns, extended)


def _status(tag: bytes, name: str, cursor: Cursor) -> Status:
    cursor.space("a folder name")
    folder = cursor.folder()
    cursor.space("status items in parentheses")
    return Status(tag, name, folder, _status_end(cursor.text[cursor.pos :]))


def _status_option(cursor: Cursor) -> tuple[str, ...]:
    cursor.space("status items in parentheses")
    return status_items(cursor)


@lru_cache(maxsize=64)
def _status_end(text: bytes) -> tuple[str, ...]:
    cursor = Cursor(text)
    items = status_items(cursor)
    cursor.end()
    return items


def status_items(cursor: Cursor) -> tuple[str, ...]:
    """Items in parentheses; LIST-STATUS (RFC 5819) reads the same."""
    items = dict.fromkeys(cursor.several(lambda: cursor.word("a status item"), "a status item"))
    for item in items:
        if item not in STATUS_ITEMS:
            raise BadSyntax(f"Unknown status item {item[:40]}")
    return tuple(items)


def _get_quota(tag: bytes, name: str, cursor: Cursor) -> GetQuota:
    cursor.space("a quota root")
    root = _quota_root(cursor)
    cursor.end()
    return GetQuota(tag, name, root)


def _set_quota(tag: bytes, name: str, cursor: Cursor) -> SetQuota:
    cursor.space("a quota root")
    root = _quota_root(cursor)
    cursor.space("limits in parentheses")
    resources: tuple[tuple[str, int], ...] = ()
    if not cursor.take(b"()"):
        resources = cursor.several(lambda: _resource(cursor), "a resource and its limit")
    cursor.end()
    return SetQuota(tag, name, root, resources)


def _quota_root(cursor: Cursor) -> str:
    try:
        return cursor.astring("a quota root").decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadSyntax("The quota root is not valid UTF-8") from error


def _resource(cursor: Cursor) -> tuple[str, int]:
    resource = cursor.word("a resource like STORAGE")
    cursor.space("its limit")
    return resource, cursor.number("its limit")


# --- In a folder ---------------------------------------------------------------------------------------


def _fetch(tag: bytes, name: str, cursor: Cursor) -> Fetch:
    short = _NUMBERED(cursor.text, cursor.pos)
    if short is not None:
        return Fetch(tag, name, seqset.parse(short[1]), *_short_fetch_end(short[2]))
    cursor.space("a sequence set")
    numbers = cursor.numbers()
    cursor.space("what to fetch")
    return Fetch(tag, name, numbers, *_fetch_end(cursor))


@lru_cache(maxsize=512)
def _short_fetch_end(text: bytes) -> tuple[tuple[FetchItem, ...], tuple[Modifier, ...]]:
    return _fetch_end(Cursor(text))


def _fetch_end(cursor: Cursor) -> tuple[tuple[FetchItem, ...], tuple[Modifier, ...]]:
    items = fetch_items.parse(cursor)
    modifiers = _modifiers(cursor, FETCH_MODIFIERS, "FETCH")
    cursor.end()
    return items, modifiers


def _store(tag: bytes, name: str, cursor: Cursor) -> Store:
    short = _NUMBERED(cursor.text, cursor.pos)
    if short is not None:
        return Store(tag, name, seqset.parse(short[1]), *_short_store_end(short[2]))
    cursor.space("a sequence set")
    numbers = cursor.numbers()
    cursor.space("FLAGS, +FLAGS or -FLAGS")
    return Store(tag, name, numbers, *_store_end(cursor))


@lru_cache(maxsize=512)
def _short_store_end(text: bytes) -> tuple[str, tuple[str, ...], bool, tuple[Modifier, ...]]:
    return _store_end(Cursor(text))


def _store_end(cursor: Cursor) -> tuple[str, tuple[str, ...], bool, tuple[Modifier, ...]]:
    modifiers: tuple[Modifier, ...] = ()
    if cursor.sees(b"("):
        modifiers = _options(cursor, STORE_MODIFIERS, "STORE modifier")
        cursor.space("FLAGS, +FLAGS or -FLAGS")
    mode = cursor.match(_STORE_MODE, "FLAGS, +FLAGS or -FLAGS, perhaps with .SILENT")
    cursor.space("flags")
    flags = cursor.flag_list() if cursor.sees(b"(") else cursor.flags()
    cursor.end()
    return mode[1].decode("ascii"), flags, mode[2] is not None, modifiers


def _copy(tag: bytes, name: str, cursor: Cursor) -> Copy:
    cursor.space("a sequence set")
    numbers = cursor.numbers()
    cursor.space("a folder name")
    folder = cursor.folder()
    cursor.end()
    return Copy(tag, name, numbers, folder)


def _uid_expunge(tag: bytes, name: str, cursor: Cursor) -> UidExpunge:
    cursor.space("a set of UIDs")
    numbers = cursor.numbers()
    cursor.end()
    return UidExpunge(tag, name, numbers)


def _search(tag: bytes, name: str, cursor: Cursor) -> Search:
    cursor.space("what to search for")
    returns = None
    if cursor.text[cursor.pos : cursor.pos + 8].upper() == b"RETURN (":
        cursor.pos += 7
        returns = () if cursor.take(b"()") else _options(cursor, SEARCH_RETURNS, "return option")
        if {"ALL", "PARTIAL"} <= dict(returns).keys():
            raise BadSyntax("ALL and PARTIAL are not asked together (RFC 9394 section 3.1)")
        cursor.space("what to search for")
    try:
        return Search(tag, name, search_keys.parse(cursor), returns)
    except BadCharset as error:
        error.forgets_saved = "SAVE" in dict(returns or ())
        raise


def _esearch(tag: bytes, name: str, cursor: Cursor) -> MultiSearch:
    """RFC 7377 §4; it defines no scope options."""
    sources: tuple[Folders, ...] = (Folders("SELECTED"),)
    if cursor.text[cursor.pos : cursor.pos + 5].upper() == b" IN (":
        cursor.pos += 4
        sources = mailbox_filters.several(cursor)
    found = _search(tag, name, cursor)
    return MultiSearch(tag, name, sources, found.key, found.returns)


# --- Options in parentheses (RFC 4466 §2) --------------------------------------------------------------


def _modifiers(cursor: Cursor, table: ModifierTable, what: str) -> tuple[Modifier, ...]:
    """What may stand at the end of a command: " (NAME value ...)"."""
    if not cursor.sees(b" ("):
        return ()
    cursor.pos += 1
    return _options(cursor, table, f"parameter of {what}")


Reader: TypeAlias = Callable[[bytes, str, Cursor], Command]

# name -> what reads its arguments; None: it has none.
COMMANDS: Final[dict[str, Reader | None]] = {
    **dict.fromkeys(("CAPABILITY", "NOOP", "LOGOUT", "STARTTLS", "IDLE", "NAMESPACE", "UNAUTHENTICATE")),
    **dict.fromkeys(("CHECK", "CLOSE", "UNSELECT", "EXPUNGE")),
    "ID": _id,
    "ENABLE": _enable,
    "LOGIN": _login,
    "AUTHENTICATE": _authenticate,
    "COMPRESS": _compress,
    "SELECT": _select,
    "EXAMINE": _select,
    "CREATE": _create,
    **dict.fromkeys(("DELETE", "SUBSCRIBE", "UNSUBSCRIBE", "GETQUOTAROOT"), _on_folder),
    "RENAME": _rename,
    "LIST": _list,
    "LSUB": _list,
    "STATUS": _status,
    "APPEND": append_arguments.append,
    **dict.fromkeys(("REPLACE", "UID REPLACE"), append_arguments.replace),
    "GETQUOTA": _get_quota,
    "SETQUOTA": _set_quota,
    **dict.fromkeys(("GETACL", "MYRIGHTS"), _on_folder),
    "SETACL": acl_arguments.set_,
    **dict.fromkeys(("DELETEACL", "LISTRIGHTS"), acl_arguments.on_identifier),
    "GETMETADATA": metadata_arguments.get,
    "SETMETADATA": metadata_arguments.set_,
    **dict.fromkeys(("FETCH", "UID FETCH"), _fetch),
    **dict.fromkeys(("STORE", "UID STORE"), _store),
    **dict.fromkeys(("COPY", "UID COPY", "MOVE", "UID MOVE"), _copy),
    "UID EXPUNGE": _uid_expunge,
    **dict.fromkeys(("SEARCH", "UID SEARCH"), _search),
    "ESEARCH": _esearch,
    "NOTIFY": notify_arguments.notify,
    **dict.fromkeys(("SORT", "UID SORT"), sort_arguments.sort),
    **dict.fromkeys(("THREAD", "UID THREAD"), sort_arguments.thread),
}
_VERBS: Final = {name.encode("ascii"): (name, arguments) for name, arguments in COMMANDS.items()}
