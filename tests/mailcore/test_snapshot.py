"""Folders in memory: always as the database has them, never changed, cheap to prove."""

import gc
import os
import random
import threading

import pytest
from django.db import connection

from mailcore import limits, snapshot
from mailcore.errors import FolderGone
from mailcore.message.flags import DELETED, FLAGGED, SEEN
from mailcore.services import folders, messages, sql, storage
from mailcore.services.messages import read
from mailcore.snapshot import Snapshot, Snapshots
from tests.fakes import FakeClock
from tests.mailcore.imap.commands.reading import Inbox, mail


@pytest.fixture
def inbox(db, data_dir) -> Inbox:
    return Inbox()


def rows(one: Snapshot) -> list[tuple[int, int, int, int]]:
    return list(zip(one.uids, one.flags, one.keywords, one.modseqs, strict=True))


def test_has_what_the_database_has_after_any_changes(inbox):
    known = Snapshots()
    chance = random.Random(7)
    trash = folders.by_role(inbox.person.mailbox.pk, "trash")
    before = known.current(inbox.folder_id)
    for _ in range(60):
        match chance.randrange(5):
            case 0 | 1:
                inbox.file(*[mail() for _ in range(chance.randrange(1, 4))])
            case 2:
                low = chance.randrange(1, 60)
                messages.set_flags(
                    inbox.folder_id, [(low, low + 5)], add=SEEN, remove=FLAGGED, add_keywords=["$A"]
                )
            case 3:
                low = chance.randrange(1, 60)
                messages.expunge(inbox.folder_id, [(low, low + 1)], only_deleted=False)
            case 4:
                low = chance.randrange(1, 60)
                messages.move(inbox.folder_id, [(low, low)], trash)
                messages.move(trash, messages.ALL, inbox.folder_id)
        now = known.current(inbox.folder_id)
        assert rows(now) == messages.message_rows(inbox.folder_id)
        state = messages.folder_state(inbox.folder_id)
        assert (now.modseq, now.uidnext) == (state.modseq, state.uidnext)
        assert set(now.touched_since(before.modseq)) == {
            uid for uid, _, _, modseq in rows(now) if modseq > before.modseq
        }
        before = now


def test_highest_is_when_the_folder_last_changed(inbox):
    known = Snapshots()
    inbox.file(mail(), mail())
    for change in (
        lambda: inbox.file(mail()),
        lambda: messages.set_flags(inbox.folder_id, [(1, 1)], add=SEEN),
        lambda: inbox.expunge([(2, 2)]),
        lambda: (inbox.file(mail()), folders.create(inbox.person.mailbox.pk, "Other")),
        lambda: messages.copy(inbox.folder_id, [(1, 1)], folders.by_role(inbox.person.mailbox.pk, "sent")),
    ):
        change()
        state = messages.folder_state(inbox.folder_id)
        assert known.current(inbox.folder_id).highest == state.folder_modseq
        assert Snapshots().current(inbox.folder_id).highest == state.folder_modseq


def once(function, before):
    """function, but the first time before() is called first."""
    left = [before]

    def called(*arguments):
        if left:
            left.pop()()
        return function(*arguments)

    return called


def change_two(inbox) -> None:
    messages.set_flags(inbox.folder_id, [(1, 1)], add=SEEN)
    messages.set_flags(inbox.folder_id, [(2, 2)], add=SEEN)
    inbox.file(mail())


def test_is_as_young_as_its_youngest_row(inbox, monkeypatch):
    """Somebody changes the folder after its state was read and before its rows are: no row is ahead."""
    inbox.file(mail(), mail())
    meanwhile = once(messages.message_rows, lambda: change_two(inbox))
    monkeypatch.setattr(messages, "message_rows", meanwhile)
    one = Snapshots().current(inbox.folder_id)
    state = messages.folder_state(inbox.folder_id)
    assert (one.modseq, one.highest, one.uidnext) == (state.modseq, state.folder_modseq, state.uidnext)
    assert rows(one) == messages.message_rows(inbox.folder_id)


def test_no_row_of_a_refresh_is_ahead_of_it(inbox, monkeypatch):
    known = Snapshots()
    inbox.file(mail(), mail())
    known.current(inbox.folder_id)
    messages.set_flags(inbox.folder_id, [(1, 1)], add=FLAGGED)
    monkeypatch.setattr(read, "_message_rows_of", once(read._message_rows_of, lambda: change_two(inbox)))
    one = known.current(inbox.folder_id)
    assert max(one.modseqs) <= one.modseq
    assert rows(one) == messages.message_rows(inbox.folder_id)


def test_is_read_anew_when_the_log_does_not_reach_back_to_it(inbox):
    known = Snapshots()
    with FakeClock() as clock:
        inbox.file(mail(), mail(), mail())
        known.current(inbox.folder_id)
        inbox.expunge([(2, 2)])
        messages.set_flags(inbox.folder_id, [(1, 1)], add=SEEN)
        clock.advance(limits.CHANGES_KEPT_SECONDS + 60)
        assert storage.prune_changes()
        inbox.file(mail())
    assert rows(known.current(inbox.folder_id)) == messages.message_rows(inbox.folder_id)


def test_never_changes(inbox):
    known = Snapshots()
    inbox.file(mail(), mail())
    one = known.current(inbox.folder_id)
    kept = rows(one)
    messages.set_flags(inbox.folder_id, messages.ALL, add=DELETED)
    messages.expunge(inbox.folder_id)
    inbox.file(mail())
    assert known.current(inbox.folder_id) is not one
    assert rows(one) == kept


