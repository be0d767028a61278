"""What one client is told, by a table of snapshots; no database."""

from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailcore import limits
from mailcore.errors import BadSyntax, NotSaved
from mailcore.imap.view import View
from mailcore.imap.wire import seqset
from mailcore.message.flags import FLAGGED, SEEN
from mailcore.snapshot import Refresh, Snapshot


def snapshot(
    modseq: int, messages: dict[int, tuple[int, int]], *, names=(), log_from=None, log=()
) -> Snapshot:
    """messages: uid -> (flags, modseq)."""
    uids = sorted(messages)
    log_from = modseq if log_from is None else log_from
    return Snapshot(
        1, 1, 1, max(uids, default=0) + 1, modseq, modseq,
        array("I", uids), array("H", [messages[uid][0] for uid in uids]), array("q", [0] * len(uids)),
        array("q", [messages[uid][1] for uid in uids]), tuple(names), log_from, log,
    )  # fmt: skip


def view(one: Snapshot, *, first_recent: int = 2**32) -> View:
    return View(one, is_read_only=False, first_recent=first_recent)


def flags_of(seen: View, uid: int) -> bytes:
    return seen.news_of(uid, with_uid=False).split(b"FLAGS ")[1].removesuffix(b")\r\n")


START = {1: (0, 1), 2: (0, 1), 5: (SEEN, 1)}


def test_says_nothing_when_nothing_changed():
    one = snapshot(1, START)
    assert view(one).update(one, may_expunge=True) == []
    assert view(one).update(snapshot(9, START), may_expunge=True) == []


def test_tells_new_messages_flags_and_expunges_in_order():
    seen = view(snapshot(1, START))
    new = snapshot(4, {2: (FLAGGED, 3), 5: (SEEN, 1), 6: (0, 4)})
    assert seen.update(new, may_expunge=True) == [
        b"* 2 FETCH (FLAGS (\\Flagged))\r\n",
        b"* 1 EXPUNGE\r\n",
        b"* 3 EXISTS\r\n",
        b"* 0 RECENT\r\n",
    ]
    assert seen.update(new, may_expunge=True) == []


def test_keeps_flags_back_from_who_does_not_want_them():
    seen = view(snapshot(1, START))
    new = snapshot(4, {1: (FLAGGED, 2), 2: (0, 1), 5: (0, 3), 6: (0, 4)})
    assert seen.update(new, may_expunge=True, with_flags=False) == [b"* 4 EXISTS\r\n", b"* 0 RECENT\r\n"]
    assert seen.update(new, may_expunge=True, with_flags=False) == []
    # What it changes silently meanwhile is told, too: it did not know what it changed.
    seen.assume([2], lambda flags, keywords: (SEEN, 0))
    assert seen.update(snapshot(5, {1: (FLAGGED, 2), 2: (SEEN, 5), 5: (0, 3)}), may_expunge=True) == [
        b"* 1 FETCH (FLAGS (\\Flagged))\r\n",
        b"* 2 FETCH (FLAGS (\\Seen))\r\n",
        b"* 3 FETCH (FLAGS ())\r\n",
        b"* 4 EXPUNGE\r\n",
    ]


def test_goes_on_from_what_was_told_whole():
    seen = view(snapshot(1, START))
    seen.tells_modseqs = True
    seen.update(snapshot(4, {**START, 1: (FLAGGED, 4)}), may_expunge=True, with_flags=False)
    assert seen.whole == 1
    assert seen.update(snapshot(4, {**START, 1: (FLAGGED, 4)}), may_expunge=True) == [
        b"* 1 FETCH (FLAGS (\\Flagged) UID 1 MODSEQ (4))\r\n"
    ]
    assert seen.whole == 4


def test_keeps_expunges_back_until_they_may_be_told():
    seen = view(snapshot(1, START))
    new = snapshot(4, {2: (0, 1), 6: (0, 4)})
    assert seen.update(new, may_expunge=False) == [b"* 4 EXISTS\r\n", b"* 0 RECENT\r\n"]
    assert list(seen.shown) == [1, 2, 5, 6]
    assert [picked.uid for picked in seen.pick(((1, 4),), uid=False)] == [1, 2, 5, 6]
    assert seen.news_of(1, with_uid=True) is None
    assert seen.update(new, may_expunge=False) == []
    assert seen.update(new, may_expunge=True) == [b"* 3 EXPUNGE\r\n", b"* 1 EXPUNGE\r\n"]
    assert seen.shown is new.uids


