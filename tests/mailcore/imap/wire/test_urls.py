import pytest

from mailcore.errors import BadSyntax
from mailcore.imap.wire import urls
from mailcore.imap.wire.values import Section


def parts(url: str) -> tuple:
    found = urls.parse(url)
    return (
        found.host,
        found.user,
        found.folder,
        found.uidvalidity,
        found.uid,
        found.item.section,
        found.item.partial,
    )


WHOLE = Section("", "")


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("/Drafts;UIDVALIDITY=385759045/;UID=20", ("", "", "Drafts", 385759045, 20, WHOLE, None)),
        ("/Drafts/;uid=20/;section=HEADER", ("", "", "Drafts", 0, 20, Section("", "HEADER"), None)),
        ("/a/b%20c/;UID=1/;SECTION=1.2.MIME", ("", "", "a/b c", 0, 1, Section("1.2", "MIME"), None)),
        (";UID=7/;SECTION=TEXT/;PARTIAL=3.9", ("", "", "", 0, 7, Section("", "TEXT"), (3, 9))),
        (
            "imap://ann%40x.example;AUTH=*@Mail.Example:143/%C3%9C;UIDVALIDITY=2/;UID=3",
            ("mail.example", "ann@x.example", "Ü", 2, 3, WHOLE, None),
        ),
        ("imap://mail.example/INBOX/;UID=3", ("mail.example", "", "INBOX", 0, 3, WHOLE, None)),
        (
            "/INBOX/;UID=3/;SECTION=HEADER.FIELDS%20(To%20Cc)",
            ("", "", "INBOX", 0, 3, Section("", "HEADER.FIELDS", (b"To", b"Cc")), None),
        ),
    ],
)  # fmt: skip
def test_names_a_message_or_a_part(url, expected):
    assert parts(url) == expected


def test_a_part_to_its_end():
    first, count = urls.parse(";UID=7/;PARTIAL=3").item.partial
    assert first == 3
    assert count > 2**60


@pytest.mark.parametrize(
    "url",
    [
        "", "/INBOX", "/INBOX/;UID=0", "/INBOX/;UID=x", "/INBOX;UID=1", "/;UID=1", "INBOX/;UID=1",
        "http://x/INBOX/;UID=1", "imap://x;UID=1", "/INBOX/;UID=1/;SECTION=", "/INBOX/;UID=1/;SECTION=FOO",
        "/INBOX/;UID=1/;SECTION=MIME", "/INBOX/;UID=1/;SECTION=1%5D%20X", "/%FF/;UID=1", "/a%0D%0Ab/;UID=1",
        "/INBOX/;UID=1;URLAUTH=anonymous", "/INBOX/;UID=1;EXPIRE=2026-01-01T00:00:00Z;URLAUTH=x:y:9",
        "/INBOX?SUBJECT%20x", "/INBOX/;UID=1/;PARTIAL=", "/INBOX/;UID=1/;PARTIAL=1.0",
    ],
)  # fmt: skip
def test_refuses_what_is_none(url):
    with pytest.raises(BadSyntax):
        urls.parse(url)
