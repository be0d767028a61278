"""Folders of others in the browser: who sees what, and what they can do there."""

import pytest
from django.test import Client

from mailcore.message import flags
from mailcore.models import FolderRight, Mailbox, Rights
from mailcore.services import delivery, folders, guests, mailboxes, messages, sharing
from mailcore.services.messages import Filing, Mail, Unit, listing
from mailcore.services.rights import from_letters
from tests.cast import Cast, make_mailbox

pytestmark = pytest.mark.django_db


@pytest.fixture
def cast(data_dir) -> Cast:
    return Cast()


def signed_in(person) -> Client:
    client = Client()
    client.force_login(person.user)
    return client


@pytest.fixture
def plans(cast) -> int:
    """A folder of Alice's with a message of hers in it, and another in her inbox, of the same thread."""
    folder_id = folders.create(cast.alice.mailbox.pk, "Plans")
    for number, folder in enumerate((folder_id, "inbox")):
        raw = (
            f"From: Carol <c@example.net>\r\nTo: a@acme.test\r\nSubject: Deal {folder}\r\n"
            f"Message-ID: <{number}@x>\r\nReferences: <0@x>\r\n\r\nSecret text {folder}\r\n"
        )
        filing = Filing(cast.alice.tenant.pk, cast.alice.mailbox.pk, folder)
        delivery.deliver(Unit([Mail(messages.prepare(raw.encode()), [filing])]))
    return folder_id


def give(cast, letters: str, name: str = "Plans") -> None:
    found = sharing.find(guests.who(cast.alice.mailbox, cast.alice.user), name)
    sharing.give(found, cast.bob.address, from_letters(letters), actor=None)


def url(owner: Mailbox, folder_id: int, more: str = "") -> str:
    return f"/mail/{owner.public_id}/folder/{messages.folder_state(folder_id).object_serial}/{more}"


def test_the_owner_shares_in_three_words(cast, plans):
    alice, at = signed_in(cast.alice), url(cast.alice.mailbox, plans, "share/")
    assert "can manage" in alice.get(at).text
    assert "share/" in alice.get(url(cast.alice.mailbox, plans)).text
    for word, letters in (("read", "lr"), ("edit", "lrswipte"), ("manage", "lrswipkxtea")):
        answer = alice.post(at, {"who": "bob@acme.test", "word": word, "action": "give"})
        assert answer.status_code == 302
        assert FolderRight.objects.get().rights == from_letters(letters)
    assert "bob@acme.test" in alice.get(at).text
    give(cast, "lrs")
    assert "lrs" in alice.get(at).text
    for who, word in (("charlie@charlie.test", "read"), ("nobody@acme.test", "read"), ("anyone", "own"),
                      ("alice@acme.test", "read"), ("", "read")):  # fmt: skip
        assert alice.post(at, {"who": who, "word": word, "action": "give"}).status_code == 422
    alice.post(at, {"who": "bob@acme.test", "action": "remove"})
    assert not FolderRight.objects.exists()


def test_only_who_administers_shares(cast, plans):
    mailboxes.grant(cast.alice.mailbox, cast.bob.user, Rights.READ | Rights.WRITE, actor=None)
    at = url(cast.alice.mailbox, plans, "share/")
    answer = signed_in(cast.bob).post(at, {"who": "anyone", "word": "manage", "action": "give"})
    assert answer.status_code == 403
    mailboxes.revoke(cast.alice.mailbox, cast.bob.user, actor=None)
    give(cast, "lrswipkxtea")
    for person in (cast.bob, cast.charlie):
        answer = signed_in(person).post(at, {"who": "anyone", "word": "manage", "action": "give"})
        assert answer.status_code == 404
    assert FolderRight.objects.count() == 1


def test_shared_folders_stand_in_the_tree(cast, plans):
    bob = signed_in(cast.bob)
    own = url(cast.bob.mailbox, folders.by_role(cast.bob.mailbox.pk, "inbox"))
    assert "Shared with you" not in bob.get(own).text
    give(cast, "lr")
    page = bob.get(own).text
    assert "Shared with you" in page
    assert url(cast.alice.mailbox, plans) in page
    office = make_mailbox(cast.alice.tenant, "office@acme.test", kind="shared")
    mailboxes.grant(office, cast.bob.user, Rights.READ, actor=None)
    # What one was given whole is chosen from the list of mailboxes.
    assert url(office, folders.by_role(office.pk, "inbox")) not in bob.get(own).text
    assert (
        "Shared with you"
        not in signed_in(cast.charlie)
        .get(url(cast.charlie.mailbox, folders.by_role(cast.charlie.mailbox.pk, "inbox")))
        .text
    )


