"""IMAP4rev2: appendix E of RFC 9051, the changes from IMAP4rev1, item by item.

What asks nothing of a server is left out: 5, 14, 20, 22 to 26, 29 and 30. 27 (SCRAM-SHA-256) and 28 have
their tests with logins and connections.
"""

import re

import pytest

from mailcore.imap import commands
from mailcore.imap.wire import parser
from mailcore.imap.wire.receiver import Received
from tests.mailcore.imap.commands.talking import Talk

WORDY = "Subject: Grüße\r\n\r\nHallo\r\n".encode()


@pytest.fixture
def rev2(alice) -> Talk:
    """Alice, who speaks IMAP4rev2; three messages in her inbox, one of them deleted."""
    for number in range(1, 4):
        alice.append(b"Subject: %d\r\n\r\nHello\r\n" % number)
    alice.say("SELECT INBOX")
    alice.say("STORE 2 +FLAGS.SILENT (\\Deleted)")
    alice.say("UNSELECT")
    assert alice.say("ENABLE IMAP4rev2") == "* ENABLED IMAP4rev2\r\na OK ENABLE completed\r\n"
    return alice


def test_is_offered_beside_rev1_and_changes_nothing_before_it_is_enabled(selected):
    assert selected.session.capabilities()[:2] == ["IMAP4rev1", "IMAP4rev2"]
    assert Talk().session.capabilities()[:2] == ["IMAP4rev1", "IMAP4rev2"]
    assert selected.say("SEARCH ALL").startswith("* SEARCH 1 2 3 4 5\r\n")
    said = selected.say("SELECT INBOX")
    assert "* LIST" not in said
    assert " RECENT\r\n" in said
    assert "[UNSEEN 1]" in said


def test_enabling_changes_no_capability(alice):
    """§6.3.1."""
    before = alice.say("CAPABILITY")
    alice.say("ENABLE IMAP4rev2")
    assert alice.say("CAPABILITY") == before


def test_1_takes_sizes_of_63_bits(rev2):
    rev2.say("SELECT INBOX")
    assert rev2.say(f"SEARCH LARGER {2**63 - 1}") == '* ESEARCH (TAG "a")\r\na OK SEARCH completed\r\n'
    assert rev2.say(f"SEARCH LARGER {2**63}").startswith("a BAD ")
    assert rev2.say(f"FETCH 1 BODY.PEEK[]<{2**62}.{2**62}>").startswith("* 1 FETCH (BODY[]<")


def test_2_has_folded_in_what_was_extensions(rev2):
    folded = {"NAMESPACE", "UNSELECT", "MOVE", "IDLE", "ENABLE", "UID EXPUNGE"}
    assert folded <= set(commands.REGISTRY)
    assert "LITERAL+" in rev2.session.capabilities()  # which is LITERAL- without its limit (RFC 7888 §5)
    assert rev2.say("NAMESPACE").startswith('* NAMESPACE (("" "/")) ')
    assert rev2.append(folder="Sent").startswith("a OK [APPENDUID ")
    rev2.say("SELECT INBOX")
    assert rev2.say("SEARCH RETURN (SAVE) UNDELETED") == "a OK SEARCH completed\r\n"
    assert rev2.say("SEARCH RETURN (MIN MAX COUNT) $").startswith(
        '* ESEARCH (TAG "a") MIN 1 MAX 3 COUNT 2\r\n'
    )
    assert "[COPYUID " in rev2.say("UID COPY $ Sent")
    assert "* 1 FETCH (BINARY[1] {7}\r\nHello\r\n" in rev2.say("FETCH 1 BINARY.PEEK[1]")
    assert "* 1 FETCH (BINARY.SIZE[1] 7)" in rev2.say("FETCH 1 BINARY.SIZE[1]")
    listed = rev2.say('LIST "" Sent RETURN (SUBSCRIBED CHILDREN STATUS (MESSAGES))')
    assert re.match(
        r'\* LIST \(.*\\HasNoChildren.*\) "/" "Sent"\r\n\* STATUS "Sent" \(MESSAGES 3\)\r\n', listed
    )
    assert '* LIST (\\NonExistent \\Subscribed) "/" "Gone"' in (
        rev2.say("SUBSCRIBE Gone") + rev2.say('LIST (SUBSCRIBED) "" Gone')
    )
    assert "[NONEXISTENT]" in rev2.say("SELECT Nowhere")
    assert "[ALREADYEXISTS]" in rev2.say("CREATE Sent")


