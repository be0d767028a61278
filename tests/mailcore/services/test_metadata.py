import pytest

from mailcore.errors import BadMetadata, Forbidden, NotFound
from mailcore.services import folders, metadata
from tests.cast import Cast


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


def test_keeps_octets(cast):
    box, user = cast.alice.mailbox.pk, cast.alice.user.pk
    metadata.change(box, user, 0, {"/private/a": bytes(range(256))})
    assert metadata.values(box, user, folder_id=0) == {0: {"/private/a": bytes(range(256))}}
    assert metadata.values(box, cast.bob.user.pk, folder_id=0) == {}
