"""The text index: what searches find is what reading every mail would find, however far it is built."""

import random

import pytest

from mailcore import limits
from mailcore.message import searchtext
from mailcore.message.index import index
from mailcore.message.searchtext import Source
from mailcore.models import SearchBlock, SearchMailbox, SearchPlane, SearchText
from mailcore.services import closing, messages, sql, storage, textindex
from mailcore.services.textindex import Wanted, build, kept
from tests.mailcore.imap.commands.reading import Inbox, mail
from tests.messages import corpus


@pytest.fixture
def inbox(db, data_dir) -> Inbox:
    return Inbox()


@pytest.fixture
def small(monkeypatch) -> None:
    """Blocks so small that a few mails make many of all kinds."""
    monkeypatch.setattr(limits, "SEARCH_BLOCK", 32)
    monkeypatch.setattr(limits, "SEARCH_SEALED", 8)
    monkeypatch.setattr(limits, "SEARCH_LOT", 3)
    monkeypatch.setattr("mailcore.services.textindex.search._FEW", 0)


def find(inbox: Inbox, where: str, needle: str, name: str = "") -> list[int]:
    box = inbox.person.mailbox.pk
    return sorted(textindex.find_all(box, inbox.folder_id, Wanted(where, needle, name)))


def build_all(inbox: Inbox) -> int:
    return textindex.index_mailbox(inbox.person.mailbox.pk)


def naive(raws: list[bytes], wanted: Wanted) -> list[int]:
    """The truth, from the octets."""
    found = []
    needle = searchtext.needle(wanted.needle)
    for uid, raw in enumerate(raws, 1):
        made = index(raw)
        at = made.header_octets
        mail = Source(b"", raw[:at], raw[at:], made.parts, made.subject, made.from_text, made.to_text)
        texts = searchtext.texts(mail, None)
        where = {
            "TEXT": [texts.head, texts.body],
            "BODY": [texts.body],
            **{name: [text] for name, text in zip(searchtext.FIELDS, texts.fields, strict=True)},
        }
        if (
            searchtext.has_field(mail.header, wanted.name, needle)
            if wanted.where == "HEADER"
            else any(needle in text for text in where[wanted.where])
        ):
            found.append(uid)
    return found


def questions(raws: list[bytes], seed: int, count: int) -> list[Wanted]:
    """Pieces of what the mails say, and of what they do not."""
    rng = random.Random(seed)
    asked = [Wanted("TEXT", ""), Wanted("BODY", "zzqqxx"), Wanted("SUBJECT", "e"), Wanted("TEXT", "\r\n")]
    for _ in range(count):
        raw = rng.choice(raws)
        made = index(raw)
        at = made.header_octets
        mail = Source(b"", raw[:at], raw[at:], made.parts, made.subject, made.from_text, made.to_text)
        texts = searchtext.texts(mail, None)
        where = rng.choice(["TEXT", "BODY", "HEADER", *searchtext.FIELDS])
        text = {"TEXT": texts.head, "BODY": texts.body, "HEADER": made.message_id}.get(where)
        if text is None:
            text = texts.fields[searchtext.FIELDS.index(where)]
        start = rng.randrange(len(text) + 1)
        needle = text[start : start + rng.choice([1, 2, 3, 4, 6, 12, 30])]
        if "\0" not in needle:
            asked.append(Wanted(where, needle.upper() if rng.random() < 0.3 else needle, "Message-ID"))
    return asked


def test_finds_in_real_mail_what_reading_all_of_it_finds(inbox, small):
    raws = [path.read_bytes() for path in corpus()]
    raws = [raw for raw in raws if b"\0" not in raw and len(raw) < 200_000][:120]
    asked = questions(raws, 1, 60)
    expected = [naive(raws, wanted) for wanted in asked]
    done = 0
    for size in (5, 1, 30, 0, 3, 50, len(raws)):
        # Some indexed, some not yet.
        inbox.file(*raws[done : done + size])
        done += len(raws[done : done + size])
        if size != 3:
            build_all(inbox)
        for wanted, uids in zip(asked, expected, strict=True):
            assert find(inbox, *wanted) == [uid for uid in uids if uid <= done], wanted
    assert SearchBlock.objects.filter(is_sealed=True).exists()


