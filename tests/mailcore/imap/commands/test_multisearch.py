"""ESEARCH in many folders (RFC 7377)."""

import re

import pytest

from mailcore.imap import commands
from tests.mailcore.imap.commands.talking import Talk

FOLDERS = ("INBOX", "Work", "Work/2026", "Work/2026/July", "Workshop")


@pytest.fixture
def filled(alice) -> Talk:
    """In each of FOLDERS a message that asks for lunch; in the inbox and in Work another first."""
    for name in FOLDERS[1:]:
        alice.say(f"CREATE {name}")
    for name in FOLDERS[:2]:
        alice.append(b"Subject: nothing\r\n\r\nx\r\n", folder=name)
    for name in FOLDERS:
        alice.append(b"Subject: lunch\r\n\r\nx\r\n", folder=name)
    return alice


def found(said: str) -> dict[str, str]:
    """What was found, by folder; and all of the rest is as it has to be."""
    *lines, last = said.splitlines()
    assert last == "a OK ESEARCH completed", said
    answers = {}
    for line in lines:
        match = re.fullmatch(r'\* ESEARCH \(TAG "a" MAILBOX "(.*)" UIDVALIDITY [1-9]\d*\) UID (.*)', line)
        assert match, line
        assert match[1] not in answers
        answers[match[1]] = match[2]
    return answers


def test_is_offered(alice):
    assert "MULTISEARCH" in alice.session.capabilities()
    assert "ESEARCH" in commands.REGISTRY


@pytest.mark.parametrize(
    ("sources", "names"),
    [
        ("mailboxes (INBOX Work)", {"INBOX", "Work"}),
        ("mailboxes Work mailboxes Work", {"Work"}),
        ("subtree Work", {"Work", "Work/2026", "Work/2026/July"}),
        ("subtree-one Work", {"Work", "Work/2026"}),
        ("subtree (Work/2026 Workshop)", {"Work/2026", "Work/2026/July", "Workshop"}),
        ("subtree-one Nowhere", set()),
        ("subtree (Nowhere Workshop)", {"Workshop"}),
        ('mailboxes (Nowhere "a//b" inbox)', {"INBOX"}),
        ('subtree "a//b"', set()),
        ("personal", set(FOLDERS)),
        ("inboxes", set(FOLDERS)),
        ("subscribed", {"INBOX", "Workshop"}),
        ("subscribed mailboxes Work", {"INBOX", "Workshop", "Work"}),
    ],
)
def test_searches_the_folders_that_are_meant(filled, sources, names):
    for name in FOLDERS:
        filled.say(f"UNSUBSCRIBE {name}")
    for name in ("INBOX", "Workshop", "Nowhere"):
        filled.say(f"SUBSCRIBE {name}")
    answers = found(filled.say(f"ESEARCH IN ({sources}) SUBJECT lunch"))
    assert set(answers) == names
    assert answers.get("INBOX", "ALL 2") == "ALL 2"
    assert answers.get("Workshop", "ALL 1") == "ALL 1"


def test_searches_the_selected_folder_if_none_is_named(filled):
    for line in ("ESEARCH SUBJECT lunch", "ESEARCH IN (selected) SUBJECT lunch"):
        assert filled.say(line).startswith("a BAD ")
    filled.say("EXAMINE Work")
    for line in ("ESEARCH SUBJECT lunch", "ESEARCH IN (selected mailboxes Work) SUBJECT lunch"):
        assert found(filled.say(line)) == {"Work": "ALL 2"}
    assert filled.session.folder_name == "Work"
    assert filled.say("ESEARCH IN (mailboxes INBOX) 1").startswith('* ESEARCH (TAG "a" MAILBOX "INBOX" ')
    assert filled.session.folder_name == "Work"


def test_says_nothing_of_folders_without_a_match(filled):
    for returns in ("", "RETURN (COUNT) ", "RETURN (MIN MAX COUNT ALL) ", "RETURN (PARTIAL 1:5) "):
        assert found(filled.say(f"ESEARCH IN (personal) {returns}SUBJECT dinner")) == {}


