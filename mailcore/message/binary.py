"""Parts without their transfer encoding, and NUL kept out of what is stored. (RFC 3516)

IMAP's BINARY reads and writes mail as it would be if no transfer encoding were needed. We store none that
has NUL in it: readers that know nothing of BINARY could not be given it (RFC 3501 §4.3).
"""

from __future__ import annotations

import re
from collections.abc import Callable

from mailcore import limits
from mailcore.errors import UnknownCTE
from mailcore.message import transfer
from mailcore.message.encode import base64_body, has_only_crlf
from mailcore.message.index import index
from mailcore.message.parts import PartTable, parse_table

IDENTITY = frozenset({"7bit", "8bit", "binary"})  # RFC 2045 §6.2: no encoding at all
_ENCODED = frozenset({"base64", "quoted-printable"})
_LONE_LF = re.compile(rb"(?<!\r)\n")
_FIELD = re.compile(
    rb"^content-transfer-encoding[ \t]*:[^\n]*(?:\n[ \t][^\n]*)*", re.IGNORECASE | re.MULTILINE
)


def decoded(octets: bytes, content_type: str, encoding: str) -> bytes:
    """The body of a part without its encoding; the lines of a text end with CR LF (RFC 3516 §4.3).

    content_type and encoding are in lower case. Raises UnknownCTE.
    """
    if encoding not in IDENTITY and encoding not in _ENCODED:
        raise UnknownCTE
    octets = transfer.decode(octets, encoding)
    return _LONE_LF.sub(b"\r\n", octets) if content_type.startswith("text/") else octets


def without_nul(raw: bytes, table: PartTable) -> bytes:
    """The same mail with each binary part that has NUL in it in base64. table is of raw.

    Raises UnknownCTE when NUL stands anywhere else.
    """
    encoded = _encoded(raw, table, lambda body: b"\0" in body)
    if b"\0" in encoded:
        raise UnknownCTE("NUL is allowed only in a part that says it is binary")
    return encoded


def in_lines(raw: bytes) -> bytes:
    """The same mail with each binary part that is not made of lines in base64. (RFC 3030 §3)

    So all that is asked of other mail holds for it, and any host can be given it. A part that does not say
    that it is binary stays as it is, whatever is in it.
    """
    return (
        raw
        if _is_lines(raw)
        else _encoded(raw, parse_table(index(raw).parts), lambda body: not _is_lines(body))
    )


def _is_lines(octets: bytes) -> bool:
    """Whether octets end their lines with CR LF, early enough, and have no NUL."""
    if b"\0" in octets or not has_only_crlf(octets):
        return False
    return len(octets) <= limits.LINE_OCTETS or max(map(len, octets.split(b"\r\n"))) <= limits.LINE_OCTETS


def _encoded(raw: bytes, table: PartTable, needs_it: Callable[[bytes], bool]) -> bytes:
    out: list[bytes] = []
    done = 0
    for part in table.walk():
        body = raw[part.body_start : part.body_end]
        if part.children or part.encoding != "binary" or not needs_it(body):
            continue
        header = raw[part.header_start : part.header_end]
        out += [raw[done : part.header_start], _FIELD.sub(_say_base64, header), base64_body(body)]
        done = part.body_end
    out.append(raw[done:])
    return b"".join(out)


def _say_base64(field: re.Match[bytes]) -> bytes:
    # The match may end with the CR of its line end.
    return b"Content-Transfer-Encoding: base64" + (b"\r" if field[0].endswith(b"\r") else b"")