def test_a_message_that_came_and_went_meanwhile_is_never_told():
    seen = view(snapshot(1, START))
    assert seen.update(snapshot(9, START), may_expunge=True) == []


def test_a_message_told_while_held_back_and_gone_before_the_expunges():
    seen = view(snapshot(1, START))
    seen.update(snapshot(2, {1: (0, 1), 2: (0, 1), 6: (0, 2)}), may_expunge=False)
    last = snapshot(3, {1: (0, 1), 2: (0, 1)})
    assert seen.update(last, may_expunge=True) == [b"* 4 EXPUNGE\r\n", b"* 3 EXPUNGE\r\n"]


def test_does_not_tell_back_what_this_client_did_silently():
    seen = view(snapshot(1, START))
    new = snapshot(2, {**START, 1: (SEEN, 2), 2: (SEEN, 2)})
    seen.keep_silent(new, [1, 2], 2)
    assert seen.update(new, may_expunge=True) == []
    other = snapshot(3, {**START, 1: (FLAGGED, 3), 2: (SEEN, 2)})
    assert seen.update(other, may_expunge=True) == [b"* 1 FETCH (FLAGS (\\Flagged))\r\n"]


def test_tells_what_somebody_else_changed_after_a_silent_change():
    seen = view(snapshot(1, START))
    mine = snapshot(2, {**START, 1: (SEEN, 2)})
    seen.keep_silent(mine, [1], 2)
    theirs = snapshot(3, {**START, 1: (SEEN | FLAGGED, 3)})
    assert seen.update(theirs, may_expunge=True) == [b"* 1 FETCH (FLAGS (\\Seen \\Flagged))\r\n"]


def test_believes_a_silent_change_of_what_it_was_told():
    seen = view(snapshot(1, START))
    seen.assume([1, 2], lambda flags, keywords: (flags | SEEN, keywords))
    seen.assume([2, 99], lambda flags, keywords: (flags | FLAGGED, keywords))
    new = snapshot(3, {**START, 1: (SEEN, 2), 2: (SEEN | FLAGGED, 3)})
    assert seen.update(new, may_expunge=True) == []


def test_tells_what_somebody_else_changed_before_a_silent_change():
    seen = view(snapshot(1, START))
    # Flagged by another client, and not told yet, when this one sets Seen silently.
    seen.assume([1], lambda flags, keywords: (flags | SEEN, keywords))
    both = snapshot(3, {**START, 1: (SEEN | FLAGGED, 3)})
    assert seen.update(both, may_expunge=True) == [b"* 1 FETCH (FLAGS (\\Seen \\Flagged))\r\n"]


def test_tells_new_keywords_before_they_are_used():
    seen = view(snapshot(1, START, names=["$A"]))
    out = seen.update(snapshot(2, START, names=["$A", "$B"]), may_expunge=True)
    assert out == [b"* FLAGS (\\Seen \\Answered \\Flagged \\Deleted \\Draft $A $B)\r\n"]


def telling(one: Snapshot) -> View:
    """The view of a client that knows modseqs."""
    return View(one, is_read_only=False, first_recent=2**32, tells_modseqs=True)


def test_tells_uid_and_modseq_with_all_news_to_who_knows_them():
    seen = telling(snapshot(1, START))
    new = snapshot(2, {**START, 2: (FLAGGED, 2)})
    assert seen.update(new, may_expunge=True) == [b"* 2 FETCH (FLAGS (\\Flagged) UID 2 MODSEQ (2))\r\n"]
    assert seen.news_of(5, with_uid=False) == b"* 3 FETCH (FLAGS (\\Seen) UID 5 MODSEQ (1))\r\n"


def test_tells_the_modseq_of_a_silent_change():
    seen = telling(snapshot(1, START))
    seen.assume([1], lambda flags, keywords: (flags | SEEN, keywords))
    new = snapshot(2, {**START, 1: (SEEN, 2)})
    assert seen.update(new, may_expunge=True) == [b"* 1 FETCH (UID 1 MODSEQ (2))\r\n"]
    # Told with its modseq already, or changed by somebody else since.
    seen.keep_silent(snapshot(3, {**START, 2: (SEEN, 3), 5: (0, 3)}), [2, 5], 3)
    new = snapshot(4, {**START, 1: (SEEN, 2), 2: (SEEN, 3), 5: (0, 4)})
    assert seen.update(new, may_expunge=True) == [b"* 3 FETCH (UID 5 MODSEQ (4))\r\n"]


