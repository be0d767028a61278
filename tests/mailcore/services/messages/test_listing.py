import time

import pytest

from mailcore import limits
from mailcore.message.flags import FLAGGED, SEEN
from mailcore.models import Folder
from mailcore.services import messages, sql, textindex
from mailcore.services.messages import listing
from mailcore.services.messages.listing import Wanted

from .conftest import mail


@pytest.fixture
def box(store):
    return store.mailbox()


def folder(box, role: str) -> int:
    return Folder.objects.get(mailbox=box, role=role).pk


def uids(page) -> list[int]:
    return [row.uid for row in page.rows]


def test_pages_through_a_folder_both_ways(store, box):
    for number in range(7):
        store.file(mail(str(number)), box)
    inbox = store.inbox(box)
    first = listing.list_page(inbox, limit=3)
    assert (uids(first), first.has_newer, first.has_older) == ([7, 6, 5], False, True)
    second = listing.list_page(inbox, before=5, limit=3)
    assert (uids(second), second.has_newer, second.has_older) == ([4, 3, 2], True, True)
    last = listing.list_page(inbox, before=2, limit=3)
    assert (uids(last), last.has_newer, last.has_older) == ([1], True, False)
    back = listing.list_page(inbox, after=1, limit=3)
    assert (uids(back), back.has_newer, back.has_older) == ([4, 3, 2], True, True)
    # The page before the newest one is the newest one, and a full one.
    assert uids(listing.list_page(inbox, after=4, limit=3)) == [7, 6, 5]
    assert uids(listing.list_page(inbox, after=5, limit=3)) == [7, 6, 5]
    assert listing.list_page(inbox, before=1, limit=3).rows == []


def test_says_what_a_list_shows(store, box):
    store.file(mail("Größe", "Hello there.\r\n", Message_ID="<1@x>"), box, flags=SEEN | FLAGGED)
    (row,) = listing.list_page(store.inbox(box)).rows
    assert (row.subject, row.from_text, row.to_text) == ("Größe", "Ann <ann@example.org>", "bob@example.net")
    assert (row.preview, row.message_id, row.folder_role) == ("Hello there.", "1@x", "inbox")
    assert row.has(SEEN)
    assert row.has(FLAGGED)
    assert row.has_attachments is False
    assert listing.by_uid(row.folder_id, row.uid) == row
    assert listing.by_uid(row.folder_id, 99) is None
    assert listing.by_email(box.pk, row.thread_id, row.email_id) == [row]
    assert listing.by_email(box.pk + 1, row.thread_id, row.email_id) == []


def test_shows_a_conversation_across_folders_without_its_trash(store, box):
    more = {"References": "<1@x>"}
    store.file(mail("Plan", Message_ID="<1@x>"), box, internal_date=100)
    store.file(mail("Re: Plan", Message_ID="<2@x>", **more), box, folder="sent", internal_date=200)
    store.file(mail("Re: Plan", Message_ID="<3@x>", **more), box, folder="trash", internal_date=300)
    store.file(mail("Other"), box, internal_date=150)
    first = listing.by_uid(store.inbox(box), 1)
    assert [(row.folder_role, row.date) for row in listing.thread(box.pk, first)] == [
        ("inbox", 100),
        ("sent", 200),
    ]
    opened = listing.by_uid(folder(box, "trash"), 1)
    assert [row.folder_role for row in listing.thread(box.pk, opened)] == ["inbox", "sent", "trash"]


def test_shows_a_mail_once_that_lies_in_two_folders(store, box):
    store.file(mail("Plan", Message_ID="<1@x>"), box)
    store.file(mail("Plan", Message_ID="<1@x>"), box, folder="sent")
    messages.copy(store.inbox(box), messages.ALL, folder(box, "sent"))
    copied = listing.by_uid(folder(box, "sent"), 2)
    assert len(listing.by_email(box.pk, copied.thread_id, copied.email_id)) == 2
    assert [row.uid for row in listing.thread(box.pk, copied)] == [2]


def test_hides_nothing_behind_a_message_id_used_again(store, box):
    store.file(mail("Plan", Message_ID="<1@x>"), box)
    forged = mail("Plan", "Other words.\r\n", Message_ID="<1@x>").replace(b"ann@", b"eve@")
    store.file(forged, box)
    opened = listing.by_uid(store.inbox(box), 1)
    assert [row.uid for row in listing.thread(box.pk, opened)] == [1, 2]