def test_returns_what_is_asked_for_of_each_folder(filled):
    said = filled.say("ESEARCH IN (mailboxes (INBOX Workshop)) RETURN (MIN MAX COUNT) ALL")
    assert found(said) == {"INBOX": "MIN 1 MAX 2 COUNT 2", "Workshop": "MIN 1 MAX 1 COUNT 1"}
    said = filled.say("ESEARCH IN (mailboxes (INBOX Workshop)) RETURN (PARTIAL -1:-1) ALL")
    assert found(said) == {"INBOX": "PARTIAL (-1:-1 2)", "Workshop": "PARTIAL (-1:-1 1)"}
    assert found(filled.say("ESEARCH IN (mailboxes (INBOX Workshop)) RETURN () ALL")) == {
        "INBOX": "ALL 1:2", "Workshop": "ALL 1",
    }  # fmt: skip


def test_counts_in_each_folder_for_itself(filled):
    """§2: numbers beyond the last are no mistake."""
    assert found(filled.say("ESEARCH IN (mailboxes (INBOX Workshop)) 2:9")) == {"INBOX": "ALL 2"}
    assert filled.say("ESEARCH IN (mailboxes INBOX) $") == "a OK ESEARCH completed\r\n"


def test_tells_modseqs_where_they_are_asked_for(filled):
    answers = found(filled.say("ESEARCH IN (mailboxes (INBOX Workshop)) MODSEQ 1"))
    assert all(re.fullmatch(r"ALL [\d:]+ MODSEQ \d+", answer) for answer in answers.values())
    assert filled.session.knows_modseqs


def test_saves_only_of_the_selected_folder_alone(filled):
    filled.say("SELECT INBOX")
    assert filled.say("ESEARCH IN (selected) RETURN (SAVE) SUBJECT lunch") == "a OK ESEARCH completed\r\n"
    assert "* 2 FETCH (UID 2)\r\n" in filled.say("FETCH $ UID")
    for sources in ("mailboxes INBOX", "selected mailboxes INBOX", "personal"):
        assert filled.say(f"ESEARCH IN ({sources}) RETURN (SAVE) ALL").startswith("a BAD ")
    assert "* 2 FETCH (UID 2)\r\n" in filled.say("FETCH $ UID")
    assert found(filled.say("ESEARCH RETURN (SAVE COUNT) SUBJECT nothing")) == {"INBOX": "COUNT 1"}
    assert "* 1 FETCH (UID 1)\r\n" in filled.say("FETCH $ UID")


def test_names_folders_as_the_client_reads_them(alice):
    alice.say('CREATE "台北"')
    alice.append(folder="&U,BTFw-")
    assert set(found(alice.say("ESEARCH IN (subtree &U,BTFw-) ALL"))) == {"&U,BTFw-"}
    alice.say("ENABLE UTF8=ACCEPT")
    assert set(found(alice.say('ESEARCH IN (subtree "台北") ALL'))) == {"台北"}
    assert alice.say("ESEARCH IN (personal) CHARSET UTF-8 ALL").startswith("a BAD ")


def test_refuses_charsets_and_kinds_it_does_not_know(filled):
    assert "[BADCHARSET" in filled.say("ESEARCH IN (personal) CHARSET KOI-7 SEEN")
    for line in ("IN (selected-delayed) ALL", "IN () ALL", "IN (personal (frob)) ALL", "IN (personal)"):
        assert filled.say(f"ESEARCH {line}").startswith("a BAD "), line
    assert filled.say("ESEARCH").startswith("a BAD ")


def test_leaves_out_what_the_client_may_not_read(filled, cast):
    """§2.2: r for all of them, and l for those that are not named."""
    bob = Talk(cast.bob)
    theirs = '"Other Users/alice@acme.test/Work"'
    assert found(bob.say(f"ESEARCH IN (personal subscribed subtree {theirs} mailboxes {theirs}) ALL")) == {}
    for letters, named, unnamed in (("l", False, False), ("lr", True, True)):
        filled.say(f"SETACL Work bob@acme.test {letters}")
        bob.session.others_asked_at = 0.0
        said = found(bob.say(f"ESEARCH IN (mailboxes {theirs}) ALL"))
        assert bool(said) is named, letters
        bob.say(f"SUBSCRIBE {theirs}")
        for sources in ("subscribed", f"subtree {theirs}"):
            assert bool(found(bob.say(f"ESEARCH IN ({sources}) ALL"))) is unnamed, (letters, sources)
        assert found(bob.say("ESEARCH IN (personal) ALL")) == {}
