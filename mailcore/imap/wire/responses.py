"""Values to the bytes that clients read (RFC 3501 §7, §9). What a function returns is ready for the socket.

What the parser reads, this writes: quoted, literal, astring, folder names, flags, dates. Nothing here depends
on a locale. The session and the command handlers call it; ENVELOPE and BODYSTRUCTURE come from the index.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from functools import lru_cache
from typing import Final, TypeAlias

from mailcore.imap.wire import seqset, utf7
from mailcore.imap.wire.seqset import Ranges

MONTHS: Final = (
    b"Jan",
    b"Feb",
    b"Mar",
    b"Apr",
    b"May",
    b"Jun",
    b"Jul",
    b"Aug",
    b"Sep",
    b"Oct",
    b"Nov",
    b"Dec",
)

_ATOM = re.compile(rb"[!#$&'+,\-./0-9:;<=>?@A-Z\[\]^_`a-z|}~]+").fullmatch
_QUOTABLE = re.compile(rb"[ !#-\[\]-~]*").fullmatch  # no ", no \, no CTL, nothing above 127
_NEEDS_LITERAL = re.compile(rb"[^\x01-\x09\x0b\x0c\x0e-\x7f]").search
_SPECIALS = re.compile(rb'(["\\])')
_UNSAFE = re.compile(r"[^ -~]+")

# --- Strings -------------------------------------------------------------------------------------------


def literal(octets: bytes) -> bytes:
    return b"{%d}\r\n%b" % (len(octets), octets)


def string(octets: bytes) -> bytes:
    """quoted if it can be, else a literal."""
    if _QUOTABLE(octets) and len(octets) <= 1000:
        return b'"%b"' % octets
    if _NEEDS_LITERAL(octets) or len(octets) > 1000:
        return literal(octets)
    return b'"%b"' % _SPECIALS.sub(rb"\\\1", octets)


def nstring(octets: bytes | None) -> bytes:
    return b"NIL" if octets is None else string(octets)


def astring(octets: bytes) -> bytes:
    """The shortest spelling: an atom if it can be. NIL is quoted, for readers that expect an nstring."""
    return octets if _ATOM(octets) and octets.upper() != b"NIL" else string(octets)


def folder(name: str, *, utf8: bool = False) -> bytes:
    """A folder name; utf8 when the client enabled UTF8=ACCEPT (RFC 6855 §3)."""
    if not utf8:
        return _folder(name)
    octets = name.encode("utf-8", "replace")
    return b'"%b"' % _SPECIALS.sub(rb"\\\1", octets) if name.isprintable() else literal(octets)


@lru_cache(maxsize=1024)
def _folder(name: str) -> bytes:
    # Always quoted: some clients take an unquoted name with "[" or "&" for something else.
    return string(utf7.encode(name))


def text(words: str) -> bytes:
    """resp-text: one line of printable ASCII, whatever words has in it; never empty."""
    return _UNSAFE.sub("?", " ".join(words.split())).encode("ascii")[:1000] or b"."


# --- Status responses (§7.1) ---------------------------------------------------------------------------


def _status(tag: bytes, status: bytes, words: str, code: bytes) -> bytes:
    if code:
        return b"%b %b [%b] %b\r\n" % (tag, status, code, text(words))
    return b"%b %b %b\r\n" % (tag, status, text(words))


def ok(words: str, *, tag: bytes = b"*", code: bytes = b"") -> bytes:
    """OK, tagged or not; code is a response code without its brackets."""
    return _status(tag, b"OK", words, code)


def no(words: str, *, tag: bytes = b"*", code: bytes = b"") -> bytes:
    return _status(tag, b"NO", words, code)


def bad(words: str, *, tag: bytes | None = None, code: bytes = b"") -> bytes:
    """BAD; without a tag that could be read it is untagged."""
    return _status(tag or b"*", b"BAD", words, code)


def bye(words: str, *, code: bytes = b"") -> bytes:
    return _status(b"*", b"BYE", words, code)


def continue_(words: str = "OK") -> bytes:
    return b"+ %b\r\n" % text(words)


def challenge(octets: bytes) -> bytes:
    """A SASL challenge: base64 after "+ ", with the space even if it is empty (RFC 3501 §6.2.2)."""
    return b"+ %b\r\n" % b64encode(octets)


# --- Response codes (§7.1, RFC 4315, RFC 5530) -----------------------------------------------------------


def appenduid(uidvalidity: int, uids: Ranges) -> bytes:
    return b"APPENDUID %d %b" % (uidvalidity, seqset.encode(uids))


def copyuid(uidvalidity: int, source: Iterable[int], target: Iterable[int]) -> bytes:
    """UIDs in the order of copying: source[i] became target[i] (RFC 4315 §3). Both rising."""
    return b"COPYUID %d %b %b" % (uidvalidity, seqset.compact(source), seqset.compact(target))


def highest_modseq(modseq: int) -> bytes:
    """An untagged OK with HIGHESTMODSEQ (RFC 7162 §3.1.2.1)."""
    return ok("Highest", code=b"HIGHESTMODSEQ %d" % modseq)


def modified(numbers: Iterable[int]) -> bytes:
    """Which messages a STORE left alone, rising (RFC 7162 §3.1.3)."""
    return b"MODIFIED %b" % seqset.compact(numbers)


def mailbox_id(object_id: str) -> bytes:
    """RFC 8474 §4."""
    return b"MAILBOXID (%b)" % object_id.encode("ascii")


def permanentflags(flags: Iterable[str], *, keywords: bool) -> bytes:
    """keywords: new ones can be made."""
    return b"PERMANENTFLAGS " + flag_list((*flags, "\\*") if keywords else flags)


def in_progress(tag: bytes) -> bytes:
    """An untagged OK that says that a command is still at work (RFC 9585 §4)."""
    named = b"NIL" if b"]" in tag else b'"%b"' % tag
    return ok("Still at it", code=b"INPROGRESS (%b NIL NIL)" % named)


def capability_code(names: Iterable[str]) -> bytes:
    return b"CAPABILITY " + " ".join(names).encode("ascii")


# --- Data (§7.2 to §7.4) ---------------------------------------------------------------------------------


def capability(names: Iterable[str]) -> bytes:
    return b"* %b\r\n" % capability_code(names)


def enabled(names: Iterable[str]) -> bytes:
    """ENABLED, RFC 5161 §3.2; empty when nothing new was."""
    return ("* ENABLED" + "".join(f" {name}" for name in names)).encode("ascii") + b"\r\n"


def flag_list(flags: Iterable[str]) -> bytes:
    return f"({' '.join(flags)})".encode("ascii")


def flags(names: Iterable[str]) -> bytes:
    return b"* FLAGS %b\r\n" % flag_list(names)


def exists(count: int) -> bytes:
    return b"* %d EXISTS\r\n" % count


def recent(count: int) -> bytes:
    return b"* %d RECENT\r\n" % count


def expunge(seq: int) -> bytes:
    return b"* %d EXPUNGE\r\n" % seq


def vanished(uids: Ranges, *, earlier: bool = False) -> bytes:
    """VANISHED, RFC 7162 §3.2.10; at least one uid. Not earlier: the client counts its messages anew."""
    return b"* VANISHED %b%b\r\n" % (b"(EARLIER) " if earlier else b"", seqset.encode(uids))


def list_line(
    name: str,
    attributes: Iterable[str] = (),
    *,
    verb: bytes = b"LIST",
    utf8: bool = False,
    delimiter: bytes = b'"/"',
    extended: bytes = b"",
) -> bytes:
    """A LIST or LSUB line; attributes with their backslash.

    extended: the extended data items, ready to stand in their parentheses (RFC 5258 §6).
    """
    more = b" (%b)" % extended if extended else b""
    return b"* %b %b %b %b%b\r\n" % (verb, flag_list(attributes), delimiter, folder(name, utf8=utf8), more)


def childinfo(options: Iterable[str]) -> bytes:
    """The extended data item that says which options descendants fulfil (RFC 5258 §3.5)."""
    quoted = " ".join(f'"{option}"' for option in options)
    return f'"CHILDINFO" ({quoted})'.encode("ascii")


def old_name(supplied: str, *, utf8: bool) -> bytes:
    """The extended data item with what a client called a folder (RFC 9051 §6.3.9.7)."""
    return b'"OLDNAME" (%b)' % folder(supplied, utf8=utf8)


def status(name: str, items: Iterable[tuple[str, int | str]], *, utf8: bool = False) -> bytes:
    pairs = " ".join(f"{item} {value}" for item, value in items)
    return b"* STATUS %b (%b)\r\n" % (folder(name, utf8=utf8), pairs.encode("ascii"))


def search(numbers: Iterable[int], modseq: int = 0) -> bytes:
    """modseq stands behind the numbers when it was asked about, and there are any (RFC 7162 §3.1.6)."""
    return b"* SEARCH" + _numbers(numbers, modseq)


def sort(numbers: Iterable[int], modseq: int = 0) -> bytes:
    """SORT, RFC 5256 §4, in the order asked for; modseq as in search (RFC 7162 §3.1.9)."""
    return b"* SORT" + _numbers(numbers, modseq)


def thread(roots: Sequence[int], children: Mapping[int, Sequence[int]], numbers: Sequence[int]) -> bytes:
    """THREAD, RFC 5256 §4. A node has its number in numbers; beyond their end it stands for nobody."""
    out: list[bytes] = []
    stack: list[int | bytes] = list(reversed(roots))
    while stack:
        node = stack.pop()
        if isinstance(node, bytes):
            out.append(node)
            continue
        chain: list[bytes] = []
        while True:
            if node < len(numbers):
                chain.append(b"%d" % numbers[node])
            below = children.get(node, ())
            if len(below) != 1:
                break
            node = below[0]
        out += [b"(", b" ".join(chain)]
        if below and chain:
            out.append(b" ")
        stack.append(b")")
        stack.extend(reversed(below))
    return b"* THREAD%b%b\r\n" % (b" " if out else b"", b"".join(out))


def _numbers(numbers: Iterable[int], modseq: int) -> bytes:
    found = "".join([f" {number}" for number in numbers])
    return (f"{found} (MODSEQ {modseq})" if modseq else found).encode("ascii") + b"\r\n"


Place: TypeAlias = tuple[str, int, bool]  # a folder's name, its uidvalidity, whether the client knows UTF-8


def esearch(
    tag: bytes, data: Iterable[tuple[bytes, bytes]], *, uid: bool, place: Place | None = None
) -> bytes:
    """ESEARCH, RFC 4731 §3.1: pairs of a name and its value, perhaps none. place: RFC 7377 §2.1."""
    found = b"".join(b" %b %b" % pair for pair in data)
    where = b""
    if place is not None:
        name, uidvalidity, utf8 = place
        where = b" MAILBOX %b UIDVALIDITY %d" % (folder(name, utf8=utf8), uidvalidity)
    return b'* ESEARCH (TAG "%b"%b)%b%b\r\n' % (tag, where, b" UID" if uid else b"", found)


def id_(fields: Iterable[tuple[str, str | None]]) -> bytes:
    """ID, RFC 2971; NIL without fields."""
    pairs = [
        b"%b %b" % (string(name.encode()), nstring(None if value is None else value.encode()))
        for name, value in fields
    ]
    return b"* ID (%b)\r\n" % b" ".join(pairs) if pairs else b"* ID NIL\r\n"


def namespace(
    personal: Iterable[str] = ("",),
    others: Iterable[str] = (),
    shared: Iterable[str] = (),
    *,
    utf8: bool = False,
) -> bytes:
    """NAMESPACE, RFC 2342: the prefixes of each kind."""

    def kind(prefixes: Iterable[str]) -> bytes:
        found = b"".join(b'(%b "/")' % folder(prefix, utf8=utf8) for prefix in prefixes)
        return b"(%b)" % found if found else b"NIL"

    return b"* NAMESPACE %b %b %b\r\n" % (kind(personal), kind(others), kind(shared))


def quota(root: str, resources: Iterable[tuple[str, int, int]]) -> bytes:
    """QUOTA, RFC 9208 §4.2.1: (resource, usage, limit); STORAGE counts units of 1024 octets."""
    triples = " ".join(f"{name} {used} {most}" for name, used, most in resources)
    return b"* QUOTA %b (%b)\r\n" % (string(root.encode()), triples.encode("ascii"))


def quotaroot(name: str, roots: Iterable[str], *, utf8: bool = False) -> bytes:
    found = b"".join(b" " + string(root.encode()) for root in roots)
    return b"* QUOTAROOT %b%b\r\n" % (folder(name, utf8=utf8), found)


def acl(name: str, entries: Iterable[tuple[str, str]], *, utf8: bool = False) -> bytes:
    """ACL, RFC 4314 §3.6: identifiers and their rights."""
    pairs = b"".join(b" %b %b" % (string(who.encode()), rights.encode()) for who, rights in entries)
    return b"* ACL %b%b\r\n" % (folder(name, utf8=utf8), pairs)


def listrights(
    name: str, identifier: str, always: str, others: Iterable[str], *, utf8: bool = False
) -> bytes:
    """LISTRIGHTS, RFC 4314 §3.7: what the identifier always has, then what it can be given."""
    pieces = [folder(name, utf8=utf8), string(identifier.encode()), string(always.encode())]
    return b"* LISTRIGHTS %b\r\n" % b" ".join([*pieces, *[letter.encode() for letter in others]])


def myrights(name: str, rights: str, *, utf8: bool = False) -> bytes:
    """MYRIGHTS, RFC 4314 §3.8."""
    return b"* MYRIGHTS %b %b\r\n" % (folder(name, utf8=utf8), string(rights.encode()))


def metadata(name: str, entries: Mapping[str, bytes | None], *, utf8: bool = False) -> bytes:
    """METADATA with values, RFC 5464 §4.4.1; NUL makes a value a literal8. At least one entry."""

    def value(octets: bytes | None) -> bytes:
        return b"~" + literal(octets) if octets and b"\0" in octets else nstring(octets)

    pairs = b" ".join(
        b"%b %b" % (astring(entry.encode()), value(octets)) for entry, octets in entries.items()
    )
    return b"* METADATA %b (%b)\r\n" % (folder(name, utf8=utf8), pairs)


def changed_metadata(name: str, entries: Iterable[str], *, utf8: bool = False) -> bytes:
    """METADATA without values: these entries have changed (RFC 5464 §4.4.2)."""
    names = b" ".join(astring(entry.encode()) for entry in entries)
    return b"* METADATA %b %b\r\n" % (folder(name, utf8=utf8), names)


# --- FETCH (§7.4.2) --------------------------------------------------------------------------------------


def fetch(seq: int, pieces: Iterable[bytes]) -> bytes:
    """One message's answer; each piece is a label and its value: b"UID 7", b"FLAGS (\\\\Seen)"."""
    return b"* %d FETCH (%b)\r\n" % (seq, b" ".join(pieces))


