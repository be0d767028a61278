"""Folders of others, and the rights on them. (RFC 4314, RFC 8440, RFC 2342)"""

from dataclasses import replace

import pytest

from mailcore.imap.session import RANG
from mailcore.models import AuditEntry, Folder, FolderRight, Mailbox, MailboxGroup, Message, Rights
from mailcore.services import folders, mailboxes, sharing
from mailcore.services.rights import from_letters
from mailcore.services.sharing import Who
from tests.cast import make_mailbox
from tests.mailcore.imap.commands.talking import Talk

ALICE = "Other Users/alice@acme.test"
PLANS = f'"{ALICE}/Plans"'


@pytest.fixture
def bob(cast) -> Talk:
    return Talk(cast.bob)


@pytest.fixture
def plans(cast, alice) -> Talk:
    """Alice with a folder of three messages, the second of them \\Deleted."""
    alice.say("CREATE Plans")
    alice.say("CREATE Plans/Old")
    for number in range(1, 4):
        alice.append(b"Subject: %d\r\n\r\nHello\r\n" % number, "Plans")
    alice.say("SELECT Plans")
    alice.say("STORE 2 +FLAGS.SILENT (\\Deleted)")
    return alice


def give(cast, rights: str, folder: str = "Plans", identifier: str = "bob@acme.test") -> None:
    box = cast.alice.mailbox
    found = sharing.find(Who(box.pk, cast.alice.user.pk, box.tenant_id), folder)
    sharing.give(found, identifier, from_letters(rights), actor=cast.alice.user)


def state_of(cast) -> tuple:
    """All that a command could have changed in Alice's mailbox."""
    box = Mailbox.objects.get(pk=cast.alice.mailbox.pk)
    return (
        box.modseq,
        sorted(Folder.objects.filter(mailbox=box).values_list("name", "uidnext")),
        sorted(Message.objects.filter(mailbox_id=box.pk).values_list("id", "folder_id", "uid", "flags")),
        sorted(FolderRight.objects.values_list("folder_id", "rights")),
        box.metadata.count(),
    )  # fmt: skip


# Command -> the rights it needs beside "l"; without any one of them it is refused and nothing is changed.
NEEDS = {
    f"SELECT {PLANS}": "r",
    f"EXAMINE {PLANS}": "r",
    f"STATUS {PLANS} (MESSAGES)": "r",
    f'CREATE "{ALICE}/Plans/New"': "k",
    f'DELETE "{ALICE}/Plans/Old"': "x",
    f'RENAME "{ALICE}/Plans/Old" "{ALICE}/Plans/Older"': "kx",
    f"APPEND {PLANS} {{4}}": "i",
    f"COPY 1 {PLANS}": "i",
    f"MOVE 1 {PLANS}": "i",
    f"GETACL {PLANS}": "a",
    f"SETACL {PLANS} anyone lr": "a",
    f"DELETEACL {PLANS} anyone": "a",
    f"LISTRIGHTS {PLANS} anyone": "a",
    f"GETMETADATA {PLANS} /shared/comment": "r",
    f'SETMETADATA {PLANS} (/private/comment "x")': "r",
    f'SETMETADATA {PLANS} (/shared/comment "x")': "rw",
    f"GETQUOTAROOT {PLANS}": "r",
}
# The same with the folder selected, for which there must be "r".
NEEDS_SELECTED = {
    "STORE 1 +FLAGS (\\Seen)": "s",
    "STORE 1 FLAGS (\\Seen)": "s",
    "STORE 1 +FLAGS (\\Flagged)": "w",
    "STORE 1 -FLAGS (\\Draft)": "w",
    "STORE 1 +FLAGS ($Label)": "w",
    "UID STORE 2 -FLAGS (\\Deleted)": "t",
    "EXPUNGE": "e",
    "UID EXPUNGE 2": "e",
    "MOVE 1 INBOX": "te",
    "UID MOVE 1 INBOX": "te",
}


def literal(line: str) -> tuple:
    return (line + "\r\n", b"a\r\nb") if line.endswith("}") else (line,)


