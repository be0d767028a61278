"""What a mailbox may send, on its page."""

import pytest
from django.test import Client

from mailcore.models import Allowance
from mailcore.services import allowances, stops
from tests.cast import Cast
from tests.hostmail.web.test_pages import client_of, page


@pytest.fixture
def cast(data_dir, db) -> Cast:
    return Cast()


@pytest.fixture
def alice(cast) -> Client:
    return client_of(cast.alice.user)


def test_sets_limits_and_shows_them(cast, alice):
    box = cast.bob.mailbox
    text = alice.get(page("mailbox", box.public_id)).content.decode()
    assert "0 of 2000" in text
    assert "0 of 500" in text
    answer = alice.post(page("mailbox_sending", box.public_id), {"recipients": "40", "first": ""})
    assert answer.status_code == 302
    assert (allowances.of(box.pk).recipients, allowances.of(box.pk).first) == (40, 500)
    assert "0 of 40" in alice.get(page("mailbox", box.public_id)).content.decode()
    assert alice.post(page("mailbox_sending", box.public_id), {"recipients": "-1"}).status_code == 422


def test_a_mailbox_that_was_stopped_says_why_and_goes_on(cast, alice):
    box = cast.bob.mailbox
    assert "Stopped from sending" not in alice.get(page("mailbox", box.public_id)).content.decode()
    stops.stop(box, "it wrote to strangers", actor=None)
    text = alice.get(page("mailbox", box.public_id)).content.decode()
    assert "it wrote to strangers" in text
    assert alice.get(page("mailbox_sending_resume", box.public_id)).status_code == 405
    assert alice.post(page("mailbox_sending_resume", box.public_id)).status_code == 302
    assert Allowance.objects.get(mailbox=box).stopped_at is None
    assert "Stopped from sending" not in alice.get(page("mailbox", box.public_id)).content.decode()
