import pytest

from mailcore import scram
from mailcore.errors import BadValue, LoginFailed, WayClosed
from mailcore.models import AuditEntry, Folder, Message
from mailcore.services import doors, logins, mailboxes, maildrops, messages, ways
from mailcore.services.messages import Filing, Mail, Unit
from tests.cast import PASSWORD, Cast
from tests.scram import Client

PROTOCOLS = ("imap", "pop3", "smtp")


@pytest.fixture
def alice(db, data_dir):
    logins.forget_all()
    return Cast().alice


def enter(alice, protocol: str, password: str = PASSWORD) -> doors.Login:
    return mailboxes.authenticate(alice.address, password, protocol=protocol, peer="192.0.2.1")


def by_scram(alice, protocol: str) -> None:
    exchange = mailboxes.Exchange(scram.MECHANISM, protocol=protocol, peer="192.0.2.1", endpoint=b"")
    client = Client(alice.address, PASSWORD)
    exchange.final(client.answer(exchange.first(client.begin())))


@pytest.mark.parametrize("closed", PROTOCOLS)
def test_turns_away_who_comes_by_a_closed_way(alice, closed):
    inside = {protocol: enter(alice, protocol) for protocol in PROTOCOLS}
    ways.change(alice.mailbox, **{closed: False}, actor=None)
    for protocol in PROTOCOLS:
        if protocol == closed:
            for way in (enter, by_scram):
                with pytest.raises(WayClosed):
                    way(alice, protocol)
        else:
            assert enter(alice, protocol) == inside[protocol]
            by_scram(alice, protocol)
        assert mailboxes.is_still_good(inside[protocol]) is (protocol != closed)
    # Who does not know the password does not hear of it.
    with pytest.raises(LoginFailed):
        enter(alice, closed, "wrong")
    assert enter(alice, "managesieve")
    ways.change(alice.mailbox, **{closed: True}, actor=None)
    assert enter(alice, closed)


def test_leaves_alone_what_is_not_named_and_says_who_did_it(alice):
    ways.change(alice.mailbox, pop3=False, pop3_deletes="trash", actor=alice.user)
    ways.change(alice.mailbox, smtp=False, actor=alice.user)
    ways.change(alice.mailbox, actor=alice.user)
    alice.mailbox.refresh_from_db()
    box = alice.mailbox
    assert (box.has_imap, box.has_pop3, box.has_smtp, box.pop3_deletes) == (True, False, False, "trash")
    assert AuditEntry.objects.filter(verb="mailbox.ways").count() == 2
    with pytest.raises(BadValue):
        ways.change(alice.mailbox, pop3_deletes="burn", actor=None)


@pytest.mark.parametrize(("what", "where"), [("remove", None), ("trash", "trash"), ("archive", "archive")])
def test_takes_what_pop3_deletes_where_it_was_told(alice, what, where):
    box = alice.mailbox
    messages.append_many(
        [
            Unit([Mail(messages.prepare(b"Subject: %d\r\n\r\n" % n), [Filing(box.tenant_id, box.pk)])])
            for n in range(3)
        ]
    )
    ways.change(box, pop3_deletes=what, actor=None)
    drop = maildrops.look_into(box.tenant_id, box.pk)
    maildrops.leave(drop, [1, 2], [1, 3], mark_read=True)
    folders = dict(Folder.objects.filter(mailbox=box).values_list("pk", "role"))
    found = sorted((folders[m.folder_id] or "", m.uid) for m in Message.objects.all())
    assert found == sorted([("inbox", 2), *([(where, 1), (where, 2)] if where else [])])
    assert list(maildrops.look_into(box.tenant_id, box.pk).uids) == [2]


def test_withholds_capabilities(alice):
    ways.change(alice.mailbox, imap_without="move, IDLE", actor=alice.user)
    assert ways.imap_without(alice.mailbox.pk) == {"IDLE", "MOVE"}
    assert AuditEntry.objects.get(verb="mailbox.ways").data == {"imap_without": "IDLE MOVE"}
    with pytest.raises(BadValue, match="FROB cannot be withheld"):
        ways.change(alice.mailbox, imap_without="IDLE FROB", actor=None)
    ways.change(alice.mailbox, imap_without="", actor=None)
    assert ways.imap_without(alice.mailbox.pk) == ways.imap_without(0) == frozenset()
