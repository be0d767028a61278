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


def test_no_attribute_is_told_that_was_not_asked_for(alice):
    assert listed(alice.say('LIST "" (Sent) RETURN ()')) == ['() "/" "Sent"']
    assert listed(alice.say('LIST "" Sent RETURN (CHILDREN)')) == ['(\\HasNoChildren) "/" "Sent"']
    assert listed(alice.say('LIST "" Sent RETURN (SPECIAL-USE)')) == ['(\\Sent) "/" "Sent"']
    assert listed(alice.say('LIST "" (Sent S* %ent) RETURN ()')) == ['() "/" "Sent"']
    assert listed(alice.say('LIST () "" ""')) == []


def test_list_extended_tells_what_does_not_exist(alice):
    assert listed(alice.say('LIST "" Work RETURN (CHILDREN)')) == ['(\\NonExistent \\HasChildren) "/" "Work"']
    assert listed(alice.say('LIST "" Work')) == ['(\\Noselect \\HasChildren) "/" "Work"']


def test_no_inferiors_where_the_limit_of_levels_is_reached(alice):
    deepest = "/".join("d" * 32)
    alice.say(f"CREATE {deepest}")
    assert listed(alice.say(f'LIST "" {deepest}')) == [f'(\\NoInferiors \\HasNoChildren) "/" "{deepest}"']
    assert alice.say(f"CREATE {deepest}/x").startswith("a NO [CANNOT] ")
    assert "\\NoInferiors" not in alice.say(f'LIST "" {deepest[:-2]}')


@pytest.fixture
def fruit(alice):
    """RFC 5258 §5's example: folders, and subscriptions to some of them and to one that is not there."""
    for name in ("Archive", "Drafts", "Junk", "Sent", "Trash", "Work/2026/July", "Work/2025", "Workshop"):
        alice.say(f"DELETE {name}")
        alice.say(f"UNSUBSCRIBE {name}")
    for name in ("Fruit", "Fruit/Apple", "Fruit/Banana", "Tofu", "Vegetable", "Vegetable/Broccoli"):
        alice.say(f"CREATE {name}")
        alice.say(f"UNSUBSCRIBE {name}")
    for name in ("INBOX", "Fruit/Banana", "Fruit/Peach", "Vegetable", "Vegetable/Broccoli"):
        alice.say(f"SUBSCRIBE {name}")
    return alice


def test_selects_what_is_subscribed(fruit):
    assert listed(fruit.say('LIST (SUBSCRIBED) "" "*"')) == [
        '(\\Subscribed) "/" "INBOX"',
        '(\\Subscribed) "/" "Fruit/Banana"',
        '(\\NonExistent \\Subscribed) "/" "Fruit/Peach"',
        '(\\Subscribed) "/" "Vegetable"',
        '(\\Subscribed) "/" "Vegetable/Broccoli"',
    ]
    # Example 3: a level above what is subscribed is not, so it is not told.
    assert listed(fruit.say('LIST (SUBSCRIBED REMOTE) "" "%"')) == [
        '(\\Subscribed) "/" "INBOX"',
        '(\\Subscribed) "/" "Vegetable"',
    ]


def test_returns_what_is_subscribed(fruit):
    assert listed(fruit.say('LIST "" ("Fruit/%" Tofu) RETURN (SUBSCRIBED)')) == [
        '() "/" "Fruit/Apple"',
        '(\\Subscribed) "/" "Fruit/Banana"',
        '() "/" "Tofu"',
    ]


def test_recursivematch_tells_of_descendants(fruit):
    assert listed(fruit.say('LIST (SUBSCRIBED RECURSIVEMATCH) "" "%" RETURN (CHILDREN)')) == [
        '(\\HasNoChildren \\Subscribed) "/" "INBOX"',
        '(\\HasChildren) "/" "Fruit" ("CHILDINFO" ("SUBSCRIBED"))',
        '(\\HasChildren \\Subscribed) "/" "Vegetable" ("CHILDINFO" ("SUBSCRIBED"))',
    ]
    assert "CHILDINFO" not in fruit.say('LIST (SUBSCRIBED) "" "%" RETURN (CHILDREN)')


