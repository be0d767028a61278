"""Random runs of several IMAP clients in the same folders; in the end each knows what is true.

`make soak` runs it for as long as HOSTMAIL_TEST_MIRROR_SECONDS says; in the suite it has half a minute.
"""

import os
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mailcore import limits
from mailcore.models import Folder, Mailbox, Message
from mailcore.services import folders, messages, storage
from tests import resync
from tests.mirror import Answer, Lie, Memory, Mirror, appended, copied, truth

SECONDS = float(os.environ.get("HOSTMAIL_TEST_MIRROR_SECONDS", "30"))
# What each client enables or asks for.
KINDS = ["", "CONDSTORE", "QRESYNC", "NOTIFY"]
CLIENTS = len(KINDS)
# How many of the moments that the clients remember are come back from, in each of four ways.
MEMORIES = 3
FLAGS = ["\\Seen", "\\Flagged", "\\Deleted", "\\Answered", "$Label"]
MAIL = b"Subject: x\r\n\r\nbody\r\n"

number = st.integers(0, 3)
some_flags = st.lists(st.sampled_from(FLAGS), max_size=3, unique=True)
client = st.integers(0, CLIENTS - 1)
step = st.one_of(
    st.tuples(
        st.just("store"), client, number, number, st.sampled_from(["", "+", "-"]), some_flags, st.booleans()
    ),
    st.tuples(st.just("store by number"), client, number, st.sampled_from(["+", "-"]), some_flags),
    st.tuples(
        st.just("store unchanged"),
        client,
        number,
        number,
        st.sampled_from(["", "+", "-"]),
        some_flags,
        st.booleans(),
    ),
    st.tuples(st.just("read"), client, number),
    st.tuples(st.just("changes"), client),
    st.tuples(st.just("search by number"), client),
    st.tuples(st.just("forget")),
    st.tuples(st.just("save"), client, st.sampled_from(["UNSEEN", "UID 2:3", "NOT DELETED"])),
    st.tuples(st.just("use saved"), client),
    st.tuples(st.just("delete"), client, number, number),
    st.tuples(st.just("expunge"), client),
    st.tuples(st.just("uid expunge"), client, number, number),
    st.tuples(st.just("copy"), client, number, number),
    st.tuples(st.just("move"), client, number, number),
    st.tuples(st.just("append"), client, some_flags),
    st.tuples(st.just("deliver"), st.integers(1, 4)),
    st.tuples(st.just("idle"), client),
    st.tuples(st.just("noop"), client),
    st.tuples(st.just("fetch"), client),
    st.tuples(st.just("search"), client),
    st.tuples(st.just("select"), client, st.booleans()),
    st.tuples(st.just("close"), client, st.booleans()),
    st.tuples(st.just("rename"), client),
    st.tuples(st.just("remove"), client),
)
# Whether the clients are heard to the end before the next step, or several commands are under way at once.
# Long ones: what goes wrong needs two clients in the same folder and a third thing.
steps = st.lists(st.tuples(step, st.booleans()), min_size=12, max_size=40)


