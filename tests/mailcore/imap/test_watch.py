"""What is told of two worlds, by tables; no database."""

from dataclasses import replace

import pytest

from mailcore.imap import watch as watching
from mailcore.imap.watch import Known, Watch, World
from mailcore.imap.wire.values import EventGroup, Folders

COUNTED = frozenset({"MESSAGENEW", "MESSAGEEXPUNGE"})
ALL = COUNTED | {"FLAGCHANGE", "MAILBOXNAME", "SUBSCRIPTIONCHANGE", "MAILBOXMETADATACHANGE"}
INBOX = Known("INBOX", True, True, 1, 5, 4, 9)
PLANS = Known("Plans/2026", True, True, 2, 1, 0, 3)
THEIRS = Known("Other Users/bob@x/Ours", False, True, 3, 2, 1, 4)
THEN = World(
    {1: INBOX, 2: PLANS, 3: THEIRS}, frozenset({"INBOX"}), {0: {"/private/x": 1}, 2: {"/shared/y": 2}}
)


def watch(*groups: tuple[str, tuple[str, ...], frozenset[str]], selected: frozenset[str] = COUNTED) -> Watch:
    found = [EventGroup(Folders(kind, names), events) for kind, names, events in groups]
    one = Watch([EventGroup(Folders("SELECTED"), selected), *found])
    one.world = THEN
    return one


def changed(**folders: Known | None) -> World:
    """THEN, with folders by number that are others or gone."""
    now = {**THEN.folders, **{int(name[1:]): folder for name, folder in folders.items()}}
    return replace(THEN, folders={pk: folder for pk, folder in now.items() if folder is not None})


@pytest.mark.parametrize(
    ("kind", "names", "means"),
    [
        ("PERSONAL", (), {"INBOX", "Plans/2026"}),
        ("INBOXES", (), {"INBOX", "Plans/2026"}),
        ("SUBSCRIBED", (), {"INBOX"}),
        ("MAILBOXES", ("Plans", THEIRS.name), {THEIRS.name}),
        ("SUBTREE", ("Plans", "Other Users"), {"Plans/2026", THEIRS.name}),
        ("SUBTREE-ONE", ("Plans", "Other Users"), {"Plans/2026"}),
        ("SUBTREE", ("INBOX", "Plan"), {"INBOX"}),
    ],
)
def test_knows_which_folders_are_meant(kind, names, means):
    one = watch((kind, names, COUNTED))
    assert {
        folder.name
        for folder in THEN.folders.values()
        if one.wants("MESSAGENEW", THEN, folder.name, is_own=folder.is_own)
    } == means


def test_the_first_group_with_the_event_decides_and_so_does_none():
    one = watch(
        ("MAILBOXES", ("INBOX",), frozenset()),
        ("MAILBOXES", ("Plans/2026",), frozenset({"MAILBOXNAME"})),
        ("PERSONAL", (), COUNTED),
    )
    assert not one.wants("MESSAGENEW", THEN, "INBOX", is_own=True)
    assert one.wants("MAILBOXNAME", THEN, "Plans/2026", is_own=True)
    assert one.wants("MESSAGENEW", THEN, "Plans/2026", is_own=True)
    assert not one.wants("MAILBOXNAME", THEN, "Drafts", is_own=True)


def test_says_nothing_of_what_stayed():
    assert not watch(("PERSONAL", (), ALL)).news(THEN, selected=0)


@pytest.mark.parametrize(
    ("change", "events", "counted"),
    [
        ({"uidnext": 6, "messages": 5}, COUNTED, [1]),
        ({"uidnext": 6}, COUNTED, [1]),  # one came, one went
        ({"messages": 3}, COUNTED, [1]),
        ({"uidvalidity": 8}, COUNTED, [1]),
        ({"modseq": 10}, COUNTED, []),
        ({"modseq": 10}, COUNTED | {"FLAGCHANGE"}, [1]),
        ({"uidnext": 6, "may_read": False}, COUNTED, []),
    ],
)
def test_counts_what_came_and_went(change, events, counted):
    now = changed(f1=replace(INBOX, **change))
    assert watch(("PERSONAL", (), events)).news(now, selected=0).counted == counted
    assert watch(("PERSONAL", (), events)).news(now, selected=1).counted == []


