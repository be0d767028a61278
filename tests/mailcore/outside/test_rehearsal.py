"""A rehearsal goes as far as the envelope, takes it back, and never raises for what the host does."""

import pytest

from mailcore.outside.rehearsal import Rehearsal
from mailcore.outside.remote_smtp import Timeouts
from tests.fakes import FakeRemote


@pytest.fixture
def remote():
    with FakeRemote() as fake:
        yield fake


@pytest.fixture
def talk(remote):
    made = Rehearsal(
        "mx.example.org", remote.address, remote.port, ehlo_name="us.test", policy="none",
        timeouts=Timeouts(*[0.5] * 11),
    )  # fmt: skip
    made.open()
    yield made
    made.close()


def test_takes_the_envelope_back(remote, talk):
    assert talk.rehearse("a@ours.test", "bob@example.org").code == 250
    assert talk.rehearse("", "bob@example.org").code == 250
    assert remote.commands[-6:-3] == ["MAIL FROM:<a@ours.test>", "RCPT TO:<bob@example.org>", "RSET"]
    assert remote.messages == []
    assert talk.is_open


@pytest.mark.parametrize("phase", ["mail", "rcpt"])
def test_says_what_ended_it(remote, talk, phase):
    remote.say(phase, "550 5.7.1 not you", times=1)
    refused = talk.rehearse("a@ours.test", "bob@example.org")
    assert (refused.code, refused.phase) == (550, phase)
    assert remote.commands[-1] == "RSET"
    remote.hang_up(phase)
    lost = talk.rehearse("a@ours.test", "bob@example.org")
    assert (lost.code, lost.phase, talk.is_open) == (0, phase, False)
