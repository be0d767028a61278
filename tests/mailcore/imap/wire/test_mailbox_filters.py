import pytest

from mailcore import limits
from mailcore.errors import BadSyntax
from mailcore.imap.wire import mailbox_filters
from mailcore.imap.wire.grammar import Cursor
from mailcore.imap.wire.values import Folders


def test_reads_every_kind():
    cursor = Cursor(
        b'(selected inboxes PERSONAL Subscribed subtree a subtree-one (b/c inbox "d e") mailboxes (&U,BTFw-))'
    )
    assert mailbox_filters.several(cursor) == (
        Folders("SELECTED"),
        Folders("INBOXES"),
        Folders("PERSONAL"),
        Folders("SUBSCRIBED"),
        Folders("SUBTREE", ("a",)),
        Folders("SUBTREE-ONE", ("b/c", "INBOX", "d e")),
        Folders("MAILBOXES", ("台北",)),
    )
    assert cursor.at_end()


@pytest.mark.parametrize(
    "text",
    [
        b"()", b"selected", b"(selected", b"(selected-delayed)", b"(mailboxes)", b"(mailboxes ())",
        b"(selected x)", b"(subtree  a)", b"(mailboxes (a b)", b"(frob a)", b"(subtree &)",
        b"(mailboxes (%b))" % b" ".join([b"a"] * (limits.IMAP_LIST_ITEMS + 1)),
    ],
)  # fmt: skip
def test_refuses_what_is_none(text):
    with pytest.raises(BadSyntax):
        mailbox_filters.several(Cursor(text))