def test_says_where_a_client_may_go_on_from_while_expunges_are_held_back():
    """RFC 7162 §3.2: the modseqs it is told are above that of an expunge it has not been told."""
    seen = telling(snapshot(1, START))
    new = snapshot(3, {2: (SEEN, 3), 5: (SEEN, 1)})
    assert seen.update(new, may_expunge=False) == [
        b"* 2 FETCH (FLAGS (\\Seen) UID 2 MODSEQ (3))\r\n",
        b"* OK [HIGHESTMODSEQ 1] Highest\r\n",
    ]
    assert seen.update(new, may_expunge=False) == [b"* OK [HIGHESTMODSEQ 1] Highest\r\n"]
    assert seen.update(new, may_expunge=True) == [
        b"* 1 EXPUNGE\r\n",
        b"* OK [HIGHESTMODSEQ 3] Highest\r\n",
    ]
    assert seen.update(new, may_expunge=False) == []


def test_tells_uids_of_what_went_to_who_wants_them():
    seen = telling(snapshot(1, START))
    seen.tells_vanished = True
    new = snapshot(4, {5: (SEEN, 1), 7: (0, 4)})
    assert seen.update(new, may_expunge=True) == [
        b"* VANISHED 1:2\r\n",
        b"* 2 EXISTS\r\n",
        b"* 0 RECENT\r\n",
        b"* OK [HIGHESTMODSEQ 4] Highest\r\n",
    ]


def test_has_no_numbers_for_who_hears_none():
    seen = View(
        snapshot(1, START), is_read_only=False, first_recent=2**32, tells_vanished=True, is_uid_only=True
    )
    new = snapshot(3, {2: (FLAGGED, 2), 5: (SEEN, 1)})
    assert seen.update(new, may_expunge=True, with_uids=True) == [
        b"* 2 UIDFETCH (FLAGS (\\Flagged))\r\n",
        b"* VANISHED 1\r\n",
    ]
    seen.tells_modseqs = True
    assert seen.news_of(5, with_uid=False) == b"* 5 UIDFETCH (FLAGS (\\Seen) MODSEQ (1))\r\n"


def test_begins_with_modseqs_where_all_is_told():
    seen = view(snapshot(1, START))
    seen.update(snapshot(3, {2: (SEEN, 3), 5: (SEEN, 1)}), may_expunge=False)
    assert seen.tell_modseqs() == b"* OK [HIGHESTMODSEQ 1] Highest\r\n"
    seen.update(snapshot(4, {2: (SEEN, 3), 5: (SEEN, 4)}), may_expunge=True)
    assert seen.whole == 4


def test_knows_what_has_changed():
    seen = view(snapshot(4, {1: (0, 1), 2: (SEEN, 3), 5: (0, 4)}))
    assert seen.changed_since([(0, 3)], 2) == [(1, 3)]
    assert seen.changed_since([(0, 2)], 1) == [(1, 2)]
    assert seen.changed_since([(0, 3)], 4) == []
    assert (seen.known_at(2, 3), seen.known_at(2, 2), seen.known_at(9, 9)) == ((SEEN, 0), None, None)
    seen.update(snapshot(6, {2: (SEEN, 3), 5: (0, 4), 7: (0, 6)}), may_expunge=False)
    assert seen.changed_since([(0, 4)], 2) == [(1, 4)]
    assert (seen.modseq_of(1), seen.modseq_of(5)) == (0, 4)


def test_recent():
    seen = view(snapshot(1, START), first_recent=2)
    assert seen.recent_count == 2
    assert flags_of(seen, 5) == b"(\\Seen \\Recent)"
    assert flags_of(seen, 1) == b"()"
    assert not seen.is_claiming
    out = seen.update(snapshot(2, {**START, 7: (0, 2)}), may_expunge=True)
    assert out == [b"* 4 EXISTS\r\n", b"* 3 RECENT\r\n"]
    assert seen.is_claiming


def test_numbers():
    seen = view(snapshot(1, START))
    assert seen.slices(((1, 2), (3, 3)), uid=False) == [(0, 2), (2, 3)]
    assert seen.uid_ranges(((2, 4),), uid=True) == [(2, 2)]
    assert seen.uid_ranges(((1, 1 << 32),), uid=True) == [(1, 5)]
    assert seen.seq(5) == 3
    assert seen.seq(4) == 0
    for numbers in (((4, 4),), ((1, 9),)):
        with pytest.raises(BadSyntax):
            seen.slices(numbers, uid=False)
    empty = view(snapshot(1, {}))
    assert empty.slices(((1, 1 << 32),), uid=True) == []
    with pytest.raises(BadSyntax):
        empty.slices(((1, 1),), uid=False)


