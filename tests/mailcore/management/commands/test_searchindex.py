"""`manage.py searchindex`."""

import io
import json

import pytest
from django.core.management import call_command

from mailcore.services import textindex
from mailcore.services.textindex import Wanted
from tests.mailcore.imap.commands.reading import Inbox, mail


@pytest.fixture
def inbox(db, data_dir) -> Inbox:
    return Inbox()


def said(*arguments: str) -> list[dict]:
    out = io.StringIO()
    call_command("searchindex", *arguments, "--json", stdout=out)
    return json.loads(out.getvalue())


def test_tells_how_far_it_is_and_brings_it_there(inbox):
    inbox.file(mail("one"), mail("two"))
    address = inbox.person.address
    (before,) = said("status", address)
    assert (before["messages"], before["indexed"], before["current"]) == (2, 0, False)
    assert said("update", address) == [{"mailbox": address, "indexed": 2}]
    (after,) = said("status", address)
    assert (after["indexed"], after["blocks"], after["current"]) == (2, 1, True)
    assert said("update", address)[0]["indexed"] == 0
    assert len(said("rebuild")) > 1
    box = inbox.person.mailbox.pk
    assert textindex.find_all(box, inbox.folder_id, Wanted("SUBJECT", "two")) == {2}
