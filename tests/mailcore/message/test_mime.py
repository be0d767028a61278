from __future__ import annotations

import email
import email.message
import email.policy
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailcore import limits
from mailcore.message import mime
from mailcore.message.mime import Entity
from tests.messages import corpus, name_of, zoo


def outline(entity: Entity) -> object:
    """Return types as nested tuples."""
    kind = entity.type.main.decode("ascii")
    return (kind, *[outline(child) for child in entity.children]) if entity.children else kind


def bodies(raw: bytes) -> list[bytes]:
    return [raw[leaf.body_start : leaf.body_end] for leaf in leaves(mime.scan(raw))]


def leaves(mail: Entity) -> list[Entity]:
    found, stack = [], [mail]
    while stack:
        entity = stack.pop()
        if not entity.children:
            found.append(entity)
        stack.extend(reversed(entity.children))
    return found


def multipart(boundary: bytes, *parts: bytes, kind: bytes = b"mixed", end: bytes = b"\r\n") -> bytes:
    line = end + b"--" + boundary
    return (
        b'Content-Type: multipart/%b; boundary="%b"' % (kind, boundary)
        + end * 2
        + b"".join(line.removeprefix(end if not n else b"") + end + part for n, part in enumerate(parts))
        + line
        + b"--"
        + end
    )


@pytest.mark.parametrize("end", [b"\r\n", b"\n"])
def test_takes_the_line_end_before_a_delimiter_for_its_own(end: bytes) -> None:
    raw = multipart(b"b", end + b"one", b"A: b" + end * 2 + b"two" + end, end, end=end)
    assert bodies(raw) == [b"one", b"two" + end, b""]


@pytest.mark.parametrize(
    ("inside", "expected"),
    [
        # preamble and epilogue are in no part
        (b"preamble\r\n--b\r\n\r\none\r\n--b--\r\nepilogue\r\n--b\r\n\r\nno part\r\n", [b"one"]),
        # the end is missing
        (b"--b\r\n\r\none\r\n--b\r\n\r\ntwo\r\n", [b"one", b"two\r\n"]),
        (b"--b\r\n\r\none\r\n--b", [b"one", b""]),
        (b"--b\r\n\r\none\r\n--b--", [b"one"]),
        # blanks after a delimiter
        (b"--b \t\r\n\r\none\r\n--b-- \r\n", [b"one"]),
        # what nearly is a delimiter
        (
            b"--b\r\n\r\none\r\n--bb\r\n --b\r\n--b x\r\n-b\r\n--B\r\n--b-\r\n--b--x\r\n--b--\r\n",
            [b"one\r\n--bb\r\n --b\r\n--b x\r\n-b\r\n--B\r\n--b-\r\n--b--x"],
        ),
        # no header, no body
        (b"--b\r\n--b\r\n\r\n--b\r\nA: b\r\n--b--\r\n", [b"", b"", b""]),
        # line ends mixed
        (b"--b\n\r\none\n--b\r\n\ntwo\r\n--b--\n", [b"one", b"two"]),
        # a lone CR ends no line
        (b"--b\r\n\r\none\r--b--\r\r\n--b--\r\n", [b"one\r--b--\r"]),
        # only the end
        (b"--b--\r\n", [b""]),
    ],
)
def test_divides_at_delimiters(inside: bytes, expected: list[bytes]) -> None:
    assert bodies(b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + inside) == expected


def test_boundaries_may_be_prefixes_of_one_another() -> None:
    inner = multipart(b"bb", b"\r\ninner")
    assert bodies(multipart(b"b", inner, b"\r\nouter")) == [b"inner", b"outer"]
    inner = multipart(b"b", b"\r\ninner")
    assert bodies(multipart(b"bb", inner, b"\r\nouter")) == [b"inner", b"outer"]
    inner = multipart(b"b--", b"\r\ninner")
    assert bodies(multipart(b"b", inner, b"\r\nouter")) == [b"inner", b"outer"]


def test_the_innermost_of_equal_boundaries_counts() -> None:
    raw = multipart(b"b", multipart(b"b", b"\r\none", b"\r\ntwo"), b"\r\nthree")
    assert outline(mime.scan(raw)) == (
        "multipart/mixed",
        ("multipart/mixed", "text/plain", "text/plain"),
        "text/plain",
    )


def test_an_outer_delimiter_ends_what_inner_ones_left_open() -> None:
    inner = b"Content-Type: multipart/mixed; boundary=i\r\n\r\n--i\r\n\r\nopen"
    raw = multipart(b"o", inner, b"\r\nnext")
    assert outline(mime.scan(raw)) == ("multipart/mixed", ("multipart/mixed", "text/plain"), "text/plain")
    assert bodies(raw) == [b"open", b"next"]