def test_keeps_messages_that_a_search_saved(monkeypatch):
    seen = view(snapshot(1, dict.fromkeys((1, 2, 5, 6, 9), (0, 1))))
    saved = (seqset.SAVED,)
    assert seen.slices(saved, uid=True) == []
    seen.keep_found([1, 2, 4])
    assert seen.slices(saved, uid=True) == seen.slices(saved, uid=False) == [(1, 3), (4, 5)]
    assert seen.slices((*saved, (4, 4)), uid=False) == [(1, 5)]
    assert seen.uid_ranges((*saved, (1, 1)), uid=True) == [(1, 5), (9, 9)]
    # What has gone and was told is in it no more; what is new never was.
    after = snapshot(2, dict.fromkeys((1, 5, 6, 9, 10), (0, 1)))
    seen.update(after, may_expunge=False)
    assert [picked.uid for picked in seen.pick(saved, uid=True)] == [2, 5, 9]
    seen.update(after, may_expunge=True)
    assert [picked.uid for picked in seen.pick(saved, uid=True)] == [5, 9]
    monkeypatch.setattr(limits, "IMAP_SAVED_RANGES", 1)
    with pytest.raises(NotSaved):
        seen.keep_found([0, 2])
    assert seen.slices(saved, uid=True) == []


def test_star_means_nothing_in_an_empty_folder():
    empty = view(snapshot(1, {}))
    for wire in (b"*", b"1:*", b"7:*"):
        assert empty.slices(seqset.parse(wire), uid=False) == []
    for wire in (b"1", b"1:2", b"1,*"):
        with pytest.raises(BadSyntax):
            empty.slices(seqset.parse(wire), uid=False)


def test_the_log_of_refreshes_is_enough():
    log = (Refresh(2, array("I", [1])), Refresh(3, array("I", [2])))
    new = snapshot(3, {**START, 1: (SEEN, 2), 2: (SEEN, 3)}, log=log, log_from=1)
    assert sorted(new.touched_since(1)) == [1, 2]
    assert sorted(new.touched_since(2)) == [2]
    assert sorted(new.touched_since(0)) == [1, 2, 5]  # before the log: by looking at all
    assert list(new.touched_since(3)) == []


changes = st.lists(
    st.tuples(
        st.sampled_from(["add", "flag", "gone", "tell", "tell all", "tell no flags"]),
        st.integers(0, 9),
        st.integers(0, 31),
    ),
    max_size=40,
)


@given(changes)
def test_a_client_that_believes_what_it_is_told_knows_all(steps):
    now = dict(START)
    seen = view(snapshot(1, now))
    mirror = [flags for flags, _ in (now[uid] for uid in sorted(now))]
    modseq, uidnext = 1, 6

    def hear(lines: list[bytes]) -> None:
        for line in lines:
            words = line.split()
            if words[2] == b"EXISTS":
                assert int(words[1]) >= len(mirror)
                mirror.extend([None] * (int(words[1]) - len(mirror)))
            elif words[2] == b"EXPUNGE":
                del mirror[int(words[1]) - 1]
            elif words[2] == b"FETCH":
                mirror[int(words[1]) - 1] = line.split(b"FLAGS ")[1]

    known = {uid: flags_of(seen, uid) for uid in now}
    mirror[:] = [known[uid] for uid in sorted(known)]
    for verb, which, flags in steps:
        modseq += 1
        if verb == "add":
            now[uidnext] = (flags, modseq)
            uidnext += 1
        elif now and verb in ("flag", "gone"):
            uid = sorted(now)[which % len(now)]
            if verb == "gone":
                del now[uid]
            else:
                now[uid] = (flags, modseq)
        elif verb.startswith("tell"):
            new = snapshot(modseq, now)
            hear(seen.update(new, may_expunge=verb != "tell", with_flags=verb != "tell no flags"))
    hear(seen.update(snapshot(modseq + 1, now), may_expunge=True))
    assert list(seen.shown) == sorted(now)
    assert len(mirror) == len(now)
    for uid, heard in zip(sorted(now), mirror, strict=True):
        assert heard is None or heard.rstrip(b")\r\n") == flags_of(seen, uid).rstrip(b")")
