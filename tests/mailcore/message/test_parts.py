from mailcore.message.index import index
from mailcore.message.parts import Part, PartTable, parse_table
from tests.messages import corpus


def table(raw: bytes) -> PartTable:
    return parse_table(index(raw).parts)


RFC_RAW = next(path for path in corpus() if path.name == "rfc2060.txt").read_bytes()


def body(part: Part | None) -> bytes | None:
    return None if part is None else RFC_RAW[part.body_start : part.body_end]


def test_numbers_parts_as_the_rfc_does() -> None:
    """The mail of RFC 2060 §6.4.5, RFC 9051 §6.4.5.1: each text says its own number."""
    parts = table(RFC_RAW)
    for section in ("1", "2", "3.1", "3.2", "4.1", "4.2.1", "4.2.2.1", "4.2.2.2"):
        part = parts.find(section)
        assert part is not None
        assert part.number == section
        assert (body(part) or b"").rstrip().endswith(b": " + section.encode())
    assert [part.number for part in parts.walk()] == [
        "",
        "1",
        "2",
        "3",
        "",
        "3.1",
        "3.2",
        "4",
        "4.1",
        "4.2",
        "",
        "4.2.1",
        "4.2.2",
        "4.2.2.1",
        "4.2.2.2",
    ]
    assert (found := parts.find("4.2.2")) is not None
    assert found.content_type == "multipart/alternative"


def test_the_mail_inside_a_part_has_its_own_header() -> None:
    parts = table(RFC_RAW)
    carrier = parts.find("3")
    assert carrier is not None
    assert carrier.message is not None
    assert (
        b"This part specifier should be: 3"
        in RFC_RAW[carrier.message.header_start : carrier.message.header_end]
    )
    assert RFC_RAW[carrier.header_start : carrier.header_end].startswith(b"Content-Type: MESSAGE/RFC822")
    assert carrier.message.body_end == carrier.body_end
    assert parts.find("1") is not None
    assert parts.root.message is None


def test_says_what_is_not_there() -> None:
    parts = table(RFC_RAW)
    for section in (
        "0",
        "5",
        "1.1",
        "3.3",
        "3.1.1",
        "4.2.3",
        "4.2.2.2.1",
        "x",
        "1.",
        ".1",
        "01",
        "1..1",
        "-1",
        "²",
        "9" * 11,
    ):
        assert parts.find(section) is None
    assert parts.find("") is parts.root


def test_a_mail_without_parts_is_its_own_first() -> None:
    parts = table(b"Subject: x\r\n\r\ntext")
    assert parts.find("1") is parts.root
    assert parts.root.number == "1"
    assert parts.find("2") is None
    assert parts.find("1.1") is None


def test_a_mail_that_is_a_mail() -> None:
    parts = table(b"Content-Type: message/rfc822\r\n\r\nSubject: x\r\n\r\ntext")
    inner = parts.root.message
    assert inner is not None
    assert parts.find("1") is parts.root
    assert parts.find("1.1") is inner
    assert inner.number == "1.1"
    assert parts.find("1.2") is None

    inner = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\none\r\n--b--"
    raw = b"Content-Type: message/rfc822\r\n\r\n" + inner
    parts = table(raw)
    one = parts.find("1.1")
    assert one is not None
    assert raw[one.body_start : one.body_end] == b"one"
    assert one.number == "1.1"

    raw = b"Content-Type: message/rfc822\r\n\r\n" * 3 + b"\r\nx"
    assert [part.number for part in table(raw).walk()] == ["1", "1.1", "1.1.1", "1.1.1.1"]
    assert (deepest := table(raw).find("1.1.1.1")) is not None
    assert raw[deepest.body_start : deepest.body_end] == b"x"


def test_keeps_what_people_see_of_a_part() -> None:
    raw = (
        b"Content-Type: Image/PNG; name=old.png; charset=X\r\n"
        b"Content-Disposition: ATTACHMENT; filename*=utf-8''%C3%BC.png\r\n"
        b"Content-ID: <a@b>\r\nContent-Transfer-Encoding: BASE64\r\n\r\nAAAA"
    )
    part = table(raw).root
    assert (part.content_type, part.charset, part.encoding) == ("image/png", "x", "base64")
    assert (part.disposition, part.filename, part.content_id) == ("attachment", "ü.png", "a@b")
    assert part.octets == 4
    assert part.children == []


def test_every_number_in_a_table_finds_its_part() -> None:
    for path in corpus():
        parts = table(path.read_bytes())
        numbers = set()
        for part in parts.walk():
            if part.number:
                assert parts.find(part.number) is part
                assert part.number not in numbers
                numbers.add(part.number)