@pytest.mark.parametrize("line", NEEDS)
def test_a_command_without_its_right_is_refused(cast, plans, bob, line):
    bob.append()
    for missing in NEEDS[line]:
        bob.say("SELECT INBOX")
        others = "".join(sorted(set("lrswipkxtea") - {missing}))
        for folder in ("Plans", "Plans/Old"):
            give(cast, others, folder)
        before = state_of(cast)
        assert "a NO [NOPERM] " in bob.say(*literal(line)), missing
        # Where it may not even be looked up, it is not there.
        for folder in ("Plans", "Plans/Old"):
            give(cast, others.replace("l", ""), folder)
        bob.say("SELECT INBOX")
        said = bob.say(*literal(line))
        bob.say("SELECT INBOX")
        if not line.startswith(("CREATE", "RENAME")):
            gone = bob.say(*literal(line.replace("Plans", "Nowhere")))
            assert said == gone
            assert " NO [" in said
        give(cast, others, "Plans")
        give(cast, others, "Plans/Old")
        assert state_of(cast) == before
    for folder in ("Plans", "Plans/Old"):
        give(cast, "l" + NEEDS[line], folder)
    bob.say("SELECT INBOX")
    assert "a OK " in bob.say(*literal(line))


@pytest.mark.parametrize("line", NEEDS_SELECTED)
def test_a_command_in_the_folder_without_its_right_is_refused(cast, plans, bob, line):
    for missing in NEEDS_SELECTED[line]:
        give(cast, "lrswipkxtea".replace(missing, ""))
        assert "a OK " in bob.say(f"SELECT {PLANS}")
        before = state_of(cast)
        assert "a NO [NOPERM] " in bob.say(line), missing
        assert state_of(cast) == before
    give(cast, "lr" + NEEDS_SELECTED[line])
    bob.say(f"SELECT {PLANS}")
    assert "a OK " in bob.say(line)
    assert state_of(cast) != before


def test_nothing_is_there_for_strangers(cast, plans, bob):
    """Who has no rights, whoever they are, hears of a folder of others what they hear of one that is not."""
    for talk in (bob, Talk(cast.charlie)):
        before = state_of(cast)
        for line in [*NEEDS, f"MYRIGHTS {PLANS}", f'LIST "" {PLANS}', f"SUBSCRIBE {PLANS}"]:
            hidden, nowhere = (talk.say(*literal(one)) for one in (line, line.replace("alice@", "nobody@")))
            assert hidden == nowhere, line
        assert state_of(cast) == before
        assert talk.say('LIST "" "*"').count("Other Users") == 0


def test_one_right_is_needed_to_be_told_of_rights(cast, plans, bob):
    for letter in "lrikxa":
        give(cast, letter)
        assert f'* MYRIGHTS "{ALICE}/Plans" {{' not in bob.say(f"MYRIGHTS {PLANS}")
        assert "* MYRIGHTS " in bob.say(f"MYRIGHTS {PLANS}")
    for letter in "swpte":
        give(cast, letter)
        assert bob.say(f"MYRIGHTS {PLANS}").startswith("a NO [NONEXISTENT] ")


def test_lists_what_may_be_looked_up(cast, plans, bob):
    give(cast, "l")
    give(cast, "r", "Plans/Old")
    bob.session.others_asked_at = 0.0
    assert f'* LIST (\\HasNoChildren) "/" "{ALICE}/Plans"' in bob.say('LIST "" "*"')
    assert "Old" not in bob.say('LIST "" "*"')
    assert '* LIST (\\Noselect \\HasChildren) "/" "Other Users"\r\n' in bob.say('LIST "" "%"')
    listed = bob.say('LIST "" "*" RETURN (MYRIGHTS STATUS (MESSAGES))')
    assert f'* MYRIGHTS "{ALICE}/Plans" "l"' in listed
    assert '* MYRIGHTS "INBOX" "lrswipkxteacd"\r\n* STATUS "INBOX" (MESSAGES 0)' in listed
    assert f'STATUS "{ALICE}' not in listed  # RFC 5819 §2: needs "r"
    give(cast, "lr")
    assert f'* STATUS "{ALICE}/Plans" (MESSAGES 3 DELETED 1)' in bob.say(
        'LIST "" "*" RETURN (STATUS (MESSAGES DELETED))'
    )


def test_who_has_no_others_is_not_asked_about_each_time(cast, bob, monkeypatch):
    asked = []
    monkeypatch.setattr(sharing, "reachable", lambda who: asked.append(who) or [])
    for _ in range(5):
        bob.say('LIST "" "*"')
        bob.say('LSUB "" "*"')
    assert len(asked) == 1


def test_a_use_is_told_of_ones_own_folders_only(cast, alice, bob):
    give(cast, "lr", "Sent")
    bob.session.others_asked_at = 0.0
    assert f'* LIST (\\HasNoChildren) "/" "{ALICE}/Sent"' in bob.say('LIST "" "*"')
    assert ALICE not in bob.say('LIST (SPECIAL-USE) "" "*"')


