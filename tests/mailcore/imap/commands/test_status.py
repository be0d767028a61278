from mailcore.imap import commands
from tests.mailcore.imap.commands.talking import Talk


def test_counts_for_a_session_that_has_it_open_and_for_others(selected):
    selected.say("STORE 1 +FLAGS (\\Seen)")
    Talk(selected.person).append()
    validity = selected.session.view.snapshot.uidvalidity
    said = Talk(selected.person).say("STATUS inbox (UNSEEN MESSAGES UIDNEXT UIDVALIDITY RECENT)")
    assert said == (
        f'* STATUS "INBOX" (UNSEEN 5 MESSAGES 6 UIDNEXT 7 UIDVALIDITY {validity} RECENT 1)\r\n'
        "a OK STATUS completed\r\n"
    )
    assert Talk(selected.person).say("STATUS x (MESSAGES)").startswith("a NO [NONEXISTENT] ")


def test_sizes_are_those_of_fetch(selected):
    """RFC 8438: the sum of RFC822.SIZE."""
    said = selected.say("FETCH 1:* RFC822.SIZE")
    total = sum(int(line.rpartition(" ")[2].rstrip(")")) for line in said.splitlines() if "RFC822" in line)
    assert total
    assert selected.say("STATUS INBOX (SIZE)").startswith(f'* STATUS "INBOX" (SIZE {total})')
    selected.say("STORE 1 +FLAGS (\\Deleted)")
    size = total // 5
    assert f"(DELETED 1 DELETED-STORAGE {size})" in selected.say("STATUS INBOX (DELETED DELETED-STORAGE)")
    selected.say("EXPUNGE")
    assert f"(DELETED 0 DELETED-STORAGE 0 SIZE {total - size})" in selected.say(
        "STATUS INBOX (DELETED DELETED-STORAGE SIZE)"
    )


def test_counts_only_what_is_in_that_folder(alice):
    for folder in ("Sent", "INBOX", "INBOX"):
        alice.append(folder=folder)
    alice.say("SELECT INBOX")
    alice.say("STORE 1:* +FLAGS (\\Deleted)")
    said = alice.say('LIST "" (INBOX Sent Trash) RETURN (STATUS (MESSAGES DELETED))')
    assert '* STATUS "INBOX" (MESSAGES 2 DELETED 2)' in said
    assert '* STATUS "Sent" (MESSAGES 1 DELETED 0)' in said
    assert '* STATUS "Trash" (MESSAGES 0 DELETED 0)' in said


def test_appendlimit_is_the_one_that_append_keeps(alice):
    """RFC 7889 §3."""
    said = alice.say("STATUS INBOX (APPENDLIMIT)")
    limit = alice.session.surroundings.max_message
    assert said.startswith(f'* STATUS "INBOX" (APPENDLIMIT {limit})\r\n')
    alice.session.surroundings.max_message = 10
    assert "(APPENDLIMIT 10)" in alice.say("STATUS Sent (APPENDLIMIT)")
    assert alice.append(b"Subject: 12345\r\n\r\n").startswith("a NO ")


def test_what_it_can_do_is_advertised(alice):
    assert {"LIST-EXTENDED", "LIST-STATUS", "STATUS=SIZE"} <= set(commands.capabilities(alice.session))
