import pytest

from mailcore.imap.session import State
from mailcore.services import messages
from tests.mailcore.imap.commands.talking import Talk


def test_tells_all_there_is_to_know(selected):
    validity = selected.session.view.snapshot.uidvalidity
    selected.say("STORE 1:2 +FLAGS (\\Seen $Work)")
    state = messages.folder_state(selected.session.view.snapshot.folder_id)
    assert selected.say("SELECT inbox").splitlines() == [
        "* OK [CLOSED] Closed",
        "* FLAGS (\\Seen \\Answered \\Flagged \\Deleted \\Draft $Work)",
        "* 5 EXISTS",
        "* 0 RECENT",
        f"* OK [UIDVALIDITY {validity}] UIDs valid",
        "* OK [UIDNEXT 6] Predicted next UID",
        f"* OK [HIGHESTMODSEQ {state.folder_modseq}] Highest",
        f"* OK [MAILBOXID (F{state.mailbox_id}-{state.object_serial})] Stays with the folder",
        "* OK [PERMANENTFLAGS (\\Seen \\Answered \\Flagged \\Deleted \\Draft $Work \\*)] Flags kept",
        "* OK [UNSEEN 3] First unseen",
        "a OK [READ-WRITE] SELECT completed",
    ]


def test_examine_may_change_nothing(selected):
    said = selected.say("EXAMINE INBOX")
    assert "* OK [PERMANENTFLAGS ()] Read-only" in said
    assert said.endswith("a OK [READ-ONLY] EXAMINE completed\r\n")
    for line in ("STORE 1 FLAGS (\\Seen)", "EXPUNGE", "UID EXPUNGE 1", "MOVE 1 Trash"):
        assert selected.say(line).startswith("a NO [NOPERM] ")
    selected.say("FETCH 1 BODY[]")
    assert "\\Seen" not in selected.say("FETCH 1 FLAGS")
    assert selected.say("CLOSE") == "a OK CLOSE completed\r\n"


def test_a_select_that_fails_leaves_no_folder(selected):
    assert selected.say("SELECT Nowhere").startswith("* OK [CLOSED] Closed\r\na NO [NONEXISTENT] ")
    assert selected.say("SELECT Nowhere").startswith("a NO [NONEXISTENT] ")
    assert selected.session.state is State.AUTHENTICATED
    assert selected.say("FETCH 1 FLAGS") == "a BAD Please select a folder first\r\n"


def test_the_first_session_claims_what_is_recent(cast):
    first, second = Talk(cast.alice), Talk(cast.alice)
    first.append()
    first.append()
    assert "* 2 RECENT" in first.say("EXAMINE INBOX")
    assert "* 2 RECENT" in first.say("SELECT INBOX")
    assert "* 0 RECENT" in second.say("SELECT INBOX")
    assert first.say("UID FETCH 2 FLAGS").startswith("* 2 FETCH (UID 2 FLAGS (\\Recent))")
    assert second.say("UID FETCH 2 FLAGS").startswith("* 2 FETCH (UID 2 FLAGS ())")
    assert first.say("SEARCH RECENT").startswith("* SEARCH 1 2\r\n")
    assert "* 0 RECENT" in first.say("SELECT INBOX")


def test_what_a_session_was_told_is_recent_to_no_later_one(cast):
    first = Talk(cast.alice)
    first.say("SELECT INBOX")
    Talk(cast.alice).append()
    assert "* 1 RECENT" in first.say("NOOP")
    first.say("UNSELECT")
    assert "* 0 RECENT" in first.say("SELECT INBOX")


def test_close_expunges_silently_and_unselect_does_not(selected):
    selected.say("STORE 2:3 +FLAGS (\\Deleted)")
    assert selected.say("UNSELECT") == "a OK UNSELECT completed\r\n"
    assert "* 5 EXISTS" in selected.say("SELECT INBOX")
    assert selected.say("CLOSE") == "a OK CLOSE completed\r\n"
    assert "* 3 EXISTS" in selected.say("SELECT INBOX")


def test_nobody_sees_the_folders_of_others(cast):
    alice, charlie = Talk(cast.alice), Talk(cast.charlie)
    alice.say("CREATE Secret")
    for line in ("SELECT Secret", "STATUS Secret (MESSAGES)", "DELETE Secret", "RENAME Secret Mine"):
        assert charlie.say(line).startswith("a NO [NONEXISTENT] ")
    assert "Secret" not in charlie.say('LIST "" *')


@pytest.mark.parametrize("name", ["a//b", "/", "a\tb", '""', "../../etc/passwd", "&Jjo-"])
def test_odd_names(alice, name):
    assert alice.say(f"SELECT {name}").split()[1] in ("NO", "BAD")


def test_a_folder_deleted_by_another_ends_the_session(cast):
    first, second = Talk(cast.alice), Talk(cast.alice)
    first.say("CREATE Gone")
    first.append(folder="Gone")
    first.say("SELECT Gone")
    second.say("DELETE Gone")
    assert first.say("FETCH 1 BODY[]").endswith("* BYE The selected folder was deleted\r\n")
    assert first.session.state is State.LOGOUT


ENABLING = [
    "SELECT INBOX (CONDSTORE)",
    "EXAMINE INBOX (CONDSTORE)",
    "STATUS Sent (HIGHESTMODSEQ)",
    'LIST "" Sent RETURN (STATUS (HIGHESTMODSEQ))',
    "FETCH 1 (MODSEQ)",
    "UID FETCH 1 (BODY.PEEK[] MODSEQ)",
    "FETCH 1 (FLAGS) (CHANGEDSINCE 1)",
    "STORE 1 (UNCHANGEDSINCE 1) FLAGS (\\Seen)",
    "SEARCH OR SEEN MODSEQ 1",
    "SORT (DATE) UTF-8 MODSEQ 1",
]


@pytest.mark.parametrize("line", ENABLING)
def test_what_shows_that_a_client_knows_modseqs(selected, line):
    """RFC 7162 §3.1: the first is answered with HIGHESTMODSEQ; from then on all news have modseqs."""
    other = Talk(selected.person)
    other.say("SELECT INBOX")
    other.say("STORE 2 +FLAGS (\\Seen)")
    assert "MODSEQ (" not in selected.say("NOOP")
    highest = selected.session.view.whole
    said = selected.say(line)
    assert "OK " in said.splitlines()[-1]
    assert said.count(f"[HIGHESTMODSEQ {highest}]") == 1
    other.say("STORE 2 -FLAGS (\\Seen)")
    modseq = messages.folder_state(selected.session.view.snapshot.folder_id).modseq
    assert f") UID 2 MODSEQ ({modseq}))" in selected.say("NOOP")
    assert "HIGHESTMODSEQ" not in selected.say("FETCH 1 (MODSEQ)")


def test_condstore_is_advertised(alice):
    assert "CONDSTORE" in alice.session.capabilities()
    assert "CONDSTORE" not in Talk().session.capabilities()
