import pytest

from mailcore.models import Webhook, WebhookPost
from mailcore.services import webhooks
from tests.cast import Cast
from tests.hostmail.api.test_api import api_of
from tests.hostmail.web.test_pages import client_of, page

URL = "https://hooks.example.org/in"


@pytest.fixture
def cast(db) -> Cast:
    return Cast()


def test_is_added_tried_switched_and_removed_on_its_pages(cast):
    alice = client_of(cast.alice.user)
    assert alice.post(page("webhooks"), {"url": "nowhere", "kinds": ["bounced"]}).status_code == 422
    made = alice.post(page("webhooks"), {"url": URL, "kinds": ["bounced"]})
    assert b"whsec_" in made.content
    assert b"whsec_" not in alice.get(page("webhooks")).content
    webhook = Webhook.objects.get()
    assert (webhook.url, webhook.kinds) == (URL, "bounced")
    do = page("webhook_act", webhook.public_id)
    alice.post(do, {"do": "test"})
    post = WebhookPost.objects.get()
    WebhookPost.objects.update(state="failed", last_code=500, last_words="<b>no</b>")
    text = alice.get(page("webhook", webhook.public_id)).content
    assert b"500" in text
    assert b"&lt;b&gt;no" in text
    for who in (cast.bob, cast.charlie):
        assert client_of(who.user).post(do, {"do": "off"}).status_code == 404
        assert client_of(who.user).get(page("webhook", webhook.public_id)).status_code == 404
    alice.post(do, {"do": "replay", "post": post.public_id})
    assert WebhookPost.objects.get().state == "waiting"
    alice.post(do, {"do": "off"})
    assert not Webhook.objects.get().is_enabled
    alice.post(page("webhook_remove", webhook.public_id))
    assert not Webhook.objects.exists()


def test_the_api_does_the_same(cast):
    alice, charlie = api_of(cast.alice.user), api_of(cast.charlie.user)
    made = alice("post", "webhooks/", {"url": URL, "kinds": ["bounced", "filed"]}, 201)
    assert made["secret"].startswith("whsec_")
    path = f"webhooks/{made['id']}/"
    assert "secret" not in alice("get", path, status=200)
    assert alice("patch", path, {"kinds": ["relayed"]}, 200)["kinds"] == ["relayed"]
    alice("post", "webhooks/", {"url": URL, "kinds": ["opened"]}, 400)
    post = alice("post", f"{path}test/", status=202)
    assert [one["id"] for one in alice("get", f"{path}posts/", status=200)["results"]] == [post["id"]]
    alice("post", f"{path}replay/", {"post": post["id"]}, 409)
    for method, where in (
        ("get", path),
        ("get", f"{path}posts/"),
        ("post", f"{path}test/"),
        ("delete", path),
    ):
        charlie(method, where, status=404)
    alice("delete", path, status=204)
    assert not Webhook.objects.exists()


def test_shows_the_secret_to_nobody_later(cast):
    made, secret = webhooks.add(cast.alice.tenant, URL, ["bounced"], actor=None)
    assert secret.removeprefix("whsec_").encode() not in bytes(Webhook.objects.get(pk=made.pk).secret)
