"""Mail in files: mbox (RFC 4155, quoted as mboxrd), Maildir with its sub-folders, and single messages.

read() yields what an import files, write functions take what an export reads. Everything is streamed: a
file of any size, one mail at a time in memory. Line ends: a mail written by us has LF if all its line ends
were CRLF, else it stays as it is; a mail read gets CRLF if it has none.
"""

from __future__ import annotations

import calendar
import email.utils
import os
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO
from urllib.parse import quote, unquote

from mailcore import limits
from mailcore.message import flags as bits
from mailcore.message.fields import get

_QUOTED_FROM = re.compile(rb"^>+From ", re.MULTILINE)
_MUST_QUOTE = re.compile(rb"^(>*From )", re.MULTILINE)
_BARE = re.compile(rb"(?<!\r)\n|\r(?!\n)")
_MAILDIR_FLAGS = {"D": bits.DRAFT, "F": bits.FLAGGED, "R": bits.ANSWERED, "S": bits.SEEN, "T": bits.DELETED}
_STATUS_FLAGS = {"R": bits.SEEN, "A": bits.ANSWERED, "F": bits.FLAGGED, "T": bits.DRAFT, "D": bits.DELETED}


@dataclass(frozen=True, slots=True)
class Found:
    """One mail of an import. folder is "" where the files say nothing; date is epoch seconds or None."""

    raw: bytes
    folder: str = ""
    flags: int = 0
    date: int | None = None
    where: str = ""


@dataclass(frozen=True, slots=True)
class TooLong:
    """A mail longer than we take; only where it is."""

    where: str


def read(path: Path, *, most_octets: int) -> Iterator[Found | TooLong]:
    """The mails in path: an mbox or a message file, a Maildir, or a folder of mbox files and Maildirs."""
    if path.is_dir():
        if (path / "cur").is_dir() or (path / "new").is_dir():
            yield from _read_maildir(path, most_octets)
            return
        for entry in sorted(path.rglob("*.mbox")):
            if entry.is_file() and not entry.is_symlink():
                folder = unquote(str(entry.relative_to(path)).removesuffix(".mbox"))
                yield from _read_file(entry, folder, most_octets)
        return
    yield from _read_file(path, "", most_octets)


# --- mbox ------------------------------------------------------------------------------------------------


def _read_file(path: Path, folder: str, most_octets: int) -> Iterator[Found | TooLong]:
    with path.open("rb") as file:
        if file.peek(5)[:5] != b"From ":
            raw = file.read(most_octets + 1)
            if len(raw) > most_octets:
                yield TooLong(str(path))
            elif raw:
                yield Found(with_crlf(raw), folder, 0, _date_field(raw), str(path))
            return
        for number, (line, mail) in enumerate(_split_mbox(file, most_octets), 1):
            where = f"{path}, message {number}"
            if mail is None:
                yield TooLong(where)
            else:
                plain = _QUOTED_FROM.sub(lambda match: match[0][1:], mail)
                date = _from_date(line) or _date_field(plain)
                yield Found(with_crlf(plain), folder, _status(plain), date, where)


def _split_mbox(file: BinaryIO, most_octets: int) -> Iterator[tuple[bytes, bytes | None]]:
    """(the From_ line, the mail) of each; None for a mail that is too long."""
    begin, lines, octets, is_after_blank = b"", list[bytes](), 0, True
    while line := file.readline(limits.MESSAGE_OCTETS):
        if is_after_blank and line.startswith(b"From "):
            if begin:
                yield begin, _joined(lines, octets, most_octets)
            begin, lines, octets = line, [], 0
        else:
            octets += len(line)
            if octets <= most_octets + 2:
                lines.append(line)
        is_after_blank = line in (b"\n", b"\r\n")
    if begin:
        yield begin, _joined(lines, octets, most_octets)


def _joined(lines: list[bytes], octets: int, most_octets: int) -> bytes | None:
    if octets > most_octets + 2:
        return None
    if lines and lines[-1] in (b"\n", b"\r\n"):
        lines = lines[:-1]  # the empty line that divides it from the next
    return b"".join(lines)


def _from_date(line: bytes) -> int | None:
    """The moment in "From someone Thu Jan  1 00:00:00 1970", in UTC (RFC 4155)."""
    words = line.decode("ascii", "replace").split()
    try:
        return calendar.timegm(time.strptime(" ".join(words[-5:]), "%a %b %d %H:%M:%S %Y"))
    except (ValueError, OverflowError):
        return None


