import pytest

from mailcore.errors import FolderGone, OverQuota
from mailcore.imap.wire import objectids
from mailcore.message.flags import DELETED, FLAGGED, SEEN
from mailcore.models import Change, Content, ExpungedMessage, Folder, Mailbox, Message
from mailcore.services import messages

from .conftest import mail


def counters(folder_id):
    folder = Folder.objects.get(pk=folder_id)
    rows = Message.objects.filter(folder_id=folder_id)
    counted = (
        rows.count(),
        sum(not row.flags & SEEN for row in rows),
        sum(row.size for row in rows),
    )
    assert (folder.message_count, folder.unseen_count, folder.octets) == counted
    box = Mailbox.objects.get(pk=folder.mailbox_id)
    everything = Message.objects.filter(mailbox_id=box.pk)
    assert (box.message_count, box.used_octets) == (everything.count(), sum(row.size for row in everything))
    return counted


@pytest.fixture
def box(store):
    box = store.mailbox()
    for number in range(5):
        store.file(mail(str(number)), box)
    return box


def test_sets_flags_once_and_tells_what_changed(store, box):
    inbox = store.inbox(box)
    changed = messages.set_flags(inbox, [(1, 3)], add=SEEN | FLAGGED)
    assert changed.uids == [1, 2, 3]
    assert counters(inbox)[1] == 2
    again = messages.set_flags(inbox, [(1, 5)], add=SEEN)
    assert again.uids == [4, 5]
    assert again.modseq == changed.modseq + 1
    untouched = Message.objects.get(folder_id=inbox, uid=1)
    assert untouched.modseq == changed.modseq
    assert messages.set_flags(inbox, [(1, 5)], add=SEEN).modseq == again.modseq


def test_removes_and_replaces_flags(store, box):
    inbox = store.inbox(box)
    messages.set_flags(inbox, [(1, 5)], add=SEEN | FLAGGED, add_keywords=["$Work"])
    messages.set_flags(inbox, [(2, 2)], remove=SEEN, remove_keywords=["$work"])
    messages.set_flags(inbox, [(3, 3)], replace=True, add=DELETED)
    found = {row.uid: (row.flags, row.keywords) for row in Message.objects.filter(folder_id=inbox)}
    assert found[1] == (SEEN | FLAGGED, 1)
    assert found[2] == (FLAGGED, 0)
    assert found[3] == (DELETED, 0)
    counters(inbox)


def test_leaves_messages_alone_that_changed_since(store, box):
    inbox = store.inbox(box)
    known = messages.folder_state(inbox).modseq
    messages.set_flags(inbox, [(2, 2)], add=FLAGGED)
    changed = messages.set_flags(inbox, [(1, 3)], add=SEEN, condition=messages.Unchanged(known))
    assert (changed.uids, changed.refused) == ([1, 3], [2])


def test_changes_what_is_as_the_caller_knows_it(store, box):
    """RFC 7162 §3.1.12: another flag may have changed since, if it is not replaced too."""
    inbox = store.inbox(box)
    known = messages.folder_state(inbox).modseq
    messages.set_flags(inbox, [(1, 2)], add=FLAGGED, add_keywords=["$A"])
    before = {1: (0, 0)}
    condition = messages.Unchanged(known, lambda uid, modseq: before.get(uid) if modseq == known else None)

    def refused(**change) -> list[int]:
        done = messages.set_flags(inbox, [(1, 2)], condition=condition, **change)
        assert sorted(done.uids + done.refused) == [1, 2]
        return done.refused

    assert refused(add=SEEN) == [2]
    assert refused(add_keywords=["$B"]) == [2]
    assert refused(remove=FLAGGED) == [1, 2]
    assert refused(remove_keywords=["$A"]) == [1, 2]
    assert refused(add=SEEN, replace=True) == [1, 2]


def test_nothing_is_unchanged_since_0_but_keywords_that_are_not_there(store, box):
    inbox = store.inbox(box)
    messages.set_flags(inbox, [(2, 2)], add_keywords=["$A"])
    never = messages.Unchanged(0)
    assert messages.set_flags(inbox, [(1, 2)], add=SEEN, condition=never).refused == [1, 2]
    assert messages.set_flags(inbox, [(1, 2)], replace=True, condition=never).refused == [1, 2]
    done = messages.set_flags(inbox, [(1, 2)], add_keywords=["$a"], condition=never)
    assert (done.uids, done.refused) == ([1], [2])


def test_copies_with_shared_content(store, box):
    inbox, trash = store.inbox(box), Folder.objects.get(mailbox=box, role="trash").pk
    messages.set_flags(inbox, [(2, 2)], add=SEEN)
    copied = messages.copy(inbox, [(2, 4)], trash)
    assert (copied.uidvalidity, copied.source_uids, copied.target_uids) == (7, [2, 3, 4], [1, 2, 3])
    assert Content.objects.count() == 5
    assert counters(trash)[:2] == (3, 2)
    counters(inbox)
    source, copy = (
        Message.objects.get(folder_id=folder, uid=uid) for folder, uid in ((inbox, 2), (trash, 1))
    )
    assert (copy.email_id, copy.thread_id, copy.flags) == (source.email_id, source.thread_id, SEEN)


