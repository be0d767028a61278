import pytest

from hostmail.webmail.query import parse
from mailcore import limits
from mailcore.services.messages.listing import Wanted


@pytest.mark.parametrize(
    ("typed", "wanted"),
    [
        ("", Wanted()),
        ("hello world", Wanted(words=("hello", "world"))),
        ('"hello world"', Wanted(words=("hello world",))),
        (
            "from:carol to:bob subject:bill",
            Wanted(authors=("carol",), recipients=("bob",), subjects=("bill",)),
        ),
        ('FROM:"Carol Smith" x', Wanted(words=("x",), authors=("Carol Smith",))),
        (
            "is:unread is:starred has:attachment",
            Wanted(is_unread=True, is_flagged=True, has_attachments=True),
        ),
        ("is:read", Wanted(is_unread=False)),
        ("is:strange at:10:30 10:30", Wanted(words=("is:strange", "at:10:30", "10:30"))),
        ("from:", Wanted(words=("from:",))),
        ('"never closed', Wanted(words=("never closed",))),
        ("a\r\nX: b", Wanted(words=("a", "X:", "b"))),
    ],
)
def test_reads_what_is_typed(typed, wanted):
    assert parse(typed) == wanted


def test_takes_only_so_much():
    wanted = parse("x " * 1000)
    assert len(wanted.words) == limits.SEARCH_TERMS
