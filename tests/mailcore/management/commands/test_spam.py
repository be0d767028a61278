"""Thresholds and the quarantine from the command line."""

import pytest

from mailcore.models import Message, Quarantined, SenderRule
from tests.cast import Cast
from tests.hostmail.webmail.test_judged import keep
from tests.mailcore.test_commands import ask, run, wrong

pytestmark = pytest.mark.django_db


@pytest.fixture
def cast(data_dir) -> Cast:
    return Cast()


def scores(*words: str) -> dict:
    return {row["what"]: (row["own"], row["in_force"]) for row in ask("spam", "scores", *words)}


def test_shows_and_sets_what_a_score_leads_to(cast):
    assert scores("acme") == {"junk": (None, 5), "quarantine": (None, 0), "refuse": (None, 0)}
    assert scores("acme", "--quarantine", "9")["quarantine"] == (9, 9)
    assert scores(cast.bob.address, "--junk", "2.5") == {
        "junk": (2.5, 2.5), "quarantine": (None, 9), "refuse": (None, 0),
    }  # fmt: skip
    assert scores(cast.bob.address, "--junk", "inherit")["junk"] == (None, 5)
    assert "a score is a number" in wrong("spam", "scores", "acme", "--junk", "much")
    assert "from 0 to 1000" in wrong("spam", "scores", "acme", "--junk=-1")


def test_lists_releases_and_deletes_what_is_kept(cast):
    first, second = keep(cast.bob), keep(cast.alice)
    listed = ask("spam", "quarantine", "--mailbox", cast.bob.address)
    assert [(row["id"], row["author"], row["score"]) for row in listed] == [
        (first.public_id, "carol@example.net", 9.5)
    ]
    assert len(ask("spam", "quarantine", "--tenant", "acme")) == 2
    assert ask("spam", "quarantine", "--tenant", cast.charlie.tenant.slug) == []
    run("spam", "release", first.public_id, "--allow")
    assert Message.objects.get().mailbox_id == cast.bob.mailbox.pk
    assert SenderRule.objects.get().mailbox == cast.bob.mailbox
    run("spam", "delete", second.public_id, "--yes")
    assert not Quarantined.objects.exists()
    assert "is in quarantine" in wrong("spam", "release", first.public_id)
