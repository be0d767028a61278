import os

import pytest

from mailcore import limits
from mailcore.errors import BadFlag, FolderGone, NoSuchAddress, OverQuota
from mailcore.message.flags import SEEN
from mailcore.models import Change, Content, Event, Folder, Mailbox, Message
from mailcore.outside import doorbell
from mailcore.services import messages

from .conftest import mail


def test_gives_back_the_octets_behind_the_prefix(store):
    box = store.mailbox()
    raw = mail(body="x" * 5000 + "\r\n")
    (filed,) = store.file(raw, box, prefix=b"Return-Path: <>\r\n")
    kept = messages.raw_of(Message.objects.get(pk=filed.message_id).content_id)
    assert kept.raw == b"Return-Path: <>\r\n" + raw


def test_keeps_large_bodies_in_the_storage_backend(store, data_dir):
    box = store.mailbox()
    raw = mail(body=os.urandom(limits.INLINE_OCTETS).hex())
    (filed,) = store.file(raw, box)
    content = Content.objects.get(pk=Message.objects.get(pk=filed.message_id).content_id)
    assert content.place == Content.Place.FILE
    assert content.payload is None
    assert [path for path in (data_dir / "blobs").rglob("*") if path.is_file()]
    assert messages.raw_of(content.pk).raw == raw


def test_stores_one_content_for_all_recipients_of_a_tenant(store):
    boxes = [store.mailbox() for _ in range(3)]
    filed = store.file(mail(), *boxes)
    assert [one.mailbox_id for one in filed] == [box.pk for box in boxes]
    assert Content.objects.count() == 1
    assert Message.objects.count() == 3


def test_counts_everything_it_files(store):
    box = store.mailbox()
    first, second = mail("one"), mail("two")
    store.file(first, box)
    store.file(second, box, flags=SEEN)
    box.refresh_from_db()
    inbox = Folder.objects.get(pk=store.inbox(box))
    assert (inbox.message_count, inbox.unseen_count, inbox.uidnext) == (2, 1, 3)
    assert inbox.octets == box.used_octets == len(first) + len(second)
    assert box.message_count == 2
    assert inbox.modseq == box.modseq


def test_numbers_uids_and_modseqs_in_order_over_a_batch(store):
    one, two = store.mailbox(), store.mailbox()
    units = [store.unit(mail(str(number)), one, two) for number in range(5)]
    results = messages.append_many(units)
    assert [filed.uid for result in results for filed in result if filed.mailbox_id == one.pk] == [
        1,
        2,
        3,
        4,
        5,
    ]
    modseqs = [filed.modseq for result in results for filed in result if filed.mailbox_id == two.pk]
    assert modseqs == sorted(set(modseqs))
    change = Change.objects.get(mailbox_id=one.pk)
    assert (change.kind, change.uids) == (Change.Kind.ADDED, "1:5")


def test_keeps_one_bad_unit_out_and_files_the_rest(store):
    full, good = store.mailbox(quota=10), store.mailbox()
    gone = store.mailbox()
    Mailbox.objects.filter(pk=gone.pk).update(state="closing")
    results = messages.append_many(
        [
            store.unit(mail(), full, enforce_quota=True),
            store.unit(mail(), good),
            store.unit(mail(), good, folder=999_999),
            store.unit(mail(), gone),
        ]
    )
    assert [type(result) for result in results] == [OverQuota, list, FolderGone, NoSuchAddress]
    assert Message.objects.count() == 1
    assert Content.objects.count() == 1


def test_files_over_the_quota_what_was_accepted_before(store):
    box = store.mailbox(quota=10)
    Mailbox.objects.filter(pk=box.pk).update(quota_messages=1)
    assert store.file(mail(), box)
    assert store.file(mail(), box)


def test_takes_as_many_messages_as_there_may_be(store):
    box = store.mailbox()
    Mailbox.objects.filter(pk=box.pk).update(quota_messages=2)
    units = [store.unit(mail(), box, enforce_quota=True) for _ in range(3)]
    done = messages.append_many(units)
    assert [isinstance(one, OverQuota) for one in done] == [False, False, True]
    box.refresh_from_db()
    assert box.message_count == 2


def test_rolls_all_back_when_a_unit_fails_inside(store):
    box = store.mailbox()

    def fail(_content_ids):
        raise RuntimeError("inside")

    with pytest.raises(RuntimeError):
        messages.append_many([store.unit(mail(), box), store.unit(mail(), box, within=fail)])
    assert not Message.objects.exists()
    assert not Content.objects.exists()
    box.refresh_from_db()
    assert box.used_octets == 0


def test_makes_a_folder_for_a_role_that_has_none(store):
    box = store.mailbox()
    (filed,) = store.file(mail(), box, folder="junk")
    folder = Folder.objects.get(pk=filed.folder_id)
    assert (folder.name, folder.role, folder.uidvalidity) == ("Junk", "junk", 100)
    assert store.file(mail(), box, folder="junk")[0].folder_id == folder.pk


def test_puts_answers_into_the_thread_of_what_they_answer(store):
    box = store.mailbox()
    store.file(mail("Plan", Message_ID="<1@x>"), box)
    store.file(mail("Re: Plan", Message_ID="<2@x>", In_Reply_To="<1@x>"), box)
    store.file(mail("Another plan", Message_ID="<3@x>", References="<1@x> <2@x>"), box)
    first, answer, renamed = Message.objects.order_by("uid")
    assert answer.thread_id == first.thread_id == first.email_id
    assert renamed.thread_id == renamed.email_id


def test_threads_within_one_batch_too(store):
    box = store.mailbox()
    messages.append_many(
        [
            store.unit(mail("Re: Plan", Message_ID="<2@x>", In_Reply_To="<1@x>"), box),
            store.unit(mail("Plan", Message_ID="<1@x>"), box),
        ]
    )
    assert Message.objects.values("thread_id").distinct().count() == 1


def test_numbers_keywords_per_mailbox(store):
    box = store.mailbox()
    store.file(mail(), box, keywords=("$Work", "later"))
    store.file(mail(), box, keywords=("LATER",))
    box.refresh_from_db()
    assert box.keywords == ["$Work", "later"]
    assert [message.keywords for message in Message.objects.order_by("uid")] == [0b11, 0b10]


def test_refuses_one_keyword_too_many(store):
    box = store.mailbox()
    Mailbox.objects.filter(pk=box.pk).update(keywords=[f"k{number}" for number in range(limits.KEYWORDS)])
    (result,) = messages.append_many([store.unit(mail(), box, keywords=("more",))])
    assert isinstance(result, BadFlag)


def test_records_an_event_for_each_filing_with_a_trace(store):
    box = store.mailbox()
    store.file(mail(), box, trace="abc", sender="ann@example.org", data={"peer": "192.0.2.1"})
    event = Event.objects.get()
    assert (event.kind, event.trace, event.sender, event.uids) == ("filed", "abc", "ann@example.org", "1")
    assert event.data == {"peer": "192.0.2.1"}


@pytest.mark.django_db(transaction=True)
def test_rings_the_mailbox_after_the_commit(data_dir):
    from .conftest import Store

    store = Store()
    box = store.mailbox()
    rung = []
    handle = doorbell.listen(f"mailbox:{box.pk}", lambda: rung.append(Message.objects.count()))
    store.file(mail(), box)
    handle.close()
    assert rung == [1]


def test_survives_what_text_columns_cannot_hold(store):
    box = store.mailbox()
    store.file(b"Subject: a\0b \xff\xfe\r\nFrom: \xf0\x9f <x@y>\r\n\r\n", box)
    assert Content.objects.get().subject
