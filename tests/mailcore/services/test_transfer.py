"""Imports: each mail once, in its folder, and what was filed stays when the mailbox is full."""

import pytest

from mailcore.errors import BadFolderName, OverQuota
from mailcore.services import folders, mailboxes, messages, transfer
from tests.cast import Cast

pytestmark = pytest.mark.django_db


def raw(number: int) -> bytes:
    return f"Message-ID: <{number}@x.test>\r\nSubject: {number}\r\n\r\nText\r\n".encode()


def test_files_each_mail_once_and_makes_folders(monkeypatch):
    monkeypatch.setattr(transfer, "FILED_TOGETHER", 2)
    box = Cast().alice.mailbox
    job = transfer.Import(box, None, skip=True)
    for number in (1, 2, 3, 2):
        job.add(raw(number), folder="Old/2026", flags=1, date=1_700_000_000 + number)
    job.flush()
    assert (job.filed, job.skipped) == (3, 1)
    state = folders.find(box.pk, "Old/2026")
    assert (state.message_count, state.unseen_count) == (3, 0)
    assert "Old/2026" in folders.subscriptions(box.pk)
    assert list(transfer.mails(state.folder_id)) == [
        (raw(number), 1, 1_700_000_000 + number) for number in (1, 2, 3)
    ]
    again = transfer.Import(box, "Old/2026", skip=False)
    again.add(raw(1), folder="Elsewhere")
    again.flush()
    assert folders.find(box.pk, "Old/2026").message_count == 4
    with pytest.raises(BadFolderName):
        transfer.Import(box, "a//b", skip=True).add(raw(1))


def test_keeps_what_was_filed_before_the_mailbox_was_full():
    box = Cast().alice.mailbox
    mailboxes.set_quota(box, 3 * len(raw(1)), actor=None)
    job = transfer.Import(box, None, skip=True)
    for number in range(1, 6):
        job.add(raw(number))
    with pytest.raises(OverQuota):
        job.flush()
    assert job.filed == 3
    assert {state.name: state.message_count for state in messages.folder_rows(box.pk)}["INBOX"] == 3
