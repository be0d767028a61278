"""The file in a mail that is a report: found among its parts and unpacked, however it was packed. (pure)

Reports come as gzip, zip, or plain, under any media type and name; the first octets tell. What unpacks to
more than REPORT_OCTETS is no report but a trap.
"""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Iterator

from mailcore import limits
from mailcore.errors import BadReport
from mailcore.message import fields, transfer
from mailcore.message.index import index
from mailcore.message.parts import Part, parse_table

_GZIP, _ZIP = b"\x1f\x8b", b"PK\x03\x04"
_ENTRY = b"PK\x01\x02"


def files(raw: bytes) -> Iterator[bytes]:
    """The leaves of a mail that may be a report, still packed, the likely ones first."""
    leaves = [part for part in parse_table(index(raw).parts).walk() if not part.is_multipart]
    for part in sorted(leaves, key=_is_for_people)[: limits.REPORT_PARTS]:
        if not part.children:
            yield octets_of(raw, part)


def octets_of(raw: bytes, part: Part) -> bytes:
    """What a part holds, without its transfer encoding; at most REPORT_PACKED_OCTETS of it as it came."""
    return transfer.decode(
        raw[part.body_start : part.body_end][: limits.REPORT_PACKED_OCTETS * 3 // 2], part.encoding
    )


def _is_for_people(part: Part) -> bool:
    return part.content_type in ("text/plain", "text/html") and not part.filename


def unpack(packed: bytes) -> bytes:
    """The report in a file: gzip, zip with one file, or the thing itself. Raises BadReport."""
    if len(packed) > limits.REPORT_PACKED_OCTETS:
        raise BadReport("The report is too big")
    if packed.startswith(_GZIP):
        return _gunzip(packed)
    if packed.startswith(_ZIP):
        return _unzip(packed)
    return packed


def _gunzip(packed: bytes) -> bytes:
    engine = zlib.decompressobj(wbits=31)
    try:
        octets = engine.decompress(packed, limits.REPORT_OCTETS + 1)
    except zlib.error as error:
        raise BadReport("The report is not valid gzip") from error
    if len(octets) > limits.REPORT_OCTETS:
        raise BadReport("The report is too big")
    if not engine.eof:
        raise BadReport("The report is cut off")
    return octets


def _unzip(packed: bytes) -> bytes:
    # Counted before zipfile makes an object of each.
    if packed.count(_ENTRY) > limits.REPORT_PARTS:
        raise BadReport("There are too many files in the report")
    try:
        with zipfile.ZipFile(io.BytesIO(packed)) as archive:
            entries = [entry for entry in archive.infolist() if not entry.is_dir()]
            if len(entries) != 1:
                raise BadReport("A report is one file")
            # Others take a dictionary of any size that the file names.
            if entries[0].compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise BadReport("The report is packed in a way that is not used for reports")
            with archive.open(entries[0]) as file:
                octets = file.read(limits.REPORT_OCTETS + 1)
    except (zipfile.BadZipFile, zlib.error, ValueError, RuntimeError, EOFError, OSError) as error:
        # RuntimeError: encrypted, or a feature that zipfile lacks. ValueError: offsets that are none.
        raise BadReport("The report is not valid zip") from error
    if len(octets) > limits.REPORT_OCTETS:
        raise BadReport("The report is too big")
    return octets


def subject_of(raw: bytes) -> str:
    """The subject, for events."""
    return fields.get(raw[: fields.body_start(raw)], "subject") or ""
