"""What nobody needs goes, and what is needed never does."""

import datetime as dt
import random

import pytest

from mailcore import limits
from mailcore.models import Attempt, Change, Content, ExpungedMessage, Message, QueueEntry, Submission
from mailcore.outside import blobs
from mailcore.outside import clock as real_clock
from mailcore.services import messages, outbound, queue, storage
from mailcore.services.messages import Filing, Mail, Unit
from mailcore.services.messages.octets import prepare
from tests.cast import Cast
from tests.fakes import FakeClock, MemoryWorker

pytestmark = pytest.mark.django_db
DAY = 86400


@pytest.fixture
def clock():
    with FakeClock() as fake:
        yield fake


@pytest.fixture
def alice(clock, db, data_dir):
    with MemoryWorker():
        yield Cast().alice


def mail(size=20):
    body = random.Random(size).randbytes(size).hex()
    lines = "\r\n".join(body[start : start + 76] for start in range(0, len(body), 76))
    return f"From: x@y.test\r\nSubject: {size}\r\n\r\n{lines}\r\n".encode()


def file(person, raw):
    unit = Unit([Mail(prepare(raw), [Filing(person.tenant.pk, person.mailbox.pk)])])
    (filed,) = messages.append_many([unit])
    return filed[0]


def expunge(filed):
    messages.expunge(filed.folder_id, messages.ALL, only_deleted=False)


def test_expunged_messages_go_when_their_time_is_over(alice, clock):
    filed = file(alice, mail())
    expunge(filed)
    assert ExpungedMessage.objects.count() == Content.objects.count() == 1
    clock.advance(29 * DAY)
    assert storage.sweep_expunged() == 0
    clock.advance(2 * DAY)
    assert storage.sweep_expunged() == 1
    assert not ExpungedMessage.objects.exists()
    assert not Content.objects.exists()
    assert storage.sweep_expunged() == 0


def test_a_content_that_nothing_refers_to_goes_after_a_day(alice, clock):
    kept, lost = file(alice, mail(10)), file(alice, mail(11))
    Message.objects.filter(pk=lost.message_id).delete()
    assert storage.sweep_contents() == 0  # young: perhaps somebody is about to refer to it
    clock.advance(limits.SWEEP_AGE_SECONDS + 1)
    assert storage.sweep_contents() == 1
    assert Content.objects.count() == 1
    assert Message.objects.get().pk == kept.message_id


def test_large_bodies_go_with_the_last_content_that_names_them(alice, clock):
    filed = file(alice, mail(100_000))
    (blob,) = blobs.iterate(alice.tenant.pk)
    clock.advance(400 * DAY)
    assert storage.sweep_blobs() == (0, 0)
    expunge(filed)
    assert storage.sweep_expunged() == 0
    clock.advance(31 * DAY)
    assert storage.sweep_expunged() == 1
    assert storage.sweep_blobs() == (1, 0)
    assert not blobs.exists(alice.tenant.pk, blob.sha256)


def test_a_young_body_stays_though_no_row_names_it_yet(alice):
    blobs.put(alice.tenant.pk, "ab" * 32, b"octets")
    real_clock.use(None)  # files are as old as the machine's clock says
    assert storage.sweep_blobs() == (0, 0)
    assert blobs.exists(alice.tenant.pk, "ab" * 32)


def test_says_which_bodies_are_missing(alice, caplog):
    file(alice, mail(100_000))
    (blob,) = blobs.iterate(alice.tenant.pk)
    blobs.drop(alice.tenant.pk, blob.sha256)
    assert storage.sweep_blobs() == (0, 1)
    assert blob.sha256 in caplog.text


def test_finished_submissions_are_forgotten_with_their_mail(alice, clock):
    def send(*recipients):
        return outbound.submit(
            alice.mailbox, b"From: alice@acme.test\r\n\r\nx\r\n", recipients, user_id=alice.user.pk,
            source="api", reverse_path=alice.address,
        )  # fmt: skip

    done, waiting = send("a@example.org"), send("b@example.org", "c@example.org")
    QueueEntry.objects.filter(recipient__in=["a@example.org", "b@example.org"]).update(
        state="relayed", finished_at=clock.now()
    )
    Attempt.objects.create(
        tenant=alice.tenant, entry=QueueEntry.objects.get(recipient="a@example.org"), started_at=clock.now()
    )
    assert storage.prune_submissions() == 0
    clock.advance(limits.QUEUE_KEPT_SECONDS + 1)
    assert storage.prune_submissions() == 1
    assert list(Submission.objects.all()) == [waiting]
    assert QueueEntry.objects.count() == 2
    assert not Attempt.objects.exists()
    assert Content.objects.get().pk == waiting.content_id
    assert done.pk != waiting.pk
    assert queue.due()


def test_the_change_log_is_kept_for_a_year(alice, clock):
    file(alice, mail())
    clock.advance(364 * DAY)
    assert storage.prune_changes() == 0
    file(alice, mail(30))
    clock.advance(2 * DAY)
    assert storage.prune_changes() == 1
    assert Change.objects.get().at > clock.now() - dt.timedelta(days=3)


def test_a_folder_knows_how_far_its_log_reaches(alice, clock):
    first = file(alice, mail())
    expunge(first)
    gone = messages.folder_state(first.folder_id).folder_modseq
    assert messages.gone_since(first.folder_id, 0) == ((1, 1),)
    clock.advance(366 * DAY)
    second = file(alice, mail(30))
    assert storage.prune_changes() == 2
    assert messages.gone_since(first.folder_id, gone - 1) is None
    assert messages.gone_since(first.folder_id, gone) == ()
    assert not messages.changes_since(first.folder_id, gone - 1).is_whole
    assert messages.changes_since(first.folder_id, gone).is_whole
    # Another folder's log reaches as far as before.
    trash = alice.mailbox.folders.get(role="trash")
    messages.copy(second.folder_id, messages.ALL, trash.pk)
    clock.advance(366 * DAY)
    assert storage.prune_changes() == 2
    assert trash.mailbox.folders.get(role="trash").log_from > gone
    assert alice.mailbox.folders.get(role="sent").log_from == 0