def test_a_guest_sees_that_folder_and_nothing_else(cast, plans):
    inbox = folders.by_role(cast.alice.mailbox.pk, "inbox")
    give(cast, "lr")
    bob, box = signed_in(cast.bob), cast.alice.mailbox
    page = bob.get(url(box, plans)).text
    assert f"Deal {plans}" in page
    assert "Deal inbox" not in page
    # Beside it stand the folders of their own mailbox, from which they write.
    assert f"/mail/{cast.bob.mailbox.public_id}/compose/" in page
    assert url(cast.bob.mailbox, folders.by_role(cast.bob.mailbox.pk, "inbox")) in page
    assert bob.get(f"/mail/{box.public_id}/", follow=True).status_code == 200
    opened = bob.get(url(box, plans, "1/")).text
    assert f"Secret text {plans}" in opened
    assert "Deal inbox" not in opened
    for end in ("1/source/", "1/html/"):
        assert bob.get(url(box, plans, end)).status_code == 200
    for query in ("?q=Deal", "?q=Deal&in=here"):
        found = bob.get(url(box, plans) + query).text
        assert f"Deal {plans}" in found
        assert "Deal inbox" not in found
        # Not even looked for, elsewhere.
        assert "Only in" not in found
        assert "In all folders" not in found
    # Reading changed nothing without "s".
    assert listing.by_uid(plans, 1).flags == 0
    hidden = [
        *(url(box, inbox, end) for end in ("", "1/", "1/source/")),
        *(url(box, plans, end) for end in ("1/reply/one/", "delete/", "share/", "empty/")),
        *(f"/mail/{box.public_id}/{end}/" for end in ("compose", "folders")),
    ]
    for address in hidden:
        for method in (bob.get, bob.post):
            assert method(address).status_code == 404, address
    for address in [url(box, plans), url(box, plans, "1/"), f"/mail/{box.public_id}/"]:
        assert signed_in(cast.charlie).get(address).status_code == 404


@pytest.mark.parametrize(
    ("given", "needs"),
    [
        ({"action": "read"}, "s"),
        ({"star": "1"}, "w"),
        ({"action": "delete"}, "te"),
        ({"action": "junk"}, "te"),
        ({"action": "archive"}, "te"),
        ({"move": "Plans/Old"}, "te"),
    ],
)
def test_a_guest_does_what_the_rights_allow(cast, plans, given, needs):
    old = folders.create(cast.alice.mailbox.pk, "Plans/Old")
    bob, act = signed_in(cast.bob), url(cast.alice.mailbox, plans, "act/")
    if "move" in given:
        given = {"move": str(messages.folder_state(old).object_serial)}
    post = {"uid": "1", **given}
    give(cast, "lri", "Plans/Old")
    for missing in needs:
        give(cast, "lrswipkxtea".replace(missing, ""))
        before = cast.alice.mailbox.__class__.objects.get(pk=cast.alice.mailbox.pk).modseq
        assert bob.post(act, post).status_code == 403
        assert Mailbox.objects.get(pk=cast.alice.mailbox.pk).modseq == before
    give(cast, f"lr{needs}")
    if "move" in given:
        give(cast, "lr", "Plans/Old")
        assert bob.post(act, post).status_code == 403
        give(cast, "lri", "Plans/Old")
    assert bob.post(act, post).status_code == 302
    row = listing.by_uid(plans, 1)
    if given.get("action") == "read":
        assert row.flags == flags.SEEN
    elif "star" in given:
        assert row.flags == flags.FLAGGED
    else:
        assert row is None
    role = {"delete": "trash", "junk": "junk", "archive": "archive"}.get(given.get("action", ""))
    if role:
        # Thrown away by Bob, it lies with Bob.
        assert len(listing.list_page(folders.by_role(cast.bob.mailbox.pk, role)).rows) == 1


def test_a_guest_who_loses_the_right_finds_nothing(cast, plans):
    give(cast, "lr")
    bob = signed_in(cast.bob)
    assert bob.get(url(cast.alice.mailbox, plans)).status_code == 200
    give(cast, "l")
    assert bob.get(url(cast.alice.mailbox, plans)).status_code == 404
    give(cast, "lr")
    mailboxes.suspend(cast.alice.mailbox, actor=None)
    assert bob.get(url(cast.alice.mailbox, plans)).status_code == 404
