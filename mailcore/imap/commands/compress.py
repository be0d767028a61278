"""COMPRESS (RFC 4978). Only after a login, so that STARTTLS always comes first (§3)."""

from __future__ import annotations

from mailcore.errors import BadSyntax, CompressionActive
from mailcore.imap.session import SAID, Compress, Handler, Session
from mailcore.imap.wire import responses
from mailcore.imap.wire.values import Compress as Command


def compress(session: Session, command: Command) -> Handler:
    """The tagged OK goes out as it is; all after it is compressed, both ways."""
    if command.algorithm != "DEFLATE":
        raise BadSyntax("We know no such compression")
    if session.is_compressed:
        raise CompressionActive
    yield Compress(responses.ok("DEFLATE active", tag=command.tag))
    session.is_compressed = True
    return SAID
