"""A mail is followed through its mailbox after it was delivered."""

import pytest

from mailcore import limits
from mailcore.message.flags import DELETED, SEEN
from mailcore.models import Event
from mailcore.services import folders, maildrops, messages, transfer
from mailcore.services.traces.after import Place, follow


@pytest.fixture
def filed(cast, file):
    for number in range(4):
        file(cast.bob, f"before{number}")
    return file(cast.bob, "it")


@pytest.fixture
def life(cast, filed):
    def life():
        event = Event.objects.get(trace="it")
        place = Place(filed.mailbox_id, filed.folder_id, filed.uid)
        return follow(cast.bob.tenant.pk, place, event.pk)

    return life


def told(life):
    return [(step.kind, step.via) for step in life.steps]


def test_nothing_happened_yet(life, filed):
    found = life()
    assert (found.steps, found.places, found.is_cut) == (
        [], [Place(filed.mailbox_id, filed.folder_id, filed.uid)], False
    )  # fmt: skip


def test_read_moved_and_deleted(cast, filed, life, clock):
    archive = folders.by_role(cast.bob.mailbox.pk, "archive")
    messages.set_flags(filed.folder_id, messages.ALL, add=SEEN, via="imap")
    messages.move(filed.folder_id, [(1, 2)], archive, via="imap")  # two others go first
    moved = messages.move(filed.folder_id, [(3, filed.uid)], archive, via="webmail")
    place = Place(filed.mailbox_id, archive, moved.target_uids[-1])
    assert told(life()) == [("read", "imap"), ("moved", "webmail")]
    assert life().places == [place]
    messages.set_flags(archive, [(place.uid, place.uid)], add=DELETED, via="imap")
    messages.expunge(archive, via="imap")
    assert told(life())[2:] == [("marked", "imap"), ("deleted", "imap")]
    assert life().places == []


def test_what_happens_to_others_is_not_its_story(filed, life):
    messages.set_flags(filed.folder_id, [(1, 4)], add=SEEN, via="imap")
    messages.expunge(filed.folder_id, [(2, 3)], only_deleted=False, via="imap")
    assert told(life()) == []


def test_a_move_by_copy_and_expunge_is_seen_through(cast, filed, life):
    archive = folders.by_role(cast.bob.mailbox.pk, "archive")
    copied = messages.copy(filed.folder_id, [(filed.uid, filed.uid)], archive, via="imap")
    messages.expunge(filed.folder_id, [(filed.uid, filed.uid)], only_deleted=False, via="imap")
    assert told(life()) == [("copied", "imap"), ("deleted", "imap")]
    assert life().places == [Place(filed.mailbox_id, archive, copied.target_uids[0])]


def test_follows_into_another_mailbox(cast, filed, life):
    inbox = folders.by_role(cast.alice.mailbox.pk, "inbox")
    messages.move(filed.folder_id, [(filed.uid, filed.uid)], inbox, via="imap")
    messages.set_flags(inbox, messages.ALL, add=SEEN, via="pop3")
    assert told(life()) == [("moved", "imap"), ("read", "pop3")]
    assert [place.mailbox_id for place in life().places] == [cast.alice.mailbox.pk]


def test_fetched_by_pop3(cast, life, filed):
    drop = maildrops.look_into(cast.bob.tenant.pk, cast.bob.mailbox.pk)
    maildrops.leave(drop, [filed.uid], [filed.uid], mark_read=True)
    assert told(life()) == [("fetched", "pop3"), ("deleted", "pop3")]


def test_follows_through_a_rename_of_the_inbox_and_the_end_of_its_folder(cast, filed, life):
    folders.rename(cast.bob.mailbox.pk, "INBOX", "Old")
    assert list(transfer.mails(life().places[0].folder_id))
    assert told(life()) == [("moved", "rename"), ("exported", "operator")]
    folders.delete(cast.bob.mailbox.pk, "Old")
    assert told(life())[2:] == [("deleted", "folder")]
    assert life().places == []


def test_ten_thousand_messages_marked_are_one_event(cast, filed):
    before = Event.objects.count()
    messages.set_flags(filed.folder_id, messages.ALL, add=SEEN, via="imap")
    assert Event.objects.count() == before + 1


def test_looks_at_a_limited_number_of_events(cast, filed, life, monkeypatch):
    for _ in range(3):
        messages.set_flags(filed.folder_id, [(1, 1)], add=SEEN, via="imap")
        messages.set_flags(filed.folder_id, [(1, 1)], remove=SEEN, via="imap")
    messages.set_flags(filed.folder_id, messages.ALL, add=SEEN, via="imap")
    monkeypatch.setattr(limits, "TRACE_AFTER_ROWS", 3)
    assert (told(life()), life().is_cut) == ([], True)
    monkeypatch.setattr(limits, "TRACE_AFTER_ROWS", 4)
    assert (told(life()), life().is_cut) == ([("read", "imap")], False)
