import pytest

from mailcore import limits
from mailcore.errors import BadSyntax
from mailcore.imap.wire import fetch_items, parser
from mailcore.imap.wire.receiver import Received
from mailcore.imap.wire.values import EventGroup, Folders, Notify

UID, FLAGS = fetch_items.PLAIN["UID"], fetch_items.PLAIN["FLAGS"]
COUNTED = frozenset({"MESSAGENEW", "MESSAGEEXPUNGE"})


def read(text: bytes):
    return parser.parse(Received(b"a NOTIFY " + text))


def test_reads_none():
    assert read(b"none") == Notify(b"a", "NOTIFY")


def test_reads_what_is_to_be_fetched():
    assert read(b"SET (selected (MessageNew (UID FLAGS) MessageExpunge))") == Notify(
        b"a", "NOTIFY", False, (EventGroup(Folders("SELECTED"), COUNTED, (UID, FLAGS)),)
    )


def test_reads_several_groups_with_a_status():
    found = read(
        b"set status (SELECTED-DELAYED (MessageNew MessageExpunge FlagChange)) (subtree (a b) NONE)"
        b" (mailboxes inbox (MailboxName SubscriptionChange)) (subtree-one c (Frobbed))"
    )
    assert found.wants_status
    assert found.groups == (
        EventGroup(Folders("SELECTED-DELAYED"), COUNTED | {"FLAGCHANGE"}),
        EventGroup(Folders("SUBTREE", ("a", "b")), frozenset()),
        EventGroup(Folders("MAILBOXES", ("INBOX",)), frozenset({"MAILBOXNAME", "SUBSCRIPTIONCHANGE"})),
        EventGroup(Folders("SUBTREE-ONE", ("c",)), frozenset({"FROBBED"})),
    )


@pytest.mark.parametrize(
    "text",
    [
        b"", b"SET", b"SET STATUS", b"NONE NONE", b"FROB", b"SET FROB (personal NONE)", b"SET ()",
        b"SET (personal)", b"SET (personal ())", b"SET (personal SOME)", b"SET (frob NONE)",
        b"SET (personal NONE", b"SET (personal NONE)(personal NONE)",
        # What must stand together (RFC 5465 section 5), and where (sections 5.2, 6.1).
        b"SET (personal (MessageNew))", b"SET (personal (MessageExpunge))", b"SET (personal (FlagChange))",
        b"SET (selected (AnnotationChange))", b"SET (selected (MailboxName))",
        b"SET (personal (MessageNew (UID) MessageExpunge))",
        b"SET (selected NONE) (selected-delayed NONE)", b"SET (selected (MessageNew () MessageExpunge))",
        b"SET" + b" (personal NONE)" * (limits.IMAP_LIST_ITEMS + 1),
    ],
)  # fmt: skip
def test_refuses_what_is_none(text):
    with pytest.raises(BadSyntax):
        read(text)