def test_keeps_the_opened_message_of_a_long_conversation(store, box, monkeypatch):
    monkeypatch.setattr(limits, "THREAD_ROWS", 2)
    for number in range(4):
        store.file(mail("Plan", Message_ID=f"<{number}@x>", References="<r@x>"), box, internal_date=number)
    opened = listing.by_uid(store.inbox(box), 1)
    assert [row.uid for row in listing.thread(box.pk, opened)] == [1, 3, 4]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (Wanted(), [5, 4, 3, 2, 1]),
        (Wanted(words=("müller",)), [2]),
        (Wanted(words=("MÜLLER", "offer")), [2]),
        (Wanted(words=("müller", "nothing")), []),
        (Wanted(words=("far below",)), [3]),
        (Wanted(authors=("ann@",)), [5, 4, 3, 2, 1]),
        (Wanted(authors=("bob@",)), []),
        (Wanted(recipients=("BOB@example",)), [5, 4, 3, 2, 1]),
        (Wanted(subjects=("offer",)), [2, 1]),
        (Wanted(is_unread=True), [5, 4, 3, 2]),
        (Wanted(is_unread=False), [1]),
        (Wanted(is_flagged=True), [1]),
        (Wanted(has_attachments=True), []),
        (Wanted(words=("100%",)), [4]),
        (Wanted(words=("' OR 1=1 --",)), [5]),
        (Wanted(words=("_",)), []),
    ],
)
def test_finds(store, box, wanted, found):
    store.file(mail("Offer one"), box, flags=SEEN | FLAGGED)
    store.file(mail("Offer two", "Dear Frau Müller,\r\n"), box)
    store.file(mail("Letter", "x" * 300 + "\r\n" * 50 + "It stands FAR BELOW.\r\n"), box)
    store.file(mail("100% wool"), box)
    store.file(mail("' OR 1=1 --"), box)
    store.file(mail("In the bin: offer müller"), box, folder="trash")
    result = listing.search_page(box.pk, wanted)
    assert uids(result) == found
    assert result.next_before is None


def test_finds_nothing_of_another_mailbox(store, box):
    other = store.mailbox()
    store.file(mail("Secret"), other)
    assert listing.search_page(box.pk, Wanted(words=("secret",))).rows == []
    assert listing.search_page(box.pk, Wanted(words=("secret",)), folder_id=store.inbox(other)).rows == []
    assert listing.search_page(other.pk, Wanted(words=("secret",)), before=1 << 60).rows != []


def test_searches_one_folder_also_the_trash(store, box):
    store.file(mail("Bill"), box)
    store.file(mail("Bill"), box, folder="trash")
    found = listing.search_page(box.pk, Wanted(words=("bill",)), folder_id=folder(box, "trash"))
    assert [row.folder_role for row in found.rows] == ["trash"]


def test_goes_on_where_a_search_stopped(store, box, monkeypatch):
    for number in range(9):
        store.file(mail(f"Bill {number}"), box)
    first = listing.search_page(box.pk, Wanted(words=("bill",)), limit=4)
    second = listing.search_page(box.pk, Wanted(words=("bill",)), limit=4, before=first.next_before)
    third = listing.search_page(box.pk, Wanted(words=("bill",)), limit=4, before=second.next_before)
    assert [uids(page) for page in (first, second, third)] == [[9, 8, 7, 6], [5, 4, 3, 2], [1]]
    assert third.next_before is None
    monkeypatch.setattr(limits, "SEARCH_CHUNK_ROWS", 3)
    monkeypatch.setattr(limits, "SEARCH_ROWS", 4)
    some = listing.search_page(box.pk, Wanted(subjects=("bill 1",)))
    assert (uids(some), some.looked_at) == ([], 4)
    more = listing.search_page(box.pk, Wanted(subjects=("bill 1",)), before=some.next_before)
    assert uids(more) == [2]


def test_says_when_it_did_not_read_every_text(store, box, monkeypatch):
    monkeypatch.setattr(limits, "SEARCH_BODIES", 1)
    for number in range(3):
        store.file(mail(str(number), "x" * 300 + "\r\nneedle\r\n"), box)
    found = listing.search_page(box.pk, Wanted(words=("needle",)))
    assert (uids(found), found.is_partial) == ([3], True)


def test_reads_every_text_that_is_indexed(store, box, monkeypatch):
    monkeypatch.setattr(limits, "SEARCH_BODIES", 1)
    for number in range(3):
        store.file(mail(str(number), "x" * 300 + "\r\nneedle\r\n"), box)
    textindex.index_mailbox(box.pk)
    store.file(mail("3", "x" * 300 + "\r\nneedle\r\n"), box)
    found = listing.search_page(box.pk, Wanted(words=("NEEDLE",)))
    assert (uids(found), found.is_partial) == ([4, 3, 2, 1], False)
    assert uids(listing.search_page(box.pk, Wanted(words=("needle", "2")))) == [3]
    assert uids(listing.search_page(box.pk, Wanted(words=("needle", "nowhere")))) == []


def test_stays_fast_in_a_large_folder(store, box):
    (filed,) = store.file(mail("One"), box)
    first = listing.by_uid(filed.folder_id, filed.uid)
    columns = (
        "mailbox_id, folder_id, content_id, flags, keywords, modseq, internal_date, internal_offset,"
        " saved_date, size, email_id, thread_id"
    )
    copy = f"INSERT INTO message (id, uid, {columns}) SELECT id + %s, uid + %s, {columns} FROM message"
    for start in range(1, 30_000, 5000):
        numbers = [(number, number, filed.message_id) for number in range(start, start + 5000)]
        sql.execute_many(f"{copy} WHERE id = %s", numbers)
    for ask in (
        lambda: listing.list_page(filed.folder_id),
        lambda: listing.list_page(filed.folder_id, before=200),
        lambda: listing.list_page(filed.folder_id, after=15_000),
        lambda: listing.by_email(box.pk, first.thread_id + 1, 1),
    ):
        started = time.perf_counter()
        ask()
        assert time.perf_counter() - started < 0.1
    started = time.perf_counter()
    found = listing.search_page(box.pk, Wanted(subjects=("two",)), folder_id=filed.folder_id)
    assert found.looked_at == limits.SEARCH_ROWS
    assert time.perf_counter() - started < 5