def test_blocks_grow_together(inbox, small):
    for number in range(60):
        inbox.file(mail(f"number {number}", f"word{number}\r\n"))
        if number % 3 == 0:
            build_all(inbox)
    build_all(inbox)
    sizes = [len(bytes(members)) // 8 for members in SearchBlock.objects.values_list("members", flat=True)]
    assert max(sizes) > 16
    assert max(sizes) <= 32
    assert (
        SearchPlane.objects.values("block").distinct().count()
        == SearchBlock.objects.filter(is_sealed=True).count()
    )
    for number in (0, 7, 31, 59):
        assert number + 1 in find(inbox, "BODY", f"word{number}")
        assert number + 1 in find(inbox, "SUBJECT", f"number {number}")
    assert find(inbox, "BODY", "word59") == [60]


def test_reads_no_mail_that_is_indexed(inbox, small, monkeypatch):
    inbox.file(*[mail(f"number {number}", f"word{number}\r\n") for number in range(20)])
    build_all(inbox)
    monkeypatch.setattr(kept, "sources", lambda pks: iter(()) if not pks else pytest.fail("read the mail"))
    assert find(inbox, "BODY", "word7") == [8]
    assert find(inbox, "TEXT", "number 7") == [8]
    assert find(inbox, "FROM", "ann@") == list(range(1, 21))


def test_what_is_longer_than_kept_is_read(inbox, small, monkeypatch):
    monkeypatch.setattr(limits, "SEARCH_TEXT_CHARS", 100)
    monkeypatch.setattr(searchtext.texts, "__defaults__", (100,))
    inbox.file(*[mail(f"number {number}", "x" * 300 + f"word{number}\r\n") for number in range(12)])
    build_all(inbox)
    assert SearchText.objects.filter(is_cut=True).count() == 12
    assert find(inbox, "BODY", "word7") == [8]
    assert find(inbox, "BODY", "word70") == []


def test_expunged_and_copied_mail(inbox, small):
    inbox.file(*[mail(f"number {number}", f"word{number}\r\n") for number in range(20)])
    build_all(inbox)
    inbox.expunge([(1, 15)])
    assert find(inbox, "BODY", "word7") == []
    assert find(inbox, "BODY", "word17") == [18]
    assert textindex.tidy() == 1
    members = {pk for row in SearchBlock.objects.all() for pk in kept.unpack(bytes(row.members)) if pk}
    assert len(members) == 5
    assert find(inbox, "BODY", "word17") == [18]
    copied = messages.copy(inbox.folder_id, [(18, 18)], inbox.folder_id)
    assert find(inbox, "BODY", "word17") == [18, *copied.target_uids]
    assert build_all(inbox) == 0
    assert find(inbox, "BODY", "word17") == [18, *copied.target_uids]


def test_a_killed_builder_loses_nothing(inbox, small):
    inbox.file(*[mail(f"number {number}", f"word{number}\r\n") for number in range(40)])

    class Killed(BaseException):
        pass

    for steps in range(1, 60, 7):
        left = [steps]

        def pause(left=left):
            left[0] -= 1
            if not left[0]:
                raise Killed

        try:
            textindex.index_mailbox(inbox.person.mailbox.pk, pause)
        except Killed:
            pass
        assert find(inbox, "BODY", "word33") == [34]
        assert find(inbox, "SUBJECT", "number 3") == [4, *range(31, 41)]
    build_all(inbox)
    assert find(inbox, "BODY", "word33") == [34]


def test_two_builders_at_once_do_no_harm(inbox, small):
    inbox.file(*[mail(f"number {number}", f"word{number}\r\n") for number in range(20)])
    box = inbox.person.mailbox.pk
    entered = []

    def pause():
        if not entered:
            entered.append(True)
            textindex.index_mailbox(box)

    textindex.index_mailbox(box, pause)
    members = [pk for row in SearchBlock.objects.all() for pk in kept.unpack(bytes(row.members)) if pk]
    assert len(members) == len(set(members)) == 20
    assert find(inbox, "BODY", "word13") == [14]


def test_missing_bitmaps_rule_nothing_out(inbox, small):
    inbox.file(*[mail(f"number {number}", f"word{number}\r\n") for number in range(20)])
    build_all(inbox)
    SearchPlane.objects.all().delete()
    assert find(inbox, "BODY", "word13") == [14]


def test_another_version_of_the_text_is_made_again(inbox, small, monkeypatch):
    inbox.file(*[mail(f"number {number}", f"word{number}\r\n") for number in range(20)])
    build_all(inbox)
    monkeypatch.setattr(searchtext, "TEXT_VERSION", 2)
    assert find(inbox, "BODY", "word13") == [14]
    assert textindex.sweep(lambda: None) >= 1
    assert set(SearchText.objects.values_list("text_version", flat=True)) == {2}
    assert find(inbox, "BODY", "word13") == [14]


def test_the_sweep_looks_only_at_what_changed(inbox):
    while textindex.sweep(lambda: None):
        pass
    inbox.file(mail("one"))
    assert textindex.sweep(lambda: None) == 1
    assert textindex.sweep(lambda: None) == 0
    assert (
        SearchMailbox.objects.get(pk=inbox.person.mailbox.pk).seen
        == sql.row("SELECT modseq FROM mailbox WHERE id = %s", (inbox.person.mailbox.pk,))[0]
    )


def test_rebuilds(inbox, small):
    inbox.file(*[mail(f"number {number}") for number in range(10)])
    build_all(inbox)
    assert textindex.rebuild(inbox.person.mailbox.pk) == 10
    assert find(inbox, "SUBJECT", "number 7") == [8]


def test_texts_go_with_their_mail(inbox):
    inbox.file(mail("one"), mail("two"))
    build_all(inbox)
    contents = list(SearchText.objects.values_list("pk", flat=True))
    inbox.expunge(messages.ALL)
    sql.execute("DELETE FROM expunged_message")
    closing.drop_contents(contents[:1])
    assert list(SearchText.objects.values_list("pk", flat=True)) == contents[1:]
    sql.execute("DELETE FROM content")
    assert textindex.tidy() == 2  # the block, and the text nobody dropped
    assert not SearchText.objects.exists()
    assert not SearchBlock.objects.exists()


def test_asks_the_header_itself_for_a_field(inbox, small):
    inbox.file(*[mail(f"n{number}", X_Thing=f"=?utf-8?q?Gr=C3=BC=C3=9Fe?= {number}") for number in range(10)])
    inbox.file(mail("GRÜSSE in the subject"))
    build_all(inbox)
    assert find(inbox, "HEADER", "grüße 7", "x-thing") == [8]
    assert find(inbox, "HEADER", "", "X-Thing") == list(range(1, 11))
    assert find(inbox, "HEADER", "x", "Sübject") == []
    assert storage.sweep_contents() == 0
    assert build.tidy() == 0