def test_3_counts_octets_and_what_is_deleted(rev2):
    assert rev2.say("STATUS INBOX (SIZE DELETED)").startswith('* STATUS "INBOX" (SIZE 63 DELETED 1)\r\n')


def test_4_answers_every_search_with_esearch(rev2):
    rev2.say("SELECT INBOX")
    assert rev2.say("SEARCH ALL") == '* ESEARCH (TAG "a") ALL 1:3\r\na OK SEARCH completed\r\n'
    assert rev2.say("UID SEARCH DELETED") == '* ESEARCH (TAG "a") UID ALL 2\r\na OK SEARCH completed\r\n'
    assert rev2.say("SEARCH ANSWERED") == '* ESEARCH (TAG "a")\r\na OK SEARCH completed\r\n'
    assert rev2.say("UID SEARCH 7") == '* ESEARCH (TAG "a") UID\r\na OK SEARCH completed\r\n'
    assert "ALL 1:3 MODSEQ " in rev2.say("SEARCH MODSEQ 1")


def test_4_names_the_charset_of_a_search_if_it_likes(rev2):
    """§6.4.4; only UTF8=ACCEPT takes that away."""
    rev2.say(f"APPEND INBOX {{{len(WORDY)}}}\r\n", WORDY)
    rev2.say("SELECT INBOX")
    for search in ("SEARCH SUBJECT Grüße", "SEARCH CHARSET UTF-8 SUBJECT Grüße"):
        said = rev2.say(search.replace("Grüße", "{7}") + "\r\n", "Grüße".encode())
        assert said.startswith('* ESEARCH (TAG "a") ALL 4\r\n'), said
    assert "[BADCHARSET" in rev2.say("SEARCH CHARSET KOI-7 SEEN")


def test_6_puts_parameters_together(rev2):
    raw = b'Content-Type: text/plain; name*0=long; name*1="er.txt"\r\n\r\nx'
    rev2.append(raw)
    rev2.say("SELECT INBOX")
    assert '"name" "longer.txt"' in rev2.say("FETCH 4 BODYSTRUCTURE")


@pytest.mark.parametrize("verb", ["MOVE", "UID MOVE"])
def test_7_says_where_moved_messages_are(rev2, verb):
    rev2.say("SELECT INBOX")
    said = rev2.say(f"{verb} 1 Sent")
    assert re.match(r"\* OK \[COPYUID \d+ 1 1\] .*\r\n\* 1 EXPUNGE\r\n", said)


def test_8_makes_no_folder_by_copying(rev2):
    rev2.say("SELECT INBOX")
    for verb in ("COPY", "MOVE", "UID COPY", "UID MOVE"):
        assert rev2.say(f"{verb} 1 Nowhere").startswith("a NO [TRYCREATE] ")
    assert "Nowhere" not in rev2.say('LIST "" *')


def test_9_to_12_open_a_folder(rev2):
    """CLOSED, LIST; neither UNSEEN nor RECENT."""
    rev2.say("CREATE INBOX/Trips")
    said = rev2.say("SELECT INBOX")
    for word in ("CLOSED", "UNSEEN", "RECENT"):
        assert word not in said
    assert '* LIST (\\HasChildren) "/" "INBOX"\r\n' in said
    for needed in ("* FLAGS (", "* 3 EXISTS", "[PERMANENTFLAGS (", "[UIDNEXT 4]", "[UIDVALIDITY "):
        assert needed in said
    said = rev2.say("EXAMINE Sent")
    assert said.startswith("* OK [CLOSED] ")
    assert '* LIST (\\HasNoChildren \\Sent) "/" "Sent"\r\n' in said
    assert said.endswith("a OK [READ-ONLY] EXAMINE completed\r\n")
    assert rev2.say("SELECT Nowhere").startswith("* OK [CLOSED] ")


def test_12_calls_nothing_recent_and_leaves_that_to_others(rev2, cast):
    rev2.say("SELECT INBOX")
    rev2.append()
    news = rev2.say("NOOP")
    assert "RECENT" not in news
    assert "Recent" not in rev2.say("FETCH 1:* (FLAGS)") + rev2.say("FETCH 4 (FLAGS ENVELOPE)")
    rev2.say("UNSELECT")
    old = Talk(cast.alice)
    assert "* 1 RECENT\r\n" in old.say("SELECT INBOX")
    assert "* SEARCH 4\r\n" in old.say("SEARCH RECENT")


