import pytest


def listed(said: str) -> list[str]:
    return [line.split(" ", 2)[2] for line in said.splitlines() if line.startswith("* ")]


@pytest.fixture
def alice(alice):
    for name in ("Work/2026/July", "Work/2025", "Workshop"):
        alice.say(f"CREATE {name}")
    return alice


def test_lists_all_with_their_uses_and_children(alice):
    assert listed(alice.say('LIST "" *')) == [
        '(\\HasNoChildren) "/" "INBOX"',
        '(\\HasNoChildren \\Archive) "/" "Archive"',
        '(\\HasNoChildren \\Drafts) "/" "Drafts"',
        '(\\HasNoChildren \\Junk) "/" "Junk"',
        '(\\HasNoChildren \\Sent) "/" "Sent"',
        '(\\HasNoChildren \\Trash) "/" "Trash"',
        '(\\Noselect \\HasChildren) "/" "Work"',
        '(\\HasNoChildren) "/" "Work/2025"',
        '(\\Noselect \\HasChildren) "/" "Work/2026"',
        '(\\HasNoChildren) "/" "Work/2026/July"',
        '(\\HasNoChildren) "/" "Workshop"',
    ]


@pytest.mark.parametrize(
    ("reference", "pattern", "found"),
    [
        ("", "%", ["INBOX", "Archive", "Drafts", "Junk", "Sent", "Trash", "Work", "Workshop"]),
        ("", "Work/%", ["Work/2025", "Work/2026"]),
        ("Work/", "%", ["Work/2025", "Work/2026"]),
        ("Work/", "*", ["Work/2025", "Work/2026", "Work/2026/July"]),
        ("", "Work*", ["Work", "Work/2025", "Work/2026", "Work/2026/July", "Workshop"]),
        ("", "%/2026/%", ["Work/2026/July"]),
        ("", "inbox", ["INBOX"]),
        ("", "iNb%", ["INBOX"]),
        ("", "nothing", []),
        ("Work", "", []),
    ],
)
def test_patterns(alice, reference, pattern, found):
    said = alice.say(f'LIST "{reference}" "{pattern}"')
    if pattern == "":
        assert listed(said) == ['(\\Noselect) "/" ""']
    else:
        assert [line.split(' "/" ')[1].strip('"') for line in listed(said)] == found


def test_the_separator(alice):
    assert alice.say('LIST "" ""') == '* LIST (\\Noselect) "/" ""\r\na OK LIST completed\r\n'


def test_special_use(alice):
    said = alice.say('LIST (SPECIAL-USE) "" * RETURN (SPECIAL-USE CHILDREN)')
    assert [line.split(' "/" ')[1] for line in listed(said)] == [
        '"Archive"', '"Drafts"', '"Junk"', '"Sent"', '"Trash"',
    ]  # fmt: skip
    several = alice.say('LIST () "" (INBOX Sent) RETURN ()')
    assert [line.split(' "/" ')[1] for line in listed(several)] == ['"INBOX"', '"Sent"']


def test_lsub_shows_parents_that_percent_cannot_go_below(alice):
    """RFC 3501 §6.3.9's example: #news.comp.mail.mime subscribed, LSUB "" #news.% finds #news.comp."""
    alice.say("SUBSCRIBE Work/2026/July")
    assert listed(alice.say('LSUB "" Work/%')) == ['(\\Noselect) "/" "Work/2026"']
    assert listed(alice.say('LSUB "" Work/*')) == ['() "/" "Work/2026/July"']
    alice.say("SUBSCRIBE Work/2025")
    assert listed(alice.say('LSUB "" Work/%')) == [
        '() "/" "Work/2025"',
        '(\\Noselect) "/" "Work/2026"',
    ]


def test_namespace(alice):
    assert alice.say("NAMESPACE") == '* NAMESPACE (("" "/")) NIL NIL\r\na OK NAMESPACE completed\r\n'