def test_is_the_same_for_all_while_nothing_changes(inbox):
    known = Snapshots()
    inbox.file(mail())
    assert known.current(inbox.folder_id) is known.current(inbox.folder_id)


def test_shares_its_arrays_when_another_folder_changed(inbox):
    known = Snapshots()
    inbox.file(mail())
    one = known.current(inbox.folder_id)
    inbox.file(mail(), folder="trash")
    two = known.current(inbox.folder_id)
    assert two.modseq > one.modseq
    assert two.uids is one.uids
    assert list(two.touched_since(one.modseq)) == []


def test_a_folder_that_is_gone(inbox):
    known = Snapshots()
    pk = folders.create(inbox.person.mailbox.pk, "a")
    known.current(pk)
    folders.delete(inbox.person.mailbox.pk, "a")
    with pytest.raises(FolderGone):
        known.current(pk)


def test_forgets_the_oldest(inbox, monkeypatch):
    monkeypatch.setattr(limits, "SNAPSHOTS", 2)
    known = Snapshots()
    pks = [folders.create(inbox.person.mailbox.pk, name) for name in "abc"]
    first = known.current(pks[0])
    known.current(pks[1])
    assert known.current(pks[0]) is first
    known.current(pks[2])
    assert list(known._known) == [pks[0], pks[2]]
    monkeypatch.setattr(limits, "SNAPSHOT_MESSAGES", -1)
    known.current(pks[1])
    assert list(known._known) == [pks[1]]


def test_bounds_its_log(inbox, monkeypatch):
    monkeypatch.setattr(limits, "SNAPSHOT_LOG", 3)
    monkeypatch.setattr(limits, "SNAPSHOT_LOG_UIDS", 4)
    known = Snapshots()
    inbox.file(*[mail() for _ in range(5)])
    one = known.current(inbox.folder_id)
    for uid in range(1, 6):
        messages.set_flags(inbox.folder_id, [(uid, uid)], add=SEEN)
        known.current(inbox.folder_id)
    five = known.current(inbox.folder_id)
    assert [list(each.uids) for each in five.log] == [[3], [4], [5]]
    assert sorted(five.touched_since(one.modseq)) == [1, 2, 3, 4, 5]
    messages.set_flags(inbox.folder_id, messages.ALL, add=FLAGGED)
    six = known.current(inbox.folder_id)
    assert six.log == ()
    assert sorted(six.touched_since(five.modseq)) == [1, 2, 3, 4, 5]


def test_leaves_the_collector_as_it_was(inbox):
    inbox.file(mail())
    assert gc.isenabled()
    snapshot.load(messages.folder_state(inbox.folder_id))
    assert gc.isenabled()


# --- On the event loop ------------------------------------------------------------------------------


def elsewhere(function, *arguments) -> None:
    """Run with another connection, as every change is made in life."""

    def run() -> None:
        function(*arguments)
        connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()


@pytest.mark.django_db(transaction=True)
class TestOnLoop:
    @pytest.fixture
    def inbox(self, transactional_db, data_dir) -> Inbox:
        return Inbox()

    def test_knows_only_what_was_loaded_and_sees_every_commit(self, inbox):
        known = Snapshots()
        assert known.current_on_loop(inbox.folder_id) is None
        one = known.current(inbox.folder_id)
        assert known.current_on_loop(inbox.folder_id) is one
        for _ in range(3):
            elsewhere(inbox.file, mail())
            known.new_turn()
            assert rows(known.current_on_loop(inbox.folder_id)) == messages.message_rows(inbox.folder_id)

    def test_asks_nothing_while_nothing_is_committed(self, inbox, monkeypatch):
        known = Snapshots()
        one = known.current(inbox.folder_id)
        known.current_on_loop(inbox.folder_id)
        known.new_turn()
        monkeypatch.setattr(messages, "folder_state", None)
        monkeypatch.setattr(sql, "rows", None)
        assert known.current_on_loop(inbox.folder_id) is one

    def test_leaves_big_changes_to_a_thread(self, inbox, monkeypatch):
        known = Snapshots()
        inbox.file(*[mail() for _ in range(5)])
        known.current(inbox.folder_id)
        monkeypatch.setattr(limits, "SNAPSHOT_CHANGES_ON_LOOP", 4)
        elsewhere(lambda: messages.set_flags(inbox.folder_id, messages.ALL, add=SEEN))
        assert known.current_on_loop(inbox.folder_id) is None
        now = known.current(inbox.folder_id)
        known.new_turn()
        assert known.current_on_loop(inbox.folder_id) is now

    def test_does_not_wait_for_a_thread_that_loads(self, inbox):
        known = Snapshots()
        known.current(inbox.folder_id)
        with known._lock_of(inbox.folder_id):
            assert known.current_on_loop(inbox.folder_id) is None

    def test_a_folder_that_is_gone(self, inbox):
        known = Snapshots()
        pk = folders.create(inbox.person.mailbox.pk, "a")
        known.current(pk)
        elsewhere(folders.delete, inbox.person.mailbox.pk, "a")
        with pytest.raises(FolderGone):
            known.current_on_loop(pk)


def test_postgresql_is_a_network_away(inbox, monkeypatch):
    known = Snapshots()
    known.current(inbox.folder_id)
    monkeypatch.setattr(sql, "is_sqlite", lambda: False)
    assert known.current_on_loop(inbox.folder_id) is None


if os.environ["HOSTMAIL_TEST_DB"] != "sqlite":
    del TestOnLoop