def _date_field(raw: bytes) -> int | None:
    value = get(raw, "Date")
    if not value:
        return None
    try:
        return int(email.utils.parsedate_to_datetime(value).timestamp())
    except (ValueError, TypeError, OverflowError):
        return None


def _status(raw: bytes) -> int:
    letters = (get(raw, "Status") or "") + (get(raw, "X-Status") or "")
    flags = 0
    for letter in letters[:20]:
        flags |= _STATUS_FLAGS.get(letter, 0)
    return flags


def write_mbox(file: BinaryIO, raw: bytes, *, date: int) -> None:
    """Add one mail to an mbox file."""
    moment = time.strftime("%a %b %d %H:%M:%S %Y", time.gmtime(date))
    octets = with_lf(raw)
    file.write(f"From MAILER-DAEMON {moment}\n".encode())
    file.write(_MUST_QUOTE.sub(rb">\1", octets))
    file.write(b"\n" if octets.endswith(b"\n") else b"\n\n")


# --- Maildir ---------------------------------------------------------------------------------------------


def _read_maildir(path: Path, most_octets: int) -> Iterator[Found | TooLong]:
    """A Maildir and its sub-folders, named .Archive.2024 (Maildir++)."""
    subs = [
        entry for entry in sorted(path.iterdir()) if entry.name.startswith(".") and (entry / "cur").is_dir()
    ]
    for folder, where in [("INBOX", path), *((_unescape(entry.name[1:]), entry) for entry in subs)]:
        files = [
            Path(entry.path)
            for part in ("cur", "new")
            if (where / part).is_dir()
            for entry in os.scandir(where / part)
            if entry.is_file(follow_symlinks=False) and not entry.name.startswith(".")
        ]
        for file in sorted(files, key=lambda file: (file.stat().st_mtime, file.name)):
            status = file.stat()
            if status.st_size > most_octets:
                yield TooLong(str(file))
                continue
            letters = file.name.partition(":2,")[2] if file.parent.name == "cur" else ""
            flags = 0
            for letter in letters:
                flags |= _MAILDIR_FLAGS.get(letter, 0)
            yield Found(with_crlf(file.read_bytes()), folder, flags, int(status.st_mtime), str(file))


class Maildir:
    """A Maildir that an export writes."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._number = 0

    def folder(self, name: str) -> Path:
        path = self.path if name == "INBOX" else self.path / f".{_escape(name)}"
        for part in ("cur", "new", "tmp"):
            (path / part).mkdir(parents=True, exist_ok=True, mode=0o700)
        return path

    def write(self, name: str, raw: bytes, *, flags: int, date: int) -> None:
        self._number += 1
        letters = "".join(letter for letter, bit in _MAILDIR_FLAGS.items() if flags & bit)
        file = self.folder(name) / "cur" / f"{date}.{os.getpid()}_{self._number}.hostmail:2,{letters}"
        file.write_bytes(with_lf(raw))
        os.utime(file, (date, date))


def _escape(name: str) -> str:
    """A folder's name as part of a Maildir++ name: "/" divides by ".", other dots are escaped."""
    return ".".join(quote(part, safe=" ()-_&äöüÄÖÜß").replace(".", "%2E") for part in name.split("/"))


def _unescape(name: str) -> str:
    return "/".join(unquote(part) for part in name.split("."))


def mbox_path(base: Path, folder: str) -> Path:
    """Where an export keeps a folder: base/Archive/2024.mbox. Names cannot lead out of base."""
    parts = [quote(part, safe=" ()-_&").replace(".", "%2E") or "%" for part in folder.split("/")]
    path = base.joinpath(*parts[:-1], f"{parts[-1]}.mbox")
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    return path


# --- Line ends -------------------------------------------------------------------------------------------


def with_crlf(raw: bytes) -> bytes:
    """CRLF for a mail that has only LF; what has CRLF anywhere is octets to be kept."""
    return raw if b"\r" in raw else raw.replace(b"\n", b"\r\n")


def with_lf(raw: bytes) -> bytes:
    """LF for a mail whose every line ends in CRLF; anything else stays."""
    return raw if _BARE.search(raw) else raw.replace(b"\r\n", b"\n")
