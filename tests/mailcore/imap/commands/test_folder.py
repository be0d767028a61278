import pytest

from mailcore.imap.session import State
from mailcore.imap.wire import responses, utf7


def names(talk, pattern: str = "*") -> list[str]:
    said = talk.say(f'LIST "" {pattern}')
    return [line.split(' "/" ')[1].strip('"') for line in said.splitlines() if line.startswith("* LIST")]


def test_creates_with_and_without_trailing_separator(alice):
    assert alice.say("CREATE Work/").startswith("a OK [MAILBOXID (F")
    assert alice.say('CREATE "Work/2026/July"').startswith("a OK [MAILBOXID (F")
    assert {"Work", "Work/2026", "Work/2026/July"} <= set(names(alice))
    assert alice.say("CREATE work").startswith("a OK ")
    assert alice.say("CREATE Work").startswith("a NO [ALREADYEXISTS] ")
    assert alice.say("CREATE inbox").startswith("a NO [ALREADYEXISTS] ")


@pytest.mark.parametrize("name", ["a//b", '"a%b"', '"a*"', "/a", "x" * 1000, "/".join("a" * 40)])
def test_refuses_bad_names(alice, name):
    assert alice.say(f"CREATE {name}").startswith("a NO [CANNOT] ")


def test_names_are_in_modified_utf7(alice):
    assert alice.say("CREATE Entw&APw-rfe").startswith("a OK ")
    assert "Entw&APw-rfe" in names(alice)
    assert alice.say("CREATE &AGE-").startswith("a BAD ")
    assert alice.say(b"CREATE Entw\xc3\xbcrfe").startswith("a BAD ")


def test_names_in_quotes_may_be_in_utf8_before_that_is_enabled(alice):
    """RFC 9755 §3: they are accepted, and told as everybody hears them."""
    assert alice.say(b'CREATE "Entw\xc3\xbcrfe"').startswith("a OK ")
    assert "Entw&APw-rfe" in names(alice)
    assert "ALREADYEXISTS" in alice.say("CREATE Entw&APw-rfe")
    assert alice.say(b'CREATE "Entw\xfcrfe"').startswith("a BAD ")


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


def test_creates_a_folder_for_a_use_that_no_other_has(alice):
    assert "CREATE-SPECIAL-USE" in alice.session.capabilities()
    alice.say("DELETE Sent")
    assert alice.say("CREATE Gesendet (USE (\\sent))").startswith("a OK [MAILBOXID (F")
    assert '(\\HasNoChildren \\Sent) "/" "Gesendet"' in alice.say('LIST "" Gesendet')
    assert alice.say("CREATE Plain (USE ())").startswith("a OK ")


@pytest.mark.parametrize("uses", ["\\Sent", "\\All", "\\Flagged", "\\Archive \\Trash", "\\Inbox", "\\Frob"])
def test_makes_nothing_for_a_use_it_cannot_give(alice, uses):
    """RFC 6154 §3: NO with USEATTR, and the folder is not made."""
    assert alice.say(f"CREATE Other (USE ({uses}))").startswith("a NO [USEATTR] ")
    assert "Other" not in names(alice)


def test_a_use_goes_along_with_a_rename(alice):
    alice.say("RENAME Sent Mail/Out")
    assert '(\\HasNoChildren \\Sent) "/" "Mail/Out"' in alice.say('LIST "" Mail/Out')


def test_a_tree_can_move_up_one_level_into_its_own_place(alice):
    for name in ("a/b/b/b", "a/b/b", "a/b"):
        alice.say(f"CREATE {name}")
    assert alice.say("RENAME a/b a") == "a OK RENAME completed\r\n"
    assert [name for name in names(alice) if name.startswith("a")] == ["a", "a/b", "a/b/b"]


def test_a_parent_that_is_no_folder_is_renamed_with_all_below(alice):
    alice.say("CREATE a/b/c")
    assert alice.say("RENAME a x/y") == "a OK RENAME completed\r\n"
    assert {"x", "x/y", "x/y/b", "x/y/b/c"} <= set(names(alice))
    assert "a" not in names(alice)


def test_a_rename_that_fails_renames_nothing(alice):
    for name in ("a/b", "a/c", "z/c"):
        alice.say(f"CREATE {name}")
    assert alice.say("RENAME a z").startswith("a NO [ALREADYEXISTS] ")
    assert {"a/b", "a/c", "z/c"} <= set(names(alice))
    deep = "/".join("d" * 31)
    alice.say("CREATE a/b/c")
    assert alice.say(f"RENAME a {deep}").startswith("a NO [CANNOT] ")
    assert {"a/b", "a/b/c"} <= set(names(alice))


def test_folders_below_the_inbox_stay_when_it_is_renamed(alice):
    """RFC 9051 §6.3.6."""
    alice.say("CREATE INBOX/Lists")
    alice.append()
    assert alice.say("RENAME inbox Old/Mail") == "a OK RENAME completed\r\n"
    assert {"INBOX", "INBOX/Lists", "Old/Mail"} <= set(names(alice))
    assert alice.say("RENAME INBOX Old/Mail").startswith("a NO [ALREADYEXISTS] ")


def test_deleting_the_selected_folder_under_its_new_name_leaves_it(alice):
    alice.say("CREATE a")
    alice.say("SELECT a")
    alice.say("RENAME a b")
    assert alice.say("DELETE b") == "a OK DELETE completed\r\n"
    assert alice.session.state is State.AUTHENTICATED


