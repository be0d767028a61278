from mailcore.imap.session import RANG
from tests.mailcore.imap.commands.talking import Talk


def test_tells_news_until_done(selected):
    other = Talk(selected.person)
    other.say("SELECT INBOX")
    other.append()
    other.say("STORE 1 +FLAGS (\\Deleted)")
    other.say("EXPUNGE")
    said = selected.say("IDLE", lines=(RANG, RANG, b"done"))
    assert said == "+ idling\r\n* 1 EXPUNGE\r\n* 5 EXISTS\r\n* 5 RECENT\r\na OK IDLE completed\r\n"


def test_without_a_folder(alice):
    assert alice.say("IDLE", lines=(RANG, b"DONE")) == "+ idling\r\na OK IDLE completed\r\n"


def test_anything_else_ends_it_badly(selected):
    assert selected.say("IDLE", lines=(b"a NOOP",)).endswith("a BAD Expected DONE\r\n")
