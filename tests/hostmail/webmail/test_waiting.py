"""A letter can be taken back for some seconds, leaves at a chosen moment, and is listed until then."""

import datetime as dt

import pytest
from django.test import Client

from mailcore.message import flags
from mailcore.models import QueueEntry, Submission
from mailcore.outside import clock
from mailcore.services import allowances, folders, mailboxes, outbound
from mailcore.services.messages import listing
from tests.cast import Cast
from tests.fakes import MemoryWorker

pytestmark = pytest.mark.django_db


@pytest.fixture
def cast(data_dir):
    with MemoryWorker():
        made = Cast(keys=True)
        mailboxes.set_undo(made.alice.mailbox, 10, actor=None)
        yield made


def signed_in(person):
    client = Client()
    client.force_login(person.user)
    return client


def post(person, **fields):
    letter = {
        "from": person.address, "to": "bob@acme.test, x@example.org", "bcc": "y@example.org",
        "subject": "Lunch", "body": "Shall we?", "key": "k1", "action": "send",
    }  # fmt: skip
    client = signed_in(person)
    return client, client.post(f"/mail/{person.mailbox.public_id}/compose/", letter | fields, follow=True)


def rows(person, role):
    return listing.list_page(folders.by_role(person.mailbox.pk, role)).rows


def back(person, sent):
    return f"/mail/{person.mailbox.public_id}/waiting/{sent.public_id}/back/"


def test_is_taken_back_by_the_toast(cast):
    client, page = post(cast.alice)
    sent = Submission.objects.get()
    assert 0 < (sent.hold_until - clock.now()).total_seconds() <= 10
    assert back(cast.alice, sent) in page.content.decode()
    assert rows(cast.bob, "inbox") == []
    page = client.post(back(cast.alice, sent), follow=True).content.decode()
    assert "it is a draft again" in page
    assert "y@example.org" in page, "with its blind copies"
    assert set(QueueEntry.objects.values_list("state", flat=True)) == {"dropped"}
    assert rows(cast.alice, "sent") == []
    (draft,) = rows(cast.alice, "drafts")
    assert draft.has(flags.DRAFT)


def test_cannot_be_taken_back_when_it_has_left(cast):
    client, _ = post(cast.alice)
    sent = Submission.objects.get()
    QueueEntry.objects.filter(recipient="x@example.org").update(state="relayed", attempt_count=1)
    page = client.post(back(cast.alice, sent), follow=True).content.decode()
    assert "left already" in page
    assert len(rows(cast.alice, "sent")) == 1


def test_leaves_at_once_for_who_wants_no_undo(cast):
    client = signed_in(cast.alice)
    path = f"/mail/{cast.alice.mailbox.public_id}/waiting/"
    assert client.post(path, {"undo_seconds": "0"}).status_code == 302
    assert client.post(path, {"undo_seconds": "7"}).status_code == 422
    post(cast.alice)
    assert Submission.objects.get().hold_until is None
    assert len(rows(cast.bob, "inbox")) == 1


def test_leaves_at_a_chosen_moment(cast):
    at = clock.now().replace(microsecond=0, second=0) + dt.timedelta(days=1)
    client, page = post(cast.alice, send_at=at.isoformat())
    assert Submission.objects.get().hold_until == at
    assert "Message waits until" in page.content.decode()
    listed = client.get(f"/mail/{cast.alice.mailbox.public_id}/waiting/").content.decode()
    assert "Lunch" in listed
    assert "y@example.org" in listed
    assert "Leaves" in listed


@pytest.mark.parametrize("typed", ["tomorrow", "2026-02-31T10:00", "2001-01-01T10:00", "2999-01-01T10:00"])
def test_keeps_the_letter_when_the_moment_is_none(cast, typed):
    _, page = post(cast.alice, send_at=typed)
    assert page.status_code == 422
    assert "Shall we?" in page.content.decode()
    assert not Submission.objects.exists()


def test_lists_what_a_limit_holds(cast):
    mailboxes.set_undo(cast.alice.mailbox, 0, actor=None)
    allowances.set_limits(cast.alice.mailbox, recipients=0, first=None, actor=None)
    client, _ = post(cast.alice, to="x@example.org", bcc="")
    assert "On hold" in client.get(f"/mail/{cast.alice.mailbox.public_id}/waiting/").content.decode()


def test_is_nobody_elses_to_take_back(cast):
    post(cast.alice)
    sent = Submission.objects.get()
    charlie = signed_in(cast.charlie)
    assert charlie.post(back(cast.alice, sent)).status_code == 404
    assert charlie.get(f"/mail/{cast.alice.mailbox.public_id}/waiting/").status_code == 404
    assert charlie.post(back(cast.charlie, sent)).status_code == 404
    assert outbound.later.waiting(cast.alice.mailbox.pk) == [sent]
