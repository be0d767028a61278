def test_numbers_are_right_one_after_the_other(selected):
    selected.say("STORE 2,3,5 +FLAGS.SILENT (\\Deleted)")
    lines = selected.say("EXPUNGE").splitlines()
    assert lines[-1] == "a OK EXPUNGE completed"
    left = [1, 2, 3, 4, 5]
    for line in lines[:-1]:
        del left[int(line.split()[1]) - 1]
    assert left == [1, 4]
    assert selected.say("EXPUNGE") == "a OK EXPUNGE completed\r\n"


def test_uid_expunge_takes_only_what_is_named_and_deleted(selected):
    selected.say("STORE 2:4 +FLAGS.SILENT (\\Deleted)")
    assert selected.say("UID EXPUNGE 1,3:9") == (
        "* 4 EXPUNGE\r\n* 3 EXPUNGE\r\na OK UID EXPUNGE completed\r\n"
    )
    assert selected.say("SEARCH DELETED").startswith("* SEARCH 2\r\n")
    assert selected.say("UID EXPUNGE 77") == "a OK UID EXPUNGE completed\r\n"
    assert selected.say("SEARCH DELETED").startswith("* SEARCH 2\r\n")