def uid_fetch(uid: int, pieces: Iterable[bytes]) -> bytes:
    """The same to a client that knows no sequence numbers (RFC 9586 §3.3)."""
    return b"* %d UIDFETCH (%b)\r\n" % (uid, b" ".join(pieces))


def section(label: bytes, octets: bytes | None) -> bytes:
    """A piece with octets: always a literal, which no reader can misread; None is NIL."""
    return b"%b NIL" % label if octets is None else b"%b {%d}\r\n%b" % (label, len(octets), octets)


def internal_date(seconds: int, offset_minutes: int = 0) -> bytes:
    """date-time, quoted, of seconds since 1970 UTC in the zone that was offset_minutes east of it."""
    if not -1440 < offset_minutes < 1440:
        offset_minutes = 0
    day, second = divmod(seconds + 60 * offset_minutes, 86_400)
    hour, second = divmod(second, 3600)
    minute, second = divmod(second, 60)
    east = abs(offset_minutes)
    zone = (b"-" if offset_minutes < 0 else b"+", east // 60, east % 60)
    return b'"%b %02d:%02d:%02d %b%02d%02d"' % (_day(day), hour, minute, second, *zone)


@lru_cache(maxsize=4096)
def _day(days: int) -> bytes:
    day = date.fromordinal(min(max(days + 719_163, 1), date.max.toordinal()))
    return b"%02d-%b-%04d" % (day.day, MONTHS[day.month - 1], day.year)