@pytest.mark.parametrize(
    "header",
    [
        b"multipart/mixed",
        b"multipart/mixed; boundary=",
        b'multipart/mixed; boundary="  "',
        b"multipart/mixed; boundary=x",
        b"text",
        b"text/",
        b"/plain",
        b"te xt/plain",
        b"text/pl\xc3\xa4in",
        b"",
        b"; charset=x",
    ],
)
def test_what_has_no_parts_is_text(header: bytes) -> None:
    raw = b"Content-Type: " + header + b"\r\n\r\n--y\r\n\r\nwords\r\n--y--\r\n"
    mail = mime.scan(raw)
    assert outline(mail) == "text/plain"
    assert raw[mail.body_start : mail.body_end] == b"--y\r\n\r\nwords\r\n--y--\r\n"


def test_parts_of_a_digest_are_mails() -> None:
    raw = multipart(b"b", b"\r\nSubject: x\r\n\r\ntext", b"Content-Type: text/html\r\n\r\nx", kind=b"digest")
    mail = mime.scan(raw)
    assert outline(mail) == ("multipart/digest", ("message/rfc822", "text/plain"), "text/html")
    assert mail.children[0].children[0].fields[b"subject"].strip() == b"x"
    assert bodies(raw)[0] == b"text"


def test_a_mail_in_a_mail_ends_with_its_part() -> None:
    inner = b"Content-Type: message/rfc822\r\n\r\nSubject: in\r\n\r\nline\r\nline"
    raw = multipart(b"b", inner, b"\r\nnext")
    carrier = mime.scan(raw).children[0]
    assert carrier.lines == 3
    assert carrier.children[0].lines == 1
    assert raw[carrier.body_start : carrier.body_end] == b"Subject: in\r\n\r\nline\r\nline"


@pytest.mark.parametrize("encoding", [b"base64", b"quoted-printable", b"x-any"])
def test_an_encoded_mail_in_a_mail_stays_closed(encoding: bytes) -> None:
    raw = (
        b"Content-Type: message/rfc822\r\nContent-Transfer-Encoding: "
        + encoding
        + b"\r\n\r\nU3ViamVjdDogeA=="
    )
    assert mime.scan(raw).children == []


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b" BASE64 \r\n", b"base64"),
        (b"8bit; x", b"8bit"),
        (b"7bit (c)", b"7bit"),
        (b'"8bit"', b"7bit"),
        (b"", b"7bit"),
        (b"a b", b"a"),
    ],
)
def test_reads_encodings(value: bytes, expected: bytes) -> None:
    assert mime.scan(b"Content-Transfer-Encoding:" + value + b"\r\n\r\n").encoding == expected


def test_counts_lines_once_for_text_and_for_mails() -> None:
    text = b"\r\none\r\ntwo\r\nthree"
    inner = multipart(b"i", text, text)
    raw = multipart(b"o", b"Content-Type: message/rfc822\r\n\r\n" + inner, text)
    stack = [mime.scan(raw)]
    while stack:
        entity = stack.pop()
        stack.extend(entity.children)
        counted = entity.type.main in (b"text/plain", b"message/rfc822")
        assert entity.lines == (raw[entity.body_start : entity.body_end].count(b"\n") if counted else 0)


