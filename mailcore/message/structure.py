"""BODY and BODYSTRUCTURE of a scanned mail as ready wire bytes. (RFC 9051 §7.5.2)"""

from __future__ import annotations

import re

from mailcore.message import params, words
from mailcore.message.envelope import envelope, nstring, string
from mailcore.message.mime import Entity

_LANGUAGE = re.compile(rb"[A-Za-z0-9-]{1,40}")
_NO_EXTENSION = b" NIL NIL NIL NIL"


def structures(mail: Entity, mail_envelope: bytes) -> tuple[bytes, bytes]:
    """Return BODY and BODYSTRUCTURE of mail, whose own ENVELOPE is known already.

    An explicit stack holds entities, and what follows them; every octet is written once.
    """
    if not mail.children:
        core, extension = _leaf(mail)
        return core + b")", core + extension + b")"
    body: list[bytes] = []
    structure: list[bytes] = []
    stack: list[Entity | tuple[bytes, bytes]] = [mail]
    while stack:
        item = stack.pop()
        if isinstance(item, tuple):
            body.append(item[0])
            structure.append(item[1])
        elif item.is_multipart:
            subtype = b' "%b"' % item.type.main.partition(b"/")[2]
            body.append(b"(")
            structure.append(b"(")
            stack.append((subtype + b")", b"%b %b%b)" % (subtype, item.type.wire, _common_extension(item))))
            stack.extend(reversed(item.children))
        elif item.children:
            inner = item.children[0]
            core = b"%b %b " % (_fields(item, item.type.main, item.type.wire), envelope(inner.fields)[0])
            body.append(core)
            structure.append(core)
            lines = b" %d" % item.lines
            stack.append((lines + b")", b"%b %b%b)" % (lines, _md5(item), _common_extension(item))))
            stack.append(inner)
        else:
            core, extension = _leaf(item)
            body.append(core + b")")
            structure.append(core + extension + b")")
    return b"".join(body), b"".join(structure)


def _leaf(entity: Entity) -> tuple[bytes, bytes]:
    """Return a part without parts, open at its end, and its extension data."""
    main, wire = entity.type.main, entity.type.wire
    if entity.is_message:
        # Beyond a limit or encoded, so there is no envelope to give, and IMAP has no other form for it.
        main = b"application/octet-stream"
    core = _fields(entity, main, wire)
    if main.startswith(b"text/"):
        if not entity.type.get(b"charset"):
            # RFC 2045 §5.2 has this default, and servers have always spelled it out.
            wire = b'("charset" "us-ascii"' + (b")" if wire == b"NIL" else b" " + wire[1:])
            core = _fields(entity, main, wire)
        core = b"%b %d" % (core, entity.lines)
    if not _EXTENDED.isdisjoint(entity.fields):
        return core, b" %b%b" % (_md5(entity), _common_extension(entity))
    return core, _NO_EXTENSION


_EXTENDED = frozenset({b"content-disposition", b"content-md5", b"content-language", b"content-location"})


def _fields(entity: Entity, main: bytes, wire: bytes) -> bytes:
    """Return "(" and the fields every part but a multipart has: from the media type to the size."""
    kind, _, subtype = main.partition(b"/")
    fields = entity.fields
    return b'("%b" "%b" %b %b %b "%b" %d' % (
        kind,
        subtype,
        wire,
        _text(fields.get(b"content-id")),
        _text(fields.get(b"content-description")),
        entity.encoding,
        entity.body_end - entity.body_start,
    )


def _text(value: bytes | None) -> bytes:
    return b"NIL" if value is None else nstring(words.unfold(value) or None)


def _md5(entity: Entity) -> bytes:
    return _text(entity.fields.get(b"content-md5"))


def _common_extension(entity: Entity) -> bytes:
    """Return disposition, language and location, each with a space before it."""
    fields = entity.fields
    disposition = b"NIL"
    value = fields.get(b"content-disposition")
    if value is not None:
        parsed = params.parse(value)
        if parsed.main:
            disposition = b"(%b %b)" % (string(parsed.main), parsed.wire)
    language = b"NIL"
    value = fields.get(b"content-language")
    if value is not None:
        tags = [string(tag) for tag in _LANGUAGE.findall(value)]
        if tags:
            language = tags[0] if len(tags) == 1 else b"(" + b" ".join(tags) + b")"
    return b" %b %b %b" % (disposition, language, _text(fields.get(b"content-location")))
