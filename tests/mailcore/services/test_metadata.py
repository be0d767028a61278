import pytest

from mailcore import limits
from mailcore.errors import BadMetadata, Forbidden, NotFound, TooMuchMetadata
from mailcore.models import Mailbox, Metadata, Rights
from mailcore.services import folders, mailboxes, metadata, users
from tests.cast import Cast, make_mailbox


@pytest.fixture
def cast(db, data_dir) -> Cast:
    return Cast()


def test_a_folder_of_another_mailbox_is_none(cast):
    theirs = folders.find(cast.bob.mailbox.pk, "INBOX").folder_id
    with pytest.raises(NotFound):
        metadata.change(cast.alice.mailbox.pk, cast.alice.user.pk, theirs, {"/shared/a": b"1"})
    assert metadata.values(cast.bob.mailbox.pk, cast.bob.user.pk) == {}


def test_what_fails_changes_nothing(cast):
    box, user = cast.alice.mailbox.pk, cast.alice.user.pk
    with pytest.raises(Forbidden):
        metadata.change(box, user, 0, {"/private/a": b"1", "/shared/a": b"1"})
    with pytest.raises(BadMetadata):
        metadata.change(box, user, 0, {"/private/a": b"1", "/other/a": b"1"})
    assert metadata.values(box, user) == {}


def test_a_folder_has_changed_when_its_entries_have(cast):
    """RFC 7162 §3.2: clients that look at HIGHESTMODSEQ only learn of it."""
    box, user = cast.alice.mailbox.pk, cast.alice.user.pk
    before = folders.find(box, "INBOX")
    metadata.change(box, user, before.folder_id, {"/private/comment": b"1"})
    after = folders.find(box, "INBOX")
    assert after.folder_modseq == after.modseq == before.modseq + 1
    metadata.change(box, user, 0, {"/private/comment": b"1"})
    assert folders.find(box, "INBOX") == after


def test_keeps_octets(cast):
    box, user = cast.alice.mailbox.pk, cast.alice.user.pk
    metadata.change(box, user, 0, {"/private/a": bytes(range(256))})
    assert metadata.values(box, user, folder_id=0) == {0: {"/private/a": bytes(range(256))}}
    assert metadata.values(box, cast.bob.user.pk, folder_id=0) == {}


def test_what_is_private_goes_with_the_access(cast):
    shared = make_mailbox(cast.alice.tenant, "office@acme.test", kind="shared")
    for person in (cast.alice.user, cast.bob.user):
        mailboxes.grant(shared, person, Rights.READ, actor=None)
        metadata.change(shared.pk, person.pk, 0, {"/private/a": b"1"})
    mailboxes.revoke(shared, cast.bob.user, actor=cast.alice.user)
    assert metadata.values(shared.pk, cast.bob.user.pk) == {}
    assert metadata.values(shared.pk, cast.alice.user.pk) == {0: {"/private/a": b"1"}}


def test_what_is_private_goes_with_the_person(cast):
    metadata.change(cast.bob.mailbox.pk, cast.bob.user.pk, 0, {"/private/a": b"1"})
    pk = cast.bob.user.pk
    users.remove(cast.bob.user, actor=None)
    assert metadata.values(cast.bob.mailbox.pk, pk) == {}


def test_everything_goes_with_the_mailbox(cast):
    metadata.change(cast.bob.mailbox.pk, cast.bob.user.pk, 0, {"/private/a": b"1"})
    Mailbox.objects.filter(pk=cast.bob.mailbox.pk).delete()
    assert not Metadata.objects.exists()


def test_one_persons_entries_take_no_room_from_anothers(cast, monkeypatch):
    monkeypatch.setattr(limits, "METADATA_ENTRIES", 2)
    box = cast.alice.mailbox.pk
    inbox = folders.find(box, "INBOX").folder_id
    mine, theirs = cast.alice.user.pk, cast.bob.user.pk
    metadata.change(box, theirs, inbox, {"/private/a": b"1", "/private/b": b"1"})
    metadata.change(box, mine, inbox, {"/private/a": b"1", "/private/b": b"1"})
    with pytest.raises(TooMuchMetadata):
        metadata.change(box, theirs, inbox, {"/private/c": b"1"})
    with pytest.raises(TooMuchMetadata):
        metadata.change(box, mine, inbox, {"/shared/c": b"1"})
