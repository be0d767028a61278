import dataclasses

import pytest

from mailcore import limits
from mailcore.errors import MetadataTooBig
from tests.mailcore.imap.commands.talking import Talk


def test_is_advertised(alice):
    assert {"METADATA", "LIST-METADATA"} <= set(alice.session.capabilities())


def test_keeps_and_returns_values(alice):
    assert (
        alice.say('SETMETADATA INBOX (/private/Comment "My new comment")') == "a OK SETMETADATA completed\r\n"
    )
    assert alice.say("GETMETADATA INBOX /PRIVATE/comment") == (
        '* METADATA "INBOX" (/private/comment "My new comment")\r\na OK GETMETADATA completed\r\n'
    )
    assert '(/private/comment "My new comment" /shared/comment NIL)' in alice.say(
        "GETMETADATA INBOX (/private/comment /shared/comment)"
    )
    assert alice.say("GETMETADATA Sent /private/comment").startswith(
        '* METADATA "Sent" (/private/comment NIL)'
    )
    alice.say("SETMETADATA INBOX (/private/comment NIL)")
    assert "(/private/comment NIL)" in alice.say("GETMETADATA INBOX /private/comment")


def test_an_empty_value_is_a_value(alice):
    alice.say('SETMETADATA INBOX (/shared/comment "")')
    assert '(/shared/comment "")' in alice.say("GETMETADATA INBOX /shared/comment")


def test_values_are_octets(alice):
    value = bytes(range(256))
    assert alice.say(b"SETMETADATA INBOX (/shared/blob ~{256}\r\n)", value).startswith("a OK ")
    said = alice.say("GETMETADATA INBOX /shared/blob")
    assert said.startswith('* METADATA "INBOX" (/shared/blob ~{256}\r\n')
    alice.say(b"SETMETADATA INBOX (/shared/blob {3}\r\n)", "ü\n".encode())
    assert "(/shared/blob {3}\r\nü\n)" in alice.say("GETMETADATA INBOX /shared/blob")
    assert alice.say(b"SETMETADATA INBOX (/shared/blob {1}\r\n)", b"\0").startswith("a BAD ")


@pytest.fixture
def deep(alice):
    for entry in ("/shared/a", "/shared/a/b", "/shared/a/b/c", "/shared/ab"):
        alice.say(f'SETMETADATA INBOX ({entry} "{entry[-1]}")')
    return alice


@pytest.mark.parametrize(
    ("depth", "found"),
    [
        ("0", '/shared/a "a"'),
        ("1", '/shared/a "a" /shared/a/b "b"'),
        ("infinity", '/shared/a "a" /shared/a/b "b" /shared/a/b/c "c"'),
    ],
)
def test_depth(deep, depth, found):
    assert deep.say(f"GETMETADATA (DEPTH {depth}) INBOX /shared/a").startswith(
        f'* METADATA "INBOX" ({found})\r\na OK '
    )


def test_depth_of_an_entry_without_value(deep):
    assert deep.say("GETMETADATA (DEPTH 1) INBOX /shared/x") == "a OK GETMETADATA completed\r\n"
    assert '(/shared/a "a" /shared/ab "b")' in deep.say(
        "GETMETADATA (DEPTH infinity MAXSIZE 1) INBOX (/shared/a /shared/ab)"
    ).replace(' /shared/a/b "b" /shared/a/b/c "c"', "")


def test_leaves_out_what_is_too_long_and_says_so(alice):
    alice.say('SETMETADATA INBOX (/shared/a "123" /shared/b "12345")')
    assert alice.say("GETMETADATA (MAXSIZE 3) INBOX (/shared/a /shared/b)") == (
        '* METADATA "INBOX" (/shared/a "123")\r\na OK [METADATA LONGENTRIES 5] GETMETADATA completed\r\n'
    )
    assert "LONGENTRIES" not in alice.say("GETMETADATA (MAXSIZE 5) INBOX (/shared/a /shared/b)")


@pytest.mark.parametrize(
    "entry",
    [
        "/comment",
        "comment",
        "/private",
        "/private/",
        "/private//a",
        "/shared/a/",
        '"/shared/a*"',
        '"/shared/%"',
    ],
)
def test_refuses_bad_entries(alice, entry):
    for line in (f"GETMETADATA INBOX {entry}", f'SETMETADATA INBOX ({entry} "x")'):
        assert alice.say(line).split()[1] in ("NO", "BAD")


