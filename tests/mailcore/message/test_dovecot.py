"""ENVELOPE, BODY and BODYSTRUCTURE of the collected mails against what Dovecot 2.3.19 says of them.

dovecot.json is what `python -m tests.structures` was told. What no client could mind is made the same first:
the case of words that have none, the order of parameters, white space inside of text (we
keep it where a line was folded, RFC 5322 §2.2.3), one language as text or as a list of one (RFC 9051 §9,
body-fld-lang). Every other difference stands below with its reason.
"""

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from mailcore.message.encode import crlf
from mailcore.message.index import index
from tests.messages import corpus, name_of
from tests.messages.wire import read
from tests.structures import plain

DIFFERENT = {
    # RFC 2046 §5.1.1: the line end before a boundary belongs to the boundary, also where it would have ended
    # the header of an embedded message. A text without any colon is no header (see message/fields.py), so
    # that it can be read.
    "bounces/dsn_13.txt": "a message without a header inside",
    "bounces/dsn_15.txt": "a message without a header inside",
    "bounces/microsoft_04.txt": "a message without a header inside",
    "bounces/netscape_01.txt": "a message without a header inside",
    "bounces/postfix_01.txt": "a message without a header inside",
    "stalwart-mail-parser/malformed/022.eml": "a message without a header inside",
    "mimekit/rfc2060.txt": "the line end before a boundary",
    "postal-mime/mimetorture.eml": "the line end before a boundary",
    "mime4j/malformedHeader-noheader.msg": "a text that nobody put a header on",
    "mime4j/malformedHeaderStartsBody-noheader.msg": "a text that nobody put a header on",
    # RFC 2046 §5.2.1 allows no base64 there: what cannot be looked into is a file, and can be saved as one.
    "mime4j/bad-newlines-multiple-parts-base64.msg": "message/rfc822 in base64",
    "mime4j/base64encoded-rfc822message-nested.msg": "message/rfc822 in base64",
    "mime4j/base64encoded-rfc822message.msg": "message/rfc822 in base64",
    "stalwart-mail-parser/rfc/008.eml": "message/rfc822 in base64",
    # Shown as the text it is; Dovecot says there is one part, and that it is empty.
    "mime4j/missing-boundary.msg": "a multipart in which no part begins",
    "mime4j/missing-inner-boundary.msg": "a multipart in which no part begins",
    "mime4j/missing-inner-start-boundary.msg": "a multipart in which no part begins",
    "mime4j/multipartnopart.msg": "a multipart in which no part begins",
    "mimekit/empty-multipart.txt": "a multipart in which no part begins",
    "stalwart-mail-parser/malformed/001.eml": "a multipart in which no part begins",
    "stalwart-mail-parser/malformed/002.eml": "a multipart in which no part begins",
    # RFC 2046 §5.1.1: a boundary is the whole line, however long; Dovecot compares its beginning.
    "mime4j/ending-boundaries.msg": "lines that only begin like a boundary",
    "mime4j/very-long-boundary.msg": "lines that only begin like a boundary",
    "mime4j/very-very-long-boundary.msg": "lines that only begin like a boundary",
    "mime4j/weird-boundary.msg": "lines that only begin like a boundary",
    "stalwart-mail-parser/malformed/004.eml": "lines that only begin like a boundary",
    "stalwart-mail-parser/malformed/007.eml": "lines that only begin like a boundary",
    "stalwart-mail-parser/malformed/016.eml": "lines that only begin like a boundary",
    "stalwart-mail-parser/malformed/019.eml": "lines that only begin like a boundary; the first of two Dates",
    # RFC 2045 §5.2: what has no valid type is text/plain. Dovecot gives two empty words.
    "mimekit/missing-subtype.txt": "no subtype",
    "stalwart-mail-parser/malformed/017.eml": "no subtype",
    # What is no address is shown as it stands, with nothing made up.
    "mimekit/feedback-report.txt": "no address",
    "mimekit/issue358.txt": "no address",
    "stalwart-mail-parser/rfc/009.eml": "no address",
}


@cache
def dovecot() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = json.loads(
        Path(__file__).parents[2].joinpath("messages/dovecot.json").read_text()
    )
    return found


def spaced(value: Any) -> Any:
    if isinstance(value, list):
        return [spaced(one) for one in value]
    return re.sub(r"\s+", " ", value).strip() if isinstance(value, str) else value


def params(value: Any) -> Any:
    return sorted(zip([name.lower() for name in value[::2]], value[1::2], strict=True)) if value else value


def extension(values: list[Any]) -> list[Any]:
    """Disposition, language, location."""
    found = list(values)
    if found and found[0]:
        found[0] = [found[0][0].lower(), params(found[0][1])]
    if len(found) > 1 and isinstance(found[1], str):
        found[1] = [found[1]]
    return found


def body(value: list[Any]) -> list[Any]:
    if isinstance(value[0], list):
        count = next(number for number, one in enumerate(value) if not isinstance(one, list))
        rest = value[count + 1 :]
        shown = [params(rest[0]), *extension(rest[1:])] if rest else []
        return [[body(part) for part in value[:count]], value[count].lower(), *shown]
    kind, encoding = [value[0].lower(), value[1].lower()], value[5].lower()
    basic, rest = [*kind, params(value[2]), *value[3:5], encoding, value[6]], value[7:]
    if kind == ["message", "rfc822"]:
        basic += [rest[0], body(rest[1]), rest[2]]
        rest = rest[3:]
    elif kind[0] == "text":
        basic.append(rest[0])
        rest = rest[1:]
    return [*basic, *rest[:1], *extension(rest[1:])]


def said(path: Path) -> tuple[list[Any], list[Any]]:
    """Ours and Dovecot's, of all three, made the same where it does not matter."""
    found = index(crlf(path.read_bytes()))
    ours = {"ENVELOPE": found.envelope, "BODY": found.body, "BODYSTRUCTURE": found.bodystructure}
    both = []
    for told in ({name: plain(read(octets)) for name, octets in ours.items()}, dovecot()[name_of(path)]):
        both.append(
            [spaced(told["ENVELOPE"]), *(body(spaced(told[name])) for name in ("BODY", "BODYSTRUCTURE"))]
        )
    return both[0], both[1]


@pytest.mark.parametrize("path", [path for path in corpus() if name_of(path) in dovecot()], ids=name_of)
def test_it_agrees_with_dovecot_or_says_why(path: Path) -> None:
    ours, theirs = said(path)
    if name_of(path) in DIFFERENT:
        assert ours != theirs, "the difference is gone: take it off the list"
    else:
        assert ours == theirs


def test_it_lists_only_mails_that_there_are() -> None:
    assert set(DIFFERENT) <= set(dovecot()) <= {name_of(path) for path in corpus()}
