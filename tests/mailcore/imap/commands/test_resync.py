"""QRESYNC: a client that comes back is told of everything that went, and of nothing that is there."""

import pytest

from mailcore import limits
from mailcore.models import Change, Folder
from mailcore.services import storage
from tests.fakes import FakeClock
from tests.mailcore.imap.commands.talking import Talk


@pytest.fixture
def clock():
    with FakeClock() as fake:
        yield fake


@pytest.fixture
def away(clock, cast) -> "Away":
    return Away(Talk(cast.alice))


class Away:
    """A client that knows seven messages, and what another does meanwhile."""

    def __init__(self, other: Talk) -> None:
        self.other = other
        for number in range(7):
            other.append(b"Subject: %d\r\n\r\n" % number)
        other.say("SELECT INBOX")
        snapshot = other.session.view.snapshot
        self.known = f"{snapshot.uidvalidity} {snapshot.highest}"
        self.modseq = snapshot.highest

    def expunge(self, uids: str) -> None:
        self.other.say(f"UID STORE {uids} +FLAGS (\\Deleted)")
        self.other.say("EXPUNGE")

    def comes_back(self, more: str = "") -> list[str]:
        """The lines of QRESYNC in the answer to SELECT."""
        client = Talk(self.other.person)
        client.say("ENABLE QRESYNC")
        said = client.say(f"SELECT INBOX (QRESYNC ({self.known}{more}))").splitlines()
        assert said[-1].startswith("a OK [READ-WRITE]")
        self.client = client
        return [line for line in said if line.startswith("* VANISHED") or " FETCH " in line]

    def forget(self, clock) -> None:
        """A year goes by."""
        clock.advance(limits.CHANGES_KEPT_SECONDS + 1)
        assert storage.prune_changes()
        assert not Change.objects.exists()


def test_nothing_happened(away):
    assert away.comes_back() == []
    assert away.client.say(f"UID FETCH 1:* (FLAGS) (CHANGEDSINCE {away.modseq} VANISHED)").startswith("a OK")


def test_tells_what_went_and_what_changed(away):
    away.expunge("2:3,7")
    away.other.say("UID STORE 5 +FLAGS (\\Flagged)")
    away.other.append()
    told = away.comes_back()
    assert told[0] == "* VANISHED (EARLIER) 2:3,7"
    assert [line.split(" MODSEQ ")[0] for line in told[1:]] == [
        "* 3 FETCH (UID 5 FLAGS (\\Flagged)",
        "* 5 FETCH (UID 8 FLAGS (\\Recent)",
    ]
    said = away.client.say(f"UID FETCH 1:* (FLAGS) (CHANGEDSINCE {away.modseq} VANISHED)")
    assert [line.replace(" \\Recent", "") for line in said.splitlines()[:-1]] == told


def test_tells_of_nothing_but_the_uids_that_are_asked_about(away):
    away.expunge("2:3,7")
    away.other.say("UID STORE 1,5 +FLAGS (\\Flagged)")
    told = away.comes_back(" 3:5")
    assert told[0] == "* VANISHED (EARLIER) 3"
    assert [line.split(" FLAGS")[0] for line in told[1:]] == ["* 3 FETCH (UID 5"]
    assert away.client.say(f"UID FETCH 4:6 UID (CHANGEDSINCE {away.modseq} VANISHED)").count("VANISHED") == 0


def test_tells_nothing_of_another_incarnation(away):
    away.expunge("2")
    away.known = f"{int(away.known.split()[0]) + 1} 1"
    assert away.comes_back() == []


def test_tells_all_that_is_missing_when_nobody_remembers(away, clock):
    """RFC 7162 §3.2.6: as if all expunged messages were asked for."""
    away.expunge("2:3")
    away.forget(clock)
    away.expunge("5,7")
    assert away.comes_back() == ["* VANISHED (EARLIER) 2:3,5,7"]
    assert away.comes_back(" 1:2,4:6,99") == ["* VANISHED (EARLIER) 2,5"]
    said = away.client.say(f"UID FETCH 3:* UID (CHANGEDSINCE {away.modseq} VANISHED)")
    assert said.startswith("* VANISHED (EARLIER) 3,5,7\r\n")
    # Who came by since then is told what went since then.
    inbox = Folder.objects.get(mailbox=away.other.person.mailbox, role="inbox")
    away.known = f"{inbox.uidvalidity} {inbox.log_from}"
    assert away.comes_back() == ["* VANISHED (EARLIER) 5,7"]


