from mailcore.models import Message
from mailcore.services import mailboxes, messages

RAW = b"Subject: new\r\n\r\nNew\r\n"


def subjects(talk) -> str:
    return talk.say("FETCH 1:* (UID BODY.PEEK[HEADER.FIELDS (SUBJECT)])")


def test_puts_one_in_the_place_of_another(selected):
    validity = selected.say("STATUS INBOX (UIDVALIDITY)").split("UIDVALIDITY ")[1].split(")")[0]
    said = selected.say(b"REPLACE 2 INBOX (\\Seen) {%d}\r\n" % len(RAW), RAW)
    lines = said.splitlines()
    assert lines[0] == f"* OK [APPENDUID {validity} 6] Replacement message ready"
    assert lines[-1] == "a OK REPLACE completed"
    assert "* 2 EXPUNGE" in lines
    assert "* 5 EXISTS" in lines
    assert list(Message.objects.order_by("uid").values_list("uid", flat=True)) == [1, 3, 4, 5, 6]
    assert "(UID 6)" in selected.say("FETCH 5 UID")


def test_by_uid_and_into_another_folder(selected):
    said = selected.say(b"UID REPLACE 5 Drafts {%d}\r\n" % len(RAW), RAW)
    assert "* 5 EXPUNGE\r\n" in said
    assert "EXISTS" not in said
    assert said.endswith("a OK UID REPLACE completed\r\n")
    assert "MESSAGES 1" in selected.say("STATUS Drafts (MESSAGES)")


def test_with_pieces_of_what_it_replaces(selected):
    said = selected.say("REPLACE 1 INBOX CATENATE (URL ;UID=1/;SECTION=HEADER TEXT {3}\r\n)", b"Hi!")
    assert said.endswith("a OK REPLACE completed\r\n")
    assert messages.raw_of(Message.objects.get(uid=6).content_id).raw == b"Subject: 1\r\n\r\nHi!"


def test_refuses_and_leaves_all_as_it_was(selected, cast):
    before = subjects(selected)
    line = b"%b {%d}\r\n"
    assert selected.say(line % (b"REPLACE 1 Nowhere", len(RAW)), RAW).startswith("a NO [TRYCREATE] ")
    assert selected.say(line % (b"REPLACE 9 INBOX", len(RAW)), RAW).startswith("a BAD ")
    assert selected.say(line % (b"UID REPLACE 9 INBOX", len(RAW)), RAW).startswith("a NO ")
    assert selected.say(line % (b"REPLACE 1 INBOX", 1), b"\0").startswith("a NO [CANNOT] ")
    selected.session.surroundings.max_message = 10
    assert selected.say(line % (b"REPLACE 1 INBOX", len(RAW)), RAW).startswith("a NO [TOOBIG] ")
    selected.session.surroundings.max_message = 10_000
    used = sum(Message.objects.values_list("size", flat=True))
    mailboxes.set_quota(cast.alice.mailbox, used, actor=None)
    big = RAW + b"x" * 100
    assert selected.say(line % (b"REPLACE 1 INBOX", len(big)), big).startswith("a NO [OVERQUOTA] ")
    assert subjects(selected) == before
    selected.say("EXAMINE INBOX")
    assert selected.say(line % (b"REPLACE 1 INBOX", len(RAW)), RAW).startswith("a NO ")
    assert subjects(selected) == before


def test_the_room_of_what_goes_counts_as_free(selected, cast):
    used = sum(Message.objects.values_list("size", flat=True))
    mailboxes.set_quota(cast.alice.mailbox, used, actor=None)
    same = b"Subject: n\r\n\r\nHello\r\n"
    said = selected.say(b"REPLACE 1 INBOX {%d}\r\n" % len(same), same)
    assert said.endswith("a OK REPLACE completed\r\n")


def test_what_another_took_away_meanwhile_is_not_replaced(selected):
    gone = Message.objects.get(uid=2)
    messages.expunge(gone.folder_id, [(2, 2)], only_deleted=False)
    said = selected.say(b"REPLACE 2 INBOX {%d}\r\n" % len(RAW), RAW)
    assert "a NO " in said
    assert Message.objects.count() == 4
