from tests.mailcore.imap.commands.talking import Talk


def code(said: str) -> list[str]:
    return said.split("[COPYUID ")[1].split("]")[0].split()[1:]


def test_copy_tells_both_uids(selected):
    selected.say("STORE 3 +FLAGS (\\Flagged $Work)")
    said = selected.say("COPY 2:3,5 Archive")
    assert said.startswith("a OK [COPYUID ")
    assert code(said) == ["2:3,5", "1:3"]
    assert code(selected.say("UID COPY 1 Archive")) == ["1", "4"]
    selected.say("SELECT Archive")
    assert "FLAGS (\\Flagged $Work \\Recent)" in selected.say("FETCH 2 FLAGS")
    assert "Subject: 3" in selected.say("FETCH 2 BODY.PEEK[HEADER]")


def test_move_tells_before_the_expunges(selected):
    lines = selected.say("MOVE 2,4 Trash").splitlines()
    assert lines[0].startswith("* OK [COPYUID ")
    assert lines[0].split("]")[0].endswith(" 2,4 1:2")
    assert lines[1:] == ["* 4 EXPUNGE", "* 2 EXPUNGE", "a OK MOVE completed"]
    assert "MESSAGES 2" in selected.say("STATUS Trash (MESSAGES)")


def test_into_the_same_folder(selected):
    said = selected.say("COPY 1 INBOX")
    assert "* 6 EXISTS" in said
    moved = selected.say("UID MOVE 1 INBOX")
    assert "* 1 EXPUNGE" in moved
    assert "* 6 EXISTS" in moved


def test_refusals(selected):
    for verb in ("COPY", "MOVE"):
        assert selected.say(f"{verb} 1 Nowhere").startswith("a NO [TRYCREATE] ")
        assert selected.say(f"{verb} 9 Trash").startswith("a BAD ")
        assert selected.say(f"UID {verb} 99 Trash").startswith("a OK ")


def test_two_that_move_the_same(cast, selected):
    other = Talk(cast.alice)
    other.say("SELECT INBOX")
    other.say("UID MOVE 2 Trash")
    said = selected.say("UID MOVE 2:3 Archive")
    assert code(said) == ["3", "1"]
    assert "MESSAGES 1" in selected.say("STATUS Trash (MESSAGES)")
    assert "MESSAGES 1" in selected.say("STATUS Archive (MESSAGES)")
