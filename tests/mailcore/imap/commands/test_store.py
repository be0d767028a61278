import pytest

from tests.mailcore.imap.commands.talking import Talk


def test_adds_removes_and_replaces(selected):
    assert selected.say("STORE 2:3 +FLAGS (\\Seen $Work)") == (
        "* FLAGS (\\Seen \\Answered \\Flagged \\Deleted \\Draft $Work)\r\n"
        "* 2 FETCH (FLAGS (\\Seen $Work \\Recent))\r\n* 3 FETCH (FLAGS (\\Seen $Work \\Recent))\r\n"
        "a OK STORE completed\r\n"
    )
    assert "* 2 FETCH (FLAGS (\\Seen \\Recent))" in selected.say("STORE 2 -FLAGS $work")
    assert "* 3 FETCH (FLAGS (\\Flagged \\Recent))" in selected.say("STORE 3 FLAGS (\\flagged)")
    assert "* 3 FETCH (FLAGS (\\Recent))" in selected.say("STORE 3 FLAGS ()")


def test_answers_for_what_was_so_already(selected):
    selected.say("STORE 2 +FLAGS (\\Seen)")
    said = selected.say("UID STORE 1:2 +FLAGS (\\Seen)")
    assert said == (
        "* 1 FETCH (FLAGS (\\Seen \\Recent) UID 1)\r\n* 2 FETCH (FLAGS (\\Seen \\Recent) UID 2)\r\n"
        "a OK STORE completed\r\n"
    )


def test_silent_tells_others_only(cast, selected):
    other = Talk(cast.alice)
    other.say("SELECT INBOX")
    assert selected.say("STORE 1 +FLAGS.SILENT (\\Seen)") == "a OK STORE completed\r\n"
    assert selected.say("NOOP") == "a OK NOOP completed\r\n"
    assert other.say("NOOP") == "* 1 FETCH (FLAGS (\\Seen))\r\na OK NOOP completed\r\n"
    assert "\\Seen" in selected.say("FETCH 1 FLAGS")


def test_unknown_numbers(selected):
    assert selected.say("STORE 6 +FLAGS (\\Seen)").startswith("a BAD ")
    assert selected.say("UID STORE 99 +FLAGS (\\Seen)") == "a OK STORE completed\r\n"
    assert selected.say("STORE * +FLAGS (\\Seen)").startswith("* 5 FETCH ")


@pytest.mark.parametrize("flags", ["(\\Recent)", "(\\Odd)", "(a(b)"])
def test_refuses_flags_that_cannot_be_set(selected, flags):
    assert selected.say(f"STORE 1 +FLAGS {flags}").startswith("a BAD ")


def test_too_many_keywords(selected):
    words = " ".join(f"word{number}" for number in range(70))
    assert selected.say(f"STORE 1 +FLAGS ({words})").startswith("a NO [LIMIT] ")


def test_does_not_tell_of_expunges(cast, selected):
    other = Talk(cast.alice)
    other.say("SELECT INBOX")
    other.say("STORE 2 +FLAGS (\\Deleted)")
    other.say("EXPUNGE")
    assert "EXPUNGE" not in selected.say("STORE 3 +FLAGS (\\Seen)")
    assert "* 2 EXPUNGE" in selected.say("NOOP")
    assert selected.say("FETCH 2 (UID)") == "* 2 FETCH (UID 3)\r\na OK FETCH completed\r\n"
