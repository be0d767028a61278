import pytest

from mailcore import limits
from mailcore.imap.commands import notify
from mailcore.imap.session import RANG
from mailcore.message.flags import SEEN
from mailcore.models import Message
from mailcore.services import folders, messages
from tests.mailcore.imap.commands.talking import Talk

SELECTED = "NOTIFY SET (selected (MessageNew (UID FLAGS) MessageExpunge FlagChange))"
PERSONAL = "NOTIFY SET (personal (MessageNew MessageExpunge MailboxName))"
OVERFLOW = "* OK [NOTIFICATIONOVERFLOW] Too much has changed, please look yourself\r\n"


def heard(talk: Talk) -> str:
    """What is told while no command runs."""
    return b"".join(notify.news(talk.session)).decode()


@pytest.fixture
def other(selected) -> Talk:
    other = Talk(selected.person)
    other.say("SELECT INBOX")
    return other


def test_tells_what_was_held_back_before_it_begins(selected, other):
    selected.say("NOTIFY NONE")
    other.append()
    assert selected.say("NOOP") == "a OK NOOP completed\r\n"
    assert selected.say(SELECTED) == "* 6 EXISTS\r\n* 6 RECENT\r\na OK NOTIFY completed\r\n"
    assert heard(selected) == ""


def test_fetches_what_is_new_but_not_what_the_client_put_there(selected, other):
    selected.say(SELECTED)
    other.append()
    assert heard(selected) == "* 6 EXISTS\r\n* 6 RECENT\r\n* 6 FETCH (UID 6 FLAGS (\\Recent))\r\n"
    said = selected.append()
    assert said.startswith("* 7 EXISTS\r\n* 7 RECENT\r\na OK [APPENDUID")
    said = selected.say("COPY 1 INBOX")
    assert said.startswith("* 8 EXISTS\r\n* 8 RECENT\r\na OK [COPYUID")
    other.append()
    assert "* 9 FETCH (UID 9 FLAGS (\\Recent))\r\n" in selected.say("NOOP")


def test_fetches_by_uid_for_who_knows_no_numbers(selected, other):
    selected.say("UNSELECT")
    selected.say("ENABLE UIDONLY")
    selected.say("SELECT INBOX")
    selected.say(SELECTED)
    other.append()
    assert "* 6 UIDFETCH (UID 6 FLAGS (\\Recent))\r\n" in heard(selected)


def test_reads_what_is_asked_of_a_new_message(selected, other):
    selected.say("NOTIFY SET (selected (MessageNew (BODY.PEEK[] BINARY.PEEK[1]) MessageExpunge))")
    assert not selected.session.may_poll_on_loop
    other.append(b"Content-Transfer-Encoding: x-odd\r\n\r\nHello\r\n")
    said = heard(selected)
    assert "* 6 FETCH (BODY[] {" in said
    assert "BINARY[1]" not in said  # of what cannot be decoded nothing is told, and nothing is refused
    assert not Message.objects.get(uid=6).flags & SEEN


def test_holds_expunges_back_for_who_wants_them_delayed(selected, other):
    selected.say("NOTIFY SET (selected-delayed (MessageNew MessageExpunge))")
    other.say("STORE 1 +FLAGS (\\Deleted)")
    other.say("EXPUNGE")
    assert heard(selected) == ""
    assert selected.say("IDLE", lines=(RANG, b"DONE")) == "+ idling\r\n* 1 EXPUNGE\r\na OK IDLE completed\r\n"


def test_knows_modseqs_from_then_on(selected):
    said = selected.say("NOTIFY SET (selected (MessageNew (MODSEQ) MessageExpunge))")
    assert said.startswith("* OK [HIGHESTMODSEQ ")
    assert selected.session.knows_modseqs


def test_tells_what_else_is_new_whether_idle_or_not(selected, other):
    selected.say(PERSONAL)
    other.append(folder="Drafts")
    assert heard(selected).startswith('* STATUS "Drafts" (MESSAGES 1 UIDNEXT 2 UIDVALIDITY ')
    other.say("CREATE New")
    said = selected.say("IDLE", lines=(RANG, b"DONE"))
    assert said == '+ idling\r\n* LIST (\\HasNoChildren) "/" "New"\r\na OK IDLE completed\r\n'
    assert heard(selected) == ""