def test_copies_nothing_beyond_the_limit_on_messages(store, box):
    box.refresh_from_db()
    Mailbox.objects.filter(pk=box.pk).update(quota_messages=box.message_count + 1)
    trash = Folder.objects.get(mailbox=box, role="trash").pk
    with pytest.raises(OverQuota):
        messages.copy(store.inbox(box), [(1, 2)], trash)
    assert len(messages.copy(store.inbox(box), [(1, 1)], trash).target_uids) == 1


def test_copies_nothing_when_not_everything_fits(store, box):
    Mailbox.objects.filter(pk=box.pk).update(quota_octets=box.used_octets + 1)
    box.refresh_from_db()
    Mailbox.objects.filter(pk=box.pk).update(quota_octets=box.used_octets + 1)
    with pytest.raises(OverQuota):
        messages.copy(store.inbox(box), [(1, 5)], Folder.objects.get(mailbox=box, role="trash").pk)
    counters(store.inbox(box))


def test_moves_rows_and_logs_both_sides(store, box):
    inbox, trash = store.inbox(box), Folder.objects.get(mailbox=box, role="trash").pk
    before = Message.objects.get(folder_id=inbox, uid=3)
    moved = messages.move(inbox, [(2, 3)], trash, via="imap")
    assert (moved.source_uids, moved.target_uids) == ([2, 3], [1, 2])
    after = Message.objects.get(folder_id=trash, uid=2)
    assert (after.email_id, after.thread_id) == (before.email_id, before.thread_id)
    assert Change.objects.get(folder_id=inbox, kind=Change.Kind.GONE).uids == "2:3"
    assert Change.objects.get(folder_id=trash, kind=Change.Kind.ADDED).uids == "1:2"
    counters(inbox)
    counters(trash)


def test_moves_within_the_folder_itself(store, box):
    inbox = store.inbox(box)
    moved = messages.move(inbox, [(1, 2)], inbox)
    assert moved.target_uids == [6, 7]
    assert counters(inbox)[0] == 5
    since = messages.changes_since(inbox, 1)
    assert since.gone == [1, 2]
    assert [row[0] for row in since.rows] == [3, 4, 5, 6, 7]


def test_moves_to_another_mailbox_of_the_tenant(store, box):
    other = store.mailbox()
    messages.set_flags(store.inbox(box), [(1, 1)], add_keywords=["$Work"])
    messages.move(store.inbox(box), [(1, 2)], store.inbox(other))
    other.refresh_from_db()
    assert other.keywords == ["$Work"]
    counters(store.inbox(box))
    assert counters(store.inbox(other))[0] == 2


def test_a_copy_in_another_mailbox_is_known_for_what_it_is(store, box):
    """RFC 8474 §5.1: whoever sees both sees one email and one thread; and so when it comes home."""
    other = store.mailbox()
    source = Message.objects.get(folder_id=store.inbox(box), uid=2)
    messages.copy(store.inbox(box), [(2, 2)], store.inbox(other))
    there = Message.objects.get(folder_id=store.inbox(other))
    assert objectids.encode("M", other.pk, there.email_id) == objectids.encode("M", box.pk, source.email_id)
    assert objectids.encode("T", other.pk, there.thread_id) == objectids.encode("T", box.pk, source.thread_id)
    messages.move(store.inbox(other), messages.ALL, store.inbox(box))
    home = Message.objects.filter(folder_id=store.inbox(box)).order_by("-uid")[0]
    assert (home.email_id, home.thread_id) == (source.email_id, source.thread_id)


def test_expunges_what_is_deleted_and_keeps_it_aside(store, box):
    inbox = store.inbox(box)
    messages.set_flags(inbox, [(1, 2), (5, 5)], add=DELETED)
    assert messages.expunge(inbox, [(2, 5)]).uids == [2, 5]
    assert messages.expunge(inbox).uids == [1]
    assert sorted(ExpungedMessage.objects.values_list("uid", flat=True)) == [1, 2, 5]
    counters(inbox)


def test_tells_changes_since_a_modseq(store, box):
    inbox = store.inbox(box)
    known = messages.folder_state(inbox).modseq
    store.file(mail("new"), box)
    messages.set_flags(inbox, [(1, 2)], add=DELETED)
    messages.expunge(inbox, [(2, 2)])
    since = messages.changes_since(inbox, known)
    assert [row[:2] for row in since.rows] == [(1, DELETED), (6, 0)]
    assert since.gone == [2]
    state = messages.folder_state(inbox)
    assert (since.modseq, since.folder_modseq, since.uidnext) == (state.modseq, state.folder_modseq, 7)
    later = messages.changes_since(inbox, since.modseq)
    assert (later.modseq, later.rows, later.gone) == (since.modseq, [], [])


def test_says_when_the_folder_is_gone(store, box):
    with pytest.raises(FolderGone):
        messages.set_flags(987654, [(1, 1)], add=SEEN)
    with pytest.raises(FolderGone):
        messages.changes_since(987654, 0)


def test_keeps_nothing_aside_that_nobody_wants_back(store, box):
    inbox = store.inbox(box)
    messages.expunge(inbox, [(1, 2)], only_deleted=False, keep_aside=False)
    messages.expunge(inbox, [(3, 3)], only_deleted=False)
    assert list(ExpungedMessage.objects.values_list("uid", flat=True)) == [3]
    assert counters(inbox)[0] == 2