def test_stops_at_the_limits() -> None:
    deep = mime.scan(zoo.make("ten_thousand_levels"))
    depth = 0
    while deep.children:
        depth += 1
        deep = deep.children[0]
    assert depth == limits.MIME_DEPTH
    assert deep.type.main == b"application/octet-stream"

    large = b"".join(
        b"Content-Type: multipart/mixed; boundary=%d\r\n\r\n--%d\r\n" % (n, n) for n in range(60)
    )
    large += b"\r\n" + b"x" * (limits.MIME_SCANNED_OCTETS // 20)
    deep = mime.scan(large)
    depth = 0
    while deep.children:
        depth += 1
        deep = deep.children[0]
    assert depth == limits.MIME_SCANNED_OCTETS // len(large)
    assert deep.body_end == len(large)

    raw = zoo.make("hundred_thousand_parts")
    wide = mime.scan(raw)
    assert len(wide.children) == limits.MIME_PARTS - 1
    assert wide.children[-1].body_end == len(raw)

    fields = mime.scan(zoo.make("hundred_thousand_fields")).fields
    assert fields == {}


def check_shape(raw: bytes, mail: Entity) -> None:
    """Offsets lie inside the octets and inside the entity around, and follow each other."""
    assert (mail.header_start, mail.body_end) == (0, len(raw))
    stack = [mail]
    count = 0
    while stack:
        entity = stack.pop()
        count += 1
        assert 0 <= entity.header_start <= entity.body_start <= entity.body_end <= len(raw)
        position = entity.body_start
        for child in entity.children:
            assert child.header_start >= position
            assert child.body_end <= entity.body_end
            position = child.body_end
        stack.extend(entity.children)
    assert count <= limits.MIME_PARTS + limits.MIME_DEPTH


@pytest.mark.parametrize("name", zoo.names())
@pytest.mark.timeout(10)
def test_survives(name: str) -> None:
    raw = zoo.make(name)
    check_shape(raw, mime.scan(raw))


_PIECES = [
    b"Content-Type: multipart/mixed; boundary=a\r\n",
    b"Content-Type: multipart/digest; boundary=b\n",
    b"Content-Type: message/rfc822\r\n",
    b"Content-Type: text/plain\r\n",
    b"Content-Type: multipart/mixed; boundary=ab\r\n",
    b"--a",
    b"--b",
    b"--ab",
    b"--",
    b"\r\n",
    b"\n",
    b"\r",
    b" ",
    b"text",
    b"\r\n--a\r\n",
    b"\r\n--a--\r\n",
    b"\n--b\n",
    b"\r\n\r\n",
]


@settings(max_examples=400)
@given(st.lists(st.sampled_from(_PIECES), max_size=40))
def test_any_mixture_has_a_shape(pieces: list[bytes]) -> None:
    raw = b"".join(pieces)
    check_shape(raw, mime.scan(raw))


@given(st.binary(max_size=500))
def test_any_octets_have_a_shape(raw: bytes) -> None:
    check_shape(raw, mime.scan(raw))


# --- The standard library as judge ----------------------------------------------------------------------


def _is_leaf(mail: email.message.Message) -> bool:
    """Say whether we see one part where the library may see more."""
    if mail.get_content_maintype() != "message":
        return not isinstance(mail.get_payload(), list)
    # It opens delivery reports, and mails inside base64 without decoding them.
    is_mail = mail.get_content_type() in ("message/rfc822", "message/global")
    encoding = str(mail.get("content-transfer-encoding", "7bit")).lower().strip()
    return not is_mail or encoding not in ("7bit", "8bit", "binary")


def _outline(mail: email.message.Message) -> object:
    kind = mail.get_content_type()
    if _is_leaf(mail):
        # Without any delimiter a multipart is text to us.
        return "text/plain" if mail.get_content_maintype() == "multipart" else kind
    return (kind, *[_outline(part) for part in mail.get_payload()])


def _leaves(mail: email.message.Message) -> list[str | None]:
    payload = mail.get_payload()
    if _is_leaf(mail):
        return [None if isinstance(payload, list) else mail._payload or ""]  # as octets, not decoded
    return [leaf for part in payload for leaf in _leaves(part)]


# Where we differ from it on purpose, or it is wrong.
_DIFFERENT = {
    # It ends the header at the first line that is no field; see fields.body_start.
    "mime4j/basic-plain-with-bad-header-separator.msg",
    "mime4j/malformedHeader-nocrlfcrlf.msg",
    "mime4j/malformedHeaderStartsBody-nocrlfcrlf.msg",
    "mime4j/obsolete.msg",
    "mimekit/feedback-report.txt",
    "mimekit/issue358.txt",
    "stalwart-mail-parser/malformed/019.eml",
    # It takes delimiter lines inside a part without an empty line for header lines.
    "stalwart-mail-parser/malformed/000.eml",
    # It cuts a multipart without any part at its closing delimiter; we show all of it as text.
    "mime4j/ending-boundaries.msg",
    "mime4j/missing-inner-start-boundary.msg",
    "mime4j/multipartnopart.msg",
    # It keeps the line end before a delimiter that ends two multiparts.
    "mime4j/missing-inner-boundary.msg",
    # It takes the epilogue for the part when that is empty, and an empty preamble for one.
    "mime4j/multipartemptypart.msg",
    "mimekit/empty-multipart.txt",
    # It lets the outermost of equal boundaries win.
    "stalwart-mail-parser/malformed/003.eml",
    "stalwart-mail-parser/malformed/005.eml",
    "stalwart-mail-parser/malformed/013.eml",
}


@pytest.mark.parametrize("path", corpus(), ids=name_of)
def test_agrees_with_the_standard_library(path: Path) -> None:
    raw = path.read_bytes()
    mail = mime.scan(raw)
    check_shape(raw, mail)
    if name_of(path) in _DIFFERENT:
        return
    judge = email.message_from_bytes(raw, policy=email.policy.compat32)
    assert outline(mail) == _outline(judge)
    ours = [body.decode("ascii", "surrogateescape") for body in bodies(raw)]
    for mine, theirs in zip(ours, _leaves(judge), strict=True):
        # It drops the last line end of a part that nothing closed.
        assert theirs is None or mine in (theirs, theirs + "\n", theirs + "\r\n")
