import pytest

from mailcore import limits
from tests.cast import Cast
from tests.fakes import FakeDNS, FakeRemote
from tests.hostmail.api.test_api import Api, api_of

BOB = {"address": "bob@example.org"}


@pytest.fixture
def cast(transactional_db, data_dir):
    return Cast()


@pytest.fixture
def alice(cast) -> Api:
    return api_of(cast.alice.user)


def test_says_what_would_become_of_a_mail(alice, settings):
    with FakeRemote() as remote, FakeDNS() as names:
        settings.HOSTMAIL_OUTBOUND_PORT = remote.port
        names.add_mail("example.org", "mx.example.org", "127.0.0.1")
        remote.say("rcpt", "550 5.1.1 no such user")
        found = alice("post", "probe/", BOB, 200)
        assert found["would"] == "bounced"
        assert found["sentences"][-1] == "A mail would come back to its sender."
        assert [(each["host"], each["code"]) for each in found["hosts"]] == [("mx.example.org", 550)]
        assert not remote.messages


def test_only_those_who_run_an_organisation_may_ask(cast):
    api_of(cast.bob.user)("post", "probe/", BOB, 404)
    assert (
        cast.alice.address
        in api_of(cast.charlie.user)("post", "probe/", {"address": "alice@acme.test"}, 200)["address"]
    )


def test_answers_only_so_often(alice, monkeypatch):
    monkeypatch.setattr(limits, "PROBES_PER_HOUR", 1)
    assert alice("post", "probe/", {"address": "alice@acme.test"}, 200)["would"] == "here"
    alice("post", "probe/", {"address": "alice@acme.test"}, 429)
    alice("post", "probe/", {"address": "nobody", "more": 1}, 400)