def test_a_subscription_belongs_to_who_subscribes(cast, plans, bob):
    give(cast, "lr")
    bob.session.others_asked_at = 0.0
    bob.say(f'SUBSCRIBE "{ALICE.replace("alice", "ALICE")}/Plans"')
    assert f'* LSUB () "/" "{ALICE}/Plans"' in bob.say('LSUB "" "*"')
    assert f'* LIST (\\Subscribed) "/" "{ALICE}/Plans"' in bob.say('LIST (SUBSCRIBED) "" "*"')
    give(cast, "")
    assert f'* LSUB (\\Noselect) "/" "{ALICE}/Plans"' in bob.say('LSUB "" "*"')
    assert "Plans" not in plans.say('LSUB "" "*"')


def test_says_what_may_be_changed(cast, plans, bob):
    """RFC 4314 §5.1.1 and §5.2."""
    give(cast, "lrp")
    said = bob.say(f"SELECT {PLANS}")
    assert "[PERMANENTFLAGS ()]" in said
    assert "[READ-ONLY]" in said
    for rights, flags in [("i", ""), ("e", ""), ("s", "\\Seen"), ("t", "\\Deleted"),
                          ("w", "\\Answered \\Flagged \\Draft \\*")]:  # fmt: skip
        give(cast, f"lr{rights}")
        said = bob.say(f"SELECT {PLANS}")
        assert f"[PERMANENTFLAGS ({flags})]" in said
        assert "[READ-WRITE]" in said


def test_changes_of_what_it_may_not_are_left_out(cast, plans, bob):
    give(cast, "lrs")
    bob.say(f"SELECT {PLANS}")
    assert "a OK" in bob.say("STORE 2 FLAGS (\\Seen \\Flagged $Label)")
    assert "FLAGS (\\Seen \\Deleted)" in bob.say("FETCH 2 FLAGS")
    assert "a OK" in bob.say("STORE 2 FLAGS ()")
    assert "FLAGS (\\Deleted)" in bob.say("FETCH 2 FLAGS")
    plans.say("STORE 2 +FLAGS ($Label \\Seen)")
    give(cast, "lrw")
    bob.say("NOOP")
    bob.say("STORE 2 FLAGS.SILENT (\\Flagged $Other)")
    assert "FLAGS (\\Seen \\Flagged \\Deleted $Other)" in bob.say("FETCH 2 FLAGS")
    plans.say("NOOP")
    assert "FLAGS (\\Seen \\Flagged \\Deleted $Other" in plans.say("FETCH 2 FLAGS")


def test_reading_marks_as_read_with_the_right_only(cast, plans, bob):
    give(cast, "lrwte")
    bob.say(f"SELECT {PLANS}")
    assert "Seen" not in bob.say("FETCH 1 (FLAGS BODY[])")
    give(cast, "lrs")
    assert "\\Seen" in bob.say("FETCH 1 (FLAGS BODY[])")
    assert "\\Seen" in plans.say("FETCH 1 FLAGS")


def test_closing_expunges_with_the_right_only(cast, plans, bob):
    give(cast, "lrst")
    bob.say(f"SELECT {PLANS}")
    assert bob.say("CLOSE") == "a OK CLOSE completed\r\n"
    assert "* 3 EXISTS" in bob.say(f"SELECT {PLANS}")
    give(cast, "lre")
    bob.say("CLOSE")
    assert "* 2 EXISTS" in bob.say(f"SELECT {PLANS}")


@pytest.mark.parametrize(
    ("rights", "flags"),
    [("", ""), ("s", "\\Seen"), ("t", "\\Deleted"), ("w", "\\Flagged $Label"),
     ("swt", "\\Seen \\Flagged \\Deleted $Label")],
)  # fmt: skip
def test_what_is_put_there_keeps_the_flags_one_may_set(cast, plans, bob, rights, flags):
    give(cast, f"lri{rights}")
    all_flags = b"(\\Seen \\Flagged \\Deleted $Label)"
    bob.say(b"APPEND INBOX %b {4}\r\n" % all_flags, b"a\r\nb")
    bob.say(b"APPEND INBOX %b {4}\r\n" % all_flags, b"a\r\nb")
    bob.say(b'APPEND "%b/Plans" %b {4}\r\n' % (ALICE.encode(), all_flags), b"a\r\nb")
    bob.say("SELECT INBOX")
    assert "a OK [COPYUID" in bob.say(f"COPY 1 {PLANS}")
    assert "* OK [COPYUID" in bob.say(f"MOVE 2 {PLANS}")
    plans.say("NOOP")
    said = plans.say("FETCH 4:6 (FLAGS)").replace(" \\Recent", "").replace("\\Recent", "")
    assert said.count(f"(FLAGS ({flags}))") == 3, said
    seen = 3 if "\\Seen" in flags else 0
    assert f"UNSEEN {6 - seen})" in plans.say("STATUS Plans (UNSEEN)")