@pytest.mark.parametrize(
    "name", ["Entwürfe", "下書き", "مسودات", "Черновики", "&", "a & b", "📥 Post", "ไทย"]
)
def test_names_in_any_script(alice, name):
    wire = utf7.encode(name).decode()
    assert alice.say(f'CREATE "{wire}"').startswith("a OK [MAILBOXID (F")
    assert wire in names(alice)
    assert alice.say(f'STATUS "{wire}" (MESSAGES)').startswith(f'* STATUS "{wire}" (MESSAGES 0)')
    assert alice.say(f'RENAME "{wire}" "{wire}/{wire}"').startswith("a NO [CANNOT] ")
    assert alice.say(f'DELETE "{wire}"') == "a OK DELETE completed\r\n"


@pytest.mark.parametrize("is_utf8", [False, True])
@pytest.mark.parametrize(
    "name",
    [
        "Входящие/Отчёты", "台北/日本語", "الوارد/أرشيف", "संदेश/पुराने", "한글/보관함", "Ελλάδα",
        "👩‍👩‍👧/🏳️‍🌈", "Ⅷ ﬁ", "a\u3000b", "R&D", "\\ \"x\"", "~tilde [x] {3}", "NIL", "é" * 100,
    ],
)  # fmt: skip
def test_names_in_any_script_go_everywhere(alice, name, is_utf8):
    if is_utf8:
        alice.say("ENABLE UTF8=ACCEPT")
    wire = responses.folder(name, utf8=is_utf8)
    octets, is_literal = name.encode(), wire.startswith(b"{")

    def say(line: bytes) -> str:
        if not is_literal:
            return alice.say(line % wire)
        return alice.say(line % (b"{%d}\r\n" % len(octets)), octets)

    assert say(b"CREATE %b").startswith("a OK ")
    for line in (b'LIST "" %b', b"STATUS %b (MESSAGES)", b"GETQUOTAROOT %b"):
        said = say(line)
        assert f" {wire.decode()}" in said, said
        assert said.endswith("completed\r\n")
    assert say(b"SELECT %b").endswith("a OK [READ-WRITE] SELECT completed\r\n")
    assert alice.say("UNSELECT").startswith("a OK ")
    assert say(b"SUBSCRIBE %b").startswith("a OK ")
    assert f' "/" {wire.decode()}\r\n' in say(b'LSUB "" %b')
    assert say(b"RENAME %b Plain").startswith("a OK ")
    assert say(b"RENAME Plain %b").startswith("a OK ")
    assert say(b"DELETE %b").startswith("a OK ")
    assert f' "/" {wire.decode()}\r\n' in say(b'LIST (SUBSCRIBED) "" %b')


def test_finds_names_however_a_pattern_is_composed(alice):
    """They are kept in Net-Unicode (RFC 5198): a client that decomposes what it sends sees them too."""
    alice.say("ENABLE UTF8=ACCEPT")
    alice.say('CREATE "Entwürfe/한글"')
    for pattern in ("Entwu\u0308rfe/*", "Entwu\u0308rfe/\u1112\u1161\u11ab\u1100\u1173\u11af"):
        assert '"Entwürfe/한글"' in alice.say(f'LIST "" "{pattern}"')
    assert '"Entwürfe/한글"' in alice.say('LIST "Entwu\u0308rfe/" %')
    alice.say('SUBSCRIBE "Entwu\u0308rfe"')
    assert '* LSUB (\\Noselect) "/" "Entwürfe"\r\n' in alice.say('LSUB "" "Entwu\u0308rfe"')


def test_renames_a_tree_up_and_over_what_moves_away(alice):
    for name in ("a/b", "a/b/b", "a/b/b/c"):
        alice.say(f"CREATE {name}")
    alice.append(folder="a/b/b")
    assert alice.say("RENAME a/b a").startswith("a OK ")
    assert names(alice, "a*") == ["a", "a/b", "a/b/c"]
    assert "MESSAGES 1" in alice.say("STATUS a/b (MESSAGES)")
    assert alice.say("RENAME a a/x").startswith("a NO [CANNOT] ")
    alice.say("CREATE z/b/c")
    assert alice.say("RENAME a z").startswith("a NO [ALREADYEXISTS] ")
    assert names(alice, "a*") == ["a", "a/b", "a/b/c"]


def test_renames_what_only_has_folders_below_it(alice):
    alice.say("CREATE Trips/Rome")
    assert alice.say("RENAME Trips Journeys").startswith("a OK ")
    assert alice.say('LIST "" *rips*').startswith("a OK ")
    assert '(\\Noselect \\HasChildren) "/" "Journeys"' in alice.say('LIST "" Journeys')
    assert alice.say("SELECT Journeys").startswith("a NO [NONEXISTENT] ")


def test_says_exactly_who_has_children(alice):
    alice.say("CREATE a/b/c")
    assert '* LIST (\\Noselect \\HasChildren) "/" "a"\r\n' in alice.say('LIST "" a')
    assert '* LIST (\\NonExistent \\HasChildren) "/" "a"\r\n' in alice.say('LIST "" (a) RETURN (CHILDREN)')
    alice.say("CREATE a")
    assert '* LIST (\\HasChildren) "/" "a"\r\n' in alice.say('LIST "" a')
    alice.say("DELETE a/b/c")
    assert alice.say('LIST "" a/*').startswith("a OK ")
    assert '* LIST (\\HasNoChildren) "/" "a"\r\n' in alice.say('LIST "" a')
    alice.say("CREATE a-b")
    alice.say("CREATE ab")
    assert '* LIST (\\HasNoChildren) "/" "a"\r\n' in alice.say('LIST "" a')
