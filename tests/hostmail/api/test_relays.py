"""Relays by the API: whose they are, and what is never shown."""

import pytest

from mailcore.models import Relay
from tests.cast import Cast
from tests.fakes import FakeRemote
from tests.hostmail.api.test_api import api_of


@pytest.fixture
def cast(db) -> Cast:
    return Cast()


def test_is_made_changed_tried_and_removed(cast):
    alice, charlie = api_of(cast.alice.user), api_of(cast.charlie.user)
    with FakeRemote("relay.test", auth={"us": "secret"}) as remote:
        asked = {
            "host": "127.0.0.1", "port": remote.port, "tls": "opportunistic", "user": "us",
            "password": "secret", "domain": "acme.test",
        }  # fmt: skip
        made = alice("post", "relays/", asked, 201)
        assert "password" not in made
        assert (made["domain"], made["is_enabled"], made["after_attempts"]) == ("acme.test", True, 0)
        path = f"relays/{made['id']}/"
        tested = alice("post", f"{path}test/", {"recipient": "bob@example.org"}, 200)
        assert (tested["is_fine"], remote.messages) == (True, [])
        assert {"phase": "rcpt", "code": 250}.items() <= tested["replies"][-2].items()
    assert alice("patch", path, {"after_attempts": 2}, 200)["after_attempts"] == 2
    alice("patch", path, {"host": "evil.example"}, 400)
    alice("post", "relays/", {"host": "relay.example.net", "domain": cast.charlie.domain.name}, 404)
    alice("post", "relays/", {"host": "relay.example.net", "may_be_private": True}, 400)
    for method, where in (("get", path), ("patch", path), ("post", f"{path}test/"), ("delete", path)):
        charlie(method, where, status=404)
    alice("delete", path, status=204)
    assert not Relay.objects.exists()


def test_is_left_to_operators_where_they_say_so(cast, settings):
    settings.HOSTMAIL_TENANT_RELAYS = False
    alice = api_of(cast.alice.user)
    alice("post", "relays/", {"host": "relay.example.net"}, 409)
    assert alice("get", "relays/", status=200)["results"] == []
