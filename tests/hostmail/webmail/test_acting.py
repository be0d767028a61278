"""Moves are taken back as they were made, and by nobody else."""

import re

import pytest

from mailcore.message import flags
from mailcore.models import Message
from mailcore.services import folders, messages
from tests.cast import Cast
from tests.hostmail.webmail.test_webmail import at, file, mail, rows, signed_in

pytestmark = pytest.mark.django_db


@pytest.fixture
def cast() -> Cast:
    return Cast(keys=True)


def undo_of(page) -> str:
    found = re.search(r'action="([^"]*/undo/[^"]*)"', page.text)
    return found[1].replace("&amp;", "&") if found else ""


def contents_of(person) -> set[tuple]:
    inbox = folders.by_role(person.mailbox.pk, "inbox")
    found = Message.objects.filter(folder_id=inbox)
    return set(found.values_list("content_id", "flags", "keywords", "email_id"))


@pytest.mark.parametrize("action", ["archive", "delete", "junk"])
def test_puts_back_what_was_moved(cast: Cast, action: str) -> None:
    for number in (1, 2, 3):
        file(cast.alice, mail(f"Number {number}", number), flag_bits=flags.SEEN)
    client, inbox = signed_in(cast.alice), at(cast.alice)
    before = contents_of(cast.alice)
    uids = [row.uid for row in rows(cast.alice, "inbox")]
    page = client.post(
        f"{inbox}act/", {"action": action, "uid": [uids[0], uids[2]], "next": inbox}, follow=True
    )
    assert len(rows(cast.alice, "inbox")) == 1
    page = client.post(undo_of(page), {"next": inbox}, follow=True)
    assert page.redirect_chain[0][0] == inbox
    assert contents_of(cast.alice) == before
    assert not undo_of(page)


def test_offers_no_undo_for_what_is_gone_or_only_marked(cast: Cast) -> None:
    filed = file(cast.alice, mail("Gone"), "trash")
    client, trash = signed_in(cast.alice), at(cast.alice, "trash")
    page = client.post(f"{trash}act/", {"action": "unread", "uid": filed.uid}, follow=True)
    assert not undo_of(page)
    page = client.post(f"{trash}act/", {"action": "delete", "uid": filed.uid}, follow=True)
    assert not undo_of(page)


def test_undo_touches_nothing_of_others_and_takes_no_nonsense(cast: Cast) -> None:
    filed = file(cast.alice, mail("Here"))
    serial = messages.folder_state(filed.folder_id).object_serial
    trash = messages.folder_state(folders.by_role(cast.alice.mailbox.pk, "trash")).object_serial
    url = f"/mail/{cast.alice.mailbox.public_id}/undo/?move={serial}.{trash}.1:4294967295"
    assert signed_in(cast.bob).post(url).status_code == 404
    assert signed_in(cast.alice).get(url).status_code == 405
    for wrong in ("", "?move=x", f"?move={serial}.{trash}.5:1", f"?move={serial}.{trash}.1:5,3:9",
                  f"?move={serial}.{trash}.1:5&word=x"):  # fmt: skip
        answer = signed_in(cast.alice).post(f"/mail/{cast.alice.mailbox.public_id}/undo/{wrong}")
        assert answer.status_code == 400, wrong
    assert signed_in(cast.alice).post(url.replace(f"={serial}.", "=999999.")).status_code == 404
    assert len(rows(cast.alice, "inbox")) == 1
