"""What happened, posted to programs."""

import base64
import hashlib
import hmac
import json

import pytest

from mailcore import limits
from mailcore.errors import BadValue, NotAllowedNow
from mailcore.models import Webhook, WebhookPost
from mailcore.outside import http
from mailcore.services import events, tenants, webhooks
from tests.cast import Cast
from tests.fakes import FakeClock

pytestmark = pytest.mark.django_db(transaction=True)
URL = "https://hooks.example.org/in"


@pytest.fixture
def clock():
    with FakeClock() as fake:
        yield fake


@pytest.fixture
def cast(clock):
    return Cast()


@pytest.fixture
def posted(monkeypatch):
    """What was posted; .answer is what comes back, or the reason why nothing does."""

    class Posted(list):
        answer = http.Answer(200, "")

        def __call__(self, url, body, headers):
            self.append((url, body, headers))
            if isinstance(self.answer, Exception):
                raise self.answer
            return self.answer

    made = Posted()
    monkeypatch.setattr(http, "post", made)
    return made


def happens(cast, kind="bounced", **more):
    events.record(
        kind, tenant_id=cast.alice.tenant.pk, trace="t1", recipient="bob@example.org",
        data={"status": "5.1.1"}, **more,
    )  # fmt: skip


def run():
    webhooks.gather()
    return webhooks.post_due()


def add(cast, kinds=("bounced", "relayed"), url=URL):
    return webhooks.add(cast.alice.tenant, url, kinds, actor=cast.alice.user)


def test_posts_what_it_is_for_once_and_signed(cast, posted):
    happens(cast)
    _, secret = add(cast)
    happens(cast)
    happens(cast, "filed")
    events.record("bounced", tenant_id=cast.charlie.tenant.pk, trace="t2")
    assert (run(), run()) == (1, 0)
    ((url, body, headers),) = posted
    assert url == URL
    said = json.loads(body)
    assert said["type"] == "bounced"
    assert said["data"] == {"trace": "t1", "sender": "", "recipient": "bob@example.org", "status": "5.1.1"}
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    want = base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()
    assert headers["webhook-signature"] == f"v1,{want}"
    post = WebhookPost.objects.get()
    assert (post.state, post.last_code, post.attempt_count) == ("done", 200, 1)


def test_an_event_that_commits_late_is_not_missed(cast, posted, clock):
    webhook, _ = add(cast)
    happens(cast)
    first = Webhook.objects.get().event_id
    run()
    assert Webhook.objects.get().event_id == first
    clock.advance(limits.WEBHOOK_SETTLE_SECONDS + 1)
    assert run() == 0
    assert Webhook.objects.get().event_id > first
    assert len(posted) == webhook.posts.count() == 1


def test_tries_again_on_a_schedule_and_gives_up(cast, posted, clock):
    add(cast)
    happens(cast)
    posted.answer = http.Answer(503, "down")
    assert (run(), run()) == (1, 0)
    for seconds in limits.WEBHOOK_RETRY_SECONDS:
        clock.advance(seconds - 1)
        assert run() == 0
        clock.advance(1)
        assert run() == 1
    post = WebhookPost.objects.get()
    assert (post.state, post.attempt_count, post.last_code, post.last_words) == ("failed", 8, 503, "down")
    posted.answer = http.Answer(204, "")
    webhooks.replay(post, actor=None)
    assert run() == 1
    assert WebhookPost.objects.get().state == "done"
    assert len({headers["webhook-id"] for _, _, headers in posted}) == 1


def test_what_waits_is_not_posted_once_more(cast, posted):
    add(cast)
    happens(cast)
    webhooks.gather()
    with pytest.raises(NotAllowedNow):
        webhooks.replay(WebhookPost.objects.get(), actor=None)


def test_a_silent_program_is_tried_once_in_a_round_and_stops_nobody(cast, posted):
    add(cast)
    for _ in range(3):
        happens(cast)
    posted.answer = http.Failed("refused")
    assert run() == 1
    assert set(WebhookPost.objects.values_list("lease_until", flat=True)) == {None}
    assert webhooks.post_due() == 0


def test_says_nothing_while_it_is_off_or_its_tenant_suspended(cast, posted):
    webhook, _ = add(cast)
    webhooks.change(webhook, is_enabled=False, actor=None)
    happens(cast)
    assert run() == 0
    webhooks.change(webhook, is_enabled=True, actor=None)
    happens(cast)
    tenants.suspend(cast.alice.tenant, "late", actor=None)
    assert run() == 0
    assert posted == []


def test_can_be_tried_out(cast, posted):
    webhook, _ = add(cast)
    webhooks.try_out(webhook, actor=None)
    webhooks.try_out(webhook, actor=None)
    assert run() == 2
    assert json.loads(posted[0][1])["type"] == "test"


def test_old_posts_are_forgotten(cast, posted, clock):
    add(cast)
    happens(cast)
    run()
    assert webhooks.prune() == 0
    clock.advance(limits.WEBHOOK_KEPT_SECONDS + 1)
    assert webhooks.prune() == 1


def test_refuses_kinds_and_addresses_that_are_none(cast, settings):
    for kinds in ([], ["opened"], ["bounced", "x"]):
        with pytest.raises(BadValue):
            add(cast, kinds)
    settings.HOSTMAIL_PRIVATE_TARGETS = "refuse"
    with pytest.raises(BadValue):
        add(cast, url="https://127.0.0.1/")
    settings.HOSTMAIL_PRIVATE_TARGETS = "allow"
    for _ in range(limits.WEBHOOKS):
        add(cast)
    with pytest.raises(BadValue, match="at most"):
        add(cast)