def test_what_a_client_knows_by_number_need_not_be_told(away, clock):
    """RFC 7162 §3.2.5.2. Left are 1 4 5 7: who knows 4 as the second knows that 2 and 3 went."""
    away.expunge("2:3,6")
    away.forget(clock)
    assert away.comes_back() == ["* VANISHED (EARLIER) 2:3,6"]
    assert away.comes_back(" 1:7 (1,2 1,4)") == ["* VANISHED (EARLIER) 6"]
    assert away.comes_back(" (1:4 1,4:6)") == ["* VANISHED (EARLIER) 6"]
    assert away.comes_back(" (2,4 2,4)") == ["* VANISHED (EARLIER) 2:3,6"]
    assert away.comes_back(" (4 7)") == []
    assert away.comes_back(" (4,9:4000000000 7,9:4000000000)") == []
    assert away.comes_back(" (1:2 1:2)") == ["* VANISHED (EARLIER) 2:3,6"]


def test_long_lists_are_several_lines(away, clock, monkeypatch):
    monkeypatch.setattr(limits, "IMAP_VANISHED_RANGES", 2)
    away.expunge("1,3,5")
    assert away.comes_back() == ["* VANISHED (EARLIER) 1,3", "* VANISHED (EARLIER) 5"]


def test_what_the_client_still_counts_did_not_go_earlier(away):
    """It hears of that by a VANISHED that counts."""
    away.comes_back()
    away.expunge("4")
    said = away.client.say(f"UID FETCH 1:* (UID) (CHANGEDSINCE {away.modseq} VANISHED)").splitlines()
    assert said[:2] == ["* VANISHED 4", f"* OK [HIGHESTMODSEQ {away.other.session.view.whole}] Highest"]
    assert "EARLIER" not in said[0]
    said = away.client.say(f"UID FETCH 1:* (UID) (CHANGEDSINCE {away.modseq} VANISHED)")
    assert said.startswith("* VANISHED (EARLIER) 4\r\n")


def test_the_tagged_answer_says_where_to_go_on_from(away):
    """RFC 7162 §3.2.7, §3.2.9; not for CLOSE (§3.2.8)."""
    away.comes_back()
    say = away.client.say
    say("STORE 1:3 +FLAGS.SILENT (\\Deleted)")
    for line, told in (("UID EXPUNGE 2", "* VANISHED 2"), ("EXPUNGE", "* VANISHED 1,3")):
        said = say(line).splitlines()
        assert said[0] == told
        assert said[
            -1
        ] == f"a OK [HIGHESTMODSEQ {away.client.session.view.whole}] {line[:11].strip()} completed".replace(
            " 2 ", " "
        )
    said = say("MOVE 1 Trash").splitlines()
    assert (said[0][:14], said[1]) == ("* OK [COPYUID ", "* VANISHED 4")
    assert said[-1] == f"a OK [HIGHESTMODSEQ {away.client.session.view.whole}] MOVE completed"
    assert say("EXPUNGE") == "a OK EXPUNGE completed\r\n"
    say("STORE 1 +FLAGS.SILENT (\\Deleted)")
    assert say("CLOSE") == "a OK CLOSE completed\r\n"


def test_refuses_what_was_not_enabled(away):
    say = away.other.say
    for line in (f"SELECT INBOX (QRESYNC ({away.known}))", "UID FETCH 1 UID (CHANGEDSINCE 1 VANISHED)"):
        assert say(line).startswith("a BAD ")
    assert say("FETCH 1 (UID)").startswith("* 1 FETCH (UID 1)\r\n")  # it is still selected
    away.comes_back()
    for line in ("FETCH 1 UID (CHANGEDSINCE 1 VANISHED)", "UID FETCH 1 UID (VANISHED)"):
        assert away.client.say(line).startswith("a BAD ")


def test_qresync_is_advertised(alice):
    assert {"QRESYNC", "ENABLE"} <= set(alice.session.capabilities())
    assert alice.say("ENABLE QRESYNC CONDSTORE").startswith("* ENABLED QRESYNC CONDSTORE\r\n")
    assert alice.session.knows_modseqs