def test_says_nothing_of_what_the_client_did_itself(selected):
    events = "MailboxName SubscriptionChange MailboxMetadataChange ServerMetadataChange"
    selected.say(f"NOTIFY SET (personal ({events}))")
    for command in (
        "CREATE New", "CREATE New/Below", "SUBSCRIBE New", "RENAME New Newer", "UNSUBSCRIBE New",
        'SETMETADATA Newer (/private/comment "x")', 'SETMETADATA "" (/private/comment "x")',
        'SETMETADATA "" (/PRIVATE/comment NIL)', "DELETE Newer/Below",
    ):  # fmt: skip
        assert "a OK" in selected.say(command), command
        assert heard(selected) == "", command
    selected.say("RENAME INBOX Old")
    assert heard(selected) == '* LIST (\\HasNoChildren) "/" "Old"\r\n'


def test_tells_of_the_folder_that_was_left(selected, other):
    selected.say(PERSONAL)
    selected.say("SELECT Drafts")
    other.append(folder="Drafts")
    other.append(folder="INBOX")
    assert heard(selected).startswith('* STATUS "INBOX" (MESSAGES 6 ')


def test_lets_go_of_who_has_a_folder_that_went(selected, other):
    selected.say("CREATE Soon")
    selected.say("SELECT Soon")
    selected.say(SELECTED)
    folders.delete(selected.session.mailbox_id, "Soon")
    assert heard(selected).startswith("* BYE ")
    assert selected.session.view is None


def test_gives_up_when_too_much_is_new(selected, other, monkeypatch):
    selected.say(SELECTED + " (personal (MailboxName))")
    monkeypatch.setattr(limits, "NOTIFY_NEWS", 1)
    for name in ("One", "Two"):
        folders.create(selected.session.mailbox_id, name)
    assert heard(selected) == OVERFLOW
    other.append()
    assert heard(selected) == ""
    assert selected.say("NOOP") == "a OK NOOP completed\r\n"


def test_gives_up_when_too_many_messages_are_new(selected, other, monkeypatch):
    selected.say(SELECTED)
    monkeypatch.setattr(limits, "NOTIFY_NEWS", 1)
    other.append()
    other.append()
    assert heard(selected).endswith("* 7 RECENT\r\n" + OVERFLOW)
    assert not selected.session.watch.is_listening


def test_refuses_to_watch_too_many_folders(selected, monkeypatch):
    monkeypatch.setattr(limits, "NOTIFY_FOLDERS", 3)
    said = selected.say(PERSONAL)
    assert said == "a NO [NOTIFICATIONOVERFLOW] Those are too many folders to watch\r\n"
    assert selected.session.watch is None


def test_refuses_to_compare_too_much(selected, monkeypatch):
    names = " ".join(f"n{number}" for number in range(9))
    monkeypatch.setattr(limits, "NOTIFY_STEPS", 60)
    said = selected.say(f"NOTIFY SET (subtree ({names}) (MailboxName))")
    assert said.startswith("a OK NOTIFY")
    folders.create(selected.session.mailbox_id, "n1")
    assert heard(selected) == OVERFLOW
    said = selected.say(f"NOTIFY SET (subtree ({names}) (MailboxName))")
    assert said.startswith("a NO [NOTIFICATIONOVERFLOW]")


def test_ignores_names_that_can_be_none(alice):
    assert alice.say('NOTIFY SET STATUS (mailboxes (a//b "x%y" Nowhere) (MessageNew MessageExpunge))') == (
        "a OK NOTIFY completed\r\n"
    )


def test_listens_to_whose_folders_it_watches(cast, alice):
    bob = Talk(cast.bob)
    bob.say("CREATE Ours")
    bob.say(f"SETACL Ours {cast.alice.address} lr")
    assert len(alice.session.topics) == 1
    alice.say('NOTIFY SET (subtree "Other Users" (MessageNew MessageExpunge))')
    assert alice.session.topics == [f"mailbox:{box.pk}" for box in (cast.alice.mailbox, cast.bob.mailbox)]


def test_goes_on_when_something_breaks(selected, monkeypatch, caplog):
    selected.say(PERSONAL)
    monkeypatch.setattr(messages, "folder_rows", lambda mailbox_id: 1 // 0)
    assert heard(selected) == ""
    assert "there was no news" in caplog.text
    caplog.clear()


def test_leaves_a_folder_that_is_gone_without_asking_for_it(selected, other, monkeypatch):
    """It may be the event loop that hears of it, and that may not wait for PostgreSQL."""

    def ask(*_):
        raise AssertionError("a service was asked")

    selected.say("CREATE Gone")
    selected.say("COPY 1 Gone")
    selected.say("SELECT Gone")
    selected.say(SELECTED)
    other.say("COPY 2 Gone")
    assert "* 2 EXISTS" in heard(selected)
    assert selected.session.view.is_claiming
    other.say("DELETE Gone")
    monkeypatch.setattr(messages, "claim_recent", ask)
    assert heard(selected).startswith("* BYE ")
    assert selected.session.view is None
