"""URLs of messages and of their parts (RFC 5092), as far as one's own mail goes. Pure.

    parse("/Drafts;UIDVALIDITY=3/;UID=20/;SECTION=1.2")  -> Message("Drafts", 3, 20, FetchItem(... BODY[1.2]))

CATENATE reads them (RFC 4469 §4). URLAUTH is not offered: who names it means something else.
"""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

from mailcore.errors import BadSyntax
from mailcore.imap.wire import fetch_items
from mailcore.imap.wire.grammar import Cursor
from mailcore.imap.wire.values import FetchItem

_URL = re.compile(
    r"(?:imap://(?:(?P<user>[^@/;:?#]*)(?:;AUTH=[^@/;:?#]+)?@)?(?P<host>[^@/;:?#]+)(?::[0-9]{1,5})?(?=/))?"
    r"(?:(?P<folder>/[^;?#]*[^;?#/])(?:;UIDVALIDITY=(?P<validity>[1-9][0-9]{0,9}))?/)?"
    r";UID=(?P<uid>[1-9][0-9]{0,9})"
    r"(?:/;SECTION=(?P<section>[^;?#]*[^;?#/]))?"
    r"(?:/;PARTIAL=(?P<first>[0-9]{1,10})(?:\.(?P<count>[1-9][0-9]{0,9}))?)?",
    re.IGNORECASE,
)
_ALL = 1 << 62


class Message(NamedTuple):
    """What a URL names. host "" is ours, user "" whoever asks, folder "" the selected one.

    item says which octets, as FETCH would have it; uidvalidity 0: any.
    """

    host: str
    user: str
    folder: str
    uidvalidity: int
    uid: int
    item: FetchItem


def parse(url: str) -> Message:
    """Raises BadSyntax for what is no URL of a message."""
    found = _URL.fullmatch(url)
    if found is None:
        raise BadSyntax("That is no URL of a message")
    folder = (found["folder"] or "")[1:]
    section = _decoded(found["section"] or "")
    cursor = Cursor(b"BODY.PEEK[%b]" % section)
    (item,) = fetch_items.parse(cursor)
    cursor.end()
    if found["first"] is not None:
        item = item._replace(partial=(int(found["first"]), int(found["count"] or _ALL)))
    try:
        return Message(
            (found["host"] or "").lower(),
            _decoded(found["user"] or "").decode(),
            _decoded(folder).decode(),
            int(found["validity"] or 0),
            int(found["uid"]),
            item,
        )
    except UnicodeDecodeError as error:
        raise BadSyntax("A URL's names are UTF-8") from error


def _decoded(text: str) -> bytes:
    octets = unquote_to_bytes(text)
    if b"\0" in octets or b"\r" in octets or b"\n" in octets:
        raise BadSyntax("That is no URL of a message")
    return octets