def test_recursivematch_tells_of_absent_parents_only_for_the_unseen(fruit):
    """RFC 5258 §3.4, (b): the descendant must not match the pattern itself."""
    fruit.say("SUBSCRIBE Gone/Deep")
    assert '(\\NonExistent) "/" "Gone" ("CHILDINFO" ("SUBSCRIBED"))' in listed(
        fruit.say('LIST (SUBSCRIBED RECURSIVEMATCH) "" "%"')
    )
    assert listed(fruit.say('LIST (SUBSCRIBED RECURSIVEMATCH) "" "Gone*"')) == [
        '(\\NonExistent \\Subscribed) "/" "Gone/Deep"'
    ]


def test_recursivematch_of_special_uses(alice):
    alice.say("RENAME Sent Work/Sent")
    assert '(\\NonExistent) "/" "Work" ("CHILDINFO" ("SPECIAL-USE"))' in listed(
        alice.say('LIST (SPECIAL-USE RECURSIVEMATCH) "" "%"')
    )
    assert listed(alice.say('LIST (SPECIAL-USE SUBSCRIBED RECURSIVEMATCH) "" "Work*"')) == []
    alice.say("SUBSCRIBE Work/Sent")
    assert '(\\NonExistent) "/" "Work" ("CHILDINFO" ("SUBSCRIBED" "SPECIAL-USE"))' in listed(
        alice.say('LIST (SPECIAL-USE SUBSCRIBED RECURSIVEMATCH) "" "%"')
    )


def test_list_status_counts_what_can_be_selected(alice):
    alice.append(folder="Workshop")
    alice.append(folder="Work/2025")
    assert alice.say('LIST "" Wor* RETURN (STATUS (MESSAGES UNSEEN))').splitlines() == [
        '* LIST (\\NonExistent) "/" "Work"',
        '* LIST () "/" "Work/2025"',
        '* STATUS "Work/2025" (MESSAGES 1 UNSEEN 1)',
        '* LIST (\\NonExistent) "/" "Work/2026"',
        '* LIST () "/" "Work/2026/July"',
        '* STATUS "Work/2026/July" (MESSAGES 0 UNSEEN 0)',
        '* LIST () "/" "Workshop"',
        '* STATUS "Workshop" (MESSAGES 1 UNSEEN 1)',
        "a OK LIST completed",
    ]


def test_list_status_says_nothing_of_what_is_shown_for_its_children_only(fruit):
    """RFC 5819 §2: no STATUS for a folder that is told because of RECURSIVEMATCH."""
    said = fruit.say('LIST (SUBSCRIBED RECURSIVEMATCH) "" "%" RETURN (STATUS (MESSAGES))')
    assert '* LIST () "/" "Fruit" ("CHILDINFO" ("SUBSCRIBED"))' in said
    assert '* STATUS "Vegetable" (MESSAGES 0)' in said
    assert '* STATUS "Fruit"' not in said


@pytest.mark.parametrize("items", ["MESSAGES UNSEEN SIZE", "RECENT DELETED DELETED-STORAGE"])
def test_counts_of_many_folders_are_few_statements(alice, django_assert_max_num_queries, items):
    for number in range(20):
        alice.say(f"CREATE many/{number}")
        alice.append(folder=f"many/{number}")
    with django_assert_max_num_queries(4):
        assert alice.say(f'LIST "" many/% RETURN (SUBSCRIBED STATUS ({items}))').count("* STATUS") == 20


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
    assert alice.say("NAMESPACE") == (
        '* NAMESPACE (("" "/")) (("Other Users/" "/")) (("Shared/" "/"))\r\na OK NAMESPACE completed\r\n'
    )
