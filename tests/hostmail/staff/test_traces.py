"""Staff find the mail of every organisation."""

import pytest
from django.urls import reverse

from mailcore.models import QueueEntry, Submission
from mailcore.services import events, outbound, queue
from tests.cast import Cast
from tests.fakes import MemoryWorker

TRACE = "abcdefgh234567qr"
LIST = "/admin/mailcore/event/traces/"


@pytest.fixture
def cast(db, data_dir):
    with MemoryWorker():
        yield Cast()


@pytest.fixture
def staff(client, cast):
    client.force_login(cast.stella)
    return client


def refused(person, trace):
    events.record(
        "refused", tenant_id=person.tenant.pk, trace=trace, sender="ann@else.test", recipient=person.address,
        data={"subject": "Lunch <b>", "reason": "spam score 12"},
    )  # fmt: skip


def test_finds_the_mail_of_every_organisation(cast, staff):
    refused(cast.bob, TRACE)
    refused(cast.charlie, "zzzzzzzz234567qr")
    assert LIST in staff.get("/admin/").content.decode()
    text = staff.get(LIST, {"q": "ann@else.test"}).content.decode()
    for person, trace in ((cast.bob, TRACE), (cast.charlie, "zzzzzzzz234567qr")):
        assert reverse("admin:trace", args=[person.tenant.pk, trace]) in text
    assert "Lunch &lt;b&gt;" in text
    story = staff.get(reverse("admin:trace", args=[cast.bob.tenant.pk, TRACE])).content.decode()
    assert "for bob@acme.test. spam score 12." in story
    assert staff.get(reverse("admin:trace", args=[cast.charlie.tenant.pk, TRACE])).status_code == 404
    assert "Nothing found" in staff.get(LIST, {"q": "nobody@x.test"}).content.decode()


def test_steers_the_queue_as_staff(cast, staff):
    raw = f"From: {cast.alice.address}\r\nSubject: Hello\r\n\r\nHow are you?\r\n".encode()
    outbound.submit(
        cast.alice.mailbox, raw, ["zoe@example.org"], user_id=cast.alice.user.pk, source="api",
        reverse_path=cast.alice.address,
    )  # fmt: skip
    entry = QueueEntry.objects.get()
    queue.hold(entry, actor=None)
    where = reverse("admin:trace_act", args=[cast.alice.tenant.pk, Submission.objects.get().trace])
    answer = staff.post(where, {"do": "release", "entry": entry.public_id}, follow=True)
    assert "It is tried now." in answer.content.decode()
    assert QueueEntry.objects.get().state == "waiting"
    assert staff.post(where, {"do": "release", "entry": "x"}).status_code == 404


def test_is_for_staff_alone(cast, client):
    refused(cast.bob, TRACE)
    one = reverse("admin:trace", args=[cast.bob.tenant.pk, TRACE])
    for url in (LIST, one):
        assert client.get(url).status_code == 302
    client.force_login(cast.alice.user)
    for url in (LIST, one):
        assert client.get(url).status_code == 302
        assert b"Lunch" not in client.get(url, follow=True).content