def test_names_what_was_made_renamed_and_removed():
    made = Known("New", True, True, 7, 3, 2, 11)
    now = changed(f1=None, f2=replace(PLANS, name="Done"), f4=made)
    news = watch(("PERSONAL", (), ALL)).news(now, selected=0)
    assert news.listed == {"Done": "Plans/2026", "New": "", "INBOX": ""}
    assert news.counted == [4]
    assert not watch(("PERSONAL", (), frozenset({"SUBSCRIPTIONCHANGE"}))).news(now, selected=0)


def test_tells_of_a_rename_who_knows_either_name():
    now = changed(f2=replace(PLANS, name="Done"))
    for name in ("Done", "Plans/2026"):
        news = watch(("MAILBOXES", (name,), frozenset({"MAILBOXNAME"}))).news(now, selected=0)
        assert news.listed == {"Done": "Plans/2026"}


def test_tells_who_may_no_longer_read():
    one = watch(("MAILBOXES", (THEIRS.name,), COUNTED))
    news = one.news(changed(f3=replace(THEIRS, may_read=False)), selected=0)
    assert (news.closed, news.listed) == ([THEIRS.name], {})
    one.world = changed(f3=replace(THEIRS, may_read=False))
    news = one.news(THEN, selected=0)
    assert (news.closed, news.listed, news.counted) == ([], {THEIRS.name: ""}, [3])


def test_tells_of_subscriptions_by_both_lists():
    now = replace(THEN, subscribed=frozenset({"Gone"}))
    for kind in ("PERSONAL", "SUBSCRIBED"):
        news = watch((kind, (), frozenset({"SUBSCRIPTIONCHANGE"}))).news(now, selected=0)
        assert news.listed == {"Gone": "", "INBOX": ""}
    assert not watch(("MAILBOXES", ("INBO",), ALL)).news(now, selected=0)


def test_tells_which_entries_changed():
    now = replace(THEN, metadata={0: {"/private/x": 5, "/private/z": 1}, 1: {"/shared/a": 1}})
    one = watch(("PERSONAL", (), ALL | {"SERVERMETADATACHANGE"}))
    assert one.news(now, selected=0).metadata == {
        "": ["/private/x", "/private/z"],
        "INBOX": ["/shared/a"],
        "Plans/2026": ["/shared/y"],
    }
    assert len(one.news(now, selected=0)) == 4
    assert "" not in watch(("PERSONAL", (), ALL)).news(now, selected=0).metadata


def test_need_not_be_told_what_the_client_did_itself():
    one = watch(("PERSONAL", (), ALL | {"SERVERMETADATACHANGE"}))
    one.made(4, Known("New", True, True, 7, 1, 0, 11))
    one.removed(1)
    one.renamed("Plans", "Deeds")
    one.renamed("INBOX", "Old")
    one.subscribed("New", is_so=True)
    one.subscribed("INBOX", is_so=False)
    one.noted(0, {"/private/x": 5, "/private/z": None})
    now = World(
        {2: replace(PLANS, name="Deeds/2026"), 3: THEIRS, 4: Known("New", True, True, 7, 1, 0, 11)},
        frozenset({"New"}),
        {0: {"/private/x": 5}, 2: {"/shared/y": 2}},
    )
    assert not one.news(now, selected=0)
    # What somebody else made of it at once is told of what the client knows.
    later = replace(now, folders={2: replace(PLANS, name="Gone/2026"), 3: THEIRS})
    assert one.news(later, selected=0).listed == {"Gone/2026": "Deeds/2026", "New": ""}


def test_knows_what_it_asks_of_the_selected_folder():
    one = watch(selected=COUNTED | {"FLAGCHANGE"})
    assert (one.is_listening, one.is_prompt, one.tells_flags, one.goes_abroad) == (True, True, True, False)
    delayed = Watch([EventGroup(Folders("SELECTED-DELAYED"), COUNTED)])
    assert (delayed.is_listening, delayed.is_prompt, delayed.tells_flags) == (True, False, False)
    for nothing in (
        Watch(),
        watch(selected=frozenset()),
        watch(("PERSONAL", (), frozenset()), selected=frozenset()),
    ):
        assert (nothing.is_listening, nothing.selected) == (False, None)


def test_knows_events_that_are_none():
    assert not watching.unknown([EventGroup(Folders("PERSONAL"), ALL)])
    for event in ("ANNOTATIONCHANGE", "FROB"):
        assert watching.unknown([EventGroup(Folders("PERSONAL"), ALL | {event})])