def test_13_15_keeps_the_keywords_that_are_named(rev2):
    rev2.say("SELECT INBOX")
    keywords = "$MDNSent $Forwarded $Junk $NotJunk $Phishing"
    said = rev2.say(f"STORE 1 +FLAGS ({keywords})")
    assert f"({keywords})" in said
    assert "PERMANENTFLAGS" not in said
    assert "\\*" in rev2.say("SELECT INBOX")


def test_16_has_names_and_headers_in_utf8(rev2):
    assert rev2.say('CREATE "Entwürfe & mehr"').startswith("a OK ")
    assert '* LIST (\\HasNoChildren) "/" "Entwürfe & mehr"\r\n' in rev2.say('LIST "" Entw*')
    assert rev2.say("CREATE A&APw-").startswith("a OK ")
    assert '"A&APw-"' in rev2.say('LIST "" A&*')
    assert rev2.say(f'APPEND "Entwürfe & mehr" {{{len(WORDY)}}}\r\n', WORDY).startswith("a OK ")
    rev2.say('SELECT "Entwürfe & mehr"')
    assert WORDY.decode() in rev2.say("FETCH 1 BODY.PEEK[]")
    assert rev2.say(b'CREATE "\xff"').startswith("a BAD ")


APART = "Entwu\u0308rfe"


def test_16_says_how_it_spells_a_name(rev2):
    """§5.1, §6.3.2, §6.3.4 to §6.3.6: we keep names in Net-Unicode and say so."""
    old = f'("OLDNAME" ("{APART}"))\r\n'
    assert f'* LIST (\\HasNoChildren) "/" "Entwürfe" {old}' in rev2.say(f'CREATE "{APART}"')
    assert f'* LIST (\\HasNoChildren) "/" "Entwürfe" {old}' in rev2.say(f'SELECT "{APART}"')
    assert f'* LIST (\\HasNoChildren) "/" "Plans" {old}' in rev2.say(f'RENAME "{APART}" Plans')
    said = rev2.say(f'RENAME Plans "{APART}"')
    assert (
        said == '* LIST (\\HasNoChildren) "/" "Entwürfe" ("OLDNAME" ("Plans"))\r\na OK RENAME completed\r\n'
    )
    assert f'* LIST (\\NonExistent \\HasNoChildren) "/" "Entwürfe" {old}' in rev2.say(f'DELETE "{APART}"')
    for line in ("CREATE Entw/", "SELECT inbox", "RENAME Entw Plan", "DELETE Plan"):
        assert "OLDNAME" not in rev2.say(line), line


def test_17_to_19_still_knows_the_words_of_rev1(rev2):
    """They are deprecated, and we offer IMAP4rev1 as well: who says them is understood."""
    rev2.say("SELECT INBOX")
    assert rev2.say("CHECK") == "a OK CHECK completed\r\n"
    assert "RFC822.HEADER {" in rev2.say("FETCH 1 RFC822.HEADER")
    rev2.say('SUBSCRIBE "Entwürfe"')
    assert rev2.say('LSUB "" E*').startswith('* LSUB (\\Noselect) "/" "Entwürfe"\r\n')
    assert rev2.say("STATUS Sent (RECENT)").startswith('* STATUS "Sent" (RECENT 0)\r\n')
    assert rev2.say("SEARCH RECENT") == '* ESEARCH (TAG "a")\r\na OK SEARCH completed\r\n'
    assert rev2.say("SEARCH OLD").startswith('* ESEARCH (TAG "a") ALL 1:3\r\n')


def test_21_gives_the_uid_with_all_news(rev2, cast):
    rev2.say("SELECT INBOX")
    other = Talk(cast.alice)
    other.say("SELECT INBOX")
    other.say("STORE 3 +FLAGS.SILENT (\\Answered)")
    assert rev2.say("NOOP").startswith("* 3 FETCH (FLAGS (\\Answered) UID 3)\r\n")
    assert rev2.say("STORE 1 +FLAGS (\\Seen)").startswith("* 1 FETCH (FLAGS (\\Seen) UID 1)\r\n")
    assert re.search(r" FLAGS \(\\Seen \\Answered\) UID 3\)", rev2.say("FETCH 3 BODY[TEXT]"))


def test_lists_options_once_however_often_they_are_said(alice):
    """§6.3.9; RFC 5258 §3 has it too."""
    command = parser.parse(
        Received(
            b'a LIST (SUBSCRIBED REMOTE subscribed) "" * RETURN (STATUS (SIZE) CHILDREN STATUS (UIDNEXT))'
        )
    )
    assert command.selection == ("SUBSCRIBED", "REMOTE")
    assert command.returns == (("STATUS", ("SIZE",)), ("CHILDREN", None))