def test_a_move_within_anothers_mailbox_keeps_the_flags_one_may_set(cast, plans, bob):
    give(cast, "lrte")
    give(cast, "lri", "Plans/Old")
    plans.say("STORE 1 +FLAGS (\\Seen $Label)")
    bob.say(f"SELECT {PLANS}")
    bob.say(f'MOVE 1 "{ALICE}/Plans/Old"')
    plans.say("SELECT Plans/Old")
    assert "(FLAGS ())" in plans.say("FETCH 1 (FLAGS)").replace("\\Recent", "")
    assert "UNSEEN 1)" in plans.say("STATUS Plans/Old (UNSEEN)")


def test_octets_count_against_the_owner(cast, plans, bob):
    give(cast, "lri")
    used = Mailbox.objects.get(pk=cast.bob.mailbox.pk).used_octets
    Mailbox.objects.filter(pk=cast.alice.mailbox.pk).update(quota_octets=1)
    assert bob.append(folder=PLANS).startswith("a NO [OVERQUOTA] ")
    bob.append()
    bob.say("SELECT INBOX")
    assert "a NO [OVERQUOTA] " in bob.say(f"COPY 1 {PLANS}")
    assert "a NO [OVERQUOTA] " in bob.say(f"MOVE 1 {PLANS}")
    Mailbox.objects.filter(pk=cast.alice.mailbox.pk).update(quota_octets=10**9)
    bob.say(f"MOVE 1 {PLANS}")
    assert Mailbox.objects.get(pk=cast.bob.mailbox.pk).used_octets == used


def test_quota_of_another_is_for_who_may_insert(cast, plans, bob):
    give(cast, "lr")
    bob.session.others_asked_at = 0.0
    assert bob.say(f"GETQUOTAROOT {PLANS}") == (
        f'* QUOTAROOT "{ALICE}/Plans" "{ALICE}"\r\na OK GETQUOTAROOT completed\r\n'
    )
    assert "a NO [NONEXISTENT]" in bob.say(f'GETQUOTA "{ALICE}"')
    give(cast, "lri")
    assert f'* QUOTA "{ALICE}" (STORAGE ' in bob.say(f"GETQUOTAROOT {PLANS}")
    assert f'* QUOTA "{ALICE}" (STORAGE ' in bob.say(f'GETQUOTA "{ALICE}"')


def test_hears_of_changes_while_it_waits(cast, plans, bob):
    give(cast, "lr")
    bob.say(f"SELECT {PLANS}")
    assert bob.session.topics == [f"mailbox:{cast.bob.mailbox.pk}", f"mailbox:{cast.alice.mailbox.pk}"]
    plans.append(folder="Plans")
    assert "* 4 EXISTS" in bob.say("IDLE", lines=(RANG, b"DONE"))
    bob.say("UNSELECT")
    assert bob.session.topics == [f"mailbox:{cast.bob.mailbox.pk}"]


@pytest.mark.parametrize(
    ("line", "lines"),
    [("NOOP", ()), ("FETCH 1 BODY[]", ()), ("STORE 1 +FLAGS (\\Seen)", ()), ("SEARCH ALL", ()),
     ("IDLE", (RANG, b"DONE")), ("LIST \"\" *", ())],
)  # fmt: skip
def test_who_loses_the_right_to_read_is_let_go(cast, plans, bob, line, lines):
    give(cast, "lrs")
    bob.say(f"SELECT {PLANS}")
    give(cast, "l")
    said = bob.say(line, lines=lines)
    assert "* BYE You may no longer read the selected folder\r\n" in said
    assert "Hello" not in said
    assert bob.session.view is None
    assert "Seen" not in plans.say("FETCH 1 FLAGS")


def test_a_suspended_owner_is_no_longer_there(cast, plans, bob):
    give(cast, "lrs")
    bob.say(f"SELECT {PLANS}")
    mailboxes.suspend(cast.alice.mailbox, actor=None)
    assert "* BYE " in bob.say("NOOP")


@pytest.mark.parametrize("line", ["CLOSE", "UNSELECT", "SELECT INBOX", "LOGOUT"])
def test_one_may_always_leave(cast, plans, bob, line):
    give(cast, "lre")
    bob.say(f"SELECT {PLANS}")
    give(cast, "")
    before = state_of(cast)
    assert "a OK" in bob.say(line)
    assert state_of(cast) == before