class World:
    """One mailbox, two folders whose names change, and the clients in them."""

    def __init__(self, maild) -> None:
        self.maild = maild
        self.person = maild.person()
        self.log: list[str] = []
        self.renames = 0
        self.names: list[str] = []
        self.mirrors = [self.connect(number, kind) for number, kind in enumerate(KINDS, 1)]
        self.judge = self.connect(9)
        self.returning = self.connect(8, "QRESYNC")

    def connect(self, number: int, kind: str = "") -> Mirror:
        mirror = Mirror(self.maild.ports["imap"], number, self.log, kind)
        return mirror.log_in(self.person.address, self.person.password)

    def begin(self) -> None:
        """Two new folders with three messages in the first, and everybody in one of them."""
        self.log.clear()
        for name in self.names:
            folders.delete(self.person.mailbox.pk, name)
        self.renames += 1
        self.names = [f"One{self.renames}", f"Two{self.renames}"]
        for name in self.names:
            folders.create(self.person.mailbox.pk, name)
        self.deliver(3)
        for at, mirror in enumerate(self.mirrors):
            if mirror.is_over:
                mirror.close()
                self.mirrors[at] = mirror = self.connect(mirror.number, KINDS[at])
            mirror.memories.clear()
            mirror.select(self.names[at == CLIENTS - 1])
            mirror.fill()

    def close(self) -> None:
        for mirror in [*self.mirrors, self.judge, self.returning]:
            mirror.close()

    # --- steps ------------------------------------------------------------------------------------------

    def deliver(self, count: int) -> None:
        pk = Folder.objects.get(mailbox=self.person.mailbox, name=self.names[0]).pk
        self.maild.file(self.person, *[MAIL] * count, folder=pk)

    def ready(self, at: int) -> Mirror:
        """A client that can take a command: it is connected, and has a folder."""
        mirror = self.mirrors[at]
        self.settle(mirror)
        if mirror.is_over:
            mirror.close()
            self.mirrors[at] = mirror = self.connect(mirror.number, KINDS[at])
        if mirror.folder is None:
            mirror.select(self.names[0])
        return mirror

    @staticmethod
    def forget() -> None:
        """A year goes by in the change log."""
        kept = limits.CHANGES_KEPT_SECONDS
        limits.CHANGES_KEPT_SECONDS = -1
        try:
            storage.prune_changes()
        finally:
            limits.CHANGES_KEPT_SECONDS = kept

    @staticmethod
    def settle(mirror: Mirror) -> None:
        if mirror.is_idle:
            mirror.done()
        elif mirror.running and not mirror.is_over:
            mirror.wait()

    @staticmethod
    def pick(mirror: Mirror, first: int, count: int) -> list[int]:
        """Some uids that this client knows of."""
        known = [entry.uid for entry in mirror.entries if entry.uid is not None]
        return known[first % len(known) :][: count + 1] if known else []

    def step(self, step: tuple, *, waits: bool) -> None:
        name, *rest = step
        if name == "deliver":
            self.deliver(rest[0])
            return
        if name == "forget":
            self.forget()
            return
        mirror = self.ready(rest[0])
        getattr(self, "do_" + name.replace(" ", "_"))(mirror, *rest[1:])
        if mirror.running.startswith("IDLE"):
            mirror.wait()
        elif waits:
            self.settle(mirror)

    def do_store(self, mirror, first, count, mode, flags, silent) -> None:
        if uids := self.pick(mirror, first, count):
            mirror.store(uids, mode, flags, silent=silent)

    def do_store_by_number(self, mirror, first, mode, flags) -> None:
        if mirror.entries:
            mirror.send(f"STORE {1 + first % len(mirror.entries)}:* {mode}FLAGS ({' '.join(flags)})")

    def do_store_unchanged(self, mirror, first, count, mode, flags, silent) -> None:
        if (uids := self.pick(mirror, first, count)) and mirror.highest:
            mirror.store(uids, mode, flags, silent=silent, since=mirror.highest)

    def do_read(self, mirror, first) -> None:
        """Marks it as seen."""
        if mirror.entries:
            mirror.send(f"FETCH {1 + first % len(mirror.entries)} (BODY[])")

    def do_changes(self, mirror) -> None:
        """Ask for what is told anyway: it must not be told wrong."""
        if mirror.kind and mirror.highest:
            vanished = " VANISHED" if mirror.kind == "QRESYNC" else ""
            mirror.send(f"UID FETCH 1:* (FLAGS) (CHANGEDSINCE {max(mirror.highest - 3, 1)}{vanished})")

    def do_search_by_number(self, mirror) -> None:
        mirror.send("UID SEARCH 1:2")

    def do_save(self, mirror, keys) -> None:
        mirror.send(f"UID SEARCH RETURN (SAVE ALL) {keys}")

    def do_use_saved(self, mirror) -> None:
        mirror.send("UID SEARCH RETURN (ALL) $")

    def do_delete(self, mirror, first, count) -> None:
        self.do_store(mirror, first, count, "+", ["\\Deleted"], True)

    def do_expunge(self, mirror) -> None:
        mirror.send("EXPUNGE")

    def do_uid_expunge(self, mirror, first, count) -> None:
        if uids := self.pick(mirror, first, count):
            mirror.send(f"UID EXPUNGE {uids[0]}:{uids[-1]}")

    def other(self, mirror) -> str:
        return self.names[mirror.folder == self.names[0]]

    def do_copy(self, mirror, first, count) -> None:
        if uids := self.pick(mirror, first, count):
            mirror.send(f'UID COPY {uids[0]}:{uids[-1]} "{self.other(mirror)}"', lambda a: list(copied(a)))

    def do_move(self, mirror, first, count) -> None:
        if uids := self.pick(mirror, first, count):
            mirror.send(f'UID MOVE {uids[0]}:{uids[-1]} "{self.other(mirror)}"', lambda a: list(copied(a)))

    def do_append(self, mirror, flags) -> None:
        # The line ends of the body are the literal's own.
        body = MAIL.decode().removesuffix("\r\n")
        mirror.send(f'APPEND "{self.names[0]}" ({" ".join(flags)}) {{{len(body)}+}}\r\n{body}', appended)

    def do_idle(self, mirror) -> None:
        mirror.send("IDLE")

    def do_noop(self, mirror) -> None:
        mirror.send("NOOP")

    def do_fetch(self, mirror) -> None:
        if mirror.entries:
            mirror.send("FETCH 1:* (UID FLAGS)")

    def do_search(self, mirror) -> None:
        mirror.send("SEARCH NOT DELETED")

    def do_select(self, mirror, other) -> None:
        mirror.select(self.names[other])

    def do_close(self, mirror, expunges) -> None:
        mirror.unselect(close=expunges)

    def do_rename(self, mirror) -> None:
        """Everybody who has it goes on under its new name."""
        self.renames += 1
        old, new = self.names[0], f"Ren{self.renames}"
        for each in self.mirrors:
            if not each.is_idle:
                self.settle(each)
        if mirror.ask(f'RENAME "{old}" "{new}"').word == "OK":
            self.names[0] = new
            for each in self.mirrors:
                if each.folder == old:
                    each.folder = new

    def do_remove(self, mirror) -> None:
        """Take the second folder away, and make another of that name."""
        name = self.names[1]
        for each in self.mirrors:
            self.settle(each)
            if each.folder == name and not each.is_over:
                each.unselect()
        assert mirror.ask(f'DELETE "{name}"').word == "OK"
        assert mirror.ask(f'CREATE "{name}"').word == "OK"
        mirror.select(name)

    # --- the end ------------------------------------------------------------------------------------------

    def judge_all(self) -> None:
        for mirror in self.mirrors:
            self.settle(mirror)
        for mirror in self.mirrors:
            mirror.catch_up()
        true = {name: truth(self.judge, name) for name in self.names}
        for mirror in self.mirrors:
            if mirror.folder is not None and not mirror.is_over:
                expected = [row if mirror.kind else row[:2] for row in true[mirror.folder]]
                assert mirror.believed(modseqs=bool(mirror.kind)) == expected, (
                    f"client {mirror.number} in {mirror.folder}"
                )
        self.come_back(true)
        self.count(true)

    def come_back(self, true) -> None:
        """Some of the moments at which a client may have lost its connection lead to the truth too."""
        folders_now = {
            folder.uidvalidity: folder.name for folder in Folder.objects.filter(mailbox=self.person.mailbox)
        }
        for mirror in self.mirrors:
            memories = [memory for memory in mirror.memories if memory.uidvalidity in folders_now]
            for memory in memories[:: max(1, len(memories) // MEMORIES)]:
                name = folders_now[memory.uidvalidity]
                if name in true:
                    resync.by_qresync(self.returning, name, memory, true[name])
                    resync.by_condstore(self.judge, name, memory, true[name])

    def count(self, true) -> None:
        """The counters of folders and mailbox are what they count, too."""
        mailbox = Mailbox.objects.get(pk=self.person.mailbox.pk)
        sizes = {}
        for folder in Folder.objects.filter(mailbox=mailbox):
            rows = list(Message.objects.filter(folder_id=folder.pk))
            sizes[folder.pk] = sum(row.size for row in rows)
            unseen = sum(not row.flags & 1 for row in rows)
            assert (folder.message_count, folder.unseen_count, folder.octets) == (
                len(rows), unseen, sizes[folder.pk]
            ), folder.name  # fmt: skip
            if folder.name in true:
                assert [row.uid for row in sorted(rows, key=lambda row: row.uid)] == [
                    uid for uid, *_ in true[folder.name]
                ]
            assert folder.uidnext > max((row.uid for row in rows), default=0)
            state = messages.folder_state(folder.pk)
            assert max((row.modseq for row in rows), default=0) <= state.modseq
        assert mailbox.used_octets == sum(sizes.values())
        assert mailbox.message_count == Message.objects.filter(mailbox_id=mailbox.pk).count()


@pytest.mark.slow
@pytest.mark.timeout(SECONDS * 3 + 120)
def test_every_client_ends_up_with_the_truth(maild):
    world = World(maild)
    until = time.monotonic() + SECONDS
    runs = 0

    # A few hundred at a time: hypothesis would go on asking long after the time is over.
    @settings(max_examples=200, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(steps)
    def run(given_steps) -> None:
        nonlocal world, runs
        runs += 1
        try:
            world.begin()
            for step, waits in given_steps:
                world.step(step, waits=waits)
            world.judge_all()
        except BaseException as error:
            error.add_note("\n".join(world.log))
            world.close()
            world = World(maild)
            raise

    try:
        while time.monotonic() < until:
            run()
    finally:
        world.close()
    print(f"{runs} runs")
    assert runs > SECONDS / 3, "too few runs to say anything"


# --- The mirror itself -------------------------------------------------------------------------------------


@pytest.fixture
def mirror(monkeypatch):
    """A mirror that hears what the test says."""
    made = Mirror.__new__(Mirror)
    made.number, made.log, made.entries, made.running, made.touched = 1, [], [], "NOOP", set()
    made.folder, made.kind, made.is_notified, made.memories = "INBOX", "", False, {}
    made.saved = set()
    made.uidvalidity = made.highest = made.heard_highest = made.heard_modseq = 0
    return made


def hear(mirror, *lines):
    for line in lines:
        mirror._hear(line)
    return mirror.believed()


def test_mirror_believes_what_it_hears(mirror):
    assert hear(mirror, "* 2 EXISTS", "* 1 FETCH (UID 5 FLAGS (\\Seen \\Recent))") == [
        (5, frozenset({"\\Seen"})), (None, None),
    ]  # fmt: skip
    assert hear(mirror, "* 1 EXPUNGE", "* 1 FETCH (FLAGS () UID 7)") == [(7, frozenset())]


@pytest.mark.parametrize(
    ("running", "lines"),
    [
        ("NOOP", ["* 1 EXPUNGE"]),
        ("NOOP", ["* 1 FETCH (FLAGS ())"]),
        ("NOOP", ["* 2 EXISTS", "* 1 EXISTS"]),
        ("NOOP", ["* 1 EXISTS", "* 1 FETCH (UID 5)", "* 1 FETCH (UID 6)"]),
        ("NOOP", ["* 2 EXISTS", "* 1 FETCH (UID 5)", "* 2 FETCH (UID 5)"]),
        ("FETCH 1 FLAGS", ["* 2 EXISTS", "* 1 EXPUNGE"]),
        ("STORE 1 FLAGS ()", ["* 2 EXISTS", "* 1 EXPUNGE"]),
        ("SEARCH ALL", ["* 2 EXISTS", "* 1 EXPUNGE"]),
    ],
)
def test_mirror_knows_a_lie(mirror, running, lines):
    mirror.running = running
    with pytest.raises(Lie):
        hear(mirror, *lines)


@pytest.mark.parametrize(
    ("running", "lines"),
    [
        ("NOOP", ["* 1 EXISTS", "* 1 FETCH (UID 5 FLAGS ())"]),
        ("STORE 1 FLAGS ()", ["* 1 EXISTS", "* 1 FETCH (FLAGS () MODSEQ (5))"]),
        ("NOOP", ["* 1 EXISTS", "* 1 EXPUNGE"]),
        ("NOOP", ["* 1 EXISTS", "* 1 FETCH (UID 5 FLAGS () MODSEQ (3))", "* VANISHED 4"]),
        ("NOOP", ["* 1 EXISTS", "* VANISHED 4:5"]),
        ("UID SEARCH 1:2", ["* 1 EXISTS", "* VANISHED 4"]),
        ("FETCH 1 UID", ["* 1 EXISTS", "* VANISHED 4"]),
        ("NOOP", ["* 1 EXISTS", "* 1 FETCH (UID 5 FLAGS () MODSEQ (3))", "* VANISHED (EARLIER) 5"]),
    ],
)
def test_mirror_with_qresync_knows_a_lie(mirror, running, lines):
    mirror.running, mirror.kind = running, "QRESYNC"
    with pytest.raises(Lie):
        hear(mirror, *lines)


def test_mirror_knows_what_was_saved(mirror):
    hear(mirror, "* 3 EXISTS", *(f"* {n} FETCH (UID {n} FLAGS ())" for n in (1, 2, 3)))
    mirror.running = "UID SEARCH RETURN (SAVE ALL) ALL"
    hear(mirror, '* ESEARCH (TAG "a1") UID ALL 1,3')
    mirror.running = "UID SEARCH RETURN (ALL) $"
    hear(mirror, "* 1 EXPUNGE", '* ESEARCH (TAG "a2") UID ALL 3')
    with pytest.raises(Lie):
        hear(mirror, '* ESEARCH (TAG "a2") UID ALL 2:3')
    with pytest.raises(Lie):
        hear(mirror, '* ESEARCH (TAG "a2") UID')


def test_mirror_remembers_what_it_may_go_on_from(mirror):
    mirror.kind, mirror.uidvalidity = "QRESYNC", 7
    hear(
        mirror, "* 3 EXISTS", "* 1 FETCH (UID 5 FLAGS () MODSEQ (3))", "* 3 FETCH (UID 9 FLAGS () MODSEQ (8))"
    )
    assert not mirror.memories
    mirror._go_on_from("NOOP completed")
    assert list(mirror.memories) == [Memory(7, 8, ((5, frozenset()),))]
    hear(mirror, "* VANISHED 6", "* OK [HIGHESTMODSEQ 4] Highest")
    mirror._go_on_from("NOOP completed")
    assert list(mirror.memories)[-1] == Memory(7, 4, ((5, frozenset()), (9, frozenset())))
    mirror._go_on_from("[HIGHESTMODSEQ 12] EXPUNGE completed")
    assert mirror.highest == 12


def test_who_comes_back_knows_a_lie():
    returning = resync.Returning(Memory(1, 5, ((1, frozenset()), (2, frozenset()))))
    lines = ["* VANISHED (EARLIER) 2:4", "* 1 FETCH (UID 1 FLAGS (\\Seen) MODSEQ (6))"]
    returning.hear(Answer("OK", "", lines))
    seen = frozenset({"\\Seen"})
    returning.compare([(1, seen, 6)], "QRESYNC")
    for true in ([(1, seen, 7)], [(1, frozenset(), 6)], [(1, seen, 6), (2, frozenset(), 1)]):
        with pytest.raises(Lie):
            returning.compare(true, "QRESYNC")
