import pytest

from mailcore.imap.session import State


def names(talk) -> list[str]:
    said = talk.say('LIST "" *')
    return [line.split(' "/" ')[1].strip('"') for line in said.splitlines() if line.startswith("* LIST")]


def test_creates_with_and_without_trailing_separator(alice):
    assert alice.say("CREATE Work/") == "a OK CREATE completed\r\n"
    assert alice.say('CREATE "Work/2026/July"') == "a OK CREATE completed\r\n"
    assert {"Work", "Work/2026", "Work/2026/July"} <= set(names(alice))
    assert alice.say("CREATE work").startswith("a OK ")
    assert alice.say("CREATE Work").startswith("a NO [ALREADYEXISTS] ")
    assert alice.say("CREATE inbox").startswith("a NO [ALREADYEXISTS] ")
    assert alice.say("CREATE x (USE (\\Sent))").startswith("a BAD ")


@pytest.mark.parametrize("name", ["a//b", '"a%b"', '"a*"', "/a", "x" * 1000, "/".join("a" * 40)])
def test_refuses_bad_names(alice, name):
    assert alice.say(f"CREATE {name}").startswith("a NO [CANNOT] ")


def test_names_are_in_modified_utf7(alice):
    assert alice.say("CREATE Entw&APw-rfe").startswith("a OK ")
    assert "Entw&APw-rfe" in names(alice)
    assert alice.say("CREATE &AGE-").startswith("a BAD ")
    assert alice.say(b'CREATE "Entw\xc3\xbcrfe"').startswith("a BAD ")


def test_deletes_a_folder_and_leaves_those_below(alice):
    alice.say("CREATE a/b")
    alice.say("CREATE a")
    alice.append(folder="a")
    assert alice.say("DELETE a").startswith("a OK ")
    assert '(\\Noselect \\HasChildren) "/" "a"' in alice.say('LIST "" a')
    assert alice.say("DELETE a").startswith("a NO [NONEXISTENT] ")
    assert alice.say("DELETE INBOX").startswith("a NO [CANNOT] ")


def test_deleting_the_selected_folder_leaves_it(alice):
    alice.say("CREATE a")
    alice.say("SELECT a")
    assert alice.say("DELETE a") == "a OK DELETE completed\r\n"
    assert alice.session.state is State.AUTHENTICATED


def test_a_folder_made_anew_has_new_uids_valid(alice):
    alice.say("CREATE a")
    first = alice.say("STATUS a (UIDVALIDITY)")
    alice.say("DELETE a")
    alice.say("CREATE a")
    assert alice.say("STATUS a (UIDVALIDITY)") != first


def test_renames_with_what_is_below(alice):
    alice.say("CREATE a/b")
    alice.say("CREATE a")
    assert alice.say("RENAME a z") == "a OK RENAME completed\r\n"
    assert {"z", "z/b"} <= set(names(alice))
    assert alice.say("RENAME a y").startswith("a NO [NONEXISTENT] ")
    assert alice.say("RENAME z Sent").startswith("a NO [ALREADYEXISTS] ")
    assert alice.say("RENAME z z/x").startswith("a NO [CANNOT] ")
    assert alice.say("RENAME z/b other/place") == "a OK RENAME completed\r\n"
    assert "other/place" in names(alice)


def test_renaming_the_inbox_moves_its_messages(alice):
    alice.append()
    assert alice.say("RENAME INBOX Old").startswith("a OK ")
    assert "MESSAGES 0" in alice.say("STATUS INBOX (MESSAGES)")
    assert "MESSAGES 1" in alice.say("STATUS Old (MESSAGES)")


def test_the_selected_folder_may_be_renamed(selected):
    selected.say("CREATE a")
    selected.append(folder="a")
    selected.say("SELECT a")
    assert selected.say("RENAME a b") == "a OK RENAME completed\r\n"
    assert "FETCH (FLAGS" in selected.say("FETCH 1 FLAGS")


def test_subscriptions(alice):
    assert alice.say("SUBSCRIBE Nowhere/yet").startswith("a OK ")
    assert '* LSUB (\\Noselect) "/" "Nowhere/yet"' in alice.say('LSUB "" *')
    assert alice.say("UNSUBSCRIBE Nowhere/yet").startswith("a OK ")
    assert alice.say("UNSUBSCRIBE Nowhere/yet").startswith("a OK ")
    assert "Nowhere" not in alice.say('LSUB "" *')
    alice.say("UNSUBSCRIBE INBOX")
    assert "INBOX" not in alice.say('LSUB "" *')
    assert alice.say("SUBSCRIBE a//b").startswith("a NO [CANNOT] ")