def test_tells_when_rights_change(cast, plans, bob):
    give(cast, "lrs")
    bob.say(f"SELECT {PLANS}")
    give(cast, "lrt")
    assert "* OK [PERMANENTFLAGS (\\Deleted)] " in bob.say("NOOP")
    assert "PERMANENTFLAGS" not in bob.say("NOOP")


def test_changes_and_reads_rights(cast, plans):
    group = MailboxGroup.objects.create(tenant=cast.alice.tenant, name="Sales Team")
    assert group
    assert plans.say("SETACL Plans bob@acme.test lrd") == "a OK SETACL completed\r\n"
    plans.say("SETACL Plans bob@acme.test +i")
    plans.say("SETACL Plans BOB@acme.test -r")
    plans.say('SETACL Plans "$Sales Team" lr')
    plans.say("SETACL Plans anyone l")
    assert plans.say("GETACL Plans") == (
        '* ACL "Plans" "alice@acme.test" lrswipkxteacd "$Sales Team" lr "bob@acme.test" lited "anyone" l\r\n'
        "a OK GETACL completed\r\n"
    )
    plans.say("DELETEACL Plans bob@acme.test")
    plans.say("DELETEACL Plans anyone")
    assert "bob" not in plans.say("GETACL Plans")
    assert plans.say("LISTRIGHTS Plans alice@acme.test").startswith(
        '* LISTRIGHTS "Plans" "alice@acme.test" "lrswipkxteacd"\r\n'
    )
    assert plans.say("LISTRIGHTS Plans Bob@acme.test").startswith(
        '* LISTRIGHTS "Plans" "Bob@acme.test" "" l r s w i p k x t e a c d\r\n'
    )
    for wrong in ("lrQ", "lR", "lrq", "++l", "l+", "0"):
        assert plans.say(f"SETACL Plans bob@acme.test {wrong}").startswith("a BAD "), wrong
    for nobody in ("charlie@charlie.test", "nobody@acme.test", "$nobody", "-bob@acme.test"):
        assert plans.say(f"SETACL Plans {nobody} lr").startswith("a NO [NONEXISTENT] "), nobody
        assert plans.say(f"LISTRIGHTS Plans {nobody}").startswith("a NO [NONEXISTENT] "), nobody
    assert plans.say("SETACL Plans alice@acme.test l").startswith("a NO [CANNOT] ")
    assert plans.say('SETACL Plans "" l').startswith("a BAD ")


def test_a_shared_mailbox_has_a_place_of_its_own(cast, bob):
    info = make_mailbox(cast.alice.tenant, "info@acme.test", kind="shared")
    mailboxes.grant(info, cast.bob.user, Rights.READ | Rights.WRITE, actor=None)
    assert '* NAMESPACE (("" "/")) (("Other Users/" "/")) (("Shared/" "/"))\r\n' in bob.say("NAMESPACE")
    assert '"Shared/info@acme.test/INBOX"' in bob.say('LIST "" "Shared/*"')
    assert "[READ-WRITE]" in bob.say('SELECT "Shared/info@acme.test/inbox"')
    said = bob.append(folder='"Shared/info@acme.test/INBOX"')
    assert "* 1 EXISTS" in said
    assert "a OK [APPENDUID" in said
    assert "a OK" in bob.say('CREATE "Shared/info@acme.test/Orders"')
    assert folders.find(info.pk, "Orders")
    mailboxes.revoke(info, cast.bob.user, actor=None)
    assert "* BYE" in bob.say("NOOP")


def test_who_came_to_read_only_reads(cast, plans, bob):
    give(cast, "lrswipkxtea")
    bob.session.login = replace(bob.session.login, rights=int(Rights.READ))
    assert f'* MYRIGHTS "{ALICE}/Plans" "lr"' in bob.say(f"MYRIGHTS {PLANS}")
    assert "[READ-ONLY]" in bob.say(f"SELECT {PLANS}")
    before = state_of(cast)
    for line in [*NEEDS, *NEEDS_SELECTED]:
        if NEEDS.get(line) != "r" or line.startswith("SETMETADATA"):
            assert "a NO [NOPERM] " in bob.say(*literal(line)), line
    assert state_of(cast) == before


def test_the_audit_log_knows_from_where_rights_were_given(cast, plans):
    for command in ("SETACL Plans bob@acme.test lr", "DELETEACL Plans bob@acme.test"):
        plans.say(command)
    peer = plans.session.surroundings.peer
    assert peer
    assert [row.address for row in AuditEntry.objects.filter(verb="folder.share")] == [peer, peer]