@pytest.mark.parametrize(
    "line",
    [
        "GETMETADATA INBOX", "GETMETADATA INBOX ()", "GETMETADATA (DEPTH 2) INBOX /shared/a",
        "GETMETADATA (FROB) INBOX /shared/a", "GETMETADATA () INBOX /shared/a",
        "GETMETADATA (MAXSIZE x) INBOX /shared/a", "SETMETADATA INBOX ()", "SETMETADATA INBOX /shared/a x",
        "SETMETADATA INBOX (/shared/a x)", 'SETMETADATA INBOX (/shared/a "x" /SHARED/A "y")',
    ],
)  # fmt: skip
def test_refuses_bad_syntax(alice, line):
    assert alice.say(line).startswith("a BAD ")


def test_all_or_nothing(alice):
    big = b"x" * (limits.METADATA_VALUE_OCTETS + 1)
    assert alice.say(b'SETMETADATA INBOX (/shared/a "1" /shared/b {%d}\r\n)' % len(big), big).startswith(
        f"a NO [METADATA MAXSIZE {limits.METADATA_VALUE_OCTETS}] "
    )
    assert "(/shared/a NIL)" in alice.say("GETMETADATA INBOX /shared/a")
    assert MetadataTooBig.imap == f"METADATA MAXSIZE {limits.METADATA_VALUE_OCTETS}"


@pytest.mark.parametrize(("limit", "most"), [("METADATA_ENTRIES", 2), ("METADATA_OCTETS", 6)])
def test_there_is_room_for_so_much(alice, monkeypatch, limit, most):
    monkeypatch.setattr(limits, limit, most)
    assert alice.say('SETMETADATA INBOX (/shared/a "123" /shared/b "123")').startswith("a OK ")
    assert alice.say('SETMETADATA Sent (/shared/c "1")').startswith("a NO [METADATA TOOMANY] ")
    assert alice.say('SETMETADATA INBOX (/shared/a NIL /shared/c "1")').startswith("a OK ")
    assert "(/shared/c NIL)" in alice.say("GETMETADATA Sent /shared/c")


def test_entries_of_the_server_are_one_persons(alice):
    assert alice.say('SETMETADATA "" (/private/vendor/x "1")').startswith("a OK ")
    assert '* METADATA "" (/private/vendor/x "1")' in alice.say('GETMETADATA "" /private/vendor/x')
    assert alice.say('SETMETADATA "" (/shared/comment "1")').startswith("a NO [NOPERM] ")
    assert "(/private/vendor/x NIL)" in alice.say("GETMETADATA INBOX /private/vendor/x")


def test_private_is_one_persons_and_shared_is_everybodys(cast, alice):
    alice.say('SETMETADATA INBOX (/private/a "mine" /shared/a "ours")')
    friend = Talk(cast.alice)
    friend.session.login = dataclasses.replace(friend.session.login, user_id=cast.bob.user.pk)
    assert '(/private/a NIL /shared/a "ours")' in friend.say("GETMETADATA INBOX (/private/a /shared/a)")
    stranger = Talk(cast.charlie)
    assert "(/private/a NIL /shared/a NIL)" in stranger.say("GETMETADATA INBOX (/private/a /shared/a)")


def test_goes_with_its_folder(alice):
    assert alice.say("GETMETADATA Nowhere /shared/a").startswith("a NO [NONEXISTENT] ")
    assert alice.say('SETMETADATA Nowhere (/shared/a "1")').startswith("a NO [NONEXISTENT] ")
    alice.say("CREATE Old")
    alice.say('SETMETADATA Old (/shared/a "1")')
    alice.say("RENAME Old New")
    assert '* METADATA "New" (/shared/a "1")' in alice.say("GETMETADATA New /shared/a")
    alice.say("DELETE New")
    alice.say("CREATE New")
    assert "(/shared/a NIL)" in alice.say("GETMETADATA New /shared/a")


def test_list_returns_it(alice, django_assert_max_num_queries):
    """RFC 9590."""
    alice.say('SETMETADATA Sent (/shared/color "#b71c1c")')
    alice.say("CREATE Work/Now")
    with django_assert_max_num_queries(3):
        said = alice.say('LIST "" (Sent Wor*) RETURN (METADATA ("/shared/color") STATUS (MESSAGES))')
    assert said.splitlines() == [
        '* LIST () "/" "Sent"',
        '* STATUS "Sent" (MESSAGES 0)',
        '* METADATA "Sent" (/shared/color "#b71c1c")',
        '* LIST (\\NonExistent) "/" "Work"',
        '* LIST () "/" "Work/Now"',
        '* STATUS "Work/Now" (MESSAGES 0)',
        '* METADATA "Work/Now" (/shared/color NIL)',
        "a OK LIST completed",
    ]
    assert (
        alice.say('LIST "" * RETURN (METADATA (/frob))')
        == "a NO [CANNOT] That is not a valid name for an entry\r\n"
    )
    assert alice.say('LIST "" * RETURN (METADATA)').startswith("a BAD ")
