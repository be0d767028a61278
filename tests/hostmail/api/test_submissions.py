import base64
import datetime as dt
import email
import email.policy

import pytest

from mailcore.models import Access, QueueEntry, Rights, Submission
from mailcore.outside import clock
from mailcore.services import mailboxes, messages, queue, suppressions, users
from tests.cast import Cast
from tests.fakes import MemoryWorker
from tests.hostmail.api.test_api import V1, Api, api_of

BOB = "bob@example.org"


@pytest.fixture
def cast(transactional_db, data_dir):
    with MemoryWorker():
        yield Cast()


@pytest.fixture
def alice(cast) -> Api:
    return api_of(cast.alice.user)


def mail_of(submission_id):
    kept = messages.raw_of(Submission.objects.get(public_id=submission_id).content_id)
    return email.message_from_bytes(kept.raw, policy=email.policy.default)


def send(api, status=201, **fields):
    return api("post", "submissions/", {"sender": "alice@acme.test", "to": [BOB], **fields}, status)


def test_sends_what_its_fields_say(alice):
    made = send(
        alice, sender="Älice <alice@acme.test>", cc=["Eve <eve@example.org>"], bcc=["hidden@example.org"],
        subject="Grüße", text="Hi\n", html="<p>Hi</p>", headers={"X-Order": "7"}, tags=["invoice", "march"],
        attachments=[
            {"filename": "a.txt", "content_type": "text/plain", "content": base64.b64encode(b"abc").decode()}
        ],
    )  # fmt: skip
    assert {one["recipient"] for one in made["recipients"]} == {BOB, "eve@example.org", "hidden@example.org"}
    assert {one["state"] for one in made["recipients"]} == {"waiting"}
    assert (made["sender"], made["source"], made["tags"]) == ("alice@acme.test", "api", ["invoice", "march"])
    mail = mail_of(made["id"])
    assert (mail["Subject"], mail["X-Order"], mail["To"]) == ("Grüße", "7", BOB)
    assert mail["From"].addresses[0].display_name == "Älice"
    assert b"hidden" not in mail.as_bytes()
    (attached,) = mail.iter_attachments()
    assert (attached.get_filename(), attached.get_content()) == ("a.txt", "abc")


def test_sends_a_whole_mail_as_it_is(alice):
    raw = b"From: alice@acme.test\r\nSubject: =?utf-8?q?raw?=\r\nTo: all@example.org\r\n\r\nbody\r\n"
    made = send(alice, raw=base64.b64encode(raw).decode())
    assert [one["recipient"] for one in made["recipients"]] == [BOB]
    assert (mail_of(made["id"])["Subject"], mail_of(made["id"])["To"]) == ("raw", "all@example.org")
    assert set(send(alice, 400, raw=base64.b64encode(raw).decode(), subject="x")["errors"]) == {"subject"}


def test_a_key_makes_it_once(alice):
    headers = {"Idempotency-Key": "order-7"}
    body = {"sender": "alice@acme.test", "to": [BOB], "text": "x"}
    post = alice.client.post
    first = post(f"{V1}submissions/", body, content_type="application/json", headers=headers)
    again = post(f"{V1}submissions/", body, content_type="application/json", headers=headers)
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json()["id"] == again.json()["id"]
    assert Submission.objects.count() == 1


def test_waits_for_its_moment(alice, cast):
    at = clock.now() + dt.timedelta(hours=2)
    made = send(alice, text="x", send_at=at.isoformat())
    assert dt.datetime.fromisoformat(made["send_at"]) == at
    assert queue.due() == []
    assert QueueEntry.objects.get().due_at == at
    send(alice, 400, text="x", send_at=(clock.now() - dt.timedelta(hours=1)).isoformat())
    send(alice, 400, text="x", send_at=(clock.now() + dt.timedelta(days=31)).isoformat())
    here = send(alice, text="x", to=[cast.bob.address], send_at=at.isoformat())
    assert here["recipients"][0]["state"] == "held"


def test_takes_back_what_has_not_left(alice, cast):
    charlie, bob = api_of(cast.charlie.user), api_of(cast.bob.user)
    mailboxes.grant(cast.alice.mailbox, cast.bob.user, Rights.READ, actor=None)
    at = clock.now() + dt.timedelta(hours=2)
    made = send(alice, text="x", to=[cast.bob.address, "x@example.org"], send_at=at.isoformat())
    charlie("post", f"submissions/{made['id']}/cancel/", {}, 404)
    bob("post", f"submissions/{made['id']}/cancel/", {}, 404)
    gone = alice("post", f"submissions/{made['id']}/cancel/", {}, 200)
    assert {one["state"] for one in gone["recipients"]} == {"dropped"}
    alice("post", f"submissions/{made['id']}/cancel/", {}, 409)


def test_says_what_became_of_it(alice):
    made = send(alice, text="x", tags=["march"])
    QueueEntry.objects.update(state="bounced", last_code=550, last_status="5.1.1", last_reply="no Bob")
    (one,) = alice("get", f"submissions/{made['id']}/", status=200)["recipients"]
    assert (one["state"], one["last_code"], one["last_reply"]) == ("bounced", 550, "no Bob")
    assert len(alice("get", "submissions/?tag=march", status=200)["results"]) == 1
    assert alice("get", "submissions/?tag=mar", status=200)["results"] == []


@pytest.mark.parametrize(
    "fields",
    [
        {"to": []},
        {"to": ["nobody"]},
        {"to": ["a@example.org, b@example.org"]},
        {"to": ["a@example.org\r\nBcc: c@example.org"]},
        {"subject": "a\r\nBcc: c@example.org"},
        {"headers": {"From": "x@example.org"}},
        {"headers": {"X-A\r\nBcc": "x"}},
        {"attachments": [{"filename": "a", "content": "%"}]},
        {"raw": "%%%"},
        {"tags": ["two words"]},
        {"typo": 1},
    ],
)
def test_refuses_what_makes_no_mail(alice, fields):
    assert send(alice, None, **{"text": "x", **fields}).get("status") in (400, 403, 422)
    assert not Submission.objects.exists()


def test_refuses_a_suppressed_recipient_with_the_reason(alice, cast):
    suppressions.add(cast.alice.tenant, BOB, actor=None)
    problem = send(alice, 422, text="x")
    assert problem["code"] == "suppressed"
    assert BOB in problem["detail"]


def test_sends_only_as_who_one_is(alice, cast):
    bob, charlie = api_of(cast.bob.user), api_of(cast.charlie.user)
    send(alice, 400, sender=cast.bob.address, text="x")
    send(charlie, 400, text="x")
    send(charlie, 404, text="x", mailbox=cast.alice.mailbox.public_id)
    send(alice, 403, sender=cast.bob.address, text="x", mailbox=cast.alice.mailbox.public_id)
    made = send(alice, text="x")
    charlie("get", f"submissions/{made['id']}/", status=404)
    bob("get", f"submissions/{made['id']}/", status=404)
    assert charlie("get", "submissions/", status=200)["results"] == []
    assert not Submission.objects.exclude(public_id=made["id"]).exists()


def test_a_person_without_the_right_to_send_does_not_send(alice, cast):
    Access.objects.update(rights=1)
    send(alice, 400, text="x")


def test_a_token_of_another_organisation_sends_nothing(cast):
    _, secret = users.issue_token(cast.charlie.user, "x", tenant=cast.charlie.tenant, actor=None)
    send(Api(secret), 400, text="x")


def test_takes_no_endless_request(alice, settings):
    settings.HOSTMAIL_MAX_MESSAGE = 1000
    assert send(alice, None, text="x" * 2000).get("code") == "message_too_big"
