"""`manage.py sending`, as people and scripts call it."""

import io
import json

import pytest
from django.core.management import call_command

from mailcore.management.console import Error
from mailcore.services import allowances
from tests.cast import Cast
from tests.fakes import MemoryWorker

pytestmark = pytest.mark.django_db


def ask(*words):
    out = io.StringIO()
    call_command("sending", *words, "--json", stdout=out)
    return json.loads(out.getvalue())


@pytest.fixture
def cast(data_dir):
    with MemoryWorker():
        yield Cast()


def test_sets_a_limit_and_takes_it_back(cast, settings):
    settings.HOSTMAIL_MAILBOX_FIRST_RECIPIENTS = 500
    assert ask("limit", "alice@acme.test", "--recipients", "7")["recipient_limit"] == 7
    shown = ask("limit", "alice@acme.test", "--first", "0")
    assert (shown["recipient_limit"], shown["first_limit"]) == (7, 0)
    shown = ask("limit", "alice@acme.test", "--first", "none")
    assert (shown["recipient_limit"], shown["first_limit"]) == (7, 500)
    with pytest.raises(Error):
        ask("limit", "alice@acme.test", "--first", "-1")


def test_limits_a_whole_organisation(cast):
    ask("limit", cast.alice.tenant.slug, "--recipients", "9")
    assert allowances.of(cast.bob.mailbox.pk).tenant_recipients == 9
    assert ask("show", cast.alice.tenant.slug)["recipient_limit"] == 9


def test_stops_a_mailbox_and_lets_it_go_on(cast):
    assert ask("stop", "alice@acme.test", "--because", "it spams")["stopped_because"] == "it spams"
    assert allowances.of(cast.alice.mailbox.pk).is_stopped
    assert ask("resume", "alice@acme.test")["entries"] == 0
    assert ask("show", "alice@acme.test")["stopped_because"] is None
